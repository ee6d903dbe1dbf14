//! What `status` tells people and programs of agent hosts.

use end_to_end::{Resident, eventually};
use serde_json::Value;

use crate::host::{Host, status, supervisor};

#[tokio::test]
async fn each_host_is_shown_with_its_agents_its_state_and_its_trouble() {
    let (Some(alive), Some(mut dead)) = (Host::new().await, Host::new().await) else {
        return;
    };
    dead.sshd.kill();
    let supervisor = supervisor().await;
    let well = alive.connected(&supervisor, "well").await;
    let lost = dead.resident(supervisor.agent("lost"));
    dead.announce(&supervisor, &lost);
    let (mut up, mut down) = (Value::Null, Value::Null);
    eventually("the status shows both", async || {
        (up, down) = (status(&supervisor, &well), status(&supervisor, &lost));
        up["state"] == "up" && down["attempts"].as_u64() >= Some(2) && down["state"] == "waiting"
    })
    .await;
    for (host, resident, shown) in [(&alive, &well, &up), (&dead, &lost, &down)] {
        let address = shown["address"].as_str().unwrap_or_default();
        assert!(
            address.ends_with(&format!("@{}", host.sshd.address())),
            "{shown}"
        );
        assert!(shown["since"].is_string(), "{shown}");
        let agents = shown["agents"].as_array().expect("agents");
        assert_eq!(agents, &[Value::from(resident.agent.id.as_str())]);
    }
    assert_eq!(
        (&up["last_error"], &up["next_attempt"]),
        (&Value::Null, &Value::Null),
        "{up}"
    );
    assert!(down["next_attempt"].is_string(), "{down}");
    let error = down["last_error"].as_str().expect("an error");
    assert!(error.contains(&dead.sshd.address().to_string()), "{error}");

    let text = supervisor.cli(["status"]).expect_success().stdout;
    assert!(text.contains("1 of 2 up"), "{text}");
    let block = |resident: &Resident<'_>| {
        let mut blocks = text.split("\n\n");
        blocks
            .find(|block| block.starts_with(&resident.agent.host_id))
            .unwrap_or_else(|| panic!("{} is missing:\n{text}", resident.agent.host_id))
    };
    let (of_well, of_lost) = (block(&well), block(&lost));
    assert!(of_well.contains(&well.agent.id), "{text}");
    assert!(!of_well.contains("last error"), "{text}");
    for part in [&lost.agent.id, "last error", "next attempt"] {
        assert!(of_lost.contains(part), "{part} is missing:\n{text}");
    }
}
