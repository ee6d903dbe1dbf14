//! `extension enable` and `extension disable`.

use end_to_end::{Gateway, component, eventually};
use serde_json::json;

use crate::stage::{self, another, extension, gateway, home, listed};

#[tokio::test]
async fn a_bundled_extension_is_switched_off_and_on_while_the_gateway_runs() {
    let gateway = gateway().await;
    let admin = gateway.admin();
    admin.get("/permissions/available").await.expect(200);
    let off = extension(gateway.home(), ["disable", "permissions"]).expect_success();
    for expected in [
        "is switched off",
        "/permissions answers 404",
        "permissions: disabled",
        "extension enable permissions",
    ] {
        assert!(off.stdout.contains(expected), "{expected}\n{off}");
    }
    admin.get("/permissions/available").await.expect(404);
    admin.get("/permission-requests").await.expect(200);
    assert_eq!(listed(gateway.home(), "permissions")["state"], "disabled");

    let on = extension(gateway.home(), ["enable", "permissions"]).expect_success();
    assert!(on.stdout.contains("is switched on"), "{on}");
    admin.get("/permissions/available").await.expect(200);
}

#[tokio::test]
async fn what_is_switched_off_stays_off_over_a_restart() {
    let gateway = gateway().await;
    extension(gateway.home(), ["disable", "echo"]).expect_success();
    let (_, home) = gateway.terminate().await;
    let gateway = Gateway::in_home(home).start().await;
    gateway.admin().get("/echo/count").await.expect(404);
    extension(gateway.home(), ["enable", "echo"]).expect_success();
    gateway.admin().get("/echo/count").await.expect(200);
}

#[tokio::test]
async fn without_a_gateway_it_holds_from_the_next_start() {
    let home = home();
    let off = extension(&home, ["disable", "minds-api-proxy"]).expect_success();
    assert!(off.stdout.contains("no gateway of"), "{off}");
    let marker = home.extensions().join("minds-api-proxy.disabled");
    assert!(marker.exists());
    let off = stage::json(&home, ["disable", "echo"]);
    let expected = json!({"name": "echo", "disabled": true, "changed": true, "gateways": []});
    assert_eq!(off, expected);
    let gateway = Gateway::in_home(home).start().await;
    for name in ["echo", "minds-api-proxy"] {
        assert_eq!(listed(gateway.home(), name)["state"], "disabled", "{name}");
    }
    gateway.admin().get("/echo/count").await.expect(404);
}

#[tokio::test]
async fn every_gateway_takes_it() {
    let gateway = gateway().await;
    let other = another(gateway.home()).await;
    let off = stage::json(gateway.home(), ["disable", "echo"]);
    let gateways = off["gateways"].as_array().unwrap();
    assert_eq!(gateways.len(), 2, "{off}");
    for one in gateways {
        assert_eq!(one["reloaded"][0]["outcome"]["is"], "disabled", "{off}");
    }
    let on = extension(gateway.home(), ["enable", "echo"]).expect_success();
    for pid in [gateway.process().id(), other.id()] {
        assert!(
            on.stdout
                .contains(&format!("by the gateway with pid {pid}")),
            "{on}"
        );
    }
}

#[tokio::test]
async fn doing_it_twice_says_so() {
    let gateway = gateway().await;
    let on = extension(gateway.home(), ["enable", "echo"]).expect_success();
    assert_eq!(on.line(), "echo was not switched off.");
    extension(gateway.home(), ["disable", "echo"]).expect_success();
    let off = extension(gateway.home(), ["disable", "echo"]).expect_success();
    assert!(off.stdout.contains("was already switched off"), "{off}");
    let off = stage::json(gateway.home(), ["disable", "echo"]);
    assert_eq!(off["changed"], false, "{off}");
}

#[tokio::test]
async fn an_unknown_name_changes_nothing_and_the_known_ones_are_listed() {
    let gateway = gateway().await;
    for command in ["enable", "disable", "remove"] {
        for name in ["eco", "../echo", "", ".", "echo.wasm", "a\u{1b}[2Jb"] {
            let outcome = extension(gateway.home(), [command, name]).expect_code(1);
            assert_eq!(outcome.stdout, "", "{outcome}");
            for expected in ["echo", "permission-requests"] {
                assert!(outcome.stderr.contains(expected), "{outcome}");
            }
            assert!(!outcome.stderr.contains('\u{1b}'), "{outcome}");
        }
    }
    let entries = std::fs::read_dir(gateway.home().extensions()).unwrap();
    let markers: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.to_string_lossy().contains("disabled"))
        .collect();
    assert!(markers.is_empty(), "{markers:?}");
}

#[tokio::test]
async fn enabling_what_cannot_be_served_fails_with_the_reason() {
    let home = home();
    home.install_without_policy("rival", &component("rival"));
    home.write("latchkey/extensions/rival.disabled", "", 0o600);
    let gateway = Gateway::in_home(home).start().await;
    assert_eq!(listed(gateway.home(), "rival")["state"], "disabled");
    let on = extension(gateway.home(), ["enable", "rival"]).expect_code(1);
    assert!(
        on.stdout.contains("refused") && on.stdout.contains("rival.toml"),
        "{on}"
    );
}

#[tokio::test]
async fn a_marker_that_somebody_else_puts_there_or_takes_away_counts_as_much() {
    let gateway = gateway().await;
    let marker = gateway.home().extensions().join("echo.disabled");
    std::fs::write(&marker, "").unwrap();
    eventually("the gateway notices", async || {
        gateway.admin().get("/echo/count").await.status == 404
    })
    .await;
    std::fs::remove_file(&marker).unwrap();
    eventually("the gateway notices", async || {
        gateway.admin().get("/echo/count").await.status == 200
    })
    .await;
}
