//! What mngr says again and again all day long is listened to, and not kept.

use std::fs;

use end_to_end::discovery::{self, Discovered};
use end_to_end::{Supervisor, eventually, resident_memory};
use rustix::process::Signal;
use serde_json::json;

const MIB: u64 = 1024 * 1024;
const AGENTS: usize = 50;

fn agent(number: usize) -> Discovered {
    Discovered::new(
        &format!("agent-{number:032x}"),
        &format!("host-{number:032x}"),
    )
}

#[tokio::test]
async fn thousands_of_snapshots_leave_memory_flat() {
    let supervisor = Supervisor::start().await;
    let mngr = supervisor.mngr();
    let agents: [Discovered; AGENTS] = std::array::from_fn(agent);
    let snapshot = discovery::full(agents.each_ref(), &[]);
    let file = supervisor.home().path().join("snapshot");
    fs::write(&file, format!("{snapshot}\n")).unwrap();
    mngr.started(1).await;
    let nowhere = json!({"user": "nobody", "host": "127.0.0.1", "port": 9, "key_path": "/nonexistent", "command": "ssh"});
    // What comes after them shows that all of them have been heard.
    let heard = async |round: usize, snapshots: u32| {
        let marker = agent(AGENTS + round);
        mngr.forget();
        mngr.begin_with(&format!(
            "yes \"$(cat '{}')\" | head -n {snapshots}\n",
            file.display()
        ));
        supervisor.signal(Signal::HUP);
        mngr.started(round).await;
        mngr.say(&marker.agent_discovered());
        mngr.say(&marker.ssh_info(&nowhere));
        eventually("the last snapshot has been heard", async || {
            let status = supervisor.status();
            status["discovery"]["agents"] == AGENTS + 1
                && status.to_string().contains(&marker.agent_id)
        })
        .await;
        let memory = resident_memory(supervisor.process().id());
        eprintln!("{} MiB after {snapshots} more snapshots", memory / MIB);
        memory
    };
    let before = heard(2, 200).await;
    let after = heard(3, 5000).await;
    assert!(
        after < before + 8 * MIB,
        "{} MiB have become {} MiB",
        before / MIB,
        after / MIB
    );
}
