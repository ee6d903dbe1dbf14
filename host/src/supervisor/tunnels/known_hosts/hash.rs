//! HMAC-SHA1, the one hash in which `known_hosts` hides names. Nothing is secured by it: who may be trusted is decided by
//! comparing keys.

/// Of a digest, and of the salts that OpenSSH makes.
pub const LENGTH: usize = 20;
const BLOCK: usize = 64;

/// RFC 2104 over SHA-1.
pub fn hmac(key: &[u8; LENGTH], message: &[u8]) -> [u8; LENGTH] {
    let mut padded = [0; BLOCK];
    for (slot, byte) in padded.iter_mut().zip(key) {
        *slot = *byte;
    }
    let inner = sha1(&[&padded.map(|byte| byte ^ 0x36), message]);
    sha1(&[&padded.map(|byte| byte ^ 0x5c), &inner])
}

/// FIPS 180-4, of the parts one after the other; for messages as short as a name.
fn sha1(parts: &[&[u8]]) -> [u8; LENGTH] {
    let mut message = parts.concat();
    let bits = (message.len() as u64).wrapping_mul(8);
    message.push(0x80);
    while message.len() % BLOCK != BLOCK - size_of::<u64>() {
        message.push(0);
    }
    message.extend(bits.to_be_bytes());

    let (blocks, _) = message.as_chunks::<BLOCK>();
    let state = blocks.iter().fold(
        [
            0x6745_2301,
            0xefcd_ab89,
            0x98ba_dcfe,
            0x1032_5476,
            0xc3d2_e1f0,
        ],
        compress,
    );
    let mut digest = [0; LENGTH];
    for (slot, byte) in digest
        .iter_mut()
        .zip(state.iter().flat_map(|word| word.to_be_bytes()))
    {
        *slot = byte;
    }
    digest
}

fn compress(state: [u32; 5], block: &[u8; BLOCK]) -> [u32; 5] {
    // The schedule's last sixteen words; the word of the current round stands first.
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    let [mut a, mut b, mut c, mut d, mut e] = state;
    for round in 0..80 {
        let (mixed, constant) = match round {
            0..20 => ((b & c) | (!b & d), 0x5a82_7999),
            20..40 => (b ^ c ^ d, 0x6ed9_eba1),
            40..60 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
            _ => (b ^ c ^ d, 0xca62_c1d6),
        };
        let next = a
            .rotate_left(5)
            .wrapping_add(mixed)
            .wrapping_add(e)
            .wrapping_add(constant)
            .wrapping_add(words[0]);
        (a, b, c, d, e) = (next, a, b.rotate_left(30), c, d);
        words[0] = (words[13] ^ words[8] ^ words[2] ^ words[0]).rotate_left(1);
        words.rotate_left(1);
    }
    let [a0, b0, c0, d0, e0] = state;
    [
        a0.wrapping_add(a),
        b0.wrapping_add(b),
        c0.wrapping_add(c),
        d0.wrapping_add(d),
        e0.wrapping_add(e),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_digests_are_those_of_the_standard() {
        // FIPS 180's examples, and lengths around a block's end.
        for (message, digest) in [
            ("".to_owned(), "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            ("abc".to_owned(), "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".to_owned(),
                "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
            ),
            (
                "a".repeat(1_000_000),
                "34aa973cd4c4daa4f61eeb2bdbad27316534016f",
            ),
        ] {
            assert_eq!(
                hex(&sha1(&[message.as_bytes()])),
                digest,
                "{} bytes",
                message.len()
            );
        }
    }

    #[test]
    fn the_codes_are_those_of_the_standard() {
        // RFC 2202, test case 1: the one with a key of a digest's length.
        assert_eq!(
            hex(&hmac(&[0x0b; LENGTH], b"Hi There")),
            "b617318655057264e28bc0b6fb378c8ef146be00"
        );
    }
}
