//! Files, directories and disks that are not as they should be: an error that names the thing and the remedy, nothing
//! half-written, and a gateway that goes on where it can and does not start where it must not.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::{Gateway, Home, Outcome, ask, mode, read_json};
use serde_json::{Value, json};

const HOST: &str = "host-0123456789abcdef0123456789abcdef";
const AGENT: &str = "agent-0123456789abcdef0123456789abcdef";

/// A gateway that must not start: exit code 1, and one line on stderr that has all of these.
#[track_caller]
fn assert_refuses_to_start(home: &Home, arguments: &[&str], words: &[&str]) {
    let mut all = vec!["gateway", "--listen-port", "0"];
    all.extend(arguments);
    assert_fails(&home.cli(all), words);
}

#[track_caller]
fn assert_fails(outcome: &Outcome, words: &[&str]) {
    assert_eq!(outcome.status.code(), Some(1), "{outcome}");
    assert_eq!(outcome.stdout, "", "{outcome}");
    let mut errors = outcome
        .stderr
        .lines()
        .filter(|line| line.starts_with("Error: "));
    let error = errors
        .next()
        .unwrap_or_else(|| panic!("no error: {outcome}"));
    assert_eq!(errors.next(), None, "{outcome}");
    for word in words {
        assert!(error.contains(word), "no {word:?} in {error:?}");
    }
}

fn register(home: &Home) -> Outcome {
    home.cli(["register-agent", "--host-id", HOST, "--agent-id", AGENT])
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path is text")
}

/// Runs a program, as a person would by hand.
fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

/// A small file system of the test's own.
struct Disk(PathBuf);

impl Disk {
    /// None, with the reason on stderr, where the test may not mount.
    fn mount(place: &Path, options: &str) -> Option<Self> {
        fs::create_dir_all(place).expect("a mount point can be created");
        match run(
            "mount",
            &["-t", "tmpfs", "-o", options, "tmpfs", text(place)],
        ) {
            Ok(()) => Some(Self(place.to_owned())),
            Err(reason) => {
                eprintln!("SKIPPED: a tmpfs cannot be mounted here (it takes root): {reason}");
                None
            }
        }
    }

    fn make_read_only(&self) {
        run("mount", &["-o", "remount,ro", text(&self.0)]).expect("it can be made read-only");
    }

    /// Leaves no room at all.
    fn fill(&self) -> PathBuf {
        use std::io::Write;

        let path = self.0.join("ballast");
        let mut file = fs::File::create(&path).unwrap();
        for size in [1024 * 1024, 4096, 1] {
            let block = vec![0_u8; size];
            while file.write_all(&block).is_ok() {}
        }
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the gateway may still be dying.
        if let Err(reason) = run("umount", &["-l", text(&self.0)]) {
            eprintln!("{} stays mounted: {reason}", self.0.display());
        }
    }
}

fn temporary_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(".tmp"))
        .collect()
}

#[tokio::test]
async fn a_broken_permissions_file_denies_and_harms_nobody_else() {
    let gateway = Gateway::start().await;
    let (agent, other) = (gateway.agent("a").await, gateway.agent("b").await);
    let whole = fs::read(&agent.permissions).unwrap();
    for (broken, detail) in [
        (&whole[..whole.len() / 2], "EOF"),
        (b"[]", "object"),
        (b"{\"rules\": [{\"nobody-knows\": []}]}", "nobody-knows"),
        (b"{\"rulez\": []}", "rulez"),
        (b"\xff\xfe", ""),
        (b"", ""),
    ] {
        fs::write(&agent.permissions, broken).unwrap();
        let denied = agent.get("/permissions/self").await.expect(403);
        let error = denied.error();
        assert!(
            error.starts_with("Error: Permission check failed: "),
            "{denied}"
        );
        assert!(error.contains(detail), "no {detail:?}: {denied}");
        assert!(
            error.contains("latchkey_permissions.json") || error.contains(text(&agent.handle)),
            "{denied}"
        );
        other.get("/permissions/self").await.expect(200);
    }
    fs::write(&agent.permissions, &whole).unwrap();
    agent.get("/permissions/self").await.expect(200);
}

