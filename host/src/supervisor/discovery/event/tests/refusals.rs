//! What is not taken for an event.

use proptest::prelude::*;

use super::*;

#[test]
fn a_line_without_its_meaning_is_refused_with_the_reason() {
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"".into(), "it is not JSON: EOF"),
        (full(json!({}))[..200].into(), "it is not JSON: EOF"),
        (
            b"Traceback (most recent call last):".into(),
            "it is not JSON: expected value",
        ),
        (b"[1]".into(), "it is not an object"),
        (b"{}".into(), "'type' is missing or of a wrong type"),
        (
            br#"{"type":7}"#.into(),
            "'type' is missing or of a wrong type",
        ),
        (
            line("AGENT_DISCOVERED", json!({})),
            "'agent' is missing or of a wrong type",
        ),
        (
            line("AGENT_DISCOVERED", json!({"agent": "x"})),
            "'agent' is missing or of a wrong type",
        ),
        (
            line(
                "AGENT_DISCOVERED",
                json!({"agent": {"agent_id": AGENT, "host_id": HOST}}),
            ),
            "'provider_name' is missing or of a wrong type",
        ),
        (
            line(
                "AGENT_DESTROYED",
                json!({"agent_id": HOST, "host_id": HOST}),
            ),
            "AgentId must start with 'agent-', got 'host-49f7e4f95d865d8681086dc4e9b27c66'",
        ),
        (
            line(
                "AGENT_DESTROYED",
                json!({"agent_id": AGENT, "host_id": HOST, "timestamp": "yesterday"}),
            ),
            "'timestamp' is no time: 'yesterday'",
        ),
        (
            line(
                "AGENT_DESTROYED",
                json!({"agent_id": AGENT, "host_id": HOST, "timestamp": 1}),
            ),
            "'timestamp' is missing or of a wrong type",
        ),
        (
            line("HOST_DESTROYED", json!({"host_id": "host-1"})),
            "HostId hex part must be exactly 32 characters, got 1",
        ),
        (
            line(
                "HOST_DESTROYED",
                json!({"host_id": HOST, "agent_ids": AGENT}),
            ),
            "'agent_ids' is missing or of a wrong type",
        ),
        (
            line("HOST_SSH_INFO", json!({"host_id": HOST})),
            "'ssh' is missing or of a wrong type",
        ),
        (
            line(
                "HOST_SSH_INFO",
                json!({"host_id": HOST, "ssh": {"user": "u", "host": "h", "port": 70000, "key_path": "k"}}),
            ),
            "'ssh' says no way to reach the host: invalid value: integer `70000`",
        ),
        (
            line(
                "HOST_SSH_INFO",
                json!({"host_id": HOST, "ssh": {"user": "", "host": "h", "port": 22, "key_path": "k"}}),
            ),
            "'ssh' says no way to reach the host: 'user' is empty",
        ),
        // Read as empty lists, these would destroy every agent.
        (
            full(json!({"agents": null})),
            "'agents' is missing or of a wrong type",
        ),
        (
            full(json!({"agents": {}})),
            "'agents' is missing or of a wrong type",
        ),
        (
            full(json!({"error_by_provider_name": ["modal"]})),
            "'error_by_provider_name' is missing or of a wrong type",
        ),
        (
            of_pool(json!({"discovery_started_at": null})),
            "'discovery_started_at' is missing or of a wrong type",
        ),
        (
            of_pool(json!({"provider_name": null})),
            "'provider_name' is missing or of a wrong type",
        ),
        (
            of_pool(json!({"unknown_host_ids": HOST})),
            "'unknown_host_ids' is missing or of a wrong type",
        ),
    ];
    for (line, reason) in cases {
        let text = String::from_utf8_lossy(&line);
        match parse(&line) {
            Err(error) => assert!(error.to_string().starts_with(reason), "{error}: {text}"),
            other => panic!("{other:?}: {text}"),
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_damage_to_a_line_makes_it_panic(
        kind in 0_usize..3,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        length in any::<prop::sample::Index>(),
    ) {
        let mut line = match kind {
            0 => full(json!({})),
            1 => of_pool(json!({})),
            _ => line("HOST_SSH_INFO", json!({"host_id": HOST, "ssh": ssh_object()})),
        };
        for (place, byte) in damage {
            let place = place.index(line.len());
            line[place] = byte;
        }
        let _ = parse(&line);
        let _ = parse(&line[..length.index(line.len())]);
    }
}
