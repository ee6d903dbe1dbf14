//! Event streams that are held open, and one event for all of them.

use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt, TryStreamExt};

use super::Stage;
use crate::Outcome;
use crate::load::PACE;
use crate::process::Server;
use crate::report::{Row, Verdict, megabytes};
use crate::scenarios::callers::expect;
use crate::scenarios::{Effort, progress};
use crate::upstream::{EVENT, OPENED};
use crate::wire::Connection;

/// How many streams are opened at the same moment.
const OPENING: usize = 32;
/// How long an event may take to reach everybody.
const DELIVERY_DEADLINE: Duration = Duration::from_secs(10);

pub async fn measure(effort: &Effort) -> Outcome<Vec<Row>> {
    let stage = Stage::set().await?;
    let mut rows = Vec::new();
    for (server, name, is_own) in [
        (&stage.gateway, "minds-api-proxy", true),
        (&stage.plain, "a plain reverse proxy", false),
    ] {
        progress(&format!("event streams through {name}"));
        let load = stage.small(server);
        let alone = load.visit(effort.watch).await?;
        let idle = server.resident()?;
        let open = open_streams(&stage, server, effort.streams).await?;
        let holding = server.resident()?;
        let (delivered, among) = tokio::join!(
            deliver(&stage, open, effort.watch / 2),
            load.visit(effort.watch)
        );
        let (delivered, among) = (delivered?, among?);
        let served = delivered.len();
        let growth = holding.total.saturating_sub(idle.total);
        let row = Row::of_times(
            &format!(
                "an event to each of {} streams through {name} (memory {} over idle)",
                effort.streams,
                megabytes(growth)
            ),
            delivered,
        )
        .with_verdict(Verdict::all(served, effort.streams));
        rows.extend([
            if is_own { row } else { row.without_verdict() },
            Row::of_round(&format!("  GET every {PACE:?} before that"), &alone, None),
            Row::of_round("  GET beside them", &among, None),
        ]);
    }
    stage.strike().await?;
    Ok(rows)
}

async fn open_streams(stage: &Stage, server: &Server, count: usize) -> Outcome<Vec<Connection>> {
    let request = stage.get("events");
    let opening = (0..count).map(|_| async {
        let mut connection = Connection::open(server.address).await?;
        connection.subscribe(&request).await?;
        connection.wait_for(OPENED).await?;
        Outcome::Ok(connection)
    });
    stream::iter(opening)
        .buffer_unordered(OPENING)
        .try_collect()
        .await
}

/// Publishes an event after a while: how long it took to each stream that it reached.
async fn deliver(stage: &Stage, open: Vec<Connection>, pause: Duration) -> Outcome<Vec<Duration>> {
    tokio::time::sleep(pause).await;
    let published = Instant::now();
    let publish = async {
        let request = stage.request("POST", "publish", "content-length: 0\r\n\r\n");
        let mut connection = Connection::open(stage.upstream.address).await?;
        expect(200, connection.fetch(&request).await?)
    };
    let arrivals = open.into_iter().map(|mut connection| async move {
        let waited = tokio::time::timeout(DELIVERY_DEADLINE, connection.wait_for(EVENT)).await;
        matches!(waited, Ok(Ok(()))).then(|| published.elapsed())
    });
    let (published, arrived) = tokio::join!(
        publish,
        stream::iter(arrivals)
            .buffer_unordered(usize::MAX)
            .collect::<Vec<_>>()
    );
    published?;
    Ok(arrived.into_iter().flatten().collect())
}
