//! Components that attack whoever loads them.
//!
//! | component | does | the gateway |
//! |---|---|---|
//! | `traps-in-describe`, `spins-in-describe` | never says what it is | serves without it |
//! | `describes-differently` | says something else every time | goes by one answer |
//! | `describes-too-much` | has a manifest without measure | serves without it |
//! | `squats-routes` | claims what others serve | serves the others, and names both |
//! | `grafted` | takes the compiler long, or much memory; is deep; works or traps while it is instantiated | serves without it |

use std::time::Duration;

use end_to_end::{CoreModule, Home, component, eventually_within, graft, nested};

use crate::stage::{LITTLE, Siege, with_claim};

const GRAFTED: &str = r#"routes = ["GET /grafted"]"#;

async fn assert_left_out(name: &str, bytes: &[u8], words: &[&str]) {
    let policy = format!("routes = [\"GET /{name}\"]");
    let mut siege = Siege::by_bytes(name, bytes, &policy).await;
    let mut expected = vec!["ERROR", "not served"];
    expected.extend(words);
    siege.named(&expected).await;
    siege.get(&format!("/{name}")).await.expect(404);
    siege.assert_others_unharmed().await;
    siege.assert_memory_below(LITTLE);
}

#[tokio::test]
async fn whoever_never_says_what_it_is_is_left_out() {
    for name in ["traps-in-describe", "spins-in-describe"] {
        assert_left_out(name, &component(name), &["manifest"]).await;
    }
}

#[tokio::test]
async fn a_manifest_without_measure_is_left_out() {
    let name = "describes-too-much";
    assert_left_out(name, &component(name), &["manifest"]).await;
}

#[tokio::test]
async fn whoever_describes_itself_differently_gets_only_what_is_granted() {
    let policy = r#"routes = ["GET /describes-differently"]"#;
    let mut siege = Siege::by("describes-differently", policy).await;
    for _ in 0..8 {
        let answer = siege.get("/describes-differently").await.expect(403);
        assert!(answer.text().contains("not granted"), "{answer}");
    }
    siege.named(&["documents", "not granted"]).await;
    siege.assert_others_unharmed().await;
}

#[tokio::test]
async fn no_route_of_a_bundled_extension_is_taken_away() {
    for (claim, target) in [
        ("GET /permissions/self", "/permissions/self"),
        ("GET /permissions/self q", "/permissions/self?q=1"),
        ("GET /permission-requests", "/permission-requests"),
        (
            "GET /permission-requests follow",
            "/permission-requests?follow=true",
        ),
        (
            "POST /permission-requests/approve/mine",
            "/permission-requests/approve/mine",
        ),
        (
            "DELETE /permission-requests/mine",
            "/permission-requests/mine",
        ),
        ("GET /minds-api-proxy/secret", "/minds-api-proxy/secret"),
        ("* /minds-api-proxy/{one}/{*rest}", "/minds-api-proxy/a/b"),
        (
            "GET /permissions/available/slack",
            "/permissions/available/slack",
        ),
    ] {
        let bytes = with_claim("squats-routes", "CLAIM /squats-routes/claim", claim);
        let (method, path) = claim.split_once(' ').unwrap();
        let path = path.split(' ').next().unwrap();
        let policy = format!("routes = [\"GET /squats-routes/own\", \"{method} {path}\"]");
        let mut siege = Siege::by_bytes("squats-routes", &bytes, &policy).await;
        siege
            .named(&["not served", claim.split(' ').nth(1).unwrap()])
            .await;
        let method = if method == "*" { "GET" } else { method };
        let answer = siege.admin.request(method, target).start().await;
        let kind = answer.headers().get("content-type");
        let kind = kind.map_or("", |kind| kind.to_str().unwrap());
        assert!(
            !kind.starts_with("text/plain") || target.contains("proxy"),
            "{claim}: {answer:?}"
        );
        siege.assert_others_unharmed().await;
    }
}

#[tokio::test]
async fn of_a_route_that_matches_more_only_the_rest_is_served() {
    for claim in ["* /{*everything}", "* /permissions/self"] {
        let bytes = with_claim("squats-routes", "CLAIM /squats-routes/claim", claim);
        let policy = format!("routes = [\"GET /squats-routes/own\", \"{claim}\"]");
        let mut siege = Siege::by_bytes("squats-routes", &bytes, &policy).await;
        for target in [
            "/permissions/self",
            "/permission-requests",
            "/echo/count",
            "/minds-api-proxy/x",
        ] {
            let answer = siege.get(target).await;
            assert!(!answer.text().contains("squatted"), "{claim}: {answer}");
        }
        siege.get("/squats-routes/own").await.expect(200);
        siege.assert_others_unharmed().await;
    }
}

