//! Where each request on a connection begins and ends, decided strictly and before anything else parses it.
//!
//! An HTTP parser that is kind to odd framing reads a request where another reads a body. [`Framing`] follows the bytes of a
//! connection and lets through only what every parser takes apart alike; `docs/http.md` lists what it refuses. It changes no
//! byte. What it refuses it cuts off, and names the bytes that make the parser behind it refuse the request too, in its turn
//! among those before it: so the answer is the parser's. After a refusal nothing more is let through.

mod head;

pub(super) use self::head::Offence;
use self::head::{Body, Head};
use super::target::LONGEST_TARGET;

/// A request line that has not ended by then is answered without the rest.
const LONGEST_REQUEST_LINE: usize = LONGEST_TARGET + 64;
/// A longer one could stand for a long target where a line is cut.
const LONGEST_METHOD: usize = 32;
/// More hexadecimal digits than this do not fit a length.
const MOST_CHUNK_DIGITS: u8 = 16;
/// Above this, the memory of a line that came in pieces is given back.
const KEPT_LINE: usize = 1024;

/// No parser takes a NUL in a head or a trailer, nor in place of a chunk's size or end.
const INVALID_LINE: &[u8] = b"\0\r\n\r\n";
/// In the line of a chunk's size, where hyper passes over anything else.
const INVALID_CHUNK_LINE: &[u8] = b"\n";
/// Ends a request whose target is too long, whatever would have followed.
const END_OF_LONG_REQUEST: &[u8] = b" HTTP/1.1\r\nconnection: close\r\n\r\n";

/// What is to become of bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Admissible,
    /// The first `passed` bytes pass, then `substitute` in place of everything else.
    Refused {
        passed: usize,
        substitute: &'static [u8],
        offence: Offence,
    },
    /// The connection begins as an HTTP/2 one. The first `taken` bytes end the line that says so; the rest is for a parser of
    /// that protocol.
    Http2 {
        taken: usize,
    },
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// One empty line may stand before it (RFC 9112 section 2.2).
    RequestLine {
        after_empty_line: bool,
    },
    Field,
    /// That many bytes of a body or chunk of known length.
    Content(u64),
    ChunkData(u64),
    ChunkSize {
        size: u64,
        digits: u8,
    },
    ChunkExtension {
        size: u64,
    },
    ChunkSizeLf {
        size: u64,
    },
    ChunkCr,
    ChunkLf,
    Trailer,
    /// Nothing: the connection has been refused.
    Nothing,
}

impl Expected {
    const NEXT_REQUEST: Self = Self::RequestLine {
        after_empty_line: false,
    };
}

/// Follows one connection.
#[derive(Debug)]
pub(super) struct Framing {
    expected: Expected,
    head: Head,
    /// The beginning of a line of which the end has not come yet.
    line: Vec<u8>,
    /// Requests whose head was complete.
    requests: u64,
}

/// What ends the inspection: an offence, and how many of the bytes in hand pass.
struct Cut {
    passed: usize,
    substitute: &'static [u8],
    offence: Offence,
}

impl Cut {
    fn at(passed: usize, offence: Offence) -> Self {
        Self {
            passed,
            substitute: INVALID_LINE,
            offence,
        }
    }
}

impl Framing {
    pub(super) fn new() -> Self {
        Self {
            expected: Expected::NEXT_REQUEST,
            head: Head::default(),
            line: Vec::new(),
            requests: 0,
        }
    }

    /// Whether the bytes so far end where a request does.
    pub(super) fn is_between_requests(&self) -> bool {
        matches!(self.expected, Expected::RequestLine { .. }) && self.line.is_empty()
    }

    /// Whether nothing passes any more.
    pub(super) fn has_refused(&self) -> bool {
        self.expected == Expected::Nothing
    }

    /// Follows the next bytes of the connection.
    pub(super) fn inspect(&mut self, bytes: &[u8]) -> Verdict {
        let mut rest = bytes;
        while !rest.is_empty() {
            let before = bytes.len() - rest.len();
            match self.advance(rest) {
                Ok(used) => rest = rest.get(used..).unwrap_or_default(),
                Err(cut) => {
                    self.expected = Expected::Nothing;
                    self.line = Vec::new();
                    let passed = before + cut.passed;
                    if cut.offence == Offence::Http2 {
                        // The cut is before the line's LF.
                        return Verdict::Http2 { taken: passed + 1 };
                    }
                    return Verdict::Refused {
                        passed,
                        substitute: cut.substitute,
                        offence: cut.offence,
                    };
                }
            }
        }
        Verdict::Admissible
    }

    /// Takes what belongs together of `bytes`, which are not empty, and says how many those were.
    fn advance(&mut self, bytes: &[u8]) -> Result<usize, Cut> {
        match self.expected {
            Expected::RequestLine { .. } | Expected::Field | Expected::Trailer => {
                self.advance_in_line(bytes)
            }
            Expected::Content(length) => {
                let (used, left) = skip(bytes, length);
                self.expected = match left {
                    0 => Expected::NEXT_REQUEST,
                    left => Expected::Content(left),
                };
                Ok(used)
            }
            Expected::ChunkData(length) => {
                let (used, left) = skip(bytes, length);
                self.expected = match left {
                    0 => Expected::ChunkCr,
                    left => Expected::ChunkData(left),
                };
                Ok(used)
            }
            Expected::ChunkSize { .. }
            | Expected::ChunkExtension { .. }
            | Expected::ChunkSizeLf { .. }
            | Expected::ChunkCr
            | Expected::ChunkLf => {
                let byte = bytes.first().copied().unwrap_or_default();
                self.expected = self.after_chunk_byte(byte)?;
                Ok(1)
            }
            Expected::Nothing => Err(Cut::at(0, Offence::AfterRefusal)),
        }
    }

