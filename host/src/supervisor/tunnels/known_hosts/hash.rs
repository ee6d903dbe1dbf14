//! HMAC-SHA1, the one hash in which `known_hosts` hides names. Nothing is secured by it: who may be trusted is decided by
//! comparing keys.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// Of a digest, and of the salts that OpenSSH makes.
pub const LENGTH: usize = 20;
/// A key of this length is used as it is; a shorter one stands for itself and zeros (RFC 2104).
const BLOCK: usize = 64;

/// Of the name, with the salt as the key.
pub fn hmac(salt: &[u8; LENGTH], name: &[u8]) -> [u8; LENGTH] {
    let mut key = [0; BLOCK];
    for (slot, byte) in key.iter_mut().zip(salt) {
        *slot = *byte;
    }
    let mut mac = Hmac::<Sha1>::new(&key.into());
    mac.update(name);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_the_standard() {
        // RFC 2202, test case 1: the one with a key of a digest's length.
        let code = hmac(&[0x0b; LENGTH], b"Hi There");
        let hex: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "b617318655057264e28bc0b6fb378c8ef146be00");
    }
}
