//! What a component cannot do to the others, and what it cannot do at all.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use end_to_end::{Answer, Caller, Gateway, Home, Process, ask, component, eventually};

const HOSTILE: &str = r#"routes = [
  "GET /hostile/trap", "GET /hostile/panic", "GET /hostile/spin", "GET /hostile/allocate", "GET /hostile/error",
  "GET /hostile/sleep", "GET /hostile/log", "GET /hostile/good", "GET /hostile/cut-streams", "GET /hostile/quiet-stream",
]"#;
const ECHO: &str = r#"routes = ["POST /echo", "GET /echo/count", "GET /echo/quiet"]"#;
const WANDERER: &str = r#"routes = [
  "GET /wanderer/read", "GET /wanderer/write", "GET /wanderer/list", "GET /wanderer/environment",
  "GET /wanderer/arguments", "GET /wanderer/connect", "GET /wanderer/good",
]"#;
const CAPABILITIES: [&str; 11] = [
    "list",
    "get",
    "put-new",
    "delete",
    "publish",
    "subscribe",
    "setting",
    "read",
    "read-applied",
    "replace",
    "catalog",
];

/// A gateway with the hostile component and a well-behaved one.
async fn besieged() -> Gateway {
    let home = Home::new();
    home.install("hostile", HOSTILE);
    home.install("echo", ECHO);
    Gateway::in_home(home).start().await
}

/// A line of the log that has all of these words.
async fn logged(process: &Process, words: &[&str]) -> String {
    process
        .logged(&format!("the log says {words:?}"), |line| {
            let all = words.iter().all(|word| line.contains(word));
            all.then(|| line.to_owned())
        })
        .await
}

/// Everybody else is served: another component of a third party, and the bundled ones.
async fn assert_others_serve(admin: &Caller) {
    admin.get("/echo/count").await.expect(200);
    admin.get("/permissions/available").await.expect(200);
    admin.get("/permission-requests").await.expect(200);
}

/// `way` brings an instance down: `500` for its client, nothing for anybody else, a line in the log that has `words`, and
/// another instance in its place.
async fn assert_harms_itself_alone(way: &str, words: &[&str]) {
    let gateway = besieged().await;
    let admin = gateway.admin();
    let mut follow = admin.follow().await;
    let mut quiet = admin.follow_at("/hostile/quiet-stream").await;
    assert_eq!(quiet.next_line().await, "open");
    let agent = gateway.agent("a").await;

    let failed = admin.get(&format!("/hostile/{way}")).await;
    failed.expect_error(500, "Internal error");
    let mut expected = vec!["ERROR", "hostile", "crashed and is replaced"];
    expected.extend(words);
    logged(gateway.process(), &expected).await;

    assert_others_serve(&admin).await;
    for _ in 0..4 {
        let good = admin.get("/hostile/good").await.expect(200);
        assert_eq!(good.text(), "good\n");
    }
    let request = agent
        .post("/permission-requests", ask("slack-api", ["slack-read-all"]))
        .await
        .expect(201);
    assert_eq!(follow.next_id().await, request.id());
}

#[tokio::test]
async fn a_trap_harms_nobody_else() {
    assert_harms_itself_alone("trap", &["unreachable"]).await;
}

#[tokio::test]
async fn a_panic_harms_nobody_else() {
    assert_harms_itself_alone("panic", &[]).await;
}

#[tokio::test]
async fn an_endless_loop_harms_nobody_else() {
    assert_harms_itself_alone("spin", &["without returning to its event loop"]).await;
}

#[tokio::test]
async fn an_endless_allocation_harms_nobody_else() {
    assert_harms_itself_alone("allocate", &[]).await;
}

#[tokio::test]
async fn the_message_of_a_panic_is_logged() {
    let gateway = besieged().await;
    gateway.admin().get("/hostile/panic").await.expect(500);
    logged(gateway.process(), &["hostile", "a deliberate panic"]).await;
}

