//! What has come for the local side of a forwarded channel and is not written to it yet, in order.
//!
//! ```text
//! push -> tail (memory) -> spill (disk) -> front (memory) -> the local socket
//! ```
//! While little waits, it goes from `push` to `front` directly and the disk is not touched. Memory stays within about
//! five times [`MEMORY`], whatever comes; the disk within the caps of [`SpillSpace`]. What exceeds them is an error, after which
//! the channel has to end.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};

use super::spill::{BLOCK, CHANNEL_CAP, Progress, Spill, SpillError, SpillSpace};

/// How much `front` and `tail` take each before the next station has to help.
const MEMORY: usize = BLOCK;

/// What a chunk takes beside its bytes, so that one-byte packets are not counted as nothing.
const CHUNK_OVERHEAD: usize = 128;

/// Up to here a channel is not slowed.
const UNHURRIED: u64 = 64 << 20;

/// The pause for a packet of [`USUAL_PACKET`] bytes when the spill is full.
const LONGEST_PAUSE: Duration = Duration::from_millis(16);

/// What OpenSSH sends at most in one packet.
const USUAL_PACKET: f64 = 32.0 * 1024.0;

/// How long to wait after a packet of `length` bytes while `spilled` bytes of its channel wait on disk.
///
/// Nothing up to [`UNHURRIED`]; then with the square of what is beyond, up to [`LONGEST_PAUSE`] when the channel's cap is
/// reached, in proportion to the packet. A sender with full packets keeps 2 MiB/s at the least.
pub(super) fn pause(spilled: u64, length: usize) -> Duration {
    let room = f64::from(u32::try_from((CHANNEL_CAP - UNHURRIED) >> 10).unwrap_or(u32::MAX));
    let over =
        f64::from(u32::try_from(spilled.saturating_sub(UNHURRIED) >> 10).unwrap_or(u32::MAX));
    let full = (over / room).min(1.0);
    let packets = f64::from(u32::try_from(length).unwrap_or(u32::MAX)) / USUAL_PACKET;
    LONGEST_PAUSE.mul_f64(full * full * packets)
}

/// A queue of chunks in memory.
#[derive(Debug, Default)]
struct Chunks {
    chunks: VecDeque<Bytes>,
    bytes: usize,
}

impl Chunks {
    fn push(&mut self, chunk: Bytes) {
        self.bytes += chunk.len();
        self.chunks.push_back(chunk);
    }

    fn append(&mut self, other: &mut Self) {
        self.bytes += std::mem::take(&mut other.bytes);
        self.chunks.append(&mut other.chunks);
    }

    fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    fn memory(&self) -> usize {
        self.bytes + self.chunks.len() * CHUNK_OVERHEAD
    }

    fn advance(&mut self, mut length: usize) {
        self.bytes = self.bytes.saturating_sub(length);
        while let Some(first) = self.chunks.front_mut() {
            if length < first.len() {
                first.advance(length);
                return;
            }
            length -= first.len();
            self.chunks.pop_front();
        }
    }

    /// The oldest chunks, at most `limit` bytes; the last one is divided where needed.
    fn take(&mut self, limit: usize) -> Vec<Bytes> {
        let mut taken = Vec::new();
        let mut room = limit;
        while let Some(first) = self.chunks.front_mut() {
            if first.len() > room {
                if room > 0 {
                    taken.push(first.split_to(room));
                    room = 0;
                }
                break;
            }
            room -= first.len();
            taken.extend(self.chunks.pop_front());
        }
        self.bytes -= limit - room;
        taken
    }
}

/// The queue of one channel.
#[derive(Debug)]
pub(super) struct Backlog {
    front: Chunks,
    spill: Spill,
    tail: Chunks,
}

impl Backlog {
    pub(super) fn new(space: Arc<SpillSpace>) -> Self {
        Self {
            front: Chunks::default(),
            spill: Spill::new(space),
            tail: Chunks::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.front.is_empty() && self.spill.is_empty() && self.tail.is_empty()
    }

    /// What waits on disk.
    pub(super) fn spilled(&self) -> u64 {
        self.spill.length()
    }

    /// Whether there is room for another chunk. Only a disk that cannot keep up makes this `false`.
    pub(super) fn has_room(&self) -> bool {
        self.tail.memory() < MEMORY
    }

    /// Appends a chunk.
    pub(super) fn push(&mut self, chunk: Bytes) -> Result<(), SpillError> {
        if chunk.is_empty() {
            return Ok(());
        }
        self.tail.push(chunk);
        self.shift()
    }

    /// Fills `slices` with what is to be written next; returns how many of them. None while it has to come from disk first.
    pub(super) fn next<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let chunks = self.front.chunks.iter();
        let count = chunks.len().min(slices.len());
        for (slice, chunk) in slices.iter_mut().zip(chunks) {
            *slice = IoSlice::new(chunk);
        }
        count
    }

    /// Something can be written at once.
    pub(super) fn is_ready(&self) -> bool {
        !self.front.is_empty()
    }

    /// `length` bytes have been written.
    pub(super) fn advance(&mut self, length: usize) -> Result<(), SpillError> {
        self.front.advance(length);
        self.shift()
    }

    /// Completes when the disk has done something; never while there is nothing to do for it. May be dropped at any time.
    pub(super) async fn progress(&mut self) -> Result<(), SpillError> {
        let progress = poll_fn(|context| self.spill.poll_progress(context)).await?;
        if let Progress::Loaded(bytes) = progress {
            self.front.push(bytes);
        }
        self.shift()
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.spill.space());
    }

    /// Moves everything on as far as it goes.
    fn shift(&mut self) -> Result<(), SpillError> {
        if self.front.memory() < MEMORY / 2 {
            self.spill.load();
        }
        if self.spill.is_empty() && self.front.memory() < MEMORY {
            self.front.append(&mut self.tail);
        }
        if self.tail.memory() >= MEMORY && !self.spill.is_storing() {
            self.spill.store(self.tail.take(BLOCK))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
