use std::collections::BTreeSet;
use std::process::Command;

use proptest::prelude::*;
use russh::keys::key::safe_rng;
use russh::keys::{EcdsaCurve, PrivateKey};

use super::*;

const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDG+jFxqwWcdj5bxms6E4w+/sM4nUm3D7a8EzlDJc6aSmFCJnYBMY2H3/HrbQkQ6YhPVLVDxyXUi2wBUJ+1Ei6fdvvU5HRYeGhHiPjWtmGa09lYVq1Pr/fY5Y6kMDlilt4xvzo06Utbs//toDXCfTVVZ6+A8Uj0vw/ahd5EC1Zw8djo/Kl8VMatWzftWgBCcHTFFMbTG+YVLcffLhfJl8XbjL4j63yZKUcEV95l0UjikI/bJQnhy0Hq4ru78dcWp5smUs9C3eFX5VEdoCCdYE8JpZswTa9pgWXJV7KDKGRNcTarJM1WSb+F3m6BN9Oc9HlMFQAjPEv/SCF2aZy62r21";

fn new_key(algorithm: Algorithm) -> PublicKey {
    let key = PrivateKey::random(&mut safe_rng(), algorithm).unwrap();
    key.public_key().clone()
}

fn ed25519() -> PublicKey {
    new_key(Algorithm::Ed25519)
}

fn ecdsa() -> PublicKey {
    new_key(Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP256,
    })
}

fn rsa() -> PublicKey {
    RSA.parse().unwrap()
}

/// Type and key, as a line has them.
fn text(key: &PublicKey) -> String {
    key.to_openssh().unwrap().trim().to_owned()
}

fn parse(content: &str, host: &str, port: u16) -> KnownHosts {
    KnownHosts::parse(
        Path::new("/keys/known_hosts"),
        content.as_bytes(),
        host,
        port,
    )
}

fn check(content: &str, key: &PublicKey) -> Result<Trust, HostKeyError> {
    parse(content, "a.example", 2222).check(key)
}

/// The line that lists `key` for `a.example`, port 2222.
#[track_caller]
fn trusting_line(content: &str, key: &PublicKey) -> usize {
    match check(content, key) {
        Ok(Trust::Listed { line }) => line,
        other => panic!("{other:?} for\n{content}"),
    }
}

#[test]
fn a_listed_key_is_trusted() {
    let key = ed25519();
    let content = format!("[a.example]:2222 {}\n", text(&key));
    assert_eq!(trusting_line(&content, &key), 1);
}

#[test]
fn any_of_several_keys_is_trusted_whatever_its_type() {
    let keys = [ed25519(), ed25519(), ecdsa(), rsa()];
    let content: String = keys
        .iter()
        .map(|key| format!("[a.example]:2222 {}\n", text(key)))
        .collect();
    for (key, line) in keys.iter().zip(1..) {
        assert_eq!(trusting_line(&content, key), line);
    }
    let error = check(&content, &ed25519()).unwrap_err();
    assert!(
        matches!(&error, HostKeyError::Changed(_, lines) if *lines == [1, 2, 3, 4]),
        "{error:?}"
    );
}

#[test]
fn comments_blanks_and_broken_lines_spoil_no_other_line() {
    let key = ed25519();
    let content = format!(
        "# hosts\r\n\r\nstray\r\n[a.example]:2222 ssh-ed25519 AAAA\n@unknown [a.example]:2222 {key}\n\
         |1|broken|name {key}\n\t [a.example]:2222,other\t{key}  a comment # more \t\r\n",
        key = text(&key)
    );
    assert_eq!(trusting_line(&content, &key), 7);
    let known = parse(&content, "a.example", 2222);
    let Content::Lines { skipped, .. } = &known.content else {
        panic!("{known:?}");
    };
    let numbers: Vec<usize> = skipped.iter().map(|skipped| skipped.number).collect();
    assert_eq!(numbers, [3, 4, 5, 6], "{skipped:?}");
}

#[test]
fn a_comment_in_another_encoding_keeps_its_line() {
    let key = ed25519();
    let mut content = format!("[a.example]:2222 {} caf", text(&key)).into_bytes();
    content.extend([0xe9, b'\n']);
    let known = KnownHosts::parse(Path::new("known_hosts"), &content, "a.example", 2222);
    assert_eq!(known.check(&key).unwrap(), Trust::Listed { line: 1 });
}