#[tokio::test]
async fn others_are_answered_while_all_instances_of_one_spin() {
    let gateway = besieged().await;
    let admin = gateway.admin();
    let mut follow = admin.follow().await;
    // Two instances, as many as the policy gives by default.
    let spinning: Vec<_> = (0..2)
        .map(|_| {
            let admin = gateway.admin();
            tokio::spawn(async move { admin.get("/hostile/spin").await })
        })
        .collect();
    logged(gateway.process(), &["hostile", "spinning"]).await;
    admin.get("/echo/count").await.expect(200);
    assert!(
        spinning.iter().any(|request| !request.is_finished()),
        "another component answered only after the watchdog had struck"
    );
    let asked = ask("slack-api", ["slack-read-all"]);
    let request = admin.post("/permission-requests", asked).await.expect(201);
    assert_eq!(follow.next_id().await, request.id());
    assert_others_serve(&admin).await;
    for request in spinning {
        request.await.unwrap().expect_error(500, "Internal error");
    }
    admin.get("/hostile/good").await.expect(200);
}

#[tokio::test]
async fn a_request_that_never_ends_holds_up_no_other_of_its_extension() {
    let gateway = besieged().await;
    let admin = gateway.admin();
    let sleepers: Vec<_> = (0..4)
        .map(|_| {
            let admin = gateway.admin();
            tokio::spawn(async move { admin.request("GET", "/hostile/sleep").start().await })
        })
        .collect();
    for _ in 0..8 {
        admin.get("/hostile/good").await.expect(200);
    }
    for sleeper in sleepers {
        assert!(!sleeper.is_finished());
        sleeper.abort();
    }
}

#[tokio::test]
async fn an_error_is_logged_for_the_operator_and_ends_no_instance() {
    let gateway = besieged().await;
    let failed = gateway.admin().get("/hostile/error").await;
    failed.expect_error(500, "Internal error");
    logged(
        gateway.process(),
        &["hostile", "the disk of the moon is full"],
    )
    .await;
    let log = gateway.process().stderr();
    assert!(!log.contains("is replaced"), "{log}");
}

#[tokio::test]
async fn a_body_that_a_trap_cuts_short_has_no_regular_end() {
    let gateway = besieged().await;
    let admin = gateway.admin();
    let mut raw = gateway.raw().await;
    raw.send(format!(
        "GET /hostile/quiet-stream HTTP/1.1\r\nHost: gateway\r\n{}\r\n",
        admin.header_lines()
    ))
    .await;
    let head = raw.answer_head().await.expect(200);
    assert_eq!(head.header("transfer-encoding"), Some("chunked"));
    admin.get("/hostile/cut-streams").await.expect(500);
    let rest = String::from_utf8(raw.until_closed().await).unwrap();
    assert!(!rest.ends_with("0\r\n\r\n"), "{rest:?}");
    logged(gateway.process(), &["hostile", "is replaced"]).await;
    let mut quiet = admin.follow_at("/hostile/quiet-stream").await;
    assert_eq!(quiet.next_line().await, "open");
}

#[tokio::test]
async fn a_component_that_keeps_crashing_is_out_of_service_for_a_while() {
    let gateway = besieged().await;
    let admin = gateway.admin();
    let mut refused = String::new();
    eventually("it is taken out of service", async || {
        let answer = admin.get("/hostile/trap").await;
        assert!(matches!(answer.status, 500 | 503), "{answer}");
        refused = answer.error();
        answer.status == 503
    })
    .await;
    assert!(refused.contains("'hostile'"), "{refused}");
    logged(gateway.process(), &["hostile", "keep crashing", "503"]).await;
    assert_others_serve(&admin).await;
    eventually("it is back", async || {
        admin.get("/hostile/good").await.status == 200
    })
    .await;
}

#[tokio::test]
async fn what_a_component_logs_cannot_forge_a_line_or_steer_a_terminal() {
    let gateway = besieged().await;
    gateway.admin().get("/hostile/log").await.expect(200);
    logged(
        gateway.process(),
        &["WARN", "hostile", "red", "second line"],
    )
    .await;
    let log = gateway.process().stderr();
    assert!(!log.contains('\u{1b}') && !log.contains('\u{7}'), "{log:?}");
}

#[tokio::test]
async fn a_body_is_streamed_through_a_component() {
    let gateway = besieged().await;
    let body: Vec<u8> = (0..3_000_000_u32)
        .flat_map(u32::to_le_bytes)
        .take(9_000_000)
        .collect();
    let answer = gateway
        .admin()
        .request("POST", "/echo")
        .body(body.clone())
        .send()
        .await
        .expect(200);
    assert!(answer.body == body, "{} bytes came back", answer.body.len());
}

