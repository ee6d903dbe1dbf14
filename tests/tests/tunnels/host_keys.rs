//! Whom the supervisor takes for the host: `known_hosts` beside the key decides.

use std::fs;

use end_to_end::{KeyKind, Resident, SshKey, SshdOptions, Supervisor, known_hosts_name};

use crate::host::{Host, fails_with, reaches, reaches_within, status, supervisor};

/// An agent here, of which the supervisor has been told.
fn announced<'a>(host: &'a Host, supervisor: &Supervisor) -> Resident<'a> {
    let resident = host.resident(supervisor.agent("a"));
    host.announce(supervisor, &resident);
    resident
}

/// Awaits that the host is refused, in the status and in the log, with the file named.
async fn is_refused(host: &Host, supervisor: &Supervisor, resident: &Resident<'_>) -> String {
    let file = host.key.known_hosts();
    let file = file.to_str().unwrap();
    let error = fails_with(supervisor, resident, &[file]).await;
    assert!(!host.listens(), "{error}");
    assert_ne!(status(supervisor, resident)["state"], "up");
    supervisor
        .process()
        .logged("the log names the file", |line| {
            line.contains(file).then_some(())
        })
        .await;
    error
}

#[tokio::test]
async fn hashed_names_are_known() {
    let Some(host) = Host::new().await else {
        return;
    };
    host.key.hash_known_hosts();
    let supervisor = supervisor().await;
    reaches(&supervisor, &announced(&host, &supervisor)).await;
}

#[tokio::test]
async fn a_port_of_its_own_is_part_of_the_name_hashed_or_not() {
    for hashed in [false, true] {
        let moved = |sshd: SshdOptions| sshd.port(2222);
        let Some(host) = Host::with(moved, KeyKind::Ed25519).await else {
            return;
        };
        host.sshd.befriend(&host.key);
        let file = fs::read_to_string(host.key.known_hosts()).unwrap();
        assert!(
            file.starts_with(&format!("[{}]:2222 ", host.namespace.address())),
            "{file}"
        );
        if hashed {
            host.key.hash_known_hosts();
        }
        let supervisor = supervisor().await;
        reaches(&supervisor, &announced(&host, &supervisor)).await;
    }
}

#[tokio::test]
async fn a_changed_host_key_is_refused_until_the_file_has_the_new_one() {
    let Some(mut host) = Host::new().await else {
        return;
    };
    let supervisor = supervisor().await;
    let agent = host.connected(&supervisor, "a").await.agent;
    host.sshd.kill();
    host.sshd.change_host_key(KeyKind::Ed25519);
    host.sshd.start_again().await;
    let resident = host.resident(agent);
    let error = is_refused(&host, &supervisor, &resident).await;
    assert!(error.to_lowercase().contains("changed"), "{error}");
    assert!(!resident.reaches_the_gateway().await);
    host.key.forget_hosts();
    host.key.know(host.sshd.address(), &host.sshd.host_key());
    reaches_within(end_to_end::PATIENCE * 3, &supervisor, &resident).await;
}

#[tokio::test]
async fn an_unknown_host_is_refused_until_the_file_names_it() {
    let Some(host) = Host::new().await else {
        return;
    };
    host.key.forget_hosts();
    host.key
        .know("192.0.2.1:22".parse().unwrap(), &host.sshd.host_key());
    let supervisor = supervisor().await;
    let resident = announced(&host, &supervisor);
    is_refused(&host, &supervisor, &resident).await;
    host.key.know(host.sshd.address(), &host.sshd.host_key());
    reaches_within(end_to_end::PATIENCE * 3, &supervisor, &resident).await;
}

#[tokio::test]
async fn an_empty_file_knows_nobody() {
    let Some(host) = Host::new().await else {
        return;
    };
    host.key.forget_hosts();
    let supervisor = supervisor().await;
    let resident = announced(&host, &supervisor);
    is_refused(&host, &supervisor, &resident).await;
}

#[tokio::test]
async fn a_revoked_key_is_refused_whatever_else_the_file_says() {
    let Some(host) = Host::new().await else {
        return;
    };
    host.key
        .note(&format!("@revoked * {}", host.sshd.host_key()));
    let supervisor = supervisor().await;
    let resident = announced(&host, &supervisor);
    let error = is_refused(&host, &supervisor, &resident).await;
    assert!(error.to_lowercase().contains("revoked"), "{error}");
}

