//! Components that take memory: their own, and what the host keeps for them.
//!
//! | component | takes | is ended by |
//! |---|---|---|
//! | `allocates`, `allocates-in-start` | its memory, at once and little by little | `memory_mib` |
//! | `grafted` | many memories, large tables, many instances | `memory_mib` and the limits of tables and instances |
//! | `overflows-stack` | the stack | its limit |
//! | `hoards-handles` | resources of the host | their limits |
//! | `hoards-streams` | streams and futures | the same |
//! | `forks-tasks` | tasks and timers | `memory_mib` |
//! | `demands-randomness` | gigabytes of random bytes | the host's limit |
//! | `passes-giants` | copies that the host makes of what is passed to it | the host's limits |

use end_to_end::{CoreModule, component, graft};

use crate::stage::{LITTLE, Siege};

const MIB: u64 = 1024 * 1024;
/// What the two instances of a component may have by default, and as much again for the gateway's own part.
const GRANTED: u64 = 2 * 2 * 64 * MIB;

/// `way` ends in a crash that is named; the component is back, and the gateway never held more than `most`.
async fn assert_crashes(name: &str, way: &str, words: &[&str], most: u64) {
    let policy = format!(
        "routes = [\"GET /{name}/{{way}}\"]\ncollections = [\"giants\"]\ntopics = [\"giants\"]"
    );
    let mut siege = Siege::by(name, &policy).await;
    siege.get(&format!("/{name}/{way}")).await.expect(500);
    let mut expected = vec!["ERROR", "crashed and is replaced"];
    expected.extend(words);
    siege.named(&expected).await;
    siege.get(&format!("/{name}/good")).await.expect(200);
    siege.assert_others_unharmed().await;
    siege.assert_memory_below(most);
}

#[tokio::test]
async fn memory_without_end_is_refused() {
    assert_crashes("allocates", "all", &[], GRANTED).await;
    assert_crashes("allocates", "at-once", &[], GRANTED).await;
}

#[tokio::test]
async fn memory_is_bounded_however_slowly_it_grows() {
    let policy = r#"
        routes = ["GET /allocates/{way}"]
        memory_mib = 16
    "#;
    let mut siege = Siege::by("allocates", policy).await;
    let mut crashed = false;
    for _ in 0..64 {
        let answer = siege.get("/allocates/a-little").await;
        assert!(matches!(answer.status, 200 | 500), "{answer}");
        crashed |= answer.status == 500;
    }
    assert!(crashed, "64 MiB fitted into 2 × 16");
    siege.named(&["ERROR", "crashed and is replaced"]).await;
    siege.assert_others_unharmed().await;
    siege.assert_memory_below(2 * LITTLE);
}

#[tokio::test]
async fn memory_without_end_at_the_start_keeps_it_from_serving() {
    let mut siege = Siege::by(
        "allocates-in-start",
        r#"routes = ["GET /allocates-in-start"]"#,
    )
    .await;
    siege.get("/allocates-in-start").await.expect(404);
    siege.named(&["ERROR", "not served"]).await;
    siege.assert_others_unharmed().await;
    siege.assert_memory_below(GRANTED);
}

#[tokio::test]
async fn a_stack_without_end_is_refused() {
    assert_crashes("overflows-stack", "now", &["stack"], LITTLE).await;
}

#[tokio::test]
async fn resources_without_end_are_refused() {
    for way in ["empty", "full", "one"] {
        assert_crashes("hoards-handles", way, &[], GRANTED).await;
    }
}

#[tokio::test]
async fn streams_without_end_are_refused() {
    assert_crashes("hoards-streams", "now", &[], GRANTED).await;
}