#[tokio::test]
async fn a_body_longer_than_the_policy_allows_is_refused() {
    let home = Home::new();
    home.install("echo", &format!("{ECHO}\nmax_body_bytes = 1000"));
    let gateway = Gateway::in_home(home).start().await;
    let send = async |length: usize| {
        let request = gateway.admin().request("POST", "/echo");
        request.body(vec![b'x'; length]).send().await
    };
    assert_eq!(send(1000).await.expect(200).body.len(), 1000);
    send(1001).await.expect(413);
}

/// A gateway with the component that asks for everything, under this policy.
async fn grasping(policy: &str) -> Gateway {
    let home = Home::new();
    home.install("grasping", policy);
    Gateway::in_home(home)
        .environment("GRASPED", "a setting")
        .start()
        .await
}

async fn grasp(gateway: &Gateway, capability: &str) -> Answer {
    let target = format!("/grasping/{capability}");
    gateway.admin().get(&target).await
}

const ROUTES: &str = r#"routes = ["GET /grasping/{capability}"]"#;

#[tokio::test]
async fn what_only_the_manifest_names_is_not_granted() {
    let gateway = grasping(ROUTES).await;
    for capability in CAPABILITIES {
        let refused = grasp(&gateway, capability).await.expect(403);
        let is_plain = refused.text().contains("granted") || capability == "setting";
        assert!(is_plain, "{refused}");
        assert!(!refused.text().contains("a setting"), "{refused}");
    }
    for capability in ["documents", "events", "permission-files", "catalog"] {
        logged(
            gateway.process(),
            &["grasping", capability, "not granted to the extension"],
        )
        .await;
    }
    let left = gateway.home().pending_requests().join("x.json");
    assert!(!left.exists());
    assert!(!gateway.home().plugin_data().join("grasped.json").exists());
}

#[tokio::test]
async fn a_route_that_is_not_granted_is_not_served() {
    let gateway = grasping(ROUTES).await;
    gateway.admin().get("/grasping-too").await.expect(404);
    logged(
        gateway.process(),
        &["grasping", "GET /grasping-too", "not granted"],
    )
    .await;
}

#[tokio::test]
async fn what_only_the_policy_names_is_not_granted() {
    let gateway = grasping(&format!("{ROUTES}\ncollections = [\"encryption\"]")).await;
    let refused = grasp(&gateway, "unasked").await.expect(403);
    assert!(refused.text().contains("granted"), "{refused}");
    let directory = gateway.home().latchkey_directory().join("encryption");
    assert!(!directory.exists());
}

#[tokio::test]
async fn what_both_name_is_granted() {
    let policy = format!(
        "{ROUTES}\ncollections = [\"permission_requests/v2\"]\ntopics = [\"permission-requests\"]\n\
         settings = [\"GRASPED\"]\npermission_files = \"edit\"\ncatalog = true"
    );
    let gateway = grasping(&policy).await;
    for capability in [
        "put-new",
        "list",
        "get",
        "delete",
        "publish",
        "subscribe",
        "setting",
        "replace",
        "read",
        "read-applied",
        "check",
        "catalog",
    ] {
        grasp(&gateway, capability).await.expect(200);
    }
}

#[tokio::test]
async fn who_may_read_permissions_files_may_not_write_them() {
    let gateway = grasping(&format!("{ROUTES}\npermission_files = \"read\"")).await;
    grasp(&gateway, "read-applied").await.expect(200);
    let refused = grasp(&gateway, "replace").await.expect(403);
    assert!(refused.text().contains("not granted"), "{refused}");
    assert!(!gateway.home().plugin_data().join("grasped.json").exists());
}

/// What is left out is named in the log with the reason, and the others serve.
async fn assert_left_out(home: Home, name: &str, reason: &[&str]) {
    home.install("echo", ECHO);
    let gateway = Gateway::in_home(home).start().await;
    let file = format!("extensions/{name}.wasm");
    let mut words = vec!["ERROR", &*file, "not served"];
    words.extend(reason);
    logged(gateway.process(), &words).await;
    assert_others_serve(&gateway.admin()).await;
}