#[tokio::test]
async fn a_request_whose_target_is_broken_stays_pending_and_the_target_as_it_is() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let asked = ask("slack-api", ["slack-read-all"]);
    let request = agent.post("/permission-requests", asked).await.expect(201);
    let whole = fs::read(&agent.permissions).unwrap();
    for broken in ["{\"rules\": [", "[]", ""] {
        fs::write(&agent.permissions, broken).unwrap();
        let failed = gateway.admin().approve(request.id()).await;
        assert!(matches!(failed.status, 409 | 500), "{failed}");
        assert!(failed.error().contains(text(&agent.handle)), "{failed}");
        assert_eq!(fs::read_to_string(&agent.permissions).unwrap(), broken);
        assert_eq!(gateway.admin().pending().await.len(), 1);
    }
    fs::write(&agent.permissions, &whole).unwrap();
    gateway.admin().approve(request.id()).await.expect(200);
}

#[test]
fn an_agent_is_not_registered_in_a_broken_file() {
    let home = Home::new();
    let file = format!("hosts/{HOST}/latchkey_permissions.json");
    for broken in ["{\"rules\": [", "[]", "", "{}"] {
        let path = home.write(&format!("latchkey/mngr_latchkey/{file}"), broken, 0o600);
        assert_fails(&register(&home), &[text(&path)]);
        assert_eq!(fs::read_to_string(&path).unwrap(), broken);
    }
}

#[tokio::test]
async fn a_broken_catalog_is_named_and_everything_else_goes_on() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin();
    let catalog = gateway
        .home()
        .latchkey_directory()
        .join("extensions/services.json");
    let whole = fs::read(&catalog).unwrap();
    for broken in ["{\"slack\": [", "[]", "{\"slack\": {}}", ""] {
        fs::write(&catalog, broken).unwrap();
        let failed = admin.get("/permissions/available").await.expect(500);
        assert!(failed.error().contains(text(&catalog)), "{failed}");
        let asked = ask("slack-api", ["slack-read-all"]);
        let failed = admin.post("/permission-requests", asked).await;
        assert!(failed.status >= 400, "{failed}");
        admin.get("/permissions/self").await.expect(200);
        assert_eq!(admin.pending().await.len(), 0);
    }
    fs::remove_file(&catalog).unwrap();
    run("mkfifo", &[text(&catalog)]).unwrap();
    let failed = admin.get("/permissions/available").await.expect(500);
    assert!(failed.error().contains(text(&catalog)), "{failed}");
    fs::remove_file(&catalog).unwrap();
    fs::write(&catalog, &whole).unwrap();
    admin.get("/permissions/available").await.expect(200);
}

#[test]
fn a_broken_key_file_is_refused_and_kept() {
    let home = Home::new();
    for (content, mode, remedy) in [
        ("not a key", 0o600, "restore it from a backup"),
        ("", 0o600, "restore it from a backup"),
        ("AAAA", 0o600, "instead of 32"),
        (
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            0o644,
            "chmod 600",
        ),
        (
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            0o640,
            "chmod 600",
        ),
    ] {
        let path = home.write("latchkey/encryption_key", content, mode);
        assert_refuses_to_start(&home, &[], &[text(&path), remedy]);
        assert_fails(&home.cli(["create-agent-env"]), &[text(&path), remedy]);
        assert_fails(&home.cli(["admin-jwt"]), &[text(&path), remedy]);
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
        assert_eq!(end_to_end::mode(&path), mode);
    }
}

#[test]
fn a_broken_key_in_the_environment_is_refused_and_not_shown() {
    let home = Home::new();
    let outcome = home
        .command(["admin-jwt", "--latchkey-directory"])
        .argument(home.latchkey_directory())
        .environment("LATCHKEY_ENCRYPTION_KEY", "s3cret but no key")
        .run();
    assert_fails(&outcome, &["LATCHKEY_ENCRYPTION_KEY"]);
    assert!(!outcome.stderr.contains("s3cret"), "{outcome}");
}