#[test]
fn the_comment_of_a_key_is_not_compared() {
    let mut key = ed25519();
    let content = format!("[a.example]:2222 {} root@here", text(&key));
    key.set_comment("root@there");
    assert_eq!(trusting_line(&content, &key), 1);
}

#[test]
fn a_revoked_key_is_refused_wherever_it_is_listed() {
    let key = ed25519();
    let line = format!("[a.example]:2222 {}", text(&key));
    for content in [
        format!("{line}\n@revoked * {}\n", text(&key)),
        format!("@revoked {line}\n{line}\n"),
        format!("@revoked\t{line}"),
    ] {
        let error = check(&content, &key).unwrap_err();
        assert!(
            matches!(error, HostKeyError::Revoked(..)),
            "{error:?} for\n{content}"
        );
    }
    // Another host's revocation, and another key's, mean nothing here.
    let content = format!(
        "@revoked b.example {}\n@revoked * {}\n{line}",
        text(&key),
        text(&ed25519())
    );
    assert_eq!(trusting_line(&content, &key), 3);
}

#[test]
fn an_authority_s_key_is_no_host_s_key() {
    let key = ed25519();
    let content = format!("@cert-authority * {}", text(&key));
    let error = check(&content, &key).unwrap_err();
    assert!(matches!(error, HostKeyError::Unlisted(..)), "{error:?}");
}

#[test]
fn an_unlisted_host_is_refused_with_the_line_to_add() {
    let key = ed25519();
    let content = format!("stray\n[b.example]:2222 {}", text(&key));
    let error = check(&content, &key).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the host [a.example]:2222 is not in /keys/known_hosts (of which line 1 cannot be read); verify that the \
             fingerprint of its ssh-ed25519 key is {fingerprint}, then add this line: [a.example]:2222 {key}",
            fingerprint = key.fingerprint(HashAlg::Sha256),
            key = text(&key),
        )
    );
}

