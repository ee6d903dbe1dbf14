//! How fast large bodies pass, one at a time.

use std::time::{Duration, Instant};

use super::Stage;
use crate::Outcome;
use crate::process::Server;
use crate::report::{Row, Verdict, megabytes, size};
use crate::scenarios::{Effort, progress};
use crate::wire::Connection;

#[derive(Clone, Copy)]
pub(super) enum Way {
    Down,
    Up,
}

pub async fn measure(effort: &Effort) -> Outcome<Vec<Row>> {
    progress("large transfers through the proxy");
    let stage = Stage::set().await?;
    let mut rows = Vec::new();
    for (way, name) in [(Way::Down, "download"), (Way::Up, "upload")] {
        let sides = [&stage.gateway, &stage.plain, &stage.upstream];
        let mut passes = [const { Vec::new() }; 3];
        for _ in 0..effort.transfers {
            for (server, passes) in sides.iter().zip(&mut passes) {
                passes.push(pass(&stage, server, way, effort.transfer).await?);
            }
        }
        let [own, plain, direct] = passes.map(median);
        let size = size(effort.transfer);
        let ratio = plain.elapsed.as_secs_f64() / own.elapsed.as_secs_f64();
        rows.extend([
            own.row(&format!("{name} of {size} through minds-api-proxy"))
                .with_verdict(Verdict::at_least(
                    ratio,
                    0.8,
                    "the plain reverse proxy's throughput",
                )),
            plain.row("  through a plain reverse proxy"),
            direct.row("  straight to the upstream"),
        ]);
    }
    stage.strike().await?;
    Ok(rows)
}

/// One transfer, on a connection of its own.
pub(super) async fn transfer(stage: &Stage, server: &Server, way: Way, length: u64) -> Outcome<()> {
    let mut connection = Connection::open(server.address).await?;
    let (outline, expected) = match way {
        Way::Down => {
            let request = stage.get(&format!("download?{length}"));
            (connection.exchange(&request).await?, length)
        }
        Way::Up => {
            let outline = connection.upload(&stage.upload(length), length).await?;
            // The upstream answers with what it has counted.
            (outline, length.to_string().len() as u64)
        }
    };
    if outline.status == 200 && outline.body_length as u64 == expected {
        return Ok(());
    }
    Err(format!("a transfer of {length} bytes was answered with {outline:?}").into())
}

struct Pass {
    length: u64,
    elapsed: Duration,
    cpu: Duration,
}

impl Pass {
    fn row(&self, name: &str) -> Row {
        let rate = self.length as f64 / self.elapsed.as_secs_f64();
        let mut row = Row::new(name, format!("{}/s", megabytes(rate as u64)));
        row.cpu = Some(self.cpu);
        row
    }
}

async fn pass(stage: &Stage, server: &Server, way: Way, length: u64) -> Outcome<Pass> {
    let before = server.cpu_time()?;
    let started = Instant::now();
    transfer(stage, server, way, length).await?;
    Ok(Pass {
        length,
        elapsed: started.elapsed(),
        cpu: server.cpu_time()?.saturating_sub(before),
    })
}

fn median(mut passes: Vec<Pass>) -> Pass {
    passes.sort_by_key(|pass| pass.elapsed);
    passes.swap_remove(passes.len() / 2)
}
