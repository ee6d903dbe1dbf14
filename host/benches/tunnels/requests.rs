//! What a small request costs, one after another.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::load::Round;
use crate::report::{Row, Verdict};
use crate::stage::{SMALL_REQUEST, Stage, expect_small};
use crate::upstream::SMALL;
use crate::wire::Connection;
use crate::{Effort, Outcome, progress};

#[derive(Clone, Copy)]
enum Connections {
    /// All requests on the same one.
    One,
    /// Each on a new one.
    New,
}

pub async fn measure(effort: &Effort, stage: &Stage) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for (connections, name) in [
        (Connections::One, "on one connection"),
        (Connections::New, "on new connections"),
    ] {
        progress(&format!("small requests {name}"));
        let [mut own, mut openssh, mut direct] = [const { Vec::new() }; 3];
        for _ in 0..effort.rounds {
            for (tunnel, rounds) in [(&stage.own, &mut own), (&stage.openssh, &mut openssh)] {
                let usage = tunnel.usage()?;
                let before = usage.cpu_time()?;
                let round = round(tunnel.remote, connections, effort.requests).await?;
                let cpu = usage.cpu_time()?.saturating_sub(before);
                rounds.push((round, Some(cpu.div_f64(effort.requests as f64))));
            }
            let round = round(stage.upstream, connections, effort.requests).await?;
            direct.push((round, None));
        }
        let [own, openssh, direct] = [own, openssh, direct].map(median);
        let ratio = |percent| {
            let [own, openssh] = [&own, &openssh].map(|(round, _)| round.percentile(percent));
            own.as_secs_f64() / openssh.as_secs_f64()
        };
        let row =
            |name: &str, (round, cpu): &(Round, Option<Duration>)| Row::of_round(name, round, *cpu);
        let count = effort.requests;
        rows.extend([
            row(
                &format!("{count} requests {name}, {SMALL} bytes each"),
                &own,
            )
            .with_verdict(Verdict::at_most(ratio(50), 1.2, "the p50 of ssh -R")),
            row("  through ssh -R", &openssh),
            row("  without a tunnel", &direct),
        ]);
    }
    Ok(rows)
}

async fn round(address: SocketAddr, connections: Connections, count: usize) -> Outcome<Round> {
    let mut kept = Connection::open(address).await?;
    let mut latencies = Vec::with_capacity(count);
    let started = Instant::now();
    for _ in 0..count {
        let asked = Instant::now();
        if let Connections::New = connections {
            kept = Connection::open(address).await?;
        }
        let outline = kept.exchange(SMALL_REQUEST).await?;
        latencies.push(asked.elapsed());
        expect_small(outline)?;
    }
    Ok(Round::new(started.elapsed(), latencies))
}

fn median<T>(mut rounds: Vec<(Round, T)>) -> (Round, T) {
    rounds.sort_by_key(|(round, _)| round.percentile(50));
    rounds.swap_remove(rounds.len() / 2)
}