/// `i32.const 1`, `local.set 0`.
const A_LITTLE_CODE: [u8; 4] = [0x41, 1, 0x21, 0];
/// `loop`, `br 0`, `end`.
const SPINS: [u8; 5] = [0x03, 0x40, 0x0c, 0, 0x0b];
/// `unreachable`.
const TRAPS: [u8; 1] = [0x00];

fn starting_with(code: &[u8]) -> CoreModule {
    CoreModule {
        functions: vec![code.to_vec()],
        starts: true,
        ..CoreModule::default()
    }
}

#[tokio::test]
async fn whoever_works_or_traps_while_it_is_instantiated_is_left_out() {
    for code in [&SPINS[..], &TRAPS] {
        let bytes = graft(&component("grafted"), &starting_with(code), 1);
        assert_left_out("grafted", &bytes, &[]).await;
    }
}

#[tokio::test]
async fn whatever_is_too_deep_is_left_out() {
    assert_left_out("grafted", &nested(2000), &[]).await;
}

#[tokio::test]
async fn what_is_no_whole_component_is_left_out() {
    let whole = component("grafted");
    for length in [0, 1, 4, 8, 100, whole.len() / 2, whole.len() - 1] {
        let siege = Siege::by_bytes("grafted", &whole[..length], GRAFTED).await;
        siege.named(&["ERROR", "not served"]).await;
        siege.get("/grafted").await.expect(404);
    }
}

/// `block`, `local.get 0`, `br_if 0`, `i32.const 1`, `local.set 0`, `end`, over and over: as much work as a compiler can be given
/// in one function.
fn bomb() -> CoreModule {
    let piece = [0x02, 0x40, 0x20, 0, 0x0d, 0, 0x41, 1, 0x21, 0, 0x0b];
    CoreModule {
        functions: vec![piece.repeat(600_000); 4],
        ..CoreModule::default()
    }
}

/// Compiled while the gateway serves, since it keeps trying for as long as it may.
async fn assert_is_not_compiled(bytes: &[u8]) {
    let mut siege = Siege::by_bytes("grafted", &component("grafted"), GRAFTED).await;
    siege.get("/grafted").await.expect(200);
    siege
        .gateway
        .home()
        .install_bytes("grafted", bytes, GRAFTED);
    siege.assert_others_unharmed().await;
    eventually_within(Duration::from_secs(150), "it is given up", async || {
        // The one that was there before goes on all the while.
        siege.get("/grafted").await.expect(200);
        siege.get("/echo/count").await.expect(200);
        let log = siege.gateway.process().stderr();
        log.lines()
            .any(|line| line.contains("ERROR") && line.contains("grafted"))
    })
    .await;
    siege.get("/grafted").await.expect(200);
    siege.assert_others_unharmed().await;
    siege.assert_memory_below(4 * LITTLE);
}

#[tokio::test]
async fn what_takes_the_compiler_too_long_is_given_up() {
    assert_is_not_compiled(&graft(&component("grafted"), &bomb(), 0)).await;
}

#[tokio::test]
async fn a_hundred_thousand_functions_cost_the_gateway_little() {
    let module = CoreModule {
        functions: vec![A_LITTLE_CODE.to_vec(); 100_000],
        ..CoreModule::default()
    };
    let bytes = graft(&component("grafted"), &module, 0);
    let mut siege = Siege::by_bytes("grafted", &component("grafted"), GRAFTED).await;
    siege
        .gateway
        .home()
        .install_bytes("grafted", &bytes, GRAFTED);
    siege.assert_others_unharmed().await;
    siege.get("/grafted").await.expect(200);
    siege.assert_memory_below(2 * LITTLE);
}

#[tokio::test]
async fn a_file_larger_than_any_component_is_not_even_read() {
    let home = Home::new();
    home.install_bytes("grafted", b"\0asm\x0d\0\x01\0", GRAFTED);
    let file = std::fs::File::options()
        .write(true)
        .open(home.extensions().join("grafted.wasm"))
        .unwrap();
    // Nothing of it is on the disk.
    file.set_len(8 * 1024 * 1024 * 1024).unwrap();
    let home = crate::stage::neighbours_in(home);
    let mut siege = Siege::with("grafted", end_to_end::Gateway::in_home(home)).await;
    siege.named(&["ERROR", "not served"]).await;
    siege.assert_others_unharmed().await;
    siege.assert_memory_below(LITTLE);
}