#[tokio::test]
async fn a_component_without_a_policy_is_left_out() {
    let home = Home::new();
    home.install_without_policy("hostile", &component("hostile"));
    assert_left_out(home, "hostile", &["extensions/hostile.toml", "routes = ["]).await;
}

#[tokio::test]
async fn a_component_with_a_broken_policy_is_left_out() {
    let home = Home::new();
    home.install("hostile", "rutes = []\n");
    assert_left_out(home, "hostile", &["extensions/hostile.toml"]).await;
}

#[tokio::test]
async fn a_component_under_another_name_is_left_out() {
    let home = Home::new();
    home.install_bytes("friendly", &component("hostile"), HOSTILE);
    assert_left_out(home, "friendly", &["'hostile'", "friendly.wasm"]).await;
}

#[tokio::test]
async fn a_file_that_is_no_component_is_left_out() {
    let home = Home::new();
    home.install_bytes("broken", b"not WebAssembly at all", "");
    assert_left_out(home, "broken", &["no WebAssembly component"]).await;
}

#[tokio::test]
async fn a_component_that_is_cut_off_is_left_out() {
    let home = Home::new();
    let bytes = component("hostile");
    home.install_bytes("hostile", &bytes[..bytes.len() / 2], HOSTILE);
    assert_left_out(home, "hostile", &["no WebAssembly component"]).await;
}

#[tokio::test]
async fn a_core_module_is_left_out() {
    let home = Home::new();
    home.install_bytes("module", b"\0asm\x01\0\0\0", "");
    assert_left_out(home, "module", &["no WebAssembly component"]).await;
}

#[tokio::test]
async fn a_component_that_is_no_extension_is_left_out() {
    let home = Home::new();
    home.install_bytes("stranger", b"\0asm\x0d\0\x01\0", "");
    assert_left_out(home, "stranger", &["no extension"]).await;
}

#[tokio::test]
async fn of_two_components_that_claim_a_route_the_first_is_served() {
    let home = Home::new();
    home.install("rival", r#"routes = ["GET /rival", "GET /echo/count"]"#);
    home.install("echo", ECHO);
    let gateway = Gateway::in_home(home).start().await;
    logged(
        gateway.process(),
        &["ERROR", "rival", "echo", "/echo/count"],
    )
    .await;
    let answer = gateway.admin().get("/echo/count").await.expect(200);
    assert_eq!(answer.text(), "1\n");
    gateway.admin().get("/rival").await.expect(404);
}

#[tokio::test]
async fn a_component_that_asks_for_its_environment_finds_it_empty_and_goes_on() {
    let home = Home::new();
    home.install("wanderer", WANDERER);
    let gateway = Gateway::in_home(home)
        .environment("SECRET", "what nobody may read")
        .start()
        .await;
    let admin = gateway.admin();
    for way in ["environment", "arguments"] {
        let answer = admin.get(&format!("/wanderer/{way}")).await.expect(200);
        assert_eq!(answer.text(), "[]", "{way}");
    }
    let log = gateway.process().stderr();
    assert!(!log.contains("is replaced"), "{log}");
}

#[tokio::test]
async fn a_component_that_imports_the_file_system_gets_nothing_of_it() {
    let home = Home::new();
    home.install("wanderer", WANDERER);
    home.install("echo", ECHO);
    let secret = home.write("secret", "what nobody may read", 0o600);
    let target = home.path().join("written");
    let gateway = Gateway::in_home(home)
        .environment("SECRET", "what nobody may read")
        .start()
        .await;
    let admin = gateway.admin();
    for (way, path) in [
        ("read", secret.to_str().unwrap()),
        ("read", "/etc/passwd"),
        ("write", target.to_str().unwrap()),
        ("list", "/"),
        ("environment", ""),
        ("arguments", ""),
        ("connect", &gateway.address().to_string()),
    ] {
        let answer = admin.get(&format!("/wanderer/{way}?path={path}")).await;
        let is_empty = answer.status == 200 && answer.text() == "[]";
        assert!(is_empty || matches!(answer.status, 403 | 500), "{answer}");
        assert!(!answer.text().contains("what nobody may read"), "{answer}");
        admin.get("/wanderer/good").await.expect(200);
    }
    assert!(!target.exists());
    assert_others_serve(&admin).await;
}
