//! Components whose instances neither come up nor end as they should.
//!
//! | component | does | the gateway |
//! |---|---|---|
//! | `traps-in-start`, `spins-in-start`, `waits-in-start` | never comes up | serves without it |
//! | `traps-in-stop`, `spins-in-stop`, `waits-in-stop` | never ends by itself | stops all the same |
//! | `crash-loops` | traps at every request | takes it out of service for longer and longer |

use end_to_end::eventually;

use crate::stage::{LITTLE, Siege};

async fn assert_never_comes_up(name: &str, words: &[&str]) {
    let mut siege = Siege::by(name, &format!("routes = [\"GET /{name}\"]")).await;
    let mut expected = vec!["ERROR", "not served"];
    expected.extend(words);
    siege.named(&expected).await;
    siege.get(&format!("/{name}")).await.expect(404);
    siege.assert_others_unharmed().await;
    siege.assert_memory_below(LITTLE);
}

#[tokio::test]
async fn whoever_traps_in_start_is_not_served() {
    assert_never_comes_up("traps-in-start", &["unreachable"]).await;
}

#[tokio::test]
async fn whoever_works_in_start_for_ever_is_not_served() {
    assert_never_comes_up("spins-in-start", &["without returning to its event loop"]).await;
}

#[tokio::test]
async fn whoever_waits_in_start_for_ever_is_not_served() {
    assert_never_comes_up("waits-in-start", &["longer than"]).await;
}

/// It serves like any other, and cannot keep the gateway from ending.
async fn assert_cannot_stay(name: &str) {
    let mut siege = Siege::by(name, &format!("routes = [\"GET /{name}\"]")).await;
    siege.get(&format!("/{name}")).await.expect(200);
    siege.assert_others_unharmed().await;
    let Siege { gateway, .. } = siege;
    let (status, _) = gateway.terminate().await;
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn whoever_traps_in_stop_ends_all_the_same() {
    assert_cannot_stay("traps-in-stop").await;
}

#[tokio::test]
async fn whoever_works_in_stop_for_ever_is_cut_off() {
    assert_cannot_stay("spins-in-stop").await;
}

#[tokio::test]
async fn whoever_waits_in_stop_for_ever_is_cut_off() {
    assert_cannot_stay("waits-in-stop").await;
}

/// It is exchanged for another of the same name, and cannot keep that from serving.
async fn assert_cannot_resist(name: &str, words: &[&str]) {
    let policy = format!("routes = [\"GET /{name}\"]");
    let mut siege = Siege::by(name, &policy).await;
    siege.get(&format!("/{name}")).await.expect(200);
    let home = siege.gateway.home();
    std::fs::remove_file(home.extensions().join(format!("{name}.wasm"))).unwrap();
    eventually("it is gone", async || {
        siege.get(&format!("/{name}")).await.status == 404
    })
    .await;
    siege.named(words).await;
    siege.assert_others_unharmed().await;
}

#[tokio::test]
async fn whoever_does_not_stop_is_removed_all_the_same() {
    assert_cannot_resist("traps-in-stop", &["unreachable"]).await;
    assert_cannot_resist("spins-in-stop", &["without returning to its event loop"]).await;
    assert_cannot_resist("waits-in-stop", &["stop"]).await;
}

#[tokio::test]
async fn whoever_keeps_crashing_is_out_of_service() {
    let mut siege = Siege::by("crash-loops", r#"routes = ["GET /crash-loops"]"#).await;
    let mut refused = String::new();
    eventually("it is taken out of service", async || {
        let answer = siege.get("/crash-loops").await;
        assert!(matches!(answer.status, 500 | 503), "{answer}");
        if answer.status == 503 {
            refused = answer.error();
        }
        answer.status == 503
    })
    .await;
    assert!(refused.contains("'crash-loops'"), "{refused}");
    siege.named(&["ERROR", "keep crashing", "503"]).await;
    siege.assert_others_unharmed().await;
    siege.assert_memory_below(LITTLE);
}
