//! Answers of the gateway itself, beside a plain server's with the same status, headers and body.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::callers::{Callers, expect};
use super::rounds::{compare, median};
use super::{Effort, MOST_MEMORY, idle_gateway, progress};
use crate::Outcome;
use crate::fsync;
use crate::load::{CLIENTS, Load};
use crate::process::{Home, Server};
use crate::report::{Row, Verdict, megabytes};
use crate::wire::{Connection, Outline};

const PENDING_REQUESTS: usize = 100;

/// What the gateway answers, and the memory that it takes.
pub async fn measure(effort: &Effort) -> Outcome<Vec<Row>> {
    let home = Home::new()?;
    let callers = Callers::create(&home).await?;
    progress("idle memory");
    // The first start compiles, which leaves memory behind that later ones never ask for.
    let (_, compiled) = idle_gateway(&home).await?;
    let (gateway, idle) = idle_gateway(&home).await?;

    let mut rows = Vec::new();
    progress("GET /permissions/self");
    let own = callers.agent_get("/permissions/self");
    rows.extend(beside_plain(effort, &gateway, "GET /permissions/self", own, 0.5).await?);
    progress("GET /permission-requests");
    callers.fill_list(&gateway, PENDING_REQUESTS).await?;
    let list = callers.admin_get("/permission-requests");
    let name = format!("GET /permission-requests, {PENDING_REQUESTS} pending");
    rows.extend(beside_plain(effort, &gateway, &name, list, 1.0 / 3.0).await?);
    progress("POST /permission-requests");
    rows.extend(durable_writes(effort, &home, &gateway, &callers).await?);

    let loaded = gateway.resident()?;
    for (name, resident) in [
        ("idle", idle),
        ("idle, first start ever", compiled),
        ("after the load", loaded),
    ] {
        let anonymous = megabytes(resident.anonymous);
        rows.push(
            Row::new(
                &format!("resident memory, {name} ({anonymous} of it anonymous)"),
                megabytes(resident.total),
            )
            .with_verdict(Verdict::below(resident.total, MOST_MEMORY, "30 MB")),
        );
    }
    gateway.stop().await?;
    Ok(rows)
}

/// The gateway's answer to `request` against a plain server's, which has the same status, headers and body.
async fn beside_plain(
    effort: &Effort,
    gateway: &Server,
    name: &str,
    request: Arc<[u8]>,
    target: f64,
) -> Outcome<[Row; 2]> {
    let mut connection = Connection::open(gateway.address).await?;
    let response = expect(200, connection.fetch(&request).await?)?;
    let plain = Server::start_plain(&response).await?;
    let load = |server: &Server| Load {
        address: server.address,
        request: Arc::clone(&request),
        expected: Outline {
            status: response.status,
            body_length: response.body.len(),
        },
    };
    let sides = [(gateway, load(gateway)), (&plain, load(&plain))];
    let [(own_cpu, own), (plain_cpu, beside)] = compare(effort, sides).await?;
    plain.stop().await?;
    let length = response.body.len();
    Ok([
        Row::of_round(name, &own, Some(own_cpu)).with_verdict(Verdict::at_least(
            own.rate() / beside.rate(),
            target,
            "plain hyper's rate",
        )),
        Row::of_round(
            &format!("  plain hyper, the same {length} bytes"),
            &beside,
            Some(plain_cpu),
        ),
    ])
}

/// Requests that are on disk when they are answered, against bare durable writes of the same bytes.
async fn durable_writes(
    effort: &Effort,
    home: &Home,
    gateway: &Server,
    callers: &Callers,
) -> Outcome<[Row; 2]> {
    let request = callers.post_request();
    let mut connection = Connection::open(gateway.address).await?;
    let response = expect(201, connection.fetch(&request).await?)?;
    let record: Value = serde_json::from_slice(&response.body)?;
    let id = record
        .get("request_id")
        .and_then(Value::as_str)
        .ok_or("the record has no id")?;
    let pending = home.path("permission_requests/v2");
    let content: Arc<[u8]> = std::fs::read(pending.join(format!("{id}.json")))?.into();
    let bare = home.path("bare");
    std::fs::create_dir(&bare)?;

    let load = Load {
        address: gateway.address,
        request,
        expected: Outline {
            status: response.status,
            body_length: response.body.len(),
        },
    };
    load.round(effort.durable_round).await?;
    let mut rounds = [Vec::new(), Vec::new()];
    let [own, beside] = &mut rounds;
    for _ in 0..effort.rounds {
        let before = gateway.cpu_time()?;
        let round = load.round(effort.durable_round).await?;
        let cpu = gateway.cpu_time()?.saturating_sub(before);
        own.push((cpu.div_f64(round.operations as f64), round));
        let (directory, content, duration) =
            (bare.clone(), Arc::clone(&content), effort.durable_round);
        let round =
            tokio::task::spawn_blocking(move || fsync::round(&directory, &content, duration));
        beside.push((Duration::ZERO, round.await??));
    }
    let [(cpu, own), (_, beside)] = rounds.map(median);
    let length = content.len();
    Ok([
        Row::of_round("POST /permission-requests, durable", &own, Some(cpu)),
        Row::of_round(
            &format!(
                "  bare write, fsync, rename, fsync of the directory, {length} bytes, {CLIENTS} threads"
            ),
            &beside,
            None,
        ),
    ])
}
