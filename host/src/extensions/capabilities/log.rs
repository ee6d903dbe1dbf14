//! `mngr:gateway/log`, and the standard streams of a guest: both end in the gateway's log, under the extension's name.
//!
//! Control characters are taken out, so that a guest can neither forge a line nor send an escape to a terminal.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

use crate::extensions::state::InstanceState;
use crate::extensions::v0_1::log;

/// Longest message; the rest is cut.
const MESSAGE_BYTES: usize = 8 * 1024;

impl log::Host for InstanceState {
    fn log(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let extension = self.capabilities.extension_name();
        let message = printable(message.as_bytes());
        match level {
            log::Level::Trace => tracing::trace!(extension, "{message}"),
            log::Level::Debug => tracing::debug!(extension, "{message}"),
            log::Level::Info => tracing::info!(extension, "{message}"),
            log::Level::Warn => tracing::warn!(extension, "{message}"),
            log::Level::Error => tracing::error!(extension, "{message}"),
        }
        Ok(())
    }
}

fn printable(message: &[u8]) -> String {
    let message = message.get(..MESSAGE_BYTES).unwrap_or(message);
    String::from_utf8_lossy(message)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// A guest's standard output or error, one log line a line.
#[derive(Clone)]
pub(in crate::extensions) struct StandardStream {
    extension: Arc<str>,
    line: Vec<u8>,
}

impl StandardStream {
    pub(in crate::extensions) fn new(extension: &str) -> Self {
        Self {
            extension: extension.into(),
            line: Vec::new(),
        }
    }

    fn end_line(&mut self) {
        if !self.line.is_empty() {
            tracing::info!(extension = &*self.extension, "{}", printable(&self.line));
            self.line.clear();
        }
    }
}

impl AsyncWrite for StandardStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        for &byte in bytes {
            if byte == b'\n' || self.line.len() >= MESSAGE_BYTES {
                self.end_line();
            }
            if byte != b'\n' {
                self.line.push(byte);
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end_line();
        Poll::Ready(Ok(()))
    }
}

impl Drop for StandardStream {
    fn drop(&mut self) {
        self.end_line();
    }
}

impl IsTerminal for StandardStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for StandardStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Self::new(&self.extension))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_line_breaks_do_not_reach_the_log() {
        assert_eq!(
            printable(b"red \x1b[31m\r\nINFO forged"),
            "red  [31m  INFO forged"
        );
    }

    #[test]
    fn a_long_message_is_cut() {
        assert_eq!(
            printable(&vec![b'x'; MESSAGE_BYTES * 2]).len(),
            MESSAGE_BYTES
        );
    }
}