#[test]
fn a_broken_settings_file_is_named_with_its_line() {
    let home = Home::new();
    home.write(".mngr/config.toml", "profile = \"p\"\n", 0o600);
    for (content, line) in [
        ("[plugins.latchkey]\n\ndirectory = \n", "line 3"),
        ("[plugins.latchkey]\ndirectory = 5\n", "line 2"),
        ("[plugins.latchkey]\ndirektory = \"/x\"\n", "line 2"),
    ] {
        let path = home.write(".mngr/profiles/p/settings.toml", content, 0o600);
        let outcome = home.command(["create-agent-env"]).run();
        assert_fails(&outcome, &[text(&path), line]);
    }
    assert!(!home.path().join(".mngr/latchkey").exists());
}

#[test]
fn a_relative_directory_of_the_settings_is_refused() {
    let home = Home::new();
    home.write(".mngr/config.toml", "profile = \"p\"\n", 0o600);
    let settings = "[plugins.latchkey]\ndirectory = \"somewhere\"\n";
    home.write(".mngr/profiles/p/settings.toml", settings, 0o600);
    let outcome = home.command(["create-agent-env"]).run();
    assert_fails(&outcome, &["must be absolute", "somewhere"]);
}

#[test]
fn a_port_in_use_is_named_with_the_remedy() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let home = Home::new();
    let arguments = ["--listen-host", "127.0.0.1", "--listen-port", &port];
    let mut all = vec!["gateway"];
    all.extend(arguments);
    assert_fails(&home.cli(all), &[&port, "in use", "--listen-port"]);
}

