use std::fs;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};

use serde_json::json;
use tokio::io::{AsyncRead, ReadBuf};

use super::super::DiscoveredAgent;
use super::super::lines::Lines;
use super::*;
use crate::store::ids::{AgentId, HostId};

const AGENTS: usize = 50;

/// Counts what it is told.
#[derive(Default)]
struct Count(Mutex<(u64, u64)>);

impl AgentHandler for Count {
    fn discovered(&self, _: &DiscoveredAgent) {
        self.0.lock().unwrap().0 += 1;
    }

    fn destroyed(&self, _: &AgentId, _: &HostId) {
        self.0.lock().unwrap().1 += 1;
    }
}

/// Writes snapshots as mngr does, of both generations in turn, with the ways to the hosts, and an agent that comes and goes.
struct Day {
    snapshots: std::ops::Range<u64>,
    /// Of a snapshot, those agents and hosts that are always there.
    always: String,
    line: Vec<u8>,
    written: usize,
}

fn agent(id: u64) -> String {
    json!({
        "host_id": format!("host-{:032x}", id / 5), "agent_id": format!("agent-{id:032x}"),
        "agent_name": format!("agent {id}"), "provider_name": "docker",
        "certified_data": {"type": "claude", "work_dir": "/code/project", "labels": {"project": "p"},
            "create_time": "2026-05-01T00:00:00+00:00", "command": "claude --continue"}
    })
    .to_string()
}

impl Day {
    fn new(snapshots: u64) -> Self {
        let agents: Vec<_> = (1..AGENTS as u64).map(agent).collect();
        Self {
            snapshots: 0..snapshots,
            always: format!(
                r#""source":"mngr/discovery","hosts":[],"agents":[{}"#,
                agents.join(",")
            ),
            line: vec![],
            written: 0,
        }
    }

    fn line(&self, number: u64) -> Vec<u8> {
        let second = 1_780_000_000 + i64::try_from(number).unwrap();
        let time = jiff::Timestamp::from_second(second).unwrap();
        let kind = if number.is_multiple_of(2) {
            r#""type":"DISCOVERY_FULL","error_by_provider_name":{}"#.to_owned()
        } else {
            format!(
                r#""type":"DISCOVERY_PROVIDER","provider_name":"docker","discovery_started_at":"{time}""#
            )
        };
        // Never the same again.
        let (visitor, host, always) = (agent(1_000 + number / 100), number % 10, &self.always);
        format!(
            r#"{{"timestamp":"{time}","event_id":"evt-{number:032x}",{kind},{always},{visitor}]}}
            {{"timestamp":"{time}","type":"HOST_SSH_INFO","host_id":"host-{host:032x}","ssh":{{"user":"root","host":"192.0.2.1","port":22,"key_path":"/k"}}}}
            {{"timestamp":"{time}","type":"AGENT_DESTROYED","agent_id":"agent-{number:032x}","host_id":"host-{number:032x}"}}
"#
        )
        .into_bytes()
    }
}

impl AsyncRead for Day {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.written == self.line.len()
            && let Some(number) = self.snapshots.next()
        {
            self.line = self.line(number);
            self.written = 0;
        }
        let rest = self.line.get(self.written..).unwrap_or_default();
        let length = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..length]);
        self.written += length;
        Poll::Ready(Ok(()))
    }
}

/// What of this process is in memory, in KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}

/// Takes in `snapshots`, and gives what was resident after a fifth of them and at the end.
async fn live_through(snapshots: u64) -> (u64, u64) {
    let count = Arc::new(Count::default());
    let shared = Arc::new(Shared::new());
    let mut feed = Feed::new(Box::new(Arc::clone(&count)), Arc::clone(&shared));
    let mut lines = Lines::new(Day::new(snapshots), LONGEST_LINE);
    let (mut number, mut early) = (0, 0);
    while let Some(line) = lines.next().await.unwrap() {
        feed.event(&line);
        number += 1;
        if number == snapshots * 3 / 5 {
            early = resident();
        }
    }
    assert_eq!(number, snapshots * 3);
    assert_eq!(shared.get().agents, AGENTS);
    let (discovered, destroyed) = *count.0.lock().unwrap();
    assert_eq!(destroyed, snapshots.div_ceil(100) - 1);
    // Each of the others once more when the way to its host came, at most.
    let most = 2 * (AGENTS as u64) + snapshots / 100;
    assert!((AGENTS as u64..=most).contains(&discovered), "{discovered}");
    (early, resident())
}

#[tokio::test]
async fn only_what_is_new_reaches_the_handler() {
    live_through(500).await;
}

/// Alone in its process: `cargo test --lib a_days_worth -- --ignored`.
#[tokio::test]
#[ignore = "takes a minute without optimisation"]
async fn a_days_worth_of_discovery_leaves_memory_flat() {
    let (early, late) = live_through(100_000).await;
    println!("after a fifth of it {early} KiB are resident, at the end {late} KiB");
    assert!(late < early + 1_024, "{early} KiB, then {late} KiB");
}
