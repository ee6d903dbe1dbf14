//! What compiling a component costs: a process of its own, once, within limits, and nobody else anything.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use end_to_end::{CoreModule, Gateway, Home, component, eventually, eventually_within, graft};
#[cfg(target_os = "linux")]
use end_to_end::{Listed, descendants, is_running};

const ECHO: &str = r#"routes = ["POST /echo", "GET /echo/count"]"#;
const RIVAL: &str = r#"routes = ["GET /rival"]"#;
const COMPILED: &str = "compiled in a process of its own";
/// Above all limits, on a machine that does much else.
const LONGEST: Duration = Duration::from_secs(200);

/// A component that takes the compiler very long: blocks within blocks.
fn long_work() -> Vec<u8> {
    const DEPTH: usize = 400_000;
    let mut code = [0x02, 0x40].repeat(DEPTH);
    code.extend(vec![0x0b; DEPTH]);
    bomb(code)
}

/// One that takes it much memory: millions of loads, each from where the one before says.
fn much_memory() -> Vec<u8> {
    bomb([0x20, 0, 0x28, 2, 0, 0x21, 0].repeat(1_000_000))
}

fn bomb(code: Vec<u8>) -> Vec<u8> {
    let module = CoreModule {
        memories: vec![1],
        functions: vec![code],
        ..CoreModule::default()
    };
    graft(&component("rival"), &module, 0)
}

fn cache(home: &Home) -> PathBuf {
    home.latchkey_directory().join("compile_cache")
}

/// Nothing has been compiled for it.
fn new_home() -> Home {
    let home = Home::new();
    fs::create_dir_all(cache(&home)).unwrap();
    home.install("echo", ECHO);
    home
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(files_below(&path)),
            false => files.push(path),
        }
    }
    files
}

/// The bomb is put beside what serves; what serves goes on until the log names the bomb with these words, and after.
async fn assert_others_serve_until(bomb: &[u8], words: &str) {
    let home = Home::new();
    home.install("echo", ECHO);
    let gateway = Gateway::in_home(home).start().await;
    let admin = gateway.admin();
    gateway.home().install_bytes("rival", bomb, RIVAL);
    eventually_within(LONGEST, words, async || {
        admin.get("/echo/count").await.expect(200);
        admin.get("/permission-requests").await.expect(200);
        let log = gateway.process().stderr();
        log.lines().any(|line| {
            ["ERROR", "rival", words]
                .iter()
                .all(|word| line.contains(word))
        })
    })
    .await;
    admin.get("/rival").await.expect(404);
    // It can be put right.
    gateway.home().install("rival", RIVAL);
    eventually("the right one is served", async || {
        admin.get("/rival").await.status == 200
    })
    .await;
}

#[tokio::test]
async fn what_takes_the_compiler_too_long_is_given_up_and_named() {
    assert_others_serve_until(&long_work(), "longer than 30 s to compile").await;
}

#[tokio::test]
async fn what_takes_the_compiler_too_much_memory_is_given_up_and_named() {
    assert_others_serve_until(&much_memory(), "more than 1024 MiB to compile").await;
}

