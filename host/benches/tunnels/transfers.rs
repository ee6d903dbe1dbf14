//! How fast large bodies pass, one at a time, each through a channel of its own.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::report::{Row, Verdict, megabytes, size};
use crate::stage::Stage;
use crate::wire::{Connection, Outline};
use crate::{Effort, Outcome, progress};

#[derive(Clone, Copy)]
enum Way {
    ToAgent,
    FromAgent,
}

struct Pass {
    elapsed: Duration,
    cpu: Option<Duration>,
}

pub async fn measure(effort: &Effort, stage: &Stage) -> Outcome<Vec<Row>> {
    let length = effort.transfer;
    let mut rows = Vec::new();
    for (way, name) in [
        (Way::ToAgent, "to the agent"),
        (Way::FromAgent, "from the agent"),
    ] {
        progress(&format!("large transfers {name}"));
        let [mut own, mut openssh, mut direct] = [const { Vec::new() }; 3];
        // The first of each finds small windows and cold memory: it does not count.
        for round in 0..=effort.rounds {
            for (tunnel, passes) in [(&stage.own, &mut own), (&stage.openssh, &mut openssh)] {
                let usage = tunnel.usage()?;
                let before = usage.cpu_time()?;
                let elapsed = transfer(tunnel.remote, way, length).await?;
                let cpu = Some(usage.cpu_time()?.saturating_sub(before));
                passes.extend((round > 0).then_some(Pass { elapsed, cpu }));
            }
            let elapsed = transfer(stage.upstream, way, length).await?;
            direct.extend((round > 0).then_some(Pass { elapsed, cpu: None }));
        }
        let [own, openssh, direct] = [own, openssh, direct].map(median);
        let ratio = openssh.elapsed.as_secs_f64() / own.elapsed.as_secs_f64();
        rows.extend([
            own.row(&format!("{} {name}", size(length)), length)
                .with_verdict(Verdict::at_least(ratio, 0.8, "the throughput of ssh -R")),
            openssh.row("  through ssh -R", length),
            direct.row("  without a tunnel", length),
        ]);
    }
    Ok(rows)
}

impl Pass {
    fn row(&self, name: &str, length: u64) -> Row {
        let rate = length as f64 / self.elapsed.as_secs_f64();
        let mut row = Row::new(name, format!("{}/s", megabytes(rate as u64)));
        row.cpu = self.cpu;
        row
    }
}

/// How long one transfer takes, the connection's beginning included.
async fn transfer(address: SocketAddr, way: Way, length: u64) -> Outcome<Duration> {
    let started = Instant::now();
    let mut connection = Connection::open(address).await?;
    let (outline, expected) = match way {
        Way::ToAgent => {
            let request = format!("GET /download?{length} HTTP/1.1\r\nhost: upstream\r\n\r\n");
            (connection.exchange(request.as_bytes()).await?, length)
        }
        Way::FromAgent => {
            let head = format!(
                "POST /upload HTTP/1.1\r\nhost: upstream\r\ncontent-length: {length}\r\n\r\n"
            );
            let outline = connection.upload(head.as_bytes(), length).await?;
            // The server answers with what it has counted.
            (outline, length.to_string().len() as u64)
        }
    };
    let elapsed = started.elapsed();
    let expected = Outline {
        status: 200,
        body_length: usize::try_from(expected)?,
    };
    if outline == expected {
        return Ok(elapsed);
    }
    Err(format!("a transfer of {length} bytes was answered with {outline:?}").into())
}

fn median(mut passes: Vec<Pass>) -> Pass {
    passes.sort_by_key(|pass| pass.elapsed);
    passes.swap_remove(passes.len() / 2)
}
