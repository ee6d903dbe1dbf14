//! Disk space for what the local side of a forwarded channel does not take yet.
//!
//! A [`Spill`] is a queue of blocks in one temporary file of a private directory. The file has no name (it is unlinked as soon
//! as it is open), is made for the first block and given back with the last, so that nothing is left behind by any kind of
//! death. Free places are used again: the file is never longer than the most that it held at once.
//! Reading and writing happen on blocking threads, one of each at a time.
//!
//! [`SpillSpace`] keeps the account of all spills of the process. A block that would exceed the cap of its channel, of its host or
//! of the process is refused: its channel has to end, the others keep theirs.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use tokio::task::{JoinError, JoinHandle};

/// The most that a block holds.
pub(super) const BLOCK: usize = 512 * 1024;

/// What one channel may keep on disk.
pub(super) const CHANNEL_CAP: u64 = 1 << 30;

/// What all channels of one host may keep on disk: half of what there is, so that no host takes it from all others.
const HOST_CAP: u64 = 2 << 30;

/// What all channels of the process may keep on disk.
const PROCESS_CAP: u64 = 4 << 30;

/// Why a channel's backlog cannot be kept any longer.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpillError {
    #[error("more than {} MiB wait for it", .0 >> 20)]
    ChannelFull(u64),
    #[error("{whose} have {} MiB waiting, which is the most that is kept", .cap >> 20)]
    SpaceFull { whose: &'static str, cap: u64 },
    #[error("cannot keep what waits for it in {}: {source}", directory.display())]
    Disk {
        directory: PathBuf,
        source: io::Error,
    },
}

/// The directory of all spills of this process, or of one host, and how much they hold.
#[derive(Debug)]
pub(crate) struct SpillSpace {
    directory: PathBuf,
    used: AtomicU64,
    channel_cap: u64,
    cap: u64,
    /// What this is a part of.
    whole: Option<Arc<Self>>,
}

impl SpillSpace {
    /// `directory` is private to its user and should not be kept in memory (as `/tmp` may be).
    pub(crate) fn new(directory: PathBuf) -> Arc<Self> {
        Self::with_caps(directory, CHANNEL_CAP, PROCESS_CAP)
    }

    pub(super) fn with_caps(directory: PathBuf, channel_cap: u64, process_cap: u64) -> Arc<Self> {
        Arc::new(Self {
            directory,
            used: AtomicU64::new(0),
            channel_cap,
            cap: process_cap,
            whole: None,
        })
    }

    /// A part of it that one host cannot exceed.
    pub(super) fn of_one_host(self: &Arc<Self>) -> Arc<Self> {
        Arc::new(Self {
            directory: self.directory.clone(),
            used: AtomicU64::new(0),
            channel_cap: self.channel_cap,
            cap: HOST_CAP.min(self.cap),
            whole: Some(Arc::clone(self)),
        })
    }

    fn reserve(&self, length: u64) -> Result<(), SpillError> {
        self.used
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(length).filter(|&used| used <= self.cap)
            })
            .map_err(|_| self.full())?;
        let Some(whole) = &self.whole else {
            return Ok(());
        };
        whole.reserve(length).inspect_err(|_| {
            self.used.fetch_sub(length, Ordering::Relaxed);
        })
    }

    fn release(&self, length: u64) {
        self.used.fetch_sub(length, Ordering::Relaxed);
        if let Some(whole) = &self.whole {
            whole.release(length);
        }
    }

    fn full(&self) -> SpillError {
        let whose = match self.whole {
            Some(_) => "all connections from this host",
            None => "all tunnels together",
        };
        SpillError::SpaceFull {
            whose,
            cap: self.cap,
        }
    }

    #[cfg(test)]
    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    fn error(&self, source: io::Error) -> SpillError {
        SpillError::Disk {
            directory: self.directory.clone(),
            source,
        }
    }
}

/// One piece of the queue: `length` bytes from `slot * BLOCK` on.
#[derive(Clone, Copy, Debug)]
struct Block {
    slot: u64,
    length: usize,
}

impl Block {
    fn offset(self) -> u64 {
        self.slot * BLOCK as u64
    }
}

/// What has become of a block.
#[derive(Debug)]
pub(super) enum Progress {
    Stored,
    Loaded(Bytes),
}

/// One channel's queue on disk.
#[derive(Debug)]
pub(super) struct Spill {
    space: Arc<SpillSpace>,
    file: Option<Arc<File>>,
    /// Oldest first; without those that are being stored or loaded.
    blocks: VecDeque<Block>,
    free: BTreeSet<u64>,
    /// How many slots the file has.
    slots: u64,
    /// What is accounted for in `space`.
    length: u64,
    storing: Option<(Block, JoinHandle<io::Result<Arc<File>>>)>,
    loading: Option<(Block, JoinHandle<io::Result<Bytes>>)>,
}

