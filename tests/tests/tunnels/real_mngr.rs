//! With the real mngr, from PyPI: what it says is what the supervisor understands.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use end_to_end::{Home, Supervisor};

use crate::host::{Host, reaches_within};

const PACKAGE: &str = "imbue-mngr==0.3.0";

/// One that can run it; none, with the reason on stderr, where there is none.
fn python() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").unwrap_or_default();
    let versions = fs::read_dir(Path::new(&home).join(".pyenv/versions"))
        .into_iter()
        .flatten()
        .flatten();
    let mut candidates: Vec<PathBuf> = ["python3.12", "python3"].map(PathBuf::from).into();
    candidates.extend(versions.map(|version| version.path().join("bin/python3.12")));
    let found = candidates.into_iter().find(|python| {
        let check = "import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 12))";
        let mut command = Command::new(python);
        command
            .args(["-c", check])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    });
    if found.is_none() {
        eprintln!("SKIPPED: there is no Python 3.12 for {PACKAGE} here");
    }
    found
}

/// The program, installed once into a cache.
fn install(python: &Path) -> Result<PathBuf, String> {
    let cache = std::env::var_os("XDG_CACHE_HOME").unwrap_or_else(|| {
        let mut home = std::env::var_os("HOME").unwrap_or_default();
        home.push("/.cache");
        home
    });
    let place = Path::new(&cache)
        .join("mngr-latchkey-tests")
        .join(PACKAGE.replace("==", "-"));
    let (complete, program) = (place.join("complete"), place.join("bin/mngr"));
    if complete.exists() {
        return Ok(program);
    }
    let run = |program: &Path, arguments: &[OsString]| {
        let output = Command::new("timeout")
            .arg("300")
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .output();
        let output = output.map_err(|error| error.to_string())?;
        let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        output.status.success().then_some(()).ok_or(complaint)
    };
    run(
        python,
        &[
            "-m".into(),
            "venv".into(),
            "--clear".into(),
            place.clone().into(),
        ],
    )?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        PACKAGE,
    ]
    .map(OsString::from);
    run(&place.join("bin/python"), &pip)?;
    fs::write(complete, "").map_err(|error| error.to_string())?;
    Ok(program)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_the_real_mngr_discovers_reaches_the_gateway() {
    let Some(python) = python() else { return };
    let Some(host) = Host::new().await else {
        return;
    };
    let mngr = match install(&python) {
        Ok(mngr) => mngr,
        Err(reason) => {
            eprintln!("SKIPPED: {PACKAGE} cannot be installed: {reason}");
            return;
        }
    };
    let home = Home::new();
    // A pool of hosts that are there already, as mngr calls it.
    let shown = |path: &Path| path.to_str().expect("the path is text").to_owned();
    let state = home.path().join("on-the-host");
    let settings = format!(
        "[providers.pool]\nbackend = \"ssh\"\nhost_dir = \"{}\"\n[providers.pool.hosts.one]\naddress = \"{}\"\nuser = \"{}\"\n\
         key_file = \"{}\"\nknown_hosts_file = \"{}\"\n",
        shown(&state),
        host.namespace.address(),
        host.sshd.ssh_info(&host.key)["user"]
            .as_str()
            .expect("a user"),
        shown(host.key.path()),
        shown(&host.key.known_hosts()),
    );
    home.write(".mngr/config.toml", "profile = \"test\"\n", 0o600);
    home.write(".mngr/profiles/test/settings.toml", &settings, 0o600);
    let supervisor = Supervisor::in_home(home).mngr_binary(&mngr).start().await;
    let agent = supervisor.agent("a");
    // What mngr leaves on a host for each agent.
    let content = serde_json::json!({
        "id": agent.id,
        "name": "one",
        "type": "claude",
        "command": "true",
        "work_dir": "/tmp",
        "create_time": "2026-01-01T00:00:00Z",
    });
    let file = format!("on-the-host/agents/{}/data.json", agent.id);
    supervisor.home().write(&file, &content.to_string(), 0o600);
    let resident = host.resident(agent);
    // It may have looked at the host a moment too early; it looks again.
    supervisor.signal(rustix::process::Signal::HUP);
    reaches_within(Duration::from_secs(60), &supervisor, &resident).await;
    let (status, _) = supervisor.terminate().await;
    assert_eq!(status.code(), Some(0));
}
