//! A stream of bytes, line by line, in bounded memory.
//!
//! A line has a greatest length: a longer one is skipped without being kept, and its length reported. The memory that a long
//! line took is given back after it. What stands after the last line feed is a line too.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// A buffer of more is given back when it is no longer needed.
const SMALL: usize = 1024 * 1024;
const CHUNK: usize = 32 * 1024;

/// A line without its line feed and a carriage return before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Whole(&'a [u8]),
    /// Skipped, with this many bytes.
    TooLong(u64),
}

/// The lines of `R`.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    limit: usize,
    buffer: Vec<u8>,
    /// Where in the buffer the next line begins.
    start: usize,
    /// From `start` up to here there is no line feed.
    searched: usize,
    /// How much of the line has been thrown away, when it is too long.
    skipped: u64,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R, limit: usize) -> Self {
        Self {
            reader,
            limit,
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            skipped: 0,
        }
    }

    /// The next line; none at the end. Nothing is lost when the wait for it is given up.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        loop {
            let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(offset) = memchr::memchr(b'\n', unsearched) {
                let end = self.searched + offset;
                return Ok(Some(self.give(end, end + 1)));
            }
            self.make_room();
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                if self.buffer.is_empty() && self.skipped == 0 {
                    return Ok(None);
                }
                let end = self.buffer.len();
                return Ok(Some(self.give(end, end)));
            }
        }
    }

    /// The line that ends at `end`; the next one begins at `next`.
    fn give(&mut self, end: usize, next: usize) -> Line<'_> {
        let line = self.buffer.get(self.start..end).unwrap_or_default();
        self.start = next;
        self.searched = next;
        let skipped = std::mem::take(&mut self.skipped);
        let whole = line.strip_suffix(b"\r").unwrap_or(line);
        if skipped > 0 || whole.len() > self.limit {
            return Line::TooLong(skipped + length(line.len()));
        }
        Line::Whole(whole)
    }

    /// Makes room for more of a line whose end has not come yet.
    fn make_room(&mut self) {
        self.buffer.drain(..self.start);
        self.start = 0;
        // One more for the carriage return that does not count.
        if self.buffer.len() > self.limit + 1 || self.skipped > 0 {
            self.skipped += length(self.buffer.len());
            self.buffer.clear();
        }
        self.searched = self.buffer.len();
        if self.buffer.capacity() > SMALL && self.buffer.len() <= CHUNK {
            self.buffer.shrink_to(2 * CHUNK);
        }
        self.buffer.reserve(CHUNK);
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use proptest::prelude::*;
    use tokio::io::ReadBuf;

    use super::*;

    /// Bytes that come in pieces.
    struct Pieces<'a> {
        bytes: &'a [u8],
        size: usize,
    }

    impl AsyncRead for Pieces<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let length = self.size.min(self.bytes.len()).min(buffer.remaining());
            let (now, later) = self.bytes.split_at(length);
            buffer.put_slice(now);
            self.bytes = later;
            Poll::Ready(Ok(()))
        }
    }

    /// The lines of `bytes`, or the lengths of those that are too long.
    fn lines(bytes: &[u8], limit: usize, size: usize) -> Vec<Result<Vec<u8>, u64>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut lines = Lines::new(Pieces { bytes, size }, limit);
            let mut found = Vec::new();
            while let Some(line) = lines.next().await.unwrap() {
                found.push(match line {
                    Line::Whole(line) => Ok(line.to_vec()),
                    Line::TooLong(length) => Err(length),
                });
            }
            found
        })
    }

    #[test]
    fn lines_end_with_a_line_feed_or_with_the_stream() {
        let whole = |text: &str| Ok(text.as_bytes().to_vec());
        let cases = [
            ("", vec![]),
            ("\n", vec![whole("")]),
            ("a\n\r\nb", vec![whole("a"), whole(""), whole("b")]),
            ("a\r\nb\r", vec![whole("a"), whole("b")]),
            ("a\rb\n", vec![whole("a\rb")]),
            (
                "12345\n123456\n12345\r\n1234567",
                vec![whole("12345"), Err(6), whole("12345"), Err(7)],
            ),
        ];
        for (text, expected) in cases {
            for size in [1, 2, 3, 100] {
                assert_eq!(
                    lines(text.as_bytes(), 5, size),
                    expected,
                    "{text:?} by {size}"
                );
            }
        }
        assert_eq!(lines(b"\xff\xfe\n", 5, 9), [Ok(b"\xff\xfe".to_vec())]);
    }

    proptest! {
        #[test]
        fn the_size_of_the_pieces_makes_no_difference(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200),
            limit in 1_usize..40,
            size in 1_usize..50,
        ) {
            let found = lines(&bytes, limit, size);
            let mut expected: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
            if expected.last().is_some_and(|last| last.is_empty()) {
                expected.pop();
            }
            prop_assert_eq!(found.len(), expected.len());
            for (found, line) in found.iter().zip(expected) {
                let whole = line.strip_suffix(b"\r").unwrap_or(line);
                match found {
                    Ok(found) => prop_assert!(found == whole && whole.len() <= limit),
                    Err(length) => prop_assert!(*length == line.len() as u64 && whole.len() > limit),
                }
            }
        }
    }

    #[tokio::test]
    async fn a_huge_line_is_not_kept_and_its_memory_is_given_back() {
        let mut bytes = vec![b'x'; 40 * SMALL];
        bytes.extend(b"\nafter\n");
        for (limit, expected) in [(50 * SMALL, 50 * SMALL), (2 * SMALL, 5 * SMALL)] {
            let mut lines = Lines::new(
                Pieces {
                    bytes: &bytes,
                    size: 64 * 1024,
                },
                limit,
            );
            lines.next().await.unwrap();
            let most = lines.buffer.capacity();
            assert!(most <= 2 * expected, "{most}");
            assert_eq!(lines.next().await.unwrap(), Some(Line::Whole(b"after")));
            assert_eq!(lines.next().await.unwrap(), None);
            assert!(
                lines.buffer.capacity() <= SMALL,
                "{}",
                lines.buffer.capacity()
            );
        }
    }

    #[tokio::test]
    async fn nothing_is_lost_when_the_wait_is_given_up() {
        let (mut writer, reader) = tokio::io::duplex(64);
        let mut lines = Lines::new(reader, SMALL);
        tokio::io::AsyncWriteExt::write_all(&mut writer, b"ha")
            .await
            .unwrap();
        tokio::select! {
            biased;
            line = lines.next() => unreachable!("{line:?}"),
            () = tokio::task::yield_now() => {}
        }
        tokio::io::AsyncWriteExt::write_all(&mut writer, b"lf\n")
            .await
            .unwrap();
        assert_eq!(lines.next().await.unwrap(), Some(Line::Whole(b"half")));
    }
}
