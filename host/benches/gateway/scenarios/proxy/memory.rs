//! What many large bodies at once cost in memory.

use std::time::{Duration, Instant};

use futures::future::try_join_all;

use super::Stage;
use super::transfers::{Way, transfer};
use crate::Outcome;
use crate::process::Server;
use crate::report::{Row, Verdict, megabytes, size};
use crate::scenarios::{Effort, SETTLE, progress};
use crate::usage::Resident;

/// In each direction.
const PARALLEL: usize = 10;
const MOST_GROWTH: u64 = 20_000_000;
/// How often the memory is read.
const SAMPLE: Duration = Duration::from_millis(10);

pub async fn measure(effort: &Effort) -> Outcome<Vec<Row>> {
    let stage = Stage::set().await?;
    let mut rows = Vec::new();
    for (server, name, is_own) in [
        (&stage.gateway, "minds-api-proxy", true),
        (&stage.plain, "a plain reverse proxy", false),
    ] {
        progress(&format!("memory during transfers through {name}"));
        tokio::time::sleep(SETTLE).await;
        let idle = server.resident()?;
        let started = Instant::now();
        let peak = peak_during_transfers(&stage, server, effort.transfer).await?;
        let moved = 2 * PARALLEL as u64 * effort.transfer;
        let rate = moved as f64 / started.elapsed().as_secs_f64();
        let growth = peak.total.saturating_sub(idle.total);
        let name = if is_own {
            format!(
                "memory over idle, {PARALLEL} + {PARALLEL} transfers of {} at once through {name}",
                size(effort.transfer)
            )
        } else {
            format!("  through {name}")
        };
        let row = Row::new(
            &format!(
                "{name} (idle {}, {}/s)",
                megabytes(idle.total),
                megabytes(rate as u64)
            ),
            megabytes(growth),
        );
        let row = row.with_verdict(Verdict::below(growth, MOST_GROWTH, "20 MB"));
        rows.push(if is_own { row } else { row.without_verdict() });
    }
    stage.strike().await?;
    Ok(rows)
}

/// The most memory that was seen while all transfers ran to their ends.
async fn peak_during_transfers(stage: &Stage, server: &Server, length: u64) -> Outcome<Resident> {
    let transfers = (0..PARALLEL)
        .flat_map(|_| [Way::Down, Way::Up])
        .map(|way| transfer(stage, server, way, length));
    let mut peak = server.resident()?;
    let watching = async {
        let mut due = tokio::time::interval(SAMPLE);
        loop {
            due.tick().await;
            let now = server.resident()?;
            if now.total > peak.total {
                peak = now;
            }
        }
    };
    tokio::select! {
        watched = watching => watched,
        transferred = try_join_all(transfers) => transferred.map(|_| ()),
    }?;
    Ok(peak)
}
