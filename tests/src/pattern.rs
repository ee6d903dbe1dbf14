//! Content of any size that nobody keeps: each byte follows from its place, so that sender and receiver can make and check it
//! piece by piece.

use std::ops::Range;
use std::sync::LazyLock;

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// Bytes that repeat, but for their number at their start.
const BLOCK: usize = 256 * 1024;

static TEMPLATE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state: u32 = 1;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..BLOCK).map(|_| noise()).collect()
});

/// A part of the content that is still to come, as pieces.
pub struct Pattern(Range<u64>);

impl Pattern {
    pub fn new(range: Range<u64>) -> Self {
        Self(range)
    }

    /// How many bytes are still to come.
    pub fn remaining(&self) -> u64 {
        self.0.end.saturating_sub(self.0.start)
    }
}

impl Iterator for Pattern {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let remaining = self.remaining();
        if remaining == 0 {
            return None;
        }
        let size = BLOCK as u64;
        let (number, offset) = (self.0.start / size, self.0.start % size);
        let mut block = TEMPLATE.clone();
        block[..8].copy_from_slice(&number.to_be_bytes());
        let length = remaining.min(size - offset);
        self.0.start += length;
        let offset = usize::try_from(offset).expect("an offset in a block is small");
        let length = usize::try_from(length).expect("a block is small");
        Some(Bytes::from(block).slice(offset..offset + length))
    }
}

/// How much passed by, and what it was.
#[derive(Default)]
pub struct Tally {
    bytes: u64,
    digest: Sha256,
}

impl Tally {
    pub fn add(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        self.digest.update(piece);
    }

    /// The number of bytes, and their SHA-256 in hexadecimal.
    pub fn total(self) -> (u64, String) {
        let digest = self.digest.finalize();
        let hex = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        (self.bytes, hex)
    }

    /// What a part of the pattern must come to.
    pub fn of(range: Range<u64>) -> (u64, String) {
        let mut tally = Self::default();
        for piece in Pattern::new(range) {
            tally.add(&piece);
        }
        tally.total()
    }
}
