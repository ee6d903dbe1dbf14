//! What it leaves on the disk, and who may read it.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use end_to_end::discovery::Discovered;
use end_to_end::{Cli, Home, Mngr, Supervisor, agent_of, ask, end_all_of, eventually, mode};
use serde_json::json;

const LIMIT: u64 = 10 * 1024 * 1024;
const KEPT: usize = 10;

/// Everything below a directory and itself, symbolic links left out.
fn below(directory: &Path) -> Vec<PathBuf> {
    let mut found = vec![directory.to_owned()];
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(below(&entry.path()));
        } else if kind.is_file() || kind.is_socket() {
            found.push(entry.path());
        }
    }
    found
}

#[tokio::test]
async fn nobody_else_may_read_anything_of_the_plugins_own_whatever_the_umask() {
    let home = Home::new().with_compiled_components();
    let mngr = Mngr::in_home(&home);
    let script = "umask 0; exec \"$@\"";
    Cli::program("sh", home.path())
        .arguments(["-c", script, "sh"])
        .argument(end_to_end::program())
        .arguments(["supervisor", "ensure", "--latchkey-directory"])
        .argument(home.latchkey_directory())
        .argument("--mngr-binary")
        .argument(mngr.path())
        .run()
        .expect_success();
    let agent = agent_of(&home, "a");
    agent
        .post("/permission-requests", ask("slack-api", ["slack-read-all"]))
        .await
        .expect(201);
    let discovered = Discovered::new(&agent.id, &agent.host_id);
    let ssh = json!({"user": "nobody", "host": "127.0.0.1", "port": 9, "key_path": "/nonexistent", "command": "ssh"});
    mngr.say(&discovered.agent_discovered());
    mngr.say(&discovered.ssh_info(&ssh));
    eventually("the status names the agent", async || {
        home.cli(["status"]).stdout.contains(&agent.id)
    })
    .await;
    let (directory, plugin_data) = (home.latchkey_directory(), home.plugin_data());
    let all = below(&plugin_data);
    for name in [
        "latchkey_forward.json",
        "latchkey_forward.lock",
        "latchkey_forward_memory.json",
        "latchkey_forward_status.json",
        "latchkey_forward.log",
        "events.jsonl",
    ] {
        assert!(all.contains(&plugin_data.join(name)), "no {name}: {all:?}");
    }
    let others = [
        directory.join("encryption_key"),
        directory.join("permission_requests"),
        home.pending_requests(),
    ];
    for path in all.iter().chain(&others) {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(path), expected, "{}", path.display());
        let metadata = fs::metadata(path).unwrap();
        assert_eq!(metadata.uid(), rustix::process::getuid().as_raw());
    }
    end_all_of(&home);
}

/// The files of the log and their sizes, the present one first and then the latest one.
fn log_files(home: &Home) -> Vec<(String, u64)> {
    let entries = fs::read_dir(home.plugin_data()).unwrap().flatten();
    let mut found: Vec<(String, u64)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let size = entry.metadata().ok()?.len();
            name.starts_with("events.jsonl").then_some((name, size))
        })
        .collect();
    found.sort();
    found[1..].reverse();
    found
}

#[tokio::test]
async fn of_the_log_ten_full_files_are_kept() {
    let home = Home::new();
    let line = format!("{}\n", json!({"message": "x".repeat(1000)}));
    let full = line.repeat(usize::try_from(LIMIT).unwrap() / line.len());
    home.write("latchkey/mngr_latchkey/events.jsonl", &full, 0o600);
    // From before there are more than are kept.
    let old = |number: usize| format!("events.jsonl.2026010100000000{number:04}");
    for number in 0..=KEPT {
        let path = format!("latchkey/mngr_latchkey/{}", old(number));
        home.write(&path, "{}\n", 0o600);
    }
    let supervisor = Supervisor::in_home(home).start().await;
    eventually("the full one is put aside", async || {
        log_files(supervisor.home())
            .iter()
            .filter(|(_, size)| *size > LIMIT / 2)
            .count()
            == 1
            && log_files(supervisor.home())[0].1 < LIMIT / 2
    })
    .await;
    let files = log_files(supervisor.home());
    assert_eq!(files.len(), 1 + KEPT, "{files:#?}");
    assert!(files[1].1 > LIMIT / 2 && files[1].1 <= LIMIT, "{files:#?}");
    let kept: Vec<&str> = files[2..].iter().map(|(name, _)| name.as_str()).collect();
    let expected: Vec<String> = (2..=KEPT).rev().map(old).collect();
    assert_eq!(kept, expected);
}

#[tokio::test]
async fn a_log_file_that_is_asked_for_gets_what_the_log_gets() {
    let options = Supervisor::in_home(Home::new());
    let path = options.home().path().join("elsewhere/run.jsonl");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let supervisor = options
        .argument("--log-file")
        .argument(path.clone())
        .start()
        .await;
    supervisor.mngr().started(1).await;
    supervisor.mngr().complain("a complaint for the log\n");
    let records = || -> Vec<serde_json::Value> {
        let text = fs::read_to_string(&path).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).expect(line))
            .collect()
    };
    for target in ["supervisor", "gateway"] {
        eventually(&format!("a record of {target}'s"), async || {
            records().iter().any(|record| {
                let named = record["target"].as_str();
                named.is_some_and(|named| named.contains(target))
            })
        })
        .await;
    }
    eventually("mngr's complaint", async || {
        records()
            .iter()
            .any(|record| record.to_string().contains("a complaint for the log"))
    })
    .await;
    assert_eq!(mode(&path), 0o600);
}