#[tokio::test]
async fn tasks_without_end_are_refused() {
    let mut siege = Siege::by("forks-tasks", r#"routes = ["GET /forks-tasks/{way}"]"#).await;
    // It answers, and goes on forking.
    let answer = siege.get("/forks-tasks/now").await;
    assert!(matches!(answer.status, 200 | 500), "{answer}");
    siege.named(&["ERROR", "crashed and is replaced"]).await;
    siege.get("/forks-tasks/good").await.expect(200);
    siege.assert_others_unharmed().await;
    siege.assert_memory_below(GRANTED);
}

#[tokio::test]
async fn gigabytes_of_random_bytes_are_refused() {
    let mut siege = Siege::by(
        "demands-randomness",
        r#"routes = ["GET /demands-randomness"]"#,
    )
    .await;
    for bytes in [8_000_000_000_u64, u64::MAX, 4_294_967_296] {
        let answer = siege
            .get(&format!("/demands-randomness?bytes={bytes}"))
            .await;
        // All that was asked for, or as many as the host likes to give: that is the host's to say.
        assert!(matches!(answer.status, 200 | 500), "{answer}");
        siege.assert_others_unharmed().await;
    }
    siege.get("/demands-randomness?bytes=10").await.expect(200);
    siege.assert_memory_below(GRANTED);
}

#[tokio::test]
async fn what_is_passed_to_the_host_is_bounded_too() {
    for way in [
        "documents",
        "names",
        "collections",
        "topics",
        "events",
        "log",
    ] {
        let policy = "routes = [\"GET /passes-giants/{way}\"]\ncollections = [\"giants\"]\ntopics = [\"giants\"]";
        let mut siege = Siege::by("passes-giants", policy).await;
        let answer = siege.get(&format!("/passes-giants/{way}")).await;
        assert!(matches!(answer.status, 200 | 500 | 504), "{way}: {answer}");
        siege.assert_others_unharmed().await;
        siege.get("/passes-giants/good").await.expect(200);
        siege.assert_memory_below(2 * GRANTED);
    }
}

const GRAFTED: &str = r#"routes = ["GET /grafted"]"#;

/// With this grafted on it the component is left out or, what it wanted being cut short, serves; and costs little.
async fn assert_grafted(module: &CoreModule, instances: usize, named: bool) {
    let bytes = graft(&component("grafted"), module, instances);
    let mut siege = Siege::by_bytes("grafted", &bytes, GRAFTED).await;
    let answer = siege.get("/grafted").await;
    if named {
        answer.expect(404);
        siege.named(&["ERROR", "not served"]).await;
    } else {
        answer.expect(200);
    }
    siege.assert_others_unharmed().await;
    siege.assert_memory_below(GRANTED);
}

#[tokio::test]
async fn a_small_graft_grows() {
    let module = CoreModule {
        tables: vec![10],
        memories: vec![1],
        ..CoreModule::default()
    };
    assert_grafted(&module, 1, false).await;
}

#[tokio::test]
async fn memories_count_together() {
    // 32 MiB each.
    let module = CoreModule {
        memories: vec![512; 20],
        ..CoreModule::default()
    };
    assert_grafted(&module, 1, true).await;
    let module = CoreModule {
        memories: vec![512],
        ..CoreModule::default()
    };
    assert_grafted(&module, 20, true).await;
}

#[tokio::test]
async fn large_tables_are_refused() {
    for tables in [vec![9_000_000], vec![1_000_000; 20]] {
        let module = CoreModule {
            tables,
            ..CoreModule::default()
        };
        assert_grafted(&module, 1, true).await;
    }
}

/// `ref.null func`, `i32.const 100000`, `table.grow 0`, until that answers -1; then `unreachable`, as whoever needs it would.
const GROWS_TABLE: [u8; 18] = [
    0x03, 0x40, 0xd0, 0x70, 0x41, 0xa0, 0x8d, 0x06, 0xfc, 0x0f, 0x00, 0x41, 0x7f, 0x47, 0x0d, 0x00,
    0x0b, 0x00,
];

#[tokio::test]
async fn a_table_that_grows_without_end_is_refused() {
    let module = CoreModule {
        tables: vec![0],
        functions: vec![GROWS_TABLE.to_vec()],
        starts: true,
        ..CoreModule::default()
    };
    assert_grafted(&module, 1, true).await;
}

#[tokio::test]
async fn instances_within_instances_are_refused() {
    assert_grafted(&CoreModule::default(), 20_000, true).await;
}
