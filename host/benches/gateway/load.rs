//! Load: the same request over and over, on many connections at once, for a set time.
//!
//! Every response is checked against the expected one; a single wrong response fails the run, because a rate of wrong
//! answers is no measurement.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::Outcome;
use crate::wire::{Connection, Outline};

/// Clients at the same time, each waiting for its answer before it asks again.
pub const CLIENTS: usize = 32;

/// How often a single client asks.
pub const PACE: Duration = Duration::from_millis(2);

/// How long the answers that are still due may take once the time is over.
const GRACE: Duration = Duration::from_secs(10);

/// What is sent, to whom, and what must come back.
#[derive(Clone)]
pub struct Load {
    pub address: SocketAddr,
    pub request: Arc<[u8]>,
    pub expected: Outline,
}

/// What one round came to.
pub struct Round {
    pub operations: usize,
    pub elapsed: Duration,
    /// Sorted.
    latencies: Vec<Duration>,
}

impl Round {
    pub fn new(elapsed: Duration, mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        Self {
            operations: latencies.len(),
            elapsed,
            latencies,
        }
    }

    pub fn rate(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that `percent` of the operations did not exceed.
    pub fn percentile(&self, percent: usize) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        let index = (self.latencies.len() * percent / 100).min(last);
        self.latencies.get(index).copied().unwrap_or_default()
    }
}

impl Load {
    /// Asks for as long as `duration` on [`CLIENTS`] connections, opened before the clock starts.
    pub async fn round(&self, duration: Duration) -> Outcome<Round> {
        let mut connections = Vec::with_capacity(CLIENTS);
        for _ in 0..CLIENTS {
            connections.push(Connection::open(self.address).await?);
        }
        let start = Instant::now();
        let mut clients = JoinSet::new();
        for connection in connections {
            clients.spawn(self.clone().ask_until(connection, start + duration));
        }
        let answered = tokio::time::timeout(duration + GRACE, clients.join_all()).await?;
        let elapsed = start.elapsed();
        let latencies: Vec<_> = answered.into_iter().collect::<Outcome<_>>()?;
        Ok(Round::new(elapsed, latencies.concat()))
    }

    /// Asks as one client that has other things to do too: every [`PACE`], on one connection.
    ///
    /// On a thread of its own: how busy the caller is shall not show.
    pub async fn visit(&self, duration: Duration) -> Outcome<Round> {
        let load = self.clone();
        let visit = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(load.ask_at_pace(duration))
        });
        visit.await?
    }

    async fn ask_at_pace(self, duration: Duration) -> Outcome<Round> {
        let mut connection = Connection::open(self.address).await?;
        let mut pace = tokio::time::interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut latencies = Vec::new();
        let start = Instant::now();
        while start.elapsed() < duration {
            pace.tick().await;
            let asked = Instant::now();
            let exchange = connection.exchange(&self.request);
            let outline = tokio::time::timeout(GRACE, exchange).await??;
            latencies.push(asked.elapsed());
            self.check(outline)?;
        }
        Ok(Round::new(start.elapsed(), latencies))
    }

    fn check(&self, outline: Outline) -> Outcome<()> {
        if outline == self.expected {
            return Ok(());
        }
        Err(format!("got {outline:?}, expected {:?}", self.expected).into())
    }

    async fn ask_until(
        self,
        mut connection: Connection,
        deadline: Instant,
    ) -> Outcome<Vec<Duration>> {
        let mut latencies = Vec::new();
        let mut asked = Instant::now();
        while asked < deadline {
            let outline = connection.exchange(&self.request).await?;
            self.check(outline)?;
            let answered = Instant::now();
            latencies.push(answered - asked);
            asked = answered;
        }
        Ok(latencies)
    }
}
