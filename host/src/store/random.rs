//! Random names. Fails only when the operating system has no randomness to give.

use std::io;

/// `2 * N` lower-case hexadecimal characters of `N` random bytes.
pub(super) fn hex<const N: usize>() -> io::Result<String> {
    Ok(encode(&bytes::<N>()?))
}

/// `N` random bytes, fit for a key.
pub(super) fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

/// Lower-case hexadecimal.
pub(super) fn encode(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0x0f])
        .filter_map(|nibble| DIGITS.get(usize::from(nibble)))
        .collect()
}

/// A random UUID (version 4) without its hyphens.
pub(super) fn uuid() -> io::Result<String> {
    let mut bytes = bytes::<16>()?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Ok(encode(&bytes))
}
