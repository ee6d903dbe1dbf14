//! `extension inspect`.

use end_to_end::{Gateway, Home, component};
use serde_json::json;

use crate::stage::{self, extension, gateway, home};

#[tokio::test]
async fn what_is_asked_for_stands_beside_what_is_granted() {
    let gateway = gateway().await;
    let text = extension(gateway.home(), ["inspect", "echo"])
        .expect_success()
        .stdout;
    let rows: Vec<_> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for expected in [
        "route POST /echo yes",
        "route GET /echo/quiet NOT GRANTED",
        "setting GREETING NOT GRANTED",
        "world mngr:gateway@0.1.0",
        "memory_mib 64 MiB an instance",
        "instances 2",
    ] {
        assert!(rows.iter().any(|row| row == expected), "{expected}\n{text}");
    }
    let inspected = stage::json(gateway.home(), ["inspect", "echo"]);
    let echo = &inspected["gateways"][0]["extension"];
    assert_eq!(inspected["gateways"][0]["pid"], gateway.process().id());
    assert_eq!(echo["serving"]["asked"]["settings"], json!(["GREETING"]));
    assert_eq!(echo["serving"]["granted"]["settings"], json!([]));
    assert_eq!(echo["serving"]["sha256"].as_str().unwrap().len(), 64);
    assert!(inspected["file"].is_null(), "{inspected}");
}

#[tokio::test]
async fn a_file_shows_what_it_would_ask_for_and_the_policy_that_grants_it() {
    let home = Home::new();
    home.install_without_policy("echo", &component("echo"));
    let file = home.extensions().join("echo.wasm");
    let file = file.to_str().unwrap();
    let inspected = stage::json(&home, ["inspect", file]);
    let about = &inspected["file"];
    assert_eq!(about["size"], component("echo").len(), "{about}");
    assert_eq!(about["extension"]["name"], "echo", "{about}");
    assert_eq!(about["extension"]["world"], "mngr:gateway@0.1.0", "{about}");
    let names = |key: &str| {
        let interfaces = about[key].as_array().unwrap().iter();
        let names: Vec<_> = interfaces
            .map(|one| one["name"].as_str().unwrap())
            .collect();
        names.join(" ")
    };
    assert!(names("imports").contains("wasi:http/types@"), "{about}");
    assert!(
        names("exports").contains("mngr:gateway/handler@0.1.0"),
        "{about}"
    );
    let text = extension(&home, ["inspect", file]).expect_success().stdout;
    for expected in [
        "IMPORTS",
        "EXPORTS",
        "GET /echo/quiet",
        "GREETING",
        "routes = [",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }

    let policy = about["extension"]["policy"].as_str().unwrap();
    home.install("echo", policy);
    let gateway = Gateway::in_home(home).start().await;
    let text = extension(gateway.home(), ["inspect", "echo"])
        .expect_success()
        .stdout;
    assert!(!text.contains("NOT GRANTED"), "{policy}\n{text}");
    assert_eq!(
        gateway.admin().get("/echo/count").await.expect(200).text(),
        "1\n"
    );
}

#[tokio::test]
async fn an_extension_that_nobody_serves_is_inspected_by_its_file() {
    let home = home();
    home.install_without_policy("rival", &component("rival"));
    let alone = stage::json(&home, ["inspect", "echo"]);
    assert_eq!(alone["gateways"], json!([]), "{alone}");
    assert_eq!(alone["file"]["extension"]["name"], "echo", "{alone}");
    let gateway = Gateway::in_home(home).start().await;
    let text = extension(gateway.home(), ["inspect", "rival"])
        .expect_success()
        .stdout;
    for expected in ["refused", "rival.toml", "GET /rival", "routes = ["] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
}

#[tokio::test]
async fn any_component_can_be_inspected_and_is_said_to_be_no_extension() {
    let home = Home::new();
    home.install_without_policy("stranger", b"\0asm\x0d\0\x01\0");
    let file = home.extensions().join("stranger.wasm");
    let file = file.to_str().unwrap();
    let about = stage::json(&home, ["inspect", file]);
    assert_eq!(about["file"]["size"], 8, "{about}");
    let text = extension(&home, ["inspect", file]).expect_success().stdout;
    assert!(text.contains("it is no extension"), "{text}");
}

#[tokio::test]
async fn what_is_no_component_is_refused_in_one_line_that_commands_no_terminal() {
    let home = Home::new();
    let name = "\u{1b}[31mred\nline.wasm";
    let missing = home.extensions().join("missing.wasm");
    let broken = home.write(&format!("files/{name}"), "no component", 0o600);
    for (path, expected) in [
        (missing, "missing.wasm"),
        (broken, "no WebAssembly component"),
    ] {
        let outcome = extension(&home, ["inspect", path.to_str().unwrap()]).expect_code(1);
        assert_eq!(outcome.stdout, "", "{outcome}");
        let message = outcome.stderr.trim_end_matches('\n');
        assert!(message.contains(expected), "{outcome}");
        assert!(
            message.starts_with("Error: ") && !message.contains(['\u{1b}', '\n']),
            "{outcome}"
        );
    }
}

#[tokio::test]
async fn an_unknown_extension_is_named_with_the_known_ones() {
    let gateway = gateway().await;
    let outcome = extension(gateway.home(), ["inspect", "eco"]).expect_code(1);
    for expected in ["'eco'", "echo", "permissions"] {
        assert!(outcome.stderr.contains(expected), "{outcome}");
    }
}
