//! An extension under load while it is swapped for another build of itself again and again, beside the same load without.
//!
//! Each build has bytes that no one has compiled before. A follow stream of another extension is open all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::callers::{Callers, expect};
use crate::load::{CLIENTS, Round};
use crate::process::{Home, Server};
use crate::report::{Row, Verdict};
use crate::wire::{Connection, Outline};
use crate::{Effort, Outcome, components, progress};

const SWAPPED: &str = "rival";
const POLICY: &str = r#"routes = ["GET /rival"]"#;
const TARGET: &str = "/rival";
/// The target: the p99 while swapping is at most so many times the other.
const MOST: f64 = 2.0;
/// How long a stream may take to tell of something new.
const STREAM_PATIENCE: Duration = Duration::from_secs(10);

/// What became of the requests of one side.
struct Tally {
    round: Round,
    failed: usize,
}

/// The requests that are sent, and when to stop.
#[derive(Clone)]
struct Asking {
    address: std::net::SocketAddr,
    request: Arc<[u8]>,
    expected: Outline,
    over: Arc<AtomicBool>,
}

/// Swaps under load: failures, and how long answers took.
pub async fn measure(effort: &Effort) -> Outcome<Vec<Row>> {
    progress("swaps");
    let home = Home::new()?;
    let callers = Callers::create(&home).await?;
    components::install(&home, SWAPPED, POLICY)?;
    let gateway = home.start_gateway().await?;
    let component = components::bytes(SWAPPED)?;
    let mut stream = follow(&gateway, &callers).await?;

    let (mut quiet, mut swapping) = (Vec::new(), Vec::new());
    let mut swaps = 0;
    for round in 1..=effort.rounds {
        let asking = Asking::new(&gateway, &callers).await?;
        quiet.push(asking.during(tokio::time::sleep(effort.round)).await?.0);
        let asking = Asking::new(&gateway, &callers).await?;
        let wanted = effort.swaps * round / effort.rounds;
        let swap_all = async {
            while swaps < wanted {
                components::replace(&home, SWAPPED, &components::variant(&component, swaps))?;
                home.run(&["extension", "reload", SWAPPED]).await?;
                swaps += 1;
            }
            Outcome::Ok(())
        };
        let (tally, swapped) = asking.during(swap_all).await?;
        swapped?;
        swapping.push(tally);
    }
    still_follows(&mut stream, &gateway, &callers).await?;
    gateway.stop().await?;

    let failed: usize = swapping.iter().map(|tally| tally.failed).sum();
    let failed_quietly: usize = quiet.iter().map(|tally| tally.failed).sum();
    let requests: usize = swapping.iter().map(|tally| tally.round.operations).sum();
    let (quiet, swapping) = (median(quiet)?, median(swapping)?);
    let ratio = p99(&swapping) / p99(&quiet).max(f64::EPSILON);
    let name = format!("GET {TARGET} during {swaps} swaps, {CLIENTS} clients");
    Ok(vec![
        Row::of_round(&name, &swapping, None).with_verdict(Verdict::at_most(
            ratio,
            MOST,
            "the p99 without swaps",
        )),
        Row::of_round("  without swaps, in turns with it", &quiet, None),
        Row::new(
            &format!("  failed, of {} answered during swaps", requests),
            format!("{failed} ({failed_quietly} without)"),
        )
        .with_verdict(Verdict::all(requests, requests + failed)),
        Row::new(
            "  open follow stream of another extension",
            "unharmed".to_owned(),
        ),
    ])
}

impl Asking {
    async fn new(gateway: &Server, callers: &Callers) -> Outcome<Self> {
        let request = callers.admin_get(TARGET);
        let mut connection = Connection::open(gateway.address).await?;
        let response = expect(200, connection.fetch(&request).await?)?;
        Ok(Self {
            address: gateway.address,
            request,
            expected: Outline {
                status: response.status,
                body_length: response.body.len(),
            },
            over: Arc::default(),
        })
    }

    /// Asks on [`CLIENTS`] connections until `something` is done.
    async fn during<T>(self, something: impl Future<Output = T>) -> Outcome<(Tally, T)> {
        // On a thread of its own: what goes on meanwhile shall not show in the times.
        let (over, start) = (Arc::clone(&self.over), Instant::now());
        let asking = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let mut clients = JoinSet::new();
                for _ in 0..CLIENTS {
                    clients.spawn(self.clone().ask_until_over());
                }
                Outcome::Ok(clients.join_all().await)
            })
        });
        let done = something.await;
        over.store(true, Ordering::Relaxed);
        let (mut latencies, mut failed) = (Vec::new(), 0);
        for (of_client, failures) in asking.await?? {
            latencies.extend(of_client);
            failed += failures;
        }
        let round = Round::new(start.elapsed(), latencies);
        Ok((Tally { round, failed }, done))
    }

    async fn ask_until_over(self) -> (Vec<Duration>, usize) {
        let (mut latencies, mut failed) = (Vec::new(), 0);
        let mut connection = None;
        while !self.over.load(Ordering::Relaxed) {
            let asked = Instant::now();
            match self.ask(&mut connection).await {
                Ok(outline) if outline == self.expected => latencies.push(asked.elapsed()),
                _ => {
                    failed += 1;
                    connection = None;
                }
            }
        }
        (latencies, failed)
    }

    async fn ask(&self, connection: &mut Option<Connection>) -> Outcome<Outline> {
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(Connection::open(self.address).await?),
        };
        connection.exchange(&self.request).await
    }
}

async fn follow(gateway: &Server, callers: &Callers) -> Outcome<Connection> {
    let mut stream = Connection::open(gateway.address).await?;
    stream
        .subscribe(&callers.admin_get("/permission-requests?follow=true"))
        .await?;
    stream.wait_for(b"\r\n\r\n").await?;
    Ok(stream)
}

/// A new request for permission shows on the stream that was opened before all swaps.
async fn still_follows(
    stream: &mut Connection,
    gateway: &Server,
    callers: &Callers,
) -> Outcome<()> {
    let mut connection = Connection::open(gateway.address).await?;
    let response = expect(201, connection.fetch(&callers.post_request()).await?)?;
    let record: serde_json::Value = serde_json::from_slice(&response.body)?;
    let id = record.get("request_id").and_then(serde_json::Value::as_str);
    let id = id.ok_or("the record has no id")?.as_bytes();
    tokio::time::timeout(STREAM_PATIENCE, stream.wait_for(id)).await?
}

fn p99(round: &Round) -> f64 {
    round.percentile(99).as_secs_f64()
}

/// The round with the median p99.
fn median(mut tallies: Vec<Tally>) -> Outcome<Round> {
    tallies.sort_by_key(|tally| tally.round.percentile(99));
    let middle = tallies.len() / 2;
    let middle = tallies.into_iter().nth(middle);
    Ok(middle.ok_or("nothing was measured")?.round)
}
