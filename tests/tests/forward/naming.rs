//! Called `mngr`, as embedders call it: one path for this program and for the real mngr behind it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use end_to_end::{Cli, Home, Mngr, descendants, end_all_of, eventually, is_running, record};
use rustix::process::Signal;
use serde_json::Value;

/// How it has come by its name.
#[derive(Clone, Copy, Debug)]
enum Name {
    Link,
    Copy,
}

/// A home in which `mngr` on PATH is this program, and the real one is the next.
struct Stage {
    home: Home,
    real: Mngr,
    ours: PathBuf,
}

impl Stage {
    fn new(name: Name) -> Self {
        let home = Home::new().with_compiled_components();
        let ours = home.path().join("ours/mngr");
        fs::create_dir_all(ours.parent().unwrap()).unwrap();
        match name {
            Name::Link => symlink(end_to_end::program(), &ours).unwrap(),
            Name::Copy => drop(fs::copy(end_to_end::program(), &ours).unwrap()),
        }
        let real = Mngr::in_home(&home);
        Self { home, real, ours }
    }

    /// `mngr latchkey ...`, with the paths that embedders give.
    fn command(&self, words: &[&str]) -> Cli {
        let directories = [
            self.ours.parent().unwrap(),
            self.real.path().parent().unwrap(),
            Path::new("/usr/bin"),
            Path::new("/bin"),
        ];
        Cli::program(&self.ours, self.home.path())
            .argument("latchkey")
            .arguments(words)
            .argument("--latchkey-directory")
            .argument(self.home.latchkey_directory())
            .arguments(["--latchkey-binary", "latchkey", "--mngr-binary"])
            .argument(&self.ours)
            .environment("PATH", std::env::join_paths(directories).unwrap())
    }

    fn record_of(&self, action: &str) -> (u32, Value) {
        let outcome = self.command(&["supervisor", action]).run();
        let record = outcome.expect_success().json();
        let process = record["pid"].as_u64().expect("a process");
        (process.try_into().unwrap(), record)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        end_all_of(&self.home);
    }
}

async fn is_ensured_bounced_restarted_and_stopped(name: Name) {
    let stage = Stage::new(name);
    let (first, record_of_first) = stage.record_of("ensure");
    // The real mngr observes: it was called through the same path, and got everything that is not ours.
    let start = stage.real.started(1).await;
    assert_eq!(
        start.arguments[1..],
        ["observe", "--discovery-only", "--quiet"]
    );
    assert_eq!(stage.record_of("ensure"), (first, record_of_first));
    assert_eq!(stage.record_of("bounce").0, first);
    stage.real.started(2).await;
    let (second, _) = stage.record_of("restart");
    assert_ne!(first, second);
    assert!(!is_running(first) && is_running(second));
    stage.real.started(3).await;
    let children = descendants(second);
    stage
        .command(&["supervisor", "stop"])
        .run()
        .expect_success();
    assert!(!is_running(second) && !record(&stage.home).exists());
    for child in children {
        eventually("nothing is left of it", async || !is_running(child.id)).await;
    }
}

#[tokio::test]
async fn through_a_link_it_is_ensured_bounced_restarted_and_stopped() {
    is_ensured_bounced_restarted_and_stopped(Name::Link).await;
}

#[tokio::test]
async fn as_a_copy_it_is_ensured_bounced_restarted_and_stopped() {
    is_ensured_bounced_restarted_and_stopped(Name::Copy).await;
}

#[tokio::test]
async fn forward_runs_under_the_name_and_is_found_under_the_other() {
    for name in [Name::Link, Name::Copy] {
        let stage = Stage::new(name);
        let mut process = stage.command(&["forward"]).start();
        eventually("gateway-info answers", async || {
            stage.home.cli(["gateway-info"]).status.success()
        })
        .await;
        stage.real.started(1).await;
        let found = stage.home.cli(["supervisor", "ensure"]).expect_success();
        assert_eq!(found.json()["pid"], process.id(), "{name:?}: {found}");
        process.signal(Signal::INT);
        assert_eq!(process.ended().await.code(), Some(0), "{name:?}");
    }
}
