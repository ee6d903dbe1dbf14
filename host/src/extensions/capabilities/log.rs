//! `mngr:gateway/log`, and the standard streams of a guest: all end in the extension's output, under its name.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tracing::Level;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::extensions::output::{LONGEST_LINE, OutputLog};
use crate::extensions::state::InstanceState;
use crate::extensions::v0_1::log;

/// What a guest may write to a standard stream in one call, in bytes.
const LONGEST_WRITE: usize = 64 * 1024;

impl log::Host for InstanceState {
    fn log(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Trace => Level::TRACE,
            log::Level::Debug => Level::DEBUG,
            log::Level::Info => Level::INFO,
            log::Level::Warn => Level::WARN,
            log::Level::Error => Level::ERROR,
        };
        self.capabilities.output().line(level, message.as_bytes());
        Ok(())
    }
}

/// A guest's standard output or error: one line of its output for each line. All streams that the guest opens of it are one.
#[derive(Clone)]
pub(in crate::extensions) struct StandardStream(Arc<Shared>);

struct Shared {
    output: Arc<OutputLog>,
    /// What has come of the line that has not ended; at most [`LONGEST_LINE`].
    line: Mutex<Vec<u8>>,
}

impl StandardStream {
    pub(in crate::extensions) fn new(output: Arc<OutputLog>) -> Self {
        Self(Arc::new(Shared {
            output,
            line: Mutex::default(),
        }))
    }

    fn take(&self, mut bytes: &[u8]) {
        let mut line = self.0.line.lock().unwrap_or_else(PoisonError::into_inner);
        while !bytes.is_empty() {
            let end = memchr::memchr(b'\n', bytes);
            let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
            let room = LONGEST_LINE.saturating_sub(line.len());
            match part.split_at_checked(room) {
                // A line without an end comes in pieces.
                Some((fitting, rest)) if !rest.is_empty() => {
                    line.extend_from_slice(fitting);
                    bytes = bytes.get(fitting.len()..).unwrap_or_default();
                }
                _ => {
                    line.extend_from_slice(part);
                    bytes = bytes.get(part.len() + 1..).unwrap_or_default();
                    if end.is_none() {
                        break;
                    }
                }
            }
            self.0.end_line(&mut line);
        }
    }
}

impl Shared {
    fn end_line(&self, line: &mut Vec<u8>) {
        if !line.is_empty() {
            self.output.line(Level::INFO, line);
            line.clear();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let mut line = std::mem::take(&mut self.line)
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        self.end_line(&mut line);
    }
}

impl AsyncWrite for StandardStream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = bytes.get(..LONGEST_WRITE).unwrap_or(bytes);
        self.take(taken);
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[async_trait]
impl Pollable for StandardStream {
    async fn ready(&mut self) {}
}

impl OutputStream for StandardStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(LONGEST_WRITE)
    }
}

impl IsTerminal for StandardStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for StandardStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    /// Without a task and a buffer of its own for every stream that a guest opens.
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extensions::output::OutputLog;
    use crate::logging::captured;

    fn lines(write: impl FnOnce(StandardStream)) -> Vec<String> {
        let records = captured::records("info", || {
            write(StandardStream::new(OutputLog::unkept("noisy")));
        });
        let lines = records.iter().map(|record| record.message().to_owned());
        lines.collect()
    }

    #[test]
    fn a_line_is_one_however_it_is_written() {
        let found = lines(|stream| {
            for part in ["one\ntw", "o\n\n", "", "thr", "ee"] {
                stream.clone().take(part.as_bytes());
            }
        });
        assert_eq!(found, ["one", "two", "three"]);
    }

    #[test]
    fn a_line_without_an_end_comes_in_pieces() {
        let found = lines(|stream| stream.take(&vec![b'x'; 2 * LONGEST_LINE + 1]));
        let lengths: Vec<_> = found.iter().map(String::len).collect();
        assert_eq!(lengths, [LONGEST_LINE, LONGEST_LINE, 1]);
    }

    #[test]
    fn half_a_character_is_no_harm() {
        let found = lines(|stream| {
            stream.take(b"half \xc3");
            stream.take(b"\xa9 whole\n\xff\xfe\n");
        });
        assert_eq!(found, ["half é whole", "\u{fffd}\u{fffd}"]);
    }
}
