//! What the stories here have in common.

use std::path::PathBuf;

use end_to_end::{Gateway, Home, Outcome, Process};
use serde_json::Value;

pub const ECHO: &str = r#"routes = ["POST /echo", "GET /echo/count"]"#;
pub const HOSTILE: &str = r#"routes = ["GET /hostile/trap", "GET /hostile/panic", "GET /hostile/log", "GET /hostile/good"]"#;

/// A home with the component that behaves well.
pub fn home() -> Home {
    let home = Home::new();
    home.install("echo", ECHO);
    home
}

/// A gateway that serves it.
pub async fn gateway() -> Gateway {
    Gateway::in_home(home()).start().await
}

/// Another gateway of the same directory.
pub async fn another(home: &Home) -> Process {
    let command = home.command(["gateway", "--listen-port", "0", "--latchkey-directory"]);
    let process = command.argument(home.latchkey_directory()).start();
    process
        .logged("the other gateway listens", |line| {
            line.starts_with("The gateway listens on").then_some(())
        })
        .await;
    process
}

/// `extension` with these arguments.
pub fn extension<const COUNT: usize>(home: &Home, arguments: [&str; COUNT]) -> Outcome {
    home.cli([["extension"].as_slice(), &arguments].concat())
}

/// The same for a program.
pub fn json<const COUNT: usize>(home: &Home, arguments: [&str; COUNT]) -> Value {
    let words = [&["extension"], arguments.as_slice(), &["--format", "json"]].concat();
    home.cli(words).json()
}

/// How a gateway says that the extension stands; nothing when it does not know it.
pub fn report(gateway: &Value, name: &str) -> Value {
    let extensions = gateway["extensions"].as_array().expect("a gateway answers");
    let found = extensions.iter().find(|one| one["name"] == name);
    found.cloned().unwrap_or_default()
}

/// The same of the only gateway that runs.
pub fn listed(home: &Home, name: &str) -> Value {
    let listing = json(home, ["list"]);
    let gateways = listing["gateways"].as_array().expect("a listing");
    assert_eq!(gateways.len(), 1, "{listing}");
    report(&gateways[0], name)
}

/// The control sockets of a home, alive or not.
pub fn sockets(home: &Home) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(home.extensions()).expect("the directory can be read");
    entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "sock")
        })
        .collect()
}
