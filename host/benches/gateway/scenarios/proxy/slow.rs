//! What a normal client notices of thousands that read and write at one byte a second.

use std::time::{Duration, Instant};

use super::Stage;
use crate::Outcome;
use crate::crowd::{Crowd, Requests};
use crate::limits;
use crate::load::{PACE, Round};
use crate::process::Server;
use crate::report::{Row, Verdict, megabytes};
use crate::scenarios::callers::expect;
use crate::scenarios::{Effort, SETTLE, progress};
use crate::wire::Connection;

/// What each slow reader has asked for: more than the kernel sends ahead.
const ANSWER: u64 = 256 * 1024;
/// How many clients show what one takes of the gateway's open files.
const SAMPLE: usize = 100;
/// Of the gateway's open files, for everybody else.
const OTHER_FILES: u64 = 100;
const MOST_SLOWDOWN: f64 = 2.0;

pub async fn measure(effort: &Effort) -> Outcome<Vec<Row>> {
    let stage = Stage::set().await?;
    let size = effort.crowd.min(most_clients(&stage).await?);
    let sides = [
        (&stage.gateway, "minds-api-proxy"),
        (&stage.plain, "a plain reverse proxy"),
    ];
    let mut watches = [const { Vec::new() }; 2];
    for _ in 0..effort.rounds {
        for ((server, name), watches) in sides.iter().zip(&mut watches) {
            progress(&format!("{size} slow clients of {name}"));
            watches.push(watch(&stage, server, size, effort.watch).await?);
        }
    }
    let [own, plain] = watches.map(Watch::median);
    let mut rows = Vec::from(own.rows("minds-api-proxy"));
    rows.extend(
        plain
            .rows("a plain reverse proxy")
            .map(Row::without_verdict),
    );
    stage.strike().await?;
    Ok(rows)
}

/// A normal client, watched without the crowd and with it.
struct Watch {
    alone: Round,
    among: Round,
    size: usize,
    /// Slow clients that were cut off, and why the first of them was.
    lost: usize,
    reason: String,
    /// Bytes of slow writers that reached the upstream in a second.
    arriving: f64,
    /// Memory over idle, with the whole crowd there.
    growth: u64,
    /// Share of one processor that the server took for crowd and client.
    busy: f64,
}

async fn watch(stage: &Stage, server: &Server, size: usize, duration: Duration) -> Outcome<Watch> {
    let load = stage.small(server);
    let alone = load.visit(duration).await?;
    let idle = server.resident()?;
    let crowd = assemble(stage, server, size).await?;
    let growth = server.resident()?.total.saturating_sub(idle.total);
    let (arrived, cpu, started) = (census(stage).await?, server.cpu_time()?, Instant::now());
    let among = load.visit(duration).await?;
    let elapsed = started.elapsed().as_secs_f64();
    let busy = server.cpu_time()?.saturating_sub(cpu).as_secs_f64() / elapsed;
    let arriving = census(stage).await?.saturating_sub(arrived) as f64 / elapsed;
    let (lost, reason) = (crowd.lost(), crowd.reason());
    crowd.disperse().await?;
    // The next side shall not pay for the end of this one.
    tokio::time::sleep(SETTLE).await;
    Ok(Watch {
        alone,
        among,
        size,
        lost,
        reason,
        arriving,
        growth,
        busy,
    })
}

/// As many clients as the limit of open files has room for at the gateway.
async fn most_clients(stage: &Stage) -> Outcome<usize> {
    let before = stage.gateway.open_files()?;
    let crowd = assemble(stage, &stage.gateway, SAMPLE).await?;
    let taken = stage.gateway.open_files()?.saturating_sub(before);
    crowd.disperse().await?;
    tokio::time::sleep(SETTLE).await;
    let room = limits::open_files().saturating_sub(OTHER_FILES + before);
    let most = room.saturating_mul(SAMPLE as u64) / taken.max(1);
    Ok(usize::try_from(most).unwrap_or(usize::MAX))
}

async fn assemble(stage: &Stage, server: &Server, size: usize) -> Outcome<Crowd> {
    let requests = Requests {
        address: server.address,
        upload: stage.request("POST", "upload", "transfer-encoding: chunked\r\n\r\n"),
        download: stage.get(&format!("download?{ANSWER}")),
    };
    let crowd = Crowd::assemble(requests, size).await?;
    // Until the last of them is through with its head, and served as one that stays.
    tokio::time::sleep(SETTLE).await;
    Ok(crowd)
}

/// How many bytes of uploads the upstream has seen.
async fn census(stage: &Stage) -> Outcome<u64> {
    let mut connection = Connection::open(stage.upstream.address).await?;
    let response = expect(200, connection.fetch(&stage.get("census")).await?)?;
    Ok(std::str::from_utf8(&response.body)?.parse()?)
}

impl Watch {
    fn slowdown(&self) -> f64 {
        self.among.percentile(99).as_secs_f64() / self.alone.percentile(99).as_secs_f64()
    }

    /// Of several watches the one with the median slowdown.
    fn median(mut watches: Vec<Self>) -> Self {
        watches.sort_by(|a, b| a.slowdown().total_cmp(&b.slowdown()));
        watches.swap_remove(watches.len() / 2)
    }

    fn rows(&self, name: &str) -> [Row; 4] {
        let (readers, writers) = (self.size / 2, self.size.div_ceil(2));
        let kept = self.size.saturating_sub(self.lost);
        [
            Row::of_round(
                &format!("GET every {PACE:?} through {name}"),
                &self.alone,
                None,
            ),
            Row::of_round(
                &format!("  among {readers} readers and {writers} writers at one byte a second"),
                &self.among,
                None,
            )
            .with_verdict(Verdict::at_most(
                self.slowdown(),
                MOST_SLOWDOWN,
                "the p99 without them",
            )),
            Row::new(
                &format!(
                    "  slow clients not cut off{}, {:.0} of their bytes arrive a second",
                    self.reason, self.arriving
                ),
                kept.to_string(),
            )
            .with_verdict(Verdict::all(kept, self.size)),
            Row::new(
                &format!("  memory over idle with them, {:.2} processors", self.busy),
                megabytes(self.growth),
            ),
        ]
    }
}
