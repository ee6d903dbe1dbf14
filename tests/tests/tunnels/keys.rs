//! The keys with which mngr reaches hosts.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use end_to_end::{KeyKind, SshKey};

use crate::host::{Host, fails_with, reaches, reaches_within, supervisor};

async fn serves(kind: KeyKind) {
    let Some(host) = Host::with(|sshd| sshd.host_key(kind), kind).await else {
        return;
    };
    host.sshd.befriend(&host.key);
    let supervisor = supervisor().await;
    host.connected(&supervisor, "a").await;
}

#[tokio::test]
async fn ed25519_serves_host_and_client() {
    serves(KeyKind::Ed25519).await;
}

#[tokio::test]
async fn rsa_serves_host_and_client() {
    serves(KeyKind::Rsa).await;
}

#[tokio::test]
async fn ecdsa_serves_host_and_client() {
    serves(KeyKind::Ecdsa).await;
}

#[tokio::test]
async fn an_encrypted_key_is_said_to_be_one() {
    let Some(mut host) = Host::new().await else {
        return;
    };
    let directory = host.key.path().parent().unwrap().to_owned();
    host.key = SshKey::generate_encrypted(&directory, KeyKind::Ed25519);
    host.sshd.befriend(&host.key);
    let supervisor = supervisor().await;
    let resident = host.resident(supervisor.agent("a"));
    host.announce(&supervisor, &resident);
    let path = host.key.path().to_str().unwrap();
    let error = fails_with(&supervisor, &resident, &[path, "encrypted"]).await;
    assert!(!host.listens(), "{error}");
    supervisor
        .process()
        .logged("the log names the key and what is wrong with it", |line| {
            (line.contains(path) && line.contains("encrypted")).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_key_that_is_missing_or_no_key_is_named_and_taken_up_when_it_is_there() {
    let Some(host) = Host::new().await else {
        return;
    };
    let path = host.key.path().to_owned();
    let key = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let supervisor = supervisor().await;
    let resident = host.resident(supervisor.agent("a"));
    host.announce(&supervisor, &resident);
    let shown = path.to_str().unwrap();
    fails_with(&supervisor, &resident, &[shown]).await;
    fs::write(&path, "no key").unwrap();
    host.announce(&supervisor, &resident);
    fails_with(&supervisor, &resident, &[shown]).await;
    fs::write(&path, key).unwrap();
    // As ssh, it uses no key that others can read.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fails_with(&supervisor, &resident, &["chmod 600", shown]).await;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    reaches_within(end_to_end::PATIENCE * 3, &supervisor, &resident).await;
}

#[tokio::test]
async fn a_key_that_the_host_does_not_admit_is_said_to_be_refused() {
    let Some(host) = Host::new().await else {
        return;
    };
    host.sshd.admit_nobody();
    let supervisor = supervisor().await;
    let resident = host.resident(supervisor.agent("a"));
    host.announce(&supervisor, &resident);
    fails_with(&supervisor, &resident, &[host.key.path().to_str().unwrap()]).await;
    host.sshd.admit(&host.key);
    reaches_within(end_to_end::PATIENCE * 3, &supervisor, &resident).await;
}

#[tokio::test]
async fn a_host_that_forbids_forwarding_says_so() {
    let forbidding = |sshd: end_to_end::SshdOptions| sshd.line("AllowTcpForwarding no");
    let Some(host) = Host::with(forbidding, KeyKind::Ed25519).await else {
        return;
    };
    host.sshd.befriend(&host.key);
    let supervisor = supervisor().await;
    let resident = host.resident(supervisor.agent("a"));
    host.announce(&supervisor, &resident);
    fails_with(&supervisor, &resident, &["1989"]).await;
}

#[tokio::test]
async fn a_host_that_only_allows_what_the_tunnel_needs_is_enough() {
    let narrow = |sshd: end_to_end::SshdOptions| {
        sshd.line("AllowTcpForwarding remote")
            .line("PermitListen 127.0.0.1:1989")
    };
    let Some(host) = Host::with(narrow, KeyKind::Ed25519).await else {
        return;
    };
    host.sshd.befriend(&host.key);
    let supervisor = supervisor().await;
    let resident = host.resident(supervisor.agent("a"));
    host.announce(&supervisor, &resident);
    reaches(&supervisor, &resident).await;
}
