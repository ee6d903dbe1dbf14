use std::convert::Infallible;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::super::grants::By;
use super::*;

struct Fixture {
    _keep: tempfile::TempDir,
    directory: LatchkeyDirectory,
}

impl Fixture {
    fn new() -> Self {
        let keep = tempfile::tempdir().unwrap();
        let directory = LatchkeyDirectory::new(&keep.path().canonicalize().unwrap()).unwrap();
        directory.initialise().unwrap();
        Self {
            _keep: keep,
            directory,
        }
    }

    fn link(&self, handle: &Path, host: char) -> Result<PathBuf, LinkError> {
        let host = host_id(host);
        link(&self.directory, handle, &host)?;
        Ok(self.directory.host_permissions(&host))
    }
}

fn command_line() -> By {
    By::CommandLine {
        user: "me".to_owned(),
    }
}

fn host_id(digit: char) -> HostId {
    HostId::parse(&format!("host-{}", digit.to_string().repeat(32))).unwrap()
}

fn json_at(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn grant(path: &Path, scope: &str) {
    permissions_file::edit::<Infallible>(path, Some(&command_line()), |config| {
        let mut config = config.unwrap();
        config["rules"]
            .as_array_mut()
            .unwrap()
            .push(json!({scope: ["any"]}));
        Ok(config)
    })
    .unwrap();
}

fn is_granted(path: &Path, scope: &str) -> bool {
    json_at(path)["rules"]
        .as_array()
        .unwrap()
        .contains(&json!({scope: ["any"]}))
}

#[test]
fn a_fresh_handle_is_private_and_holds_the_baseline() {
    let fixture = Fixture::new();
    let handle = create(&fixture.directory).unwrap();
    assert_eq!(json_at(&handle), Value::Object(agent_baseline()));
    assert_eq!(
        fs::metadata(&handle).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let name = handle.file_stem().unwrap().to_str().unwrap();
    assert!(
        name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{name}"
    );
    assert_eq!(handle.parent().unwrap(), fixture.directory.handles_dir());
}

#[test]
fn the_first_handle_becomes_the_hosts_file_and_the_second_is_dropped_for_it() {
    let fixture = Fixture::new();
    let first = create(&fixture.directory).unwrap();
    grant(&first, "early");
    let host = fixture.link(&first, '1').unwrap();
    assert_eq!(fs::read_link(&first).unwrap(), host);
    assert!(!fs::symlink_metadata(&host).unwrap().is_symlink());
    assert!(is_granted(&host, "early"));

    let second = create(&fixture.directory).unwrap();
    fixture.link(&second, '1').unwrap();
    fixture.link(&second, '1').unwrap();
    assert_eq!(fs::read_link(&second).unwrap(), host);
    grant(&second, "late");
    assert!(is_granted(&first, "early") && is_granted(&first, "late"));
}

#[test]
fn linking_again_after_a_crash_between_the_two_steps_finishes() {
    let fixture = Fixture::new();
    let handle = create(&fixture.directory).unwrap();
    let host = fixture.directory.host_permissions(&host_id('1'));
    durable::create_dir_all(host.parent().unwrap()).unwrap();
    durable::link(&handle, &host).unwrap();
    fixture.link(&handle, '1').unwrap();
    assert_eq!(fs::read_link(&handle).unwrap(), host);
    assert_eq!(json_at(&host), Value::Object(agent_baseline()));
}

#[test]
fn linking_to_another_host_leaves_the_first_hosts_file_alone() {
    let fixture = Fixture::new();
    let handle = create(&fixture.directory).unwrap();
    let first = fixture.link(&handle, '1').unwrap();
    let second = fixture.link(&handle, '2').unwrap();
    assert_eq!(fs::read_link(&handle).unwrap(), second);
    grant(&handle, "new");
    assert!(!is_granted(&first, "new"));
}

#[test]
fn what_is_no_handle_is_refused_and_stays() {
    let fixture = Fixture::new();
    let handles = fixture.directory.handles_dir();
    create(&fixture.directory).unwrap();
    let message = |path: &Path| {
        let error = fixture.link(path, '1').unwrap_err();
        assert!(error.is_usage());
        error.to_string()
    };

    let missing = handles.join("none.json");
    assert_eq!(
        message(&missing),
        format!("--opaque-path does not exist: {}", missing.display())
    );
    assert!(message(&handles).contains("regular file"));
    let dangling = handles.join("dangling.json");
    symlink("nowhere", &dangling).unwrap();
    assert!(message(&dangling).contains("regular file"));
    let elsewhere = fixture.directory.plugin_data_dir().join("x.json");
    fs::write(&elsewhere, b"{}").unwrap();
    assert!(message(&elsewhere).contains("directly in"));
    assert!(message(&fixture.directory.admin_permissions()).contains("directly in"));
    fs::create_dir(handles.join("sub")).unwrap();
    fs::write(handles.join("sub/x.json"), b"{}").unwrap();
    assert!(message(&handles.join("sub/x.json")).contains("directly in"));
    assert!(!fixture.directory.host_permissions(&host_id('1')).exists());
}

#[test]
fn no_reader_misses_the_handle_and_no_grant_is_lost_while_it_is_linked() {
    for round in 0..20 {
        let fixture = Fixture::new();
        let handle = create(&fixture.directory).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    json_at(&handle);
                }
            });
            let writers: Vec<_> = (0..4)
                .map(|n| {
                    scope.spawn({
                        let handle = &handle;
                        move || grant(handle, &n.to_string())
                    })
                })
                .collect();
            fixture.link(&handle, '1').unwrap();
            writers
                .into_iter()
                .for_each(|writer| writer.join().unwrap());
            done.store(true, Ordering::SeqCst);
            reader.join().unwrap();
        });
        let host = fixture.directory.host_permissions(&host_id('1'));
        for n in 0..4 {
            assert!(is_granted(&host, &n.to_string()), "round {round}");
        }
    }
}

fn is_noted(path: &Path, scope: &str) -> bool {
    let (_, origins) = permissions_file::read_with_origins(path).unwrap().unwrap();
    origins.of(scope, Some("any")).is_some()
}

#[test]
fn since_when_a_handle_grants_is_known_of_its_host_too() {
    let fixture = Fixture::new();
    let first = create(&fixture.directory).unwrap();
    grant(&first, "of-the-first");
    let host = fixture.link(&first, '1').unwrap();
    assert!(is_noted(&host, "of-the-first") && is_noted(&first, "of-the-first"));
    grant(&first, "of-the-host");
    let second = create(&fixture.directory).unwrap();
    grant(&second, "of-the-second");
    fixture.link(&second, '1').unwrap();
    assert!(!is_noted(&host, "of-the-second"), "it is not granted");
    let other = fixture.link(&first, '2').unwrap();
    assert!(is_noted(&other, "of-the-first") && is_noted(&other, "of-the-host"));
    assert!(
        is_noted(&host, "of-the-host"),
        "the first host keeps its own"
    );
    let left: Vec<_> = fs::read_dir(fixture.directory.handles_dir())
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| name.to_string_lossy().ends_with("jsonl"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
