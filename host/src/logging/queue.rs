//! Between those who log and what may be slow: a disk, a terminal, a pipe that nobody reads.
//!
//! Lines go into a bounded buffer and are taken out by a thread of the queue's own. Adding never waits; what finds no room is
//! dropped and counted, and the count is told to the destination once there is room again. Closing hands over everything
//! that was added before, and waits for that only so long.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How much may wait, in bytes: thousands of lines.
const ROOM: usize = 4 * 1024 * 1024;
/// What a buffer may keep of its memory when it is empty.
const KEPT: usize = 64 * 1024;

/// What takes lines, on a thread of its own. Whatever goes wrong there stays there.
pub(crate) trait Destination: Send + 'static {
    /// Some lines are about to come.
    fn begin(&mut self) {}

    /// Takes one line, its end included.
    fn write(&mut self, line: &[u8]);

    /// `count` lines came after those taken last, and were dropped for want of room.
    fn dropped(&mut self, count: u64);

    /// No more lines are there for now.
    fn end(&mut self) {}
}

pub(crate) struct Queue {
    state: Mutex<State>,
    /// Something was added, or the queue was closed.
    filled: Condvar,
    /// The thread has ended.
    emptied: Condvar,
    room: usize,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    dropped: u64,
    is_closed: bool,
    has_ended: bool,
}

impl Queue {
    /// Starts the thread, under this name.
    pub(crate) fn start(name: &str, destination: impl Destination) -> io::Result<Arc<Self>> {
        Self::with_room(name, ROOM, destination)
    }

    pub(super) fn with_room(
        name: &str,
        room: usize,
        destination: impl Destination,
    ) -> io::Result<Arc<Self>> {
        let queue = Arc::new(Self {
            state: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            room,
        });
        let taken = Arc::clone(&queue);
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || taken.serve(destination))?;
        Ok(queue)
    }

    /// Adds a line, or drops it. False when it was dropped for want of room.
    pub(crate) fn push(&self, line: &[u8]) -> bool {
        let mut state = self.lock();
        if state.is_closed {
            return true;
        }
        if state.lines.len() + line.len() > self.room {
            state.dropped += 1;
            return false;
        }
        state.lines.extend_from_slice(line);
        drop(state);
        self.filled.notify_one();
        true
    }

    /// Takes no more lines, and waits until the others are written, or until `deadline`.
    pub(crate) fn close(&self, deadline: Instant) {
        let mut state = self.lock();
        state.is_closed = true;
        self.filled.notify_one();
        while !state.has_ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return;
            }
            state = self
                .emptied
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn serve(&self, mut destination: impl Destination) {
        let _ended = Ended(self);
        let mut batch = Vec::new();
        while let Some(dropped) = self.take(&mut batch) {
            destination.begin();
            for line in batch.split_inclusive(|&byte| byte == b'\n') {
                destination.write(line);
            }
            if dropped > 0 {
                destination.dropped(dropped);
            }
            destination.end();
            batch.clear();
            batch.shrink_to(KEPT);
        }
    }

    /// Waits for lines and puts them into the empty `batch`; gives how many were dropped after them. Nothing when the queue is
    /// closed and empty.
    fn take(&self, batch: &mut Vec<u8>) -> Option<u64> {
        let mut state = self.lock();
        while state.lines.is_empty() && state.dropped == 0 {
            if state.is_closed {
                return None;
            }
            state = self
                .filled
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut state.lines, batch);
        Some(std::mem::take(&mut state.dropped))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock leaves half a change behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells whoever closes the queue that its thread has ended, in whatever way.
struct Ended<'a>(&'a Queue);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.lock().has_ended = true;
        self.0.emptied.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    /// Takes a line whenever it is let, and keeps it.
    struct Slow {
        let_through: Receiver<()>,
        taken: Arc<Mutex<Vec<String>>>,
    }

    impl Destination for Slow {
        fn write(&mut self, line: &[u8]) {
            let _ = self.let_through.recv();
            let line = String::from_utf8_lossy(line).trim_end().to_owned();
            self.taken.lock().unwrap().push(line);
        }

        fn dropped(&mut self, count: u64) {
            self.taken.lock().unwrap().push(format!("{count} dropped"));
        }
    }

    fn slow(room: usize) -> (Arc<Queue>, SyncSender<()>, Arc<Mutex<Vec<String>>>) {
        let (gate, let_through) = sync_channel(1000);
        let taken = Arc::default();
        let destination = Slow {
            let_through,
            taken: Arc::clone(&taken),
        };
        let queue = Queue::with_room("test", room, destination).unwrap();
        (queue, gate, taken)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn what_finds_no_room_is_dropped_and_counted_and_the_rest_is_in_order() {
        let (queue, gate, taken) = slow(12);
        queue.push(b"zero\n");
        let deadline = soon();
        while !queue.lock().lines.is_empty() {
            assert!(Instant::now() < deadline, "the thread takes nothing");
            thread::yield_now();
        }
        for line in ["one\n", "two\n", "three\n", "6\n", "four\n"] {
            queue.push(line.as_bytes());
        }
        drop(gate);
        queue.close(soon());
        queue.push(b"late\n");
        let taken = taken.lock().unwrap();
        assert_eq!(*taken, ["zero", "one", "two", "6", "2 dropped"]);
    }

    #[test]
    fn concurrent_submitters_lose_nothing_while_there_is_room() {
        let (queue, gate, taken) = slow(ROOM);
        drop(gate);
        thread::scope(|scope| {
            for submitter in 0..8 {
                let queue = &queue;
                scope.spawn(move || {
                    for number in 0..500 {
                        queue.push(format!("{submitter} {number}\n").as_bytes());
                    }
                });
            }
        });
        queue.close(soon());
        let taken = taken.lock().unwrap();
        assert_eq!(taken.len(), 8 * 500);
        for submitter in 0..8 {
            let prefix = format!("{submitter} ");
            let own = taken.iter().filter(|line| line.starts_with(&prefix));
            let expected: Vec<String> = (0..500).map(|n| format!("{submitter} {n}")).collect();
            assert!(
                own.eq(expected.iter()),
                "the lines of {submitter} are out of order"
            );
        }
    }

    #[test]
    fn a_destination_that_hangs_keeps_neither_submitters_nor_the_end_waiting() {
        let (queue, gate, taken) = slow(100);
        for _ in 0..1000 {
            queue.push(b"a line\n");
        }
        queue.close(Instant::now());
        assert!(taken.lock().unwrap().is_empty(), "nothing was let through");
        drop(gate);
        queue.close(soon());
        let taken = taken.lock().unwrap();
        assert!(
            taken.last().is_some_and(|line| line.ends_with(" dropped")),
            "{taken:?}"
        );
    }
}