#[test]
fn a_changed_key_is_refused_with_its_line_and_how_to_remove_it() {
    let key = ecdsa();
    let content = format!("\n[a.example]:2222 {}\n", text(&ed25519()));
    let message = check(&content, &key).unwrap_err().to_string();
    for part in [
        "HAS CHANGED",
        "/keys/known_hosts, line 2;",
        &key.fingerprint(HashAlg::Sha256).to_string(),
        "ssh-keygen -R '[a.example]:2222' -f /keys/known_hosts",
        &format!("[a.example]:2222 {}", text(&key)),
    ] {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

#[test]
fn the_types_of_the_listed_keys_are_named() {
    let revoked = ecdsa();
    let content = format!(
        "[a.example]:2222 {rsa}\n[a.example]:2222 {first}\n[a.example]:2222 {second}\n[a.example]:2222 {revoked}\n\
         @revoked * {revoked}\n@cert-authority * {authority}\nb.example {other}\n",
        rsa = text(&rsa()),
        first = text(&ed25519()),
        second = text(&ed25519()),
        revoked = text(&revoked),
        authority = text(&ecdsa()),
        other = text(&ecdsa()),
    );
    assert_eq!(
        parse(&content, "a.example", 2222).algorithms(),
        [Algorithm::Ed25519, Algorithm::Rsa { hash: None }]
    );
}

#[test]
fn without_a_file_the_first_use_is_accepted_and_said() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("known_hosts");
    let key = ed25519();
    let known = KnownHosts::load(&path, "a.example", 22).unwrap();
    let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
    assert_eq!(known.check(&key).unwrap(), Trust::FirstUse { fingerprint });
    assert_eq!(known.algorithms(), []);
    assert!(!path.exists(), "the file is mngr's to write");
}

#[test]
fn an_empty_file_knows_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("known_hosts");
    fs::write(&path, "").unwrap();
    let known = KnownHosts::load(&path, "a.example", 22).unwrap();
    let error = known.check(&ed25519()).unwrap_err();
    assert!(matches!(error, HostKeyError::Unlisted(..)), "{error:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_no_first_use() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("known_hosts");
    fs::create_dir(&path).unwrap();
    let error = KnownHosts::load(&path, "a.example", 22).unwrap_err();
    assert!(matches!(error, HostKeyError::Storage(_)), "{error:?}");
    fs::remove_dir(&path).unwrap();

    std::os::unix::fs::symlink(directory.path().join("nowhere"), &path).unwrap();
    let error = KnownHosts::load(&path, "a.example", 22).unwrap_err();
    assert!(matches!(error, HostKeyError::Dangling { .. }), "{error:?}");
    fs::remove_file(&path).unwrap();

    fs::File::create(&path)
        .unwrap()
        .set_len(FILE_LIMIT + 1)
        .unwrap();
    let error = KnownHosts::load(&path, "a.example", 22).unwrap_err();
    assert!(matches!(error, HostKeyError::Storage(_)), "{error:?}");
}

/// The lines that `ssh-keygen` finds for a name; none when there is no `ssh-keygen` here.
fn found_by_ssh_keygen(path: &Path, name: &str) -> Option<BTreeSet<usize>> {
    let output = match Command::new("ssh-keygen")
        .arg("-F")
        .arg(name)
        .arg("-f")
        .arg(path)
        .output()
    {
        Ok(output) => output,
        Err(error) => {
            println!("SKIPPED: ssh-keygen does not run here: {error}");
            return None;
        }
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let number = |line: &str| {
        line.split("found: line ")
            .nth(1)?
            .split(' ')
            .next()?
            .parse()
            .ok()
    };
    Some(text.lines().filter_map(number).collect())
}

fn found_here(path: &Path, host: &str, port: u16) -> BTreeSet<usize> {
    let known = KnownHosts::load(path, host, port).unwrap();
    let Content::Lines { entries, .. } = known.content else {
        panic!("{known:?}");
    };
    entries.iter().map(|entry| entry.number).collect()
}

#[test]
fn the_same_lines_are_found_as_by_ssh_keygen() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("known_hosts");
    let names = [
        "a.example",
        "[a.example]:2222",
        "b.example,a.example",
        "*.example",
        "?.example,!a.example",
        "!b.example,*",
        "[*]:2222",
        "[a.example]:*",
        "::1",
        "[::1]:2222",
        "[::1]:22",
        "192.0.2.1",
        "192.0.2.*,!192.0.2.1",
        "A.EXAMPLE",
    ];
    let mut content = "# comment\n\n  \t\nstray\n".to_owned();
    for (index, name) in names.iter().enumerate() {
        let blank = ["", "  ", "\t"][index % 3];
        let marker = ["", "@revoked ", "", "@cert-authority \t"][index % 4];
        let end = ["\n", " comment\n", "\t \n"][index % 3];
        content += &format!("{blank}{marker}{name}\t {}{end}", text(&ed25519()));
    }
    let hosts = [
        ("a.example", 22),
        ("a.example", 2222),
        ("b.example", 22),
        ("c.example", 2222),
        ("::1", 22),
        ("::1", 2222),
        ("192.0.2.1", 22),
        ("192.0.2.2", 22),
        ("192.0.2.2", 8022),
    ];
    for hashed in [false, true] {
        if hashed {
            // It hashes a file without broken lines alone.
            fs::write(&path, content.replace("stray", "#")).unwrap();
            let mut command = Command::new("ssh-keygen");
            if let Err(error) = command.arg("-H").arg("-f").arg(&path).output() {
                return println!("SKIPPED: ssh-keygen does not run here: {error}");
            }
            let content = fs::read_to_string(&path).unwrap();
            assert!(content.contains("|1|"), "nothing is hashed in\n{content}");
        } else {
            fs::write(&path, &content).unwrap();
        }
        for (host, port) in hosts {
            let name = Name::new(host, port).to_string();
            let Some(expected) = found_by_ssh_keygen(&path, &name) else {
                return;
            };
            assert_eq!(
                found_here(&path, host, port),
                expected,
                "{name} in\n{}",
                fs::read_to_string(&path).unwrap()
            );
        }
    }
}

proptest! {
    #[test]
    fn nothing_in_the_file_makes_an_absent_key_trusted(
        lines in prop::collection::vec(
            prop_oneof![
                "\\PC*",
                "[@!|1*?,\\[\\]:.a \t\r]{0,40}",
                ("(@revoked |@cert-authority\t|@|)", "(\\*|\\[a.example\\]:2222|!\\*,\\*|\\|1\\|[a-zA-Z=]{0,30}\\|)", 0..3usize)
                    .prop_map(|(marker, names, key)| {
                        let key = [RSA, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ", "x y"][key];
                        format!("{marker}{names} {key}")
                    }),
            ],
            0..12,
        ),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut content = lines.join("\n").into_bytes();
        content.extend(noise);
        let known = KnownHosts::parse(Path::new("known_hosts"), &content, "a.example", 2222);
        known.algorithms();
        let verdict = known.check(&ed25519());
        prop_assert!(verdict.is_err(), "{verdict:?}");
    }
}
