//! `extension list`.

use end_to_end::{Gateway, component, eventually};
use rustix::process::Signal;
use serde_json::json;

use crate::stage::{self, ECHO, HOSTILE, another, extension, gateway, home, listed, report};

#[tokio::test]
async fn it_shows_what_serves_and_what_it_has_done() {
    let gateway = gateway().await;
    for _ in 0..3 {
        gateway.admin().get("/echo/count").await.expect(200);
    }
    let echo = listed(gateway.home(), "echo");
    assert_eq!(echo["state"], "serving", "{echo}");
    assert_eq!(echo["origin"], "installed", "{echo}");
    let serving = &echo["serving"];
    assert_eq!(serving["world"], "mngr:gateway@0.1.0", "{echo}");
    assert_eq!(serving["activity"]["requests"], 3, "{echo}");
    assert_eq!(
        serving["granted"]["routes"],
        json!(["POST /echo", "GET /echo/count"])
    );
    let permissions = listed(gateway.home(), "permissions");
    assert_eq!(permissions["origin"], "bundled", "{permissions}");

    let text = extension(gateway.home(), ["list"]).expect_success().stdout;
    let pid = format!("(pid {}, ", gateway.process().id());
    assert!(text.contains(&pid), "{text}");
    let line = text.lines().find(|line| line.starts_with("echo ")).unwrap();
    for word in ["serving", "installed", "mngr:gateway@0.1.0", " 3 "] {
        assert!(line.contains(word), "{word} is missing: {line}");
    }
}

#[tokio::test]
async fn what_is_not_served_is_shown_with_the_reason() {
    let home = home();
    home.install_without_policy("rival", &component("rival"));
    home.install_bytes("broken", b"no \x1b[2Jcomponent", "");
    let gateway = Gateway::in_home(home).start().await;
    for (name, reason) in [
        ("rival", "rival.toml"),
        ("broken", "no WebAssembly component"),
    ] {
        let report = listed(gateway.home(), name);
        assert_eq!(report["state"], "refused", "{report}");
        assert!(
            report["error"].as_str().unwrap().contains(reason),
            "{report}"
        );
        let text = extension(gateway.home(), ["list"]).expect_success().stdout;
        let mut lines = text.lines().skip_while(|line| !line.starts_with(name));
        let (row, remark) = (lines.next().unwrap(), lines.next().unwrap());
        assert!(row.contains("refused"), "{text}");
        assert!(
            remark.contains("not served") && remark.contains(reason),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_broken_successor_is_shown_beside_what_serves() {
    let gateway = gateway().await;
    gateway.home().install_bytes("echo", b"cut off", ECHO);
    extension(gateway.home(), ["reload"]).expect_code(1);
    let echo = listed(gateway.home(), "echo");
    assert_eq!(echo["state"], "serving", "{echo}");
    assert!(echo["error"].is_string(), "{echo}");
    gateway.admin().get("/echo/count").await.expect(200);
    let text = extension(gateway.home(), ["list"]).expect_success().stdout;
    assert!(text.contains("what served before goes on"), "{text}");
}

#[tokio::test]
async fn without_a_gateway_it_shows_what_stands_in_the_directory() {
    let home = home();
    home.write("latchkey/extensions/permissions.disabled", "", 0o600);
    home.install_without_policy("rival", &component("rival"));
    let text = extension(&home, ["list"]).expect_success().stdout;
    assert!(
        text.starts_with("no gateway of ") && text.contains(" runs"),
        "{text}"
    );
    for (name, word) in [
        ("echo", "enabled"),
        ("permissions", "disabled"),
        ("rival", "missing"),
    ] {
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        assert!(line.unwrap().contains(word), "{name}: {text}");
    }
    let listing = stage::json(&home, ["list"]);
    assert_eq!(listing["gateways"], json!([]), "{listing}");
    let installed = listing["installed"].as_array().unwrap();
    let echo = installed.iter().find(|one| one["name"] == "echo").unwrap();
    assert_eq!(echo["has_policy"], true, "{listing}");
}

#[tokio::test]
async fn every_gateway_of_the_directory_is_shown() {
    let gateway = gateway().await;
    let other = another(gateway.home()).await;
    gateway.admin().get("/echo/count").await.expect(200);
    let listing = stage::json(gateway.home(), ["list"]);
    let gateways = listing["gateways"].as_array().unwrap();
    assert_eq!(gateways.len(), 2, "{listing}");
    for (pid, requests) in [(gateway.process().id(), 1), (other.id(), 0)] {
        let one = gateways.iter().find(|one| one["pid"] == pid).unwrap();
        let echo = report(one, "echo");
        assert_eq!(
            echo["serving"]["activity"]["requests"], requests,
            "{listing}"
        );
    }
    let text = extension(gateway.home(), ["list"]).expect_success().stdout;
    for pid in [gateway.process().id(), other.id()] {
        assert!(text.contains(&format!("(pid {pid}, ")), "{text}");
    }
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_is_named_and_the_others_are_shown() {
    let gateway = gateway().await;
    let other = another(gateway.home()).await;
    other.signal(Signal::STOP);
    let outcome = extension(gateway.home(), ["list"]).expect_code(1);
    other.signal(Signal::CONT);
    let stuck = format!("pid {}: it has not answered", other.id());
    assert!(outcome.stderr.contains(&stuck), "{outcome}");
    assert!(outcome.stdout.contains("echo"), "{outcome}");
}

#[tokio::test]
async fn who_keeps_crashing_is_said_to_be_out_of_service_and_a_reload_brings_it_back() {
    let home = home();
    home.install("hostile", HOSTILE);
    let gateway = Gateway::in_home(home).start().await;
    let admin = gateway.admin();
    admin.get("/hostile/trap").await.expect(500);
    eventually("the crash is shown", async || {
        let text = extension(gateway.home(), ["list"]).stdout;
        text.contains("and was replaced") && text.contains("extension logs hostile")
    })
    .await;
    eventually("it is taken out of service", async || {
        admin.get("/hostile/trap").await.status == 503
    })
    .await;
    let text = extension(gateway.home(), ["list"]).expect_success().stdout;
    assert!(text.contains("out of service for another"), "{text}");
    assert!(
        text.contains("`mngr-latchkey extension reload hostile`"),
        "{text}"
    );
    let hostile = listed(gateway.home(), "hostile");
    assert_eq!(hostile["state"], "out-of-service", "{hostile}");

    extension(gateway.home(), ["reload", "hostile"]).expect_success();
    admin.get("/hostile/good").await.expect(200);
    assert_eq!(listed(gateway.home(), "hostile")["state"], "serving");
}
