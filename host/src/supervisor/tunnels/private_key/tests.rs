use std::fs::{self, Permissions};
use std::process::Command;

use russh::keys::key::safe_rng;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{encode_pkcs8_pem, encode_pkcs8_pem_encrypted};

use super::*;

struct KeyFile {
    directory: tempfile::TempDir,
}

impl KeyFile {
    fn new(content: impl AsRef<[u8]>) -> Self {
        let file = Self::missing();
        fs::write(file.path(), content).unwrap();
        file.allow(0o600);
        file
    }

    fn missing() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// None when there is no `ssh-keygen` here.
    fn made_by_ssh_keygen(arguments: &[&str], passphrase: &str) -> Option<Self> {
        let file = Self::missing();
        let made = Command::new("ssh-keygen")
            .args(["-q", "-N", passphrase])
            .args(arguments)
            .arg("-f")
            .arg(file.path())
            .output();
        match made {
            Ok(output) => {
                assert!(output.status.success(), "{arguments:?}: {output:?}");
                Some(file)
            }
            Err(error) => {
                println!("SKIPPED: ssh-keygen does not run here: {error}");
                None
            }
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("key")
    }

    fn allow(&self, mode: u32) {
        fs::set_permissions(self.path(), Permissions::from_mode(mode)).unwrap();
    }

    fn load(&self) -> Result<Identity, PrivateKeyError> {
        Identity::load(&self.path())
    }

    fn header(&self) -> String {
        let content = fs::read_to_string(self.path()).unwrap();
        content.lines().next().unwrap_or_default().to_owned()
    }
}

fn new_key() -> PrivateKey {
    PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap()
}

fn openssh(key: &PrivateKey) -> String {
    key.to_openssh(LineEnding::LF).unwrap().to_string()
}

#[test]
fn keys_of_openssh_and_pkcs_8_are_read() {
    let key = new_key();
    let mut pkcs8 = Vec::new();
    encode_pkcs8_pem(&key, &mut pkcs8).unwrap();
    for content in [
        openssh(&key).into_bytes(),
        openssh(&key).replace('\n', "\r\n").into_bytes(),
        pkcs8,
    ] {
        let identity = KeyFile::new(&content).load().unwrap();
        assert_eq!(
            identity.0.public_key().key_data(),
            key.public_key().key_data()
        );
    }
}

#[test]
fn the_keys_that_ssh_keygen_writes_are_read() {
    for (arguments, header, algorithm) in [
        (
            ["-t", "ed25519", "-m", "RFC4716"].as_slice(),
            "OPENSSH",
            "ssh-ed25519",
        ),
        (
            &["-t", "rsa", "-b", "2048", "-m", "RFC4716"],
            "OPENSSH",
            "ssh-rsa",
        ),
        (&["-t", "rsa", "-b", "2048", "-m", "PEM"], "RSA", "ssh-rsa"),
        (
            &["-t", "rsa", "-b", "2048", "-m", "PKCS8"],
            "PRIVATE",
            "ssh-rsa",
        ),
        (
            &["-t", "ecdsa", "-b", "256", "-m", "RFC4716"],
            "OPENSSH",
            "ecdsa-sha2-nistp256",
        ),
        (
            &["-t", "ecdsa", "-b", "256", "-m", "PEM"],
            "EC",
            "ecdsa-sha2-nistp256",
        ),
        (
            &["-t", "ecdsa", "-b", "384", "-m", "PEM"],
            "EC",
            "ecdsa-sha2-nistp384",
        ),
        (
            &["-t", "ecdsa", "-b", "521", "-m", "PKCS8"],
            "PRIVATE",
            "ecdsa-sha2-nistp521",
        ),
    ] {
        let Some(file) = KeyFile::made_by_ssh_keygen(arguments, "") else {
            return;
        };
        assert!(
            file.header().contains(&format!("BEGIN {header} ")),
            "{}",
            file.header()
        );
        let identity = file.load().unwrap();
        assert_eq!(
            identity.0.algorithm().to_string(),
            algorithm,
            "{arguments:?}"
        );
        let public = fs::read_to_string(file.path().with_extension("pub")).unwrap();
        let written: russh::keys::PublicKey = public.parse().unwrap();
        assert_eq!(
            identity.0.public_key().key_data(),
            written.key_data(),
            "{arguments:?}"
        );
    }
}

#[test]
fn encrypted_keys_are_refused_with_what_to_do() {
    let mut pkcs8 = Vec::new();
    encode_pkcs8_pem_encrypted(&new_key(), b"secret", 10, &mut pkcs8).unwrap();
    let formats = [
        ["-t", "ed25519", "-m", "RFC4716"].as_slice(),
        &["-t", "rsa", "-b2048", "-m", "PEM"],
        &["-t", "ecdsa", "-m", "PEM"],
        &["-t", "rsa", "-b2048", "-m", "PKCS8"],
    ];
    let files = formats
        .iter()
        .filter_map(|format| KeyFile::made_by_ssh_keygen(format, "secret"));
    for file in files.chain([KeyFile::new(pkcs8)]) {
        let error = file.load().unwrap_err();
        assert!(
            matches!(error, PrivateKeyError::Encrypted { .. }),
            "{}: {error:?}",
            file.header()
        );
        let command = format!("ssh-keygen -p -f {}", file.path().display());
        assert!(error.to_string().contains(&command), "{error}");
    }
}

#[test]
fn a_missing_key_is_named() {
    let file = KeyFile::missing();
    let error = file.load().unwrap_err();
    assert!(
        matches!(error, PrivateKeyError::Missing { .. }),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains(&file.path().display().to_string()),
        "{error}"
    );
}

#[test]
fn what_is_no_file_is_unreadable() {
    let file = KeyFile::missing();
    fs::create_dir(file.path()).unwrap();
    let error = file.load().unwrap_err();
    assert!(matches!(error, PrivateKeyError::Unreadable(_)), "{error:?}");
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let file = KeyFile::new(openssh(&new_key()));
    for mode in [0o640, 0o604, 0o620, 0o660, 0o644] {
        file.allow(mode);
        let error = file.load().unwrap_err();
        assert!(
            matches!(error, PrivateKeyError::Permissions { mode: found, .. } if found == mode),
            "{mode:o}: {error:?}"
        );
        let command = format!("chmod 600 {}", file.path().display());
        assert!(error.to_string().contains(&command), "{error}");
    }
    for mode in [0o600, 0o400, 0o700] {
        file.allow(mode);
        file.load().unwrap();
    }
}

#[test]
fn what_is_no_key_is_refused_without_repeating_it() {
    let key = new_key();
    let cut = openssh(&key).replace("-----END", "AAAA\n-----END");
    let public = key.public_key().to_openssh().unwrap();
    for content in [
        b"".as_slice(),
        b"private thing",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nprivate*thing\n-----END OPENSSH PRIVATE KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\nprivatething\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN DSA PRIVATE KEY-----\nprivatething\n-----END DSA PRIVATE KEY-----\n",
        b"PuTTY-User-Key-File-3: private thing",
        b"\xff\xfe\x00private thing",
        cut.as_bytes(),
        public.as_bytes(),
    ] {
        let error = KeyFile::new(content).load().unwrap_err();
        assert!(
            matches!(error, PrivateKeyError::Unusable { .. }),
            "{error:?}"
        );
        assert!(!error.to_string().contains("thing"), "{error}");
    }
    let error = KeyFile::new(public).load().unwrap_err();
    assert!(error.to_string().contains("it is a public key"), "{error}");
}

#[test]
fn rsa_keys_sign_with_sha_2_whatever_the_host_names() {
    let Some(file) = KeyFile::made_by_ssh_keygen(&["-t", "rsa", "-b", "2048"], "") else {
        return;
    };
    let identity = file.load().unwrap();
    for (offered, algorithm) in [
        (None, "rsa-sha2-512"),
        (Some(None), "rsa-sha2-512"),
        (Some(Some(HashAlg::Sha256)), "rsa-sha2-256"),
        (Some(Some(HashAlg::Sha512)), "rsa-sha2-512"),
    ] {
        assert_eq!(
            identity.for_host(offered).algorithm().to_string(),
            algorithm,
            "{offered:?}"
        );
    }
}

#[test]
fn other_keys_sign_with_the_hash_of_their_type() {
    let identity = KeyFile::new(openssh(&new_key())).load().unwrap();
    let key = identity.for_host(Some(Some(HashAlg::Sha256)));
    assert_eq!(key.algorithm(), Algorithm::Ed25519);
}

#[test]
fn a_key_does_not_show_when_it_is_printed() {
    let key = new_key();
    let identity = KeyFile::new(openssh(&key)).load().unwrap();
    let fingerprint = key.fingerprint(HashAlg::Sha256);
    assert_eq!(
        format!("{identity:?}"),
        format!("Identity(ssh-ed25519 {fingerprint})")
    );
}