/// Awaits a warning that names all of these, and asserts that it is the only one.
async fn is_warned_of_once(supervisor: &Supervisor, parts: &[&str]) {
    let warns = |line: &str| line.contains("WARN") && parts.iter().all(|part| line.contains(part));
    supervisor
        .process()
        .logged(&format!("a warning that names {parts:?}"), |line| {
            warns(line).then_some(())
        })
        .await;
    let log = supervisor.process().stderr();
    let count = log.lines().filter(|line| warns(line)).count();
    assert_eq!(count, 1, "{parts:?}:\n{log}");
}

#[tokio::test]
async fn without_a_file_the_first_key_is_accepted_with_a_warning() {
    let Some(host) = Host::new().await else {
        return;
    };
    let file = host.key.known_hosts();
    fs::remove_file(&file).unwrap();
    let supervisor = supervisor().await;
    reaches(&supervisor, &announced(&host, &supervisor)).await;
    let (file, address) = (file.to_str().unwrap(), host.sshd.address().to_string());
    is_warned_of_once(&supervisor, &[file, &address]).await;
}

#[tokio::test]
async fn without_a_file_every_key_is_accepted_and_its_fingerprint_said() {
    let Some(mut host) = Host::new().await else {
        return;
    };
    fs::remove_file(host.key.known_hosts()).unwrap();
    let supervisor = supervisor().await;
    let mut resident = announced(&host, &supervisor);
    reaches(&supervisor, &resident).await;
    let before = host.sshd.host_key_fingerprint();
    let agent = resident.agent;
    host.sshd.kill();
    host.sshd.change_host_key(KeyKind::Ed25519);
    host.sshd.start_again().await;
    resident = host.resident(agent);
    reaches_within(end_to_end::PATIENCE * 3, &supervisor, &resident).await;
    let after = host.sshd.host_key_fingerprint();
    assert_ne!(before, after);
    for fingerprint in [before, after] {
        is_warned_of_once(&supervisor, &[&fingerprint]).await;
    }
    assert!(!host.key.known_hosts().exists(), "the file is mngr's");
}

#[tokio::test]
async fn the_file_that_mngr_names_counts_and_not_the_one_beside_the_key() {
    let Some(host) = Host::new().await else {
        return;
    };
    let beside = host.key.known_hosts();
    let named = beside.with_file_name("named_by_mngr");
    fs::rename(&beside, &named).unwrap();
    let other = tempfile::tempdir().unwrap();
    let other = SshKey::generate(other.path(), KeyKind::Ed25519).public();
    host.key.know(host.sshd.address(), &other);
    let supervisor = supervisor().await;
    let mut ssh = host.sshd.ssh_info(&host.key);
    ssh["known_hosts_path"] = named.to_str().unwrap().into();
    let resident = host.resident(supervisor.agent("a"));
    let discovered = resident.discovered();
    supervisor.mngr().say(&discovered.agent_discovered());
    supervisor.mngr().say(&discovered.ssh_info(&ssh));
    reaches(&supervisor, &resident).await;
    // The same address with the other file is another matter.
    ssh["known_hosts_path"] = beside.to_str().unwrap().into();
    supervisor.mngr().say(&discovered.ssh_info(&ssh));
    let error = is_refused(&host, &supervisor, &resident).await;
    assert!(error.to_lowercase().contains("changed"), "{error}");
}

#[tokio::test]
async fn a_file_with_odd_lines_and_several_keys_of_a_kind_is_read_like_openssh_reads_it() {
    let Some(host) = Host::new().await else {
        return;
    };
    let other = tempfile::tempdir().unwrap();
    let other = SshKey::generate(other.path(), KeyKind::Ed25519).public();
    host.key.forget_hosts();
    let name = known_hosts_name(host.sshd.address());
    for line in [
        "# a comment",
        "",
        "no line of any kind",
        "|1|broken|hash ssh-ed25519 AAAA",
        &format!("{name} {other} the key of before"),
        &format!(
            "\t example.org,{name}\t {} \t and a comment with words",
            host.sshd.host_key()
        ),
    ] {
        host.key.note(line);
    }
    let supervisor = supervisor().await;
    reaches(&supervisor, &announced(&host, &supervisor)).await;
}

#[tokio::test]
async fn of_several_host_keys_the_one_that_the_file_knows_is_asked_for() {
    let Some(mut host) = Host::with(|sshd| sshd.host_key(KeyKind::Rsa), KeyKind::Ed25519).await
    else {
        return;
    };
    host.sshd.befriend(&host.key);
    // From now on it offers an ed25519 key too, which most clients ask for first and the file does not know.
    host.sshd.kill();
    host.sshd.add_host_key(KeyKind::Ed25519);
    host.sshd.start_again().await;
    let supervisor = supervisor().await;
    reaches(&supervisor, &announced(&host, &supervisor)).await;
}
