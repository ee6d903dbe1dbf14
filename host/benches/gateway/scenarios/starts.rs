//! How long starting takes: the gateway's first answer, and the short commands.

use std::time::{Duration, Instant};

use super::callers::Callers;
use super::{Effort, progress};
use crate::Outcome;
use crate::process::Home;
use crate::report::{Row, Verdict};
use crate::wire::Connection;

const LONGEST_START: Duration = Duration::from_millis(60);

/// Starts of the gateway.
pub async fn measure(effort: &Effort) -> Outcome<Vec<Row>> {
    progress("starts");
    Ok(vec![warm_starts(effort).await?, cold_starts(effort).await?])
}

/// Commands from exec to exit.
pub async fn measure_commands(effort: &Effort) -> Outcome<Vec<Row>> {
    progress("commands");
    let home = Home::new()?;
    let mut rows = Vec::new();
    for subcommand in ["admin-jwt", "create-agent-env"] {
        let mut times = Vec::new();
        for _ in 0..effort.commands {
            times.push(home.run(&[subcommand]).await?.1);
        }
        rows.push(Row::of_times(
            &format!("{subcommand}, whole process"),
            times,
        ));
    }
    Ok(rows)
}

/// From exec to the first answer, again and again in one home.
async fn warm_starts(effort: &Effort) -> Outcome<Row> {
    let home = Home::new()?;
    let callers = Callers::create(&home).await?;
    let request = callers.agent_get("/permissions/self");
    start(&home, &request).await?;
    let mut times = Vec::new();
    for _ in 0..effort.starts {
        times.push(start(&home, &request).await?);
    }
    let row = Row::of_times("exec to first answer, warm compile cache", times);
    let median = row.p50.unwrap_or_default();
    Ok(row.with_verdict(Verdict::below(median, LONGEST_START, "60 ms")))
}

/// The same where nothing has been compiled yet.
async fn cold_starts(effort: &Effort) -> Outcome<Row> {
    let mut times = Vec::new();
    for _ in 0..effort.cold_starts {
        let home = Home::new()?;
        let callers = Callers::create(&home).await?;
        times.push(start(&home, &callers.agent_get("/permissions/self")).await?);
    }
    Ok(Row::of_times(
        "exec to first answer, cold compile cache",
        times,
    ))
}

async fn start(home: &Home, request: &[u8]) -> Outcome<Duration> {
    let started = Instant::now();
    let gateway = home.start_gateway().await?;
    let mut connection = Connection::open(gateway.address).await?;
    let outline = connection.exchange(request).await?;
    let elapsed = started.elapsed();
    if outline.status != 200 {
        return Err(format!("the first answer has status {}", outline.status).into());
    }
    gateway.stop().await?;
    Ok(elapsed)
}
