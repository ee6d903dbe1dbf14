//! What a connection offers for negotiation.
//!
//! Ciphers are authenticated ones, the fastest first; keys are exchanged with a part that withstands quantum computers
//! where the host knows one; nothing rests on SHA-1, nothing is compressed. Keys of the types that `known_hosts` lists
//! are asked for first, and those of all other types too: a host whose key has changed is then refused for that, with a
//! message that says so, and not for want of a common algorithm.

use std::borrow::Cow;

use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::{Preferred, cipher, compression};

const CIPHERS: &[cipher::Name] = &[
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
];

const COMPRESSION: &[compression::Name] = &[compression::NONE];

/// Signatures by host keys. `ssh-rsa` without a hash is the one with SHA-1.
const HOST_KEYS: [Algorithm; 6] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP256,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP384,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP521,
    },
    Algorithm::Rsa {
        hash: Some(HashAlg::Sha512),
    },
    Algorithm::Rsa {
        hash: Some(HashAlg::Sha256),
    },
];

/// The preferences towards a host of which `known` types of keys are known.
pub fn preferred(known: &[Algorithm]) -> Preferred {
    let mut host_keys = HOST_KEYS;
    // Stable: within the known and the unknown the usual order stays.
    host_keys.sort_by_key(|algorithm| !known.iter().any(|known| is_of_type(algorithm, known)));
    Preferred {
        key: Cow::Owned(host_keys.into()),
        cipher: Cow::Borrowed(CIPHERS),
        compression: Cow::Borrowed(COMPRESSION),
        // Without SHA-1, the post-quantum exchange first, and with strict ordering of its messages.
        ..Preferred::DEFAULT
    }
}

/// An RSA key signs with several hashes; `known_hosts` lists the key.
fn is_of_type(algorithm: &Algorithm, key: &Algorithm) -> bool {
    match (algorithm, key) {
        (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
        _ => algorithm == key,
    }
}

#[cfg(test)]
mod tests {
    use russh::kex;

    use super::*;

    fn host_keys(known: &[Algorithm]) -> Vec<String> {
        let preferred = preferred(known);
        preferred.key.iter().map(Algorithm::to_string).collect()
    }

    #[test]
    fn without_known_keys_the_usual_order_stands_and_sha_1_is_absent() {
        assert_eq!(
            host_keys(&[]),
            [
                "ssh-ed25519",
                "ecdsa-sha2-nistp256",
                "ecdsa-sha2-nistp384",
                "ecdsa-sha2-nistp521",
                "rsa-sha2-512",
                "rsa-sha2-256"
            ]
        );
    }

    #[test]
    fn known_types_come_first_and_the_others_stay() {
        let curve = EcdsaCurve::NistP384;
        assert_eq!(
            host_keys(&[Algorithm::Rsa { hash: None }, Algorithm::Ecdsa { curve }]),
            [
                "ecdsa-sha2-nistp384",
                "rsa-sha2-512",
                "rsa-sha2-256",
                "ssh-ed25519",
                "ecdsa-sha2-nistp256",
                "ecdsa-sha2-nistp521"
            ]
        );
    }

    #[test]
    fn a_type_that_cannot_be_checked_is_not_asked_for() {
        assert_eq!(host_keys(&[Algorithm::Dsa]), host_keys(&[]));
    }

    #[test]
    fn the_rest_is_authenticated_uncompressed_and_strict() {
        let preferred = preferred(&[]);
        let names = |names: &[&str]| names.join(" ");
        let ciphers: Vec<&str> = preferred.cipher.iter().map(AsRef::as_ref).collect();
        assert_eq!(
            names(&ciphers),
            "aes128-gcm@openssh.com aes256-gcm@openssh.com chacha20-poly1305@openssh.com"
        );
        let kex: Vec<&str> = preferred.kex.iter().map(AsRef::as_ref).collect();
        assert_eq!(kex.first(), Some(&"mlkem768x25519-sha256"), "{kex:?}");
        let strict: &str = kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT.as_ref();
        assert!(kex.contains(&strict), "{kex:?}");
        assert!(!kex.iter().any(|name| name.ends_with("sha1")), "{kex:?}");
        let compression: Vec<&str> = preferred.compression.iter().map(AsRef::as_ref).collect();
        assert_eq!(compression, ["none"]);
        assert!(preferred.host_key_certificates.is_empty());
    }
}