    fn after_chunk_byte(&self, byte: u8) -> Result<Expected, Cut> {
        match (self.expected, byte) {
            (Expected::ChunkSize { size, digits }, digit) if digit.is_ascii_hexdigit() => {
                if digits == MOST_CHUNK_DIGITS {
                    return Err(Cut::at(0, Offence::ChunkSize));
                }
                let value = char::from(digit).to_digit(16).unwrap_or_default();
                Ok(Expected::ChunkSize {
                    size: size << 4 | u64::from(value),
                    digits: digits + 1,
                })
            }
            (Expected::ChunkSize { size, digits: 1.. }, b';') => {
                Ok(Expected::ChunkExtension { size })
            }
            (
                Expected::ChunkSize { size, digits: 1.. } | Expected::ChunkExtension { size },
                b'\r',
            ) => Ok(Expected::ChunkSizeLf { size }),
            (Expected::ChunkSize { .. }, _) => Err(Cut::at(0, Offence::ChunkSize)),
            (Expected::ChunkExtension { size }, byte)
                if byte == b'\t' || !byte.is_ascii_control() =>
            {
                Ok(Expected::ChunkExtension { size })
            }
            (Expected::ChunkExtension { .. }, _) => Err(Cut {
                passed: 0,
                substitute: INVALID_CHUNK_LINE,
                offence: Offence::ChunkExtension,
            }),
            (Expected::ChunkSizeLf { size: 0 }, b'\n') => Ok(Expected::Trailer),
            (Expected::ChunkSizeLf { size }, b'\n') => Ok(Expected::ChunkData(size)),
            (Expected::ChunkCr, b'\r') => Ok(Expected::ChunkLf),
            (Expected::ChunkLf, b'\n') => Ok(Expected::ChunkSize { size: 0, digits: 0 }),
            _ => Err(Cut::at(0, Offence::ChunkEnd)),
        }
    }

    fn advance_in_line(&mut self, bytes: &[u8]) -> Result<usize, Cut> {
        let end = memchr::memchr(b'\n', bytes);
        let piece = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        if matches!(self.expected, Expected::RequestLine { .. })
            && self.line.len() + piece.len() > LONGEST_REQUEST_LINE
        {
            return Err(self.cut_request_line(piece));
        }
        let Some(end) = end else {
            self.line.extend_from_slice(piece);
            return Ok(bytes.len());
        };
        if self.line.is_empty() {
            self.take_line(piece)
        } else {
            let mut line = std::mem::take(&mut self.line);
            line.extend_from_slice(piece);
            let taken = self.take_line(&line);
            if line.capacity() <= KEPT_LINE {
                line.clear();
                self.line = line;
            }
            taken
        }
        // Without its LF the line cannot have been taken for a whole one.
        .map_err(|offence| Cut::at(end, offence))?;
        Ok(end + 1)
    }

    /// Takes a line that ended with LF, which is not part of it.
    fn take_line(&mut self, line: &[u8]) -> Result<(), Offence> {
        let line = line.strip_suffix(b"\r").ok_or(Offence::BareLf)?;
        if line.contains(&b'\r') {
            return Err(Offence::BareCr);
        }
        match self.expected {
            Expected::RequestLine { after_empty_line } if line.is_empty() => {
                if after_empty_line {
                    return Err(Offence::RequestLine);
                }
                self.expected = Expected::RequestLine {
                    after_empty_line: true,
                };
            }
            Expected::RequestLine { after_empty_line } => {
                let first = self.requests == 0 && !after_empty_line;
                self.head = Head::begin(line, first)?;
                self.expected = Expected::Field;
            }
            Expected::Trailer if line.is_empty() => self.expected = Expected::NEXT_REQUEST,
            Expected::Trailer => {
                head::field(line)?;
            }
            _ if line.is_empty() => {
                self.requests += 1;
                self.expected = match self.head.body() {
                    Body::None | Body::Length(0) => Expected::NEXT_REQUEST,
                    Body::Length(length) => Expected::Content(length),
                    Body::Chunked => Expected::ChunkSize { size: 0, digits: 0 },
                };
            }
            _ => self.head.take(line)?,
        }
        Ok(())
    }

    /// Ends a request line that is too long where that shows. What is left of its target is still too long, so that the
    /// gateway answers 414; a line that has no target there is refused as any other.
    fn cut_request_line(&mut self, piece: &[u8]) -> Cut {
        let passed = LONGEST_REQUEST_LINE.saturating_sub(self.line.len());
        self.line
            .extend_from_slice(piece.get(..passed).unwrap_or_default());
        let mut spaces = self
            .line
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b' ');
        match (spaces.next(), spaces.next()) {
            (Some((method, _)), None) if method <= LONGEST_METHOD => Cut {
                passed,
                substitute: END_OF_LONG_REQUEST,
                offence: Offence::LongTarget,
            },
            _ => Cut::at(passed, Offence::RequestLine),
        }
    }
}

/// How many of `bytes` belong to the `length` bytes that are expected, and how many of those are still to come.
fn skip(bytes: &[u8], length: u64) -> (usize, u64) {
    match usize::try_from(length) {
        Ok(length) if length <= bytes.len() => (length, 0),
        _ => (bytes.len(), length - bytes.len() as u64),
    }
}

#[cfg(test)]
mod tests;
