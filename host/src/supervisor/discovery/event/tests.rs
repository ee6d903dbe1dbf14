use std::path::PathBuf;

use serde_json::json;

use super::*;

mod refusals;

const AGENT: &str = "agent-b657a783a05e47e784bd892103b87e15";
const HOST: &str = "host-49f7e4f95d865d8681086dc4e9b27c66";

fn agent_id() -> AgentId {
    AgentId::parse(AGENT).unwrap()
}

fn host_id() -> HostId {
    HostId::parse(HOST).unwrap()
}

fn agent(provider: &str) -> Agent {
    Agent {
        id: agent_id(),
        host: host_id(),
        name: "worker".into(),
        provider: provider.into(),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn ssh() -> SshInfo {
    SshInfo {
        user: "root".into(),
        host: "192.0.2.7".into(),
        port: 2222,
        key_path: PathBuf::from("/keys/id"),
        known_hosts_path: Some("/keys/known".into()),
    }
}

/// An event of the given type, as mngr frames it.
fn line(kind: &str, members: Value) -> Vec<u8> {
    let mut line = json!({
        "timestamp": "2026-11-21T19:46:44.171618001Z", "type": kind,
        "event_id": "evt-8f6f887e04e74704bb3c6e0203488a2f", "source": "mngr/discovery"
    });
    let all = line.as_object_mut().unwrap();
    all.extend(members.as_object().unwrap().clone());
    line.to_string().into_bytes()
}

/// An agent as mngr 0.2.12 and 0.3.0 write it.
fn agent_object() -> Value {
    json!({
        "host_id": HOST, "agent_id": AGENT, "agent_name": "worker", "provider_name": "pool",
        "certified_data": {
            "id": AGENT, "name": "worker", "type": "command", "work_dir": "/w", "host": {"host_id": 1},
            "create_time": "2026-11-21T19:46:11.839779+00:00", "labels": {"project": "w"}, "start_on_boot": false
        }
    })
}

fn host_object() -> Value {
    json!({"host_id": HOST, "host_name": "box", "provider_name": "pool", "host_state": "RUNNING", "size": null})
}

fn ssh_object() -> Value {
    json!({
        "user": "root", "host": "192.0.2.7", "port": 2222, "key_path": "/keys/id",
        "known_hosts_path": "/keys/known", "command": "ssh -i /keys/id -p 2222 root@192.0.2.7"
    })
}

fn provider_object() -> Value {
    json!({"provider_name": "pool", "config": {"backend": "ssh", "plugin": null, "is_enabled": null}})
}

fn full(members: Value) -> Vec<u8> {
    let mut all = json!({
        "agents": [agent_object()], "hosts": [host_object()], "providers": [provider_object()],
        "error_by_provider_name": {}
    });
    all.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    line("DISCOVERY_FULL", all)
}

fn of_pool(members: Value) -> Vec<u8> {
    let mut all = json!({
        "provider_name": "pool", "agents": [agent_object()], "hosts": [host_object()], "provider": provider_object(),
        "error": null, "unknown_host_ids": [], "unknown_agent_ids": [],
        "discovery_started_at": "2026-11-21T19:46:43.123456Z", "discovery_finished_at": "2026-11-21T19:46:44Z"
    });
    all.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    line("DISCOVERY_PROVIDER", all)
}

fn parsed(line: &[u8]) -> Parsed {
    match parse(line) {
        Ok(Some(parsed)) => parsed,
        other => panic!("{other:?}: {}", String::from_utf8_lossy(line)),
    }
}

/// The event in a line that has no flaw.
fn event(line: &[u8]) -> Event {
    let parsed = parsed(line);
    assert_eq!(parsed.flaws, [], "{}", String::from_utf8_lossy(line));
    parsed.event
}

fn snapshot(line: &[u8]) -> (Snapshot, Vec<String>) {
    let Parsed { event, flaws } = parsed(line);
    let Event::Snapshot(snapshot) = event else {
        panic!("{event:?}");
    };
    (snapshot, flaws.iter().map(ToString::to_string).collect())
}

#[test]
fn events_about_one_thing_are_read() {
    let when = at("2026-11-21T19:46:44.171618001Z");
    let cases = [
        (
            line("AGENT_DISCOVERED", json!({"agent": agent_object()})),
            Event::AgentDiscovered {
                at: when,
                agent: agent("pool"),
            },
        ),
        (
            line("HOST_DISCOVERED", json!({"host": host_object()})),
            Event::HostDiscovered {
                at: when,
                host: host_id(),
                ssh: None,
            },
        ),
        (
            line(
                "AGENT_DESTROYED",
                json!({"agent_id": AGENT, "host_id": HOST}),
            ),
            Event::AgentDestroyed {
                at: when,
                agent: agent_id(),
                host: host_id(),
            },
        ),
        (
            line(
                "HOST_DESTROYED",
                json!({"host_id": HOST, "agent_ids": [AGENT]}),
            ),
            Event::HostDestroyed {
                at: when,
                host: host_id(),
                agents: vec![agent_id()],
            },
        ),
        (
            line(
                "HOST_SSH_INFO",
                json!({"host_id": HOST, "ssh": ssh_object()}),
            ),
            Event::HostSsh {
                at: when,
                host: host_id(),
                ssh: ssh(),
            },
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(event(&line), expected);
    }
}

#[test]
fn a_snapshot_of_everything_is_read() {
    let (found, flaws) = snapshot(&full(json!({"error_by_provider_name": {
        "modal": {"type_name": "AuthError", "message": "log in", "provider_name": "modal"}, "docker": {}
    }})));
    assert_eq!(flaws, [""; 0]);
    assert_eq!(found.agents, [agent("pool")]);
    let Scope::Everything { failed, .. } = found.scope else {
        panic!("{found:?}");
    };
    let failed: Vec<_> = failed
        .iter()
        .map(|failure| format!("{}: {}", failure.source, failure.message))
        .collect();
    assert_eq!(
        failed,
        [
            "modal: AuthError: log in",
            "docker: an error without a message"
        ]
    );
}

#[test]
fn a_snapshot_of_a_provider_is_read() {
    let (found, flaws) = snapshot(&of_pool(json!({
        "error": {"type_name": "TimeoutError", "message": "", "provider_name": "pool", "traceback_text": "..."},
        "unknown_host_ids": [HOST], "unknown_agent_ids": [AGENT]
    })));
    assert_eq!(flaws, [""; 0]);
    assert_eq!(found.agents, [agent("pool")]);
    assert_eq!(found.unknown_agents, [agent_id()]);
    assert_eq!(found.unknown_hosts, [host_id()]);
    assert_eq!(
        found.scope,
        Scope::Provider {
            name: "pool".into(),
            failed: Some(Failure {
                source: "pool".into(),
                message: "TimeoutError".into(),
            }),
            began: at("2026-11-21T19:46:43.123456Z"),
        }
    );
}

#[test]
fn an_agent_belongs_to_the_provider_that_lists_it() {
    let (found, _) = snapshot(&of_pool(json!({"provider_name": "other"})));
    assert_eq!(found.agents, [agent("other")]);
}

#[test]
fn hosts_may_say_themselves_how_they_are_reached() {
    let mut host = host_object();
    host["ssh"] = ssh_object();
    for line in [
        full(json!({"hosts": [host]})),
        of_pool(json!({"hosts": [host]})),
    ] {
        let (found, flaws) = snapshot(&line);
        assert_eq!((found.ssh, flaws.len()), (vec![(host_id(), ssh())], 0));
    }
    let found = event(&line("HOST_DISCOVERED", json!({"host": host})));
    assert!(matches!(found, Event::HostDiscovered { ssh: Some(found), .. } if found == ssh()));
}

#[test]
fn one_trouble_has_one_wording() {
    let told = line(
        "DISCOVERY_ERROR",
        json!({"error_type": "E", "error_message": "m", "source_name": "pool", "provider_name": "pool"}),
    );
    let Event::Error(told) = event(&told) else {
        panic!()
    };
    let (again, _) = snapshot(&of_pool(
        json!({"error": {"type_name": "E", "message": "m"}}),
    ));
    let Scope::Provider { failed, .. } = again.scope else {
        panic!()
    };
    assert_eq!(Some(told), failed);

    let of_host = line(
        "DISCOVERY_ERROR",
        json!({"error_type": "E", "error_message": "m", "source_name": HOST, "provider_name": null}),
    );
    assert!(matches!(event(&of_host), Event::Error(failure) if failure.source == HOST));
}

#[test]
fn types_that_are_not_known_mean_nothing() {
    for kind in ["", "AGENT_RENAMED", "agent_discovered"] {
        assert_eq!(parse(&line(kind, json!({}))), Ok(None), "{kind}");
    }
}

#[test]
fn one_bad_element_does_not_spoil_a_snapshot() {
    let mut without_host = agent_object();
    without_host["host_id"] = json!(null);
    let agents = json!([7, null, "x", [], {"agent_id": "agent-x"}, without_host, agent_object()]);
    let mut bad_ssh = host_object();
    bad_ssh["ssh"] = json!("ssh root@x");
    let hosts = json!([{"host_id": 1}, [], bad_ssh, host_object()]);
    for line in [
        full(json!({"agents": agents, "hosts": hosts})),
        of_pool(json!({"agents": agents, "hosts": hosts, "unknown_agent_ids": [1, "agent-y"]})),
    ] {
        let (found, flaws) = snapshot(&line);
        assert_eq!(found.agents, [agent("pool")]);
        assert_eq!(found.ssh, []);
        assert!(flaws.len() >= 9, "{flaws:?}");
        // It is there, though it is not said where: it must not be taken for gone.
        assert_eq!(found.unknown_agents, [agent_id()]);
    }
}

#[test]
fn times_have_any_offset_and_nanoseconds() {
    let expected = at("2026-11-21T19:46:44.171618001Z");
    for text in [
        "2026-11-21T19:46:44.171618001Z",
        "2026-11-21T19:46:44.171618001+00:00",
        "2026-11-22T01:16:44.171618001+05:30",
        "2026-11-21T11:46:44.171618001-0800",
        "2026-11-21T19:46:44.171618001",
        "2026-11-21 19:46:44.171618001z",
    ] {
        let found = event(&line(
            "AGENT_DESTROYED",
            json!({"agent_id": AGENT, "host_id": HOST, "timestamp": text}),
        ));
        assert!(
            matches!(found, Event::AgentDestroyed { at, .. } if at == expected),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn only_the_same_bytes_are_a_replay() {
    let fingerprint = |line: &[u8]| match snapshot(line).0.scope {
        Scope::Everything { fingerprint, .. } => fingerprint,
        other => panic!("{other:?}"),
    };
    assert_eq!(fingerprint(&full(json!({}))), fingerprint(&full(json!({}))));
    assert_ne!(
        fingerprint(&full(json!({}))),
        fingerprint(&full(json!({"event_id": "evt-2"})))
    );
}
