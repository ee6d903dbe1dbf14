//! What is measured, in which order.

mod answers;
mod callers;
mod proxy;
mod rounds;
mod starts;

use std::time::Duration;

use crate::Outcome;
use crate::process::{Home, Server};
use crate::report::Row;
use crate::usage::Resident;

/// How long, how often and how much to measure.
pub struct Effort {
    pub rounds: usize,
    pub round: Duration,
    /// Shorter: every operation leaves a file behind, which some file systems take milliseconds to remove.
    pub durable_round: Duration,
    pub warm_up: Duration,
    pub starts: usize,
    pub cold_starts: usize,
    pub commands: usize,
    /// Large bodies through each side, one after another.
    pub transfers: usize,
    /// Bytes of a large body.
    pub transfer: u64,
    /// Event streams that are open at once.
    pub streams: usize,
    /// Slow clients that are there at once.
    pub crowd: usize,
    /// How long a normal client is watched beside them.
    pub watch: Duration,
}

const SETTLE: Duration = Duration::from_secs(2);
const MOST_MEMORY: u64 = 30_000_000;

/// The scenarios that have one of the `wanted` words in their name, all when there is none, in the order of the table.
pub async fn run(effort: &Effort, wanted: &[String]) -> Outcome<Vec<Row>> {
    let is_wanted =
        |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| name.contains(&**wanted));
    let mut rows = Vec::new();
    if is_wanted("answers") {
        rows.extend(answers::measure(effort).await?);
    }
    if is_wanted("starts") {
        rows.extend(starts::measure(effort).await?);
    }
    if is_wanted("commands") {
        rows.extend(starts::measure_commands(effort).await?);
    }
    if is_wanted("proxy-small") {
        rows.extend(proxy::small::measure(effort).await?);
    }
    if is_wanted("proxy-transfers") {
        rows.extend(proxy::transfers::measure(effort).await?);
    }
    if is_wanted("proxy-memory") {
        rows.extend(proxy::memory::measure(effort).await?);
    }
    if is_wanted("proxy-streams") {
        rows.extend(proxy::streams::measure(effort).await?);
    }
    if is_wanted("proxy-slow") {
        rows.extend(proxy::slow::measure(effort).await?);
    }
    Ok(rows)
}

/// For whoever waits; the table alone goes to standard output.
fn progress(what: &str) {
    eprintln!("measuring {what}");
}

/// A gateway that nobody has asked anything for a while.
async fn idle_gateway(home: &Home) -> Outcome<(Server, Resident)> {
    let gateway = home.start_gateway().await?;
    tokio::time::sleep(SETTLE).await;
    let resident = gateway.resident()?;
    Ok((gateway, resident))
}
