//! How everything ends that mngr started.

use super::*;

/// Starts a process of its own and waits.
const FAMILY: &str = r#"echo "$FULL"; sleep 1000 & echo $! >grandchild; echo $$ >leader; wait"#;
/// The same, and neither minds SIGTERM.
const STUBBORN: &str = r#"trap '' TERM; sleep 1000 & echo $! >grandchild; echo $$ >leader; while :; do wait; sleep 1; done"#;

impl Stage {
    /// The processes, once they are there.
    async fn family(&self) -> [String; 2] {
        let leader = until(|| self.written("leader"), |pid| pid.ends_with('\n')).await;
        [leader, self.written("grandchild")]
    }
}

#[tokio::test]
async fn stopping_ends_the_whole_group() {
    let stage = Stage::new();
    stage.script(FAMILY);
    let discovery = stage.start();
    let family = stage.family().await;
    discovery.stop(DEADLINE).await;
    for process in family {
        until_dead(&process).await;
    }
}

#[tokio::test]
async fn who_does_not_mind_is_killed_at_the_deadline() {
    let stage = Stage::new();
    stage.script(STUBBORN);
    let discovery = stage.start();
    let family = stage.family().await;
    discovery.stop(Duration::from_millis(50)).await;
    for process in family {
        until_dead(&process).await;
    }
}

#[tokio::test]
async fn a_restart_waits_for_the_stubborn_only_so_long() {
    let stage = Stage::new();
    stage.script(STUBBORN);
    let discovery = stage.start();
    let family = stage.family().await;
    stage.script(r#"echo "$FULL"; exec sleep 1000"#);
    discovery.restart();
    until(|| stage.told(), |told| told == &[FOUND]).await;
    for process in family {
        until_dead(&process).await;
    }
    discovery.stop(DEADLINE).await;
}

#[tokio::test]
async fn who_outlives_mngr_is_ended_too() {
    let stage = Stage::new();
    stage.script("sleep 1000 & echo $! >grandchild; echo $$ >leader; exit 1");
    let discovery = stage.start();
    for process in stage.family().await {
        until_dead(&process).await;
    }
    discovery.stop(DEADLINE).await;
}

#[tokio::test]
async fn dropping_is_stopping() {
    let stage = Stage::new();
    stage.script(FAMILY);
    let discovery = stage.start();
    let family = stage.family().await;
    drop(discovery);
    for process in family {
        until_dead(&process).await;
    }
}

#[test]
fn the_end_of_the_runtime_is_the_end_of_the_group() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let stage = Stage::new();
    stage.script(FAMILY);
    let first = runtime();
    let (discovery, family) = first.block_on(async {
        let discovery = stage.start();
        let family = stage.family().await;
        (discovery, family)
    });
    drop(first);
    runtime().block_on(async {
        for process in family {
            until_dead(&process).await;
        }
    });
    drop(discovery);
}