#[test]
fn a_file_in_the_place_of_a_directory_is_named() {
    for place in ["latchkey", "latchkey/mngr_latchkey", "latchkey/extensions"] {
        let home = Home::new();
        let path = home.write(place, "in the way", 0o600);
        assert_refuses_to_start(&home, &[], &[text(&path), "file is in the way"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "in the way");
    }
    let home = Home::new();
    let path = home.write("latchkey/mngr_latchkey/permissions", "in the way", 0o600);
    assert_fails(
        &home.cli(["create-agent-env"]),
        &[text(&path), "file is in the way"],
    );
}

#[test]
fn a_directory_in_the_place_of_a_file_is_named() {
    let home = Home::new();
    let path = home.latchkey_directory().join("encryption_key");
    fs::create_dir_all(&path).unwrap();
    assert_refuses_to_start(&home, &[], &[text(&path)]);
    let home = Home::new();
    let host = home.plugin_data().join("hosts").join(HOST);
    let path = host.join("latchkey_permissions.json");
    fs::create_dir_all(&path).unwrap();
    assert_fails(&register(&home), &[text(&path)]);
}

#[test]
fn a_read_only_directory_is_named_with_the_remedy() {
    let home = Home::new();
    let place = home.latchkey_directory();
    let Some(_disk) = Disk::mount(&place, "size=1m,ro") else {
        return;
    };
    let words = [text(&place), "read-only", "choose another directory"];
    assert_refuses_to_start(&home, &[], &words);
    assert_fails(&home.cli(["create-agent-env"]), &words);
    assert_fails(&register(&home), &words);
}

#[tokio::test]
async fn a_directory_that_becomes_read_only_stops_writers_alone() {
    let home = Home::new();
    let Some(disk) = Disk::mount(&home.latchkey_directory(), "size=128m,mode=700") else {
        return;
    };
    let gateway = Gateway::in_home(home).start().await;
    let agent = gateway.agent("a").await;
    let asked = ask("slack-api", ["slack-read-all"]);
    let request = agent
        .post("/permission-requests", asked.clone())
        .await
        .expect(201);
    let before = fs::read(&agent.permissions).unwrap();
    disk.make_read_only();
    for failed in [
        agent.post("/permission-requests", asked).await,
        gateway.admin().approve(request.id()).await,
        gateway
            .admin()
            .delete(&format!("/permission-requests/{}", request.id()))
            .await,
    ] {
        let error = failed.expect(500);
        assert!(error.error().contains("read-only"), "{error}");
    }
    assert_eq!(gateway.admin().pending().await.len(), 1);
    agent.get("/permissions/self").await.expect(200);
    assert_eq!(fs::read(&agent.permissions).unwrap(), before);
}

#[tokio::test]
async fn a_full_disk_refuses_what_it_cannot_hold_and_loses_nothing() {
    let home = Home::new();
    let Some(disk) = Disk::mount(&home.latchkey_directory(), "size=128m,mode=700") else {
        return;
    };
    let gateway = Gateway::in_home(home).start().await;
    let agent = gateway.agent("a").await;
    let asked = ask("slack-api", ["slack-read-all"]);
    let request = agent
        .post("/permission-requests", asked.clone())
        .await
        .expect(201);
    let before = fs::read(&agent.permissions).unwrap();
    let ballast = disk.fill();

    let admin = gateway.admin();
    let refused = agent
        .post("/permission-requests", asked.clone())
        .await
        .expect(500);
    assert!(refused.error().contains("free some space"), "{refused}");
    let refused = admin.approve(request.id()).await.expect(500);
    assert!(refused.error().contains("free some space"), "{refused}");
    let path = text(&agent.permissions);
    let target = format!("/permissions/rules?path={path}&rule_key=slack-api");
    let refused = admin
        .post(&target, json!(["slack-read-all"]))
        .await
        .expect(500);
    assert!(refused.error().contains("free some space"), "{refused}");
    let directory = gateway.home().latchkey_directory();
    let words = [text(&directory), "free some space"];
    assert_fails(&gateway.cli(["create-agent-env"]), &words);
    let other = "agent-11111111111111111111111111111111";
    let arguments = [
        "register-agent",
        "--host-id",
        &agent.host_id,
        "--agent-id",
        other,
    ];
    assert_fails(&gateway.cli(arguments), &words);

    assert_eq!(fs::read(&agent.permissions).unwrap(), before);
    assert_eq!(admin.pending().await.len(), 1);
    agent.get("/permissions/self").await.expect(200);
    for directory in [
        gateway.home().pending_requests(),
        agent.permissions.parent().unwrap().to_owned(),
        agent.handle.parent().unwrap().to_owned(),
    ] {
        assert_eq!(temporary_files(&directory), [""; 0].map(PathBuf::from));
    }

    fs::remove_file(ballast).unwrap();
    agent.post("/permission-requests", asked).await.expect(201);
    admin.approve(request.id()).await.expect(200);
}

#[test]
fn a_gateway_does_not_start_on_a_full_disk() {
    let home = Home::new();
    let place = home.latchkey_directory();
    let Some(disk) = Disk::mount(&place, "size=64k,mode=700") else {
        return;
    };
    let words = [text(&place), "free some space"];
    // There is room for the key, and none for the components.
    assert_refuses_to_start(&home, &[], &words);
    assert_eq!(
        temporary_files(&place.join("extensions")),
        [""; 0].map(PathBuf::from)
    );
    disk.fill();
    assert_fails(&home.cli(["create-agent-env"]), &words);
}

#[tokio::test]
async fn links_in_a_circle_and_pipes_hang_nobody() {
    let gateway = Gateway::start().await;
    let home = gateway.home();
    let directory = home.plugin_data();
    let circle = directory.join("circle.json");
    std::os::unix::fs::symlink(&circle, &circle).unwrap();
    let pipe = directory.join("pipe.json");
    run("mkfifo", &[text(&pipe)]).unwrap();
    let admin = gateway.admin();
    for path in [&circle, &pipe] {
        let refused = gateway.bearer_of(path).get("/permissions/self").await;
        let message =
            "Permissions override references missing or invalid file: ".to_owned() + text(path);
        refused.expect_error(400, &message);
        let name = path.file_name().unwrap().to_str().unwrap();
        let read = admin.get(&format!("/permissions?path={name}")).await;
        assert!((400..=500).contains(&read.status), "{read}");
        let target = format!("/permissions/rules?path={name}&rule_key=slack-api");
        let edited = admin.post(&target, json!(["slack-read-all"])).await;
        assert!((400..=500).contains(&edited.status), "{edited}");
        assert!(fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()));
    }
    admin.get("/permissions/self").await.expect(200);
}