impl Spill {
    pub(super) fn new(space: Arc<SpillSpace>) -> Self {
        Self {
            space,
            file: None,
            blocks: VecDeque::new(),
            free: BTreeSet::new(),
            slots: 0,
            length: 0,
            storing: None,
            loading: None,
        }
    }

    pub(super) fn space(&self) -> Arc<SpillSpace> {
        Arc::clone(&self.space)
    }

    /// Nothing is kept here, and nothing on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn is_storing(&self) -> bool {
        self.storing.is_some()
    }

    /// There is a block to load, and none being loaded.
    pub(super) fn can_load(&self) -> bool {
        self.loading.is_none() && !self.blocks.is_empty()
    }

    /// Appends a block of at most [`BLOCK`] bytes; not while another one is being stored.
    pub(super) fn store(&mut self, chunks: Vec<Bytes>) -> Result<(), SpillError> {
        let length: usize = chunks.iter().map(Bytes::len).sum();
        debug_assert!(length <= BLOCK && self.storing.is_none());
        let reserved = length as u64;
        if self.length + reserved > self.space.channel_cap {
            return Err(SpillError::ChannelFull(self.space.channel_cap));
        }
        self.space.reserve(reserved)?;
        self.length += reserved;
        let slot = self.free.pop_first().unwrap_or_else(|| {
            self.slots += 1;
            self.slots - 1
        });
        let block = Block { slot, length };
        let file = self.file.clone();
        let space = Arc::clone(&self.space);
        let storing = tokio::task::spawn_blocking(move || {
            let file = match file {
                Some(file) => file,
                None => Arc::new(unnamed_file(&space.directory)?),
            };
            write_all_at(&file, &chunks, block.offset())?;
            Ok(file)
        });
        self.storing = Some((block, storing));
        Ok(())
    }

    /// Begins to load the oldest block, if there is one and none is being loaded.
    pub(super) fn load(&mut self) {
        if !self.can_load() {
            return;
        }
        let (Some(file), Some(block)) = (&self.file, self.blocks.pop_front()) else {
            return;
        };
        let file = Arc::clone(file);
        let loading = tokio::task::spawn_blocking(move || {
            let mut bytes = BytesMut::zeroed(block.length);
            file.read_exact_at(&mut bytes, block.offset())?;
            Ok(bytes.freeze())
        });
        self.loading = Some((block, loading));
    }

    /// Ready when a block has been stored or loaded; pending as long as neither is on its way.
    pub(super) fn poll_progress(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Progress, SpillError>> {
        if let Some((block, loading)) = &mut self.loading
            && let Poll::Ready(loaded) = loading.poll_unpin(context)
        {
            let block = *block;
            self.loading = None;
            return Poll::Ready(self.loaded(block, loaded));
        }
        let Some((block, storing)) = &mut self.storing else {
            return Poll::Pending;
        };
        let stored = ready!(storing.poll_unpin(context));
        let block = *block;
        self.storing = None;
        let file = flatten(stored).map_err(|error| self.space.error(error))?;
        self.file = Some(file);
        self.blocks.push_back(block);
        Poll::Ready(Ok(Progress::Stored))
    }

    fn loaded(
        &mut self,
        block: Block,
        loaded: Result<io::Result<Bytes>, JoinError>,
    ) -> Result<Progress, SpillError> {
        let bytes = flatten(loaded).map_err(|error| self.space.error(error))?;
        let length = block.length as u64;
        self.length -= length;
        self.space.release(length);
        self.free.insert(block.slot);
        if self.is_empty() {
            self.give_back();
        }
        Ok(Progress::Loaded(bytes))
    }

    /// Closes the file, which has no name, on a blocking thread: a long one takes its time to go.
    fn give_back(&mut self) {
        self.free.clear();
        self.slots = 0;
        if let Some(file) = self.file.take() {
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn_blocking(move || drop(file))),
                Err(_) => drop(file),
            }
        }
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        self.space.release(self.length);
        self.give_back();
    }
}

fn flatten<T>(outcome: Result<io::Result<T>, JoinError>) -> io::Result<T> {
    outcome.map_err(io::Error::other)?
}

/// A file that only this process can reach.
fn unnamed_file(directory: &Path) -> io::Result<File> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let process = std::process::id();
    let random = u64::from_ne_bytes(random);
    let path = directory.join(format!(".spill.{process}.{random:016x}.tmp"));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// Only one write is on its way at a time, so that the file's position is this function's own.
fn write_all_at(mut file: &File, chunks: &[Bytes], offset: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    let mut slices: Vec<_> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
    let mut rest = slices.as_mut_slice();
    while !rest.is_empty() {
        match file.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
