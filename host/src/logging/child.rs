//! Takes over what a child process writes to its stderr.
//!
//! A line that is a record keeps its time, level and target, and goes where records go. Any other line, a panic's message or
//! the complaint of a C library, becomes a record at WARN. Nothing is kept but the line that is being read, and of that only
//! as much as a record can have.

use tokio::io::{AsyncRead, AsyncReadExt};
use tracing::Level;

use super::log::Log;
use super::record::{MAX_LINE, MAX_TEXT, Record};

const CHUNK: usize = 16 * 1024;

/// Reads `stderr` to its end. `name` is the target of lines that are no records.
pub async fn take_over(mut stderr: impl AsyncRead + Unpin, name: &'static str, log: &Log) {
    let mut lines = Lines::default();
    let mut chunk = vec![0; CHUNK];
    loop {
        // A stream that cannot be read has ended.
        let read = stderr.read(&mut chunk).await.unwrap_or(0);
        let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        lines.add(bytes, |line, is_whole| {
            submit(line, is_whole, name, log);
        });
    }
    lines.end(|line, is_whole| submit(line, is_whole, name, log));
}

fn submit(line: &[u8], is_whole: bool, name: &'static str, log: &Log) {
    let line = line.trim_ascii_end();
    if line.is_empty() {
        return;
    }
    if let Some(record) = Record::parse(line).filter(|_| is_whole) {
        return log.submit(&record);
    }
    // A byte more than fits, so that the record shows that it is cut.
    let text = line.get(..=MAX_TEXT).unwrap_or(line);
    let text = String::from_utf8_lossy(text).into_owned();
    log.submit(&Record::now(Level::WARN, name, text));
}

/// Cuts a stream into lines. What a line has beyond `MAX_LINE` is left out.
#[derive(Default)]
struct Lines {
    /// The beginning of a line whose end has not come yet.
    begun: Vec<u8>,
    is_cut: bool,
}

impl Lines {
    /// Calls `found` with each line that ends in `bytes`, and whether it is whole.
    fn add(&mut self, mut bytes: &[u8], mut found: impl FnMut(&[u8], bool)) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end);
            bytes = rest.get(1..).unwrap_or_default();
            if self.begun.is_empty() {
                found(line, true);
            } else {
                self.keep(line);
                self.end(&mut found);
            }
        }
        self.keep(bytes);
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MAX_LINE.saturating_sub(self.begun.len());
        self.is_cut |= bytes.len() > room;
        self.begun
            .extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    fn end(&mut self, mut found: impl FnMut(&[u8], bool)) {
        if !self.begun.is_empty() {
            found(&self.begun, !self.is_cut);
        }
        self.begun.clear();
        self.begun.shrink_to(CHUNK);
        self.is_cut = false;
    }
}

#[cfg(test)]
mod tests;