#[tokio::test]
async fn a_permissions_file_that_becomes_a_pipe_hangs_nobody() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    agent.get("/permissions/self").await.expect(200);
    fs::remove_file(&agent.permissions).unwrap();
    run("mkfifo", &[text(&agent.permissions)]).unwrap();
    agent.get("/permissions/self").await.expect(400);
    let arguments = [
        "register-agent",
        "--host-id",
        &agent.host_id,
        "--agent-id",
        &agent.id,
    ];
    assert_fails(&gateway.cli(arguments), &[text(&agent.permissions)]);
    gateway.admin().get("/permissions/self").await.expect(200);
}

#[tokio::test]
async fn odd_things_among_the_pending_requests_are_passed_over() {
    let gateway = Gateway::start().await;
    let agent = gateway.agent("a").await;
    let asked = ask("slack-api", ["slack-read-all"]);
    let request = agent.post("/permission-requests", asked).await.expect(201);
    let directory = gateway.home().pending_requests();
    let id = |digit: &str| digit.repeat(32);
    let place = |digit: &str| directory.join(id(digit)).with_extension("json");
    run("mkfifo", &[text(&place("1"))]).unwrap();
    std::os::unix::fs::symlink(place("2"), place("2")).unwrap();
    fs::create_dir(place("3")).unwrap();
    fs::write(place("4"), "{\"request_id\": ").unwrap();
    fs::write(place("5"), "").unwrap();
    fs::write(directory.join("notes.txt"), "not ours").unwrap();
    let admin = gateway.admin();
    let pending = admin.pending().await;
    assert_eq!(pending.len(), 1, "{pending:?}");
    assert_eq!(pending[0]["request_id"], request.id());
    for digit in ["1", "2", "3", "4", "5"] {
        let answer = admin.approve(id(digit)).await;
        assert!((400..=500).contains(&answer.status), "{answer}");
    }
    admin.approve(request.id()).await.expect(200);
}

#[tokio::test]
async fn pipes_in_the_extensions_directory_keep_no_gateway_from_starting() {
    let home = Home::new();
    let extensions = home.extensions();
    fs::create_dir_all(&extensions).unwrap();
    for pipe in ["pipe.wasm", "permissions.wasm", "services.json"] {
        run("mkfifo", &[text(&extensions.join(pipe))]).unwrap();
    }
    fs::create_dir(extensions.join("directory.wasm")).unwrap();
    let gateway = Gateway::in_home(home).start().await;
    gateway.admin().get("/permissions/self").await.expect(200);
    let log = gateway.process().stderr();
    assert!(
        log.contains("pipe.wasm") && log.contains("directory.wasm"),
        "{log}"
    );
}

#[tokio::test]
async fn a_missing_or_damaged_bundled_component_is_put_back() {
    let gateway = Gateway::start().await;
    let component = gateway.home().extensions().join("permissions.wasm");
    let whole = fs::read(&component).unwrap();
    let home = gateway.kill().await;
    fs::write(&component, "damaged").unwrap();
    let gateway = Gateway::in_home(home).start().await;
    assert!(fs::read(&component).unwrap() == whole);
    assert_eq!(mode(&component), 0o600);
    gateway.admin().get("/permissions/self").await.expect(200);
    let expected: Value = read_json(&gateway.home().admin_permissions());
    assert_eq!(expected, json!({"rules": [{"any": ["any"]}]}));
}
