//! Random numbers fit for secrets and identifiers.

use crate::bindings::wasi::random::random as wit;

/// `N` random bytes.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let drawn = wit::get_random_bytes(rest.len() as u64);
        let taken = drawn.len().min(rest.len());
        rest.iter_mut().zip(drawn).for_each(|(to, from)| *to = from);
        filled += taken;
    }
    bytes
}
