//! What is measured, in which order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Outcome;
use crate::fsync;
use crate::load::{CLIENTS, Load, Round};
use crate::process::{Agent, Home, Resident, Server};
use crate::report::{Row, Verdict, megabytes};
use crate::wire::{Connection, Outline, Response};

/// How long and how often to measure.
pub struct Effort {
    pub rounds: usize,
    pub round: Duration,
    /// Shorter: every operation leaves a file behind, which some file systems take milliseconds to remove.
    pub durable_round: Duration,
    pub warm_up: Duration,
    pub starts: usize,
    pub cold_starts: usize,
    pub commands: usize,
}

const PENDING_REQUESTS: usize = 100;
const SETTLE: Duration = Duration::from_secs(2);
const MOST_MEMORY: u64 = 30_000_000;
const LONGEST_START: Duration = Duration::from_millis(60);

/// Everything, in the order of the table.
pub async fn all(effort: &Effort) -> Outcome<Vec<Row>> {
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
    callers.fill_list(&gateway).await?;
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

    progress("starts");
    rows.push(warm_starts(effort).await?);
    rows.push(cold_starts(effort).await?);
    progress("commands");
    for subcommand in ["admin-jwt", "create-agent-env"] {
        let mut times = Vec::new();
        for _ in 0..effort.commands {
            times.push(home.run(subcommand).await?.1);
        }
        rows.push(Row::of_times(
            &format!("{subcommand}, whole process"),
            times,
        ));
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

/// Who calls the gateway.
struct Callers {
    agent: Agent,
    admin_token: String,
}

impl Callers {
    /// An agent with the baseline and a few grants, and the admin.
    async fn create(home: &Home) -> Outcome<Self> {
        let agent = home.agent().await?;
        let mut file: Value = serde_json::from_slice(&std::fs::read(&agent.permissions)?)?;
        let rules = file.get_mut("rules").and_then(Value::as_array_mut);
        rules.ok_or("the baseline has no rules")?.extend([
            json!({"slack-api": ["slack-read-all", "slack-chat-write"]}),
            json!({"github-rest-api": ["github-read-all"]}),
            json!({"notion-api": ["notion-read-all"]}),
        ]);
        std::fs::write(&agent.permissions, file.to_string())?;
        let admin_token = home.run("admin-jwt").await?.0.trim().to_owned();
        Ok(Self { agent, admin_token })
    }

    fn agent_get(&self, path: &str) -> Arc<[u8]> {
        self.request("GET", path, &self.agent.token, "")
    }

    fn admin_get(&self, path: &str) -> Arc<[u8]> {
        self.request("GET", path, &self.admin_token, "")
    }

    fn post_request(&self) -> Arc<[u8]> {
        let body = json!({
            "agent_id": format!("agent-{}", "0123456789abcdef".repeat(2)),
            "rationale": "The weekly report needs the messages of the channel.",
            "type": "predefined",
            "payload": {"scope": "slack-api", "permissions": ["slack-read-all"]},
        });
        self.request(
            "POST",
            "/permission-requests",
            &self.agent.token,
            &body.to_string(),
        )
    }

    fn request(&self, method: &str, path: &str, token: &str, body: &str) -> Arc<[u8]> {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:1989\r\nuser-agent: benchmark\r\naccept: */*\r\n\
             x-latchkey-gateway-password: {}\r\nx-latchkey-gateway-permissions-override: {token}\r\n",
            self.agent.password
        );
        if !body.is_empty() {
            request += &format!(
                "content-type: application/json\r\ncontent-length: {}\r\n",
                body.len()
            );
        }
        (request + "\r\n" + body).into_bytes().into()
    }

    async fn fill_list(&self, gateway: &Server) -> Outcome<()> {
        let post = self.post_request();
        let mut connection = Connection::open(gateway.address).await?;
        for _ in 0..PENDING_REQUESTS {
            expect(201, connection.fetch(&post).await?)?;
        }
        Ok(())
    }
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
    for (_, load) in &sides {
        load.round(effort.warm_up).await?;
    }
    let mut rounds = [Vec::new(), Vec::new()];
    for _ in 0..effort.rounds {
        for ((server, load), rounds) in sides.iter().zip(&mut rounds) {
            let before = server.cpu_time()?;
            let round = load.round(effort.round).await?;
            let cpu = server.cpu_time()?.saturating_sub(before);
            rounds.push((cpu.div_f64(round.operations as f64), round));
        }
    }
    let [(own_cpu, own), (plain_cpu, beside)] = rounds.map(median_round);
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
    let [(cpu, own), (_, beside)] = rounds.map(median_round);
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

fn expect(status: u16, response: Response) -> Outcome<Response> {
    if response.status == status {
        return Ok(response);
    }
    let body = String::from_utf8_lossy(&response.body);
    Err(format!("got status {}, expected {status}: {body}", response.status).into())
}

type Measured = (Duration, Round);

/// The round with the median rate, and its processor time per request.
fn median_round(mut rounds: Vec<Measured>) -> Measured {
    rounds.sort_by(|(_, a), (_, b)| a.rate().total_cmp(&b.rate()));
    rounds.swap_remove(rounds.len() / 2)
}