#[tokio::test]
async fn what_has_been_compiled_once_costs_no_process_again() {
    let gateway = Gateway::in_home(new_home()).start().await;
    gateway.admin().get("/echo/count").await.expect(200);
    let log = gateway.process().stderr();
    for name in [
        "echo",
        "permissions",
        "permission-requests",
        "minds-api-proxy",
    ] {
        let is_compiled = |line: &str| line.contains(COMPILED) && line.contains(name);
        assert!(log.lines().any(is_compiled), "{name}:\n{log}");
    }
    let (_, home) = gateway.terminate().await;

    let gateway = Gateway::in_home(home).start().await;
    gateway.admin().get("/echo/count").await.expect(200);
    let log = gateway.process().stderr();
    assert!(!log.contains(COMPILED), "{log}");
    let unfinished = cache(gateway.home()).join("unfinished");
    assert_eq!(files_below(&unfinished), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn what_was_beyond_the_limits_is_not_tried_again_at_every_start() {
    let named = |gateway: &Gateway| gateway.process().stderr().contains("more than 1024 MiB");
    let home = Home::new();
    home.install_bytes("rival", &much_memory(), RIVAL);
    let gateway = Gateway::in_home(home).start().await;
    eventually_within(LONGEST, "it is named", async || named(&gateway)).await;
    let (_, home) = gateway.terminate().await;
    // Each process has a directory of its own there for as long as it runs.
    let rooms = cache(&home).join("unfinished");
    let before = fs::metadata(&rooms).unwrap().modified().unwrap();

    let gateway = Gateway::in_home(home).start().await;
    eventually("it is named again", async || named(&gateway)).await;
    let after = fs::metadata(&rooms).unwrap().modified().unwrap();
    assert_eq!(before, after, "a process has compiled");
}

#[tokio::test]
async fn code_that_is_gone_is_compiled_again_and_code_that_is_broken_is_not_run() {
    let gateway = Gateway::in_home(new_home()).start().await;
    let (_, mut home) = gateway.terminate().await;
    for is_gone in [true, false] {
        let code = files_below(&cache(&home).join("code"));
        assert!(code.len() >= 4, "{code:?}");
        for file in code {
            match is_gone {
                true => fs::remove_file(file).unwrap(),
                false => fs::write(file, "not code").unwrap(),
            }
        }
        let gateway = Gateway::in_home(home).start().await;
        gateway.admin().get("/echo/count").await.expect(200);
        assert_eq!(gateway.process().stderr().contains(COMPILED), is_gone);
        (_, home) = gateway.terminate().await;
    }
}

#[tokio::test]
async fn without_a_cache_everything_is_served_all_the_same() {
    let home = Home::new();
    home.install("echo", ECHO);
    fs::create_dir_all(home.latchkey_directory()).unwrap();
    fs::write(cache(&home), "in the way").unwrap();
    let gateway = Gateway::in_home(home).start().await;
    let admin = gateway.admin();
    admin.get("/echo/count").await.expect(200);
    admin.get("/permission-requests").await.expect(200);
    let log = gateway.process().stderr();
    let said = log.lines().filter(|line| line.contains("compile_cache"));
    assert_eq!(said.count(), 1, "{log}");
    gateway.home().install_bytes("rival", &much_memory(), RIVAL);
    eventually_within(LONGEST, "limits hold all the same", async || {
        admin.get("/echo/count").await.expect(200);
        gateway.process().stderr().contains("more than 1024 MiB")
    })
    .await;
}

/// A gateway with a component that it is compiling, and the process that does.
#[cfg(target_os = "linux")]
async fn compiling() -> (Gateway, Listed) {
    let home = Home::new();
    home.install("echo", ECHO);
    let gateway = Gateway::in_home(home)
        .environment("SECRET", "what nobody may read")
        .start()
        .await;
    gateway.home().install_bytes("rival", &long_work(), RIVAL);
    let mut found = None;
    eventually("the component is being compiled", async || {
        let mut children = descendants(gateway.process().id()).into_iter();
        found = children.find(|child| child.command.iter().any(|word| word == "compile-component"));
        found.is_some()
    })
    .await;
    (gateway, found.unwrap())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_compiling_process_has_little_priority_and_limits_and_no_environment() {
    let (_gateway, process) = compiling().await;
    let read = |what: &str| fs::read_to_string(format!("/proc/{}/{what}", process.id)).unwrap();
    assert_eq!(read("environ"), "");
    eventually("it has limited itself", async || {
        let limits = read("limits");
        let soft = |name: &str| {
            let line = limits.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().split_whitespace().next().unwrap().to_owned()
        };
        let nice = read("stat").rsplit_once(") ").unwrap().1.to_owned();
        nice.split(' ').nth(16) == Some("10")
            && soft("Max cpu time") == "30"
            && soft("Max data size") == (1024 * 1024 * 1024).to_string()
            && soft("Max core file size") == "0"
    })
    .await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_compiling_process_ends_with_its_gateway() {
    let (gateway, process) = compiling().await;
    let (status, _home) = gateway.terminate().await;
    assert!(status.success(), "{status}");
    eventually("it has ended", async || !is_running(process.id)).await;

    let (gateway, process) = compiling().await;
    let _home = gateway.kill().await;
    eventually("it has ended", async || !is_running(process.id)).await;
}

#[test]
fn the_compiling_subcommand_is_for_the_gateway_alone() {
    let home = Home::new();
    let help = home.cli(["--help"]);
    assert!(!help.stdout.contains("compile-component"), "{help:?}");
}
