//! The lines of a request's head, as far as they decide where the request ends.

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::gateway) enum Offence {
    #[error("a line ends with LF alone")]
    BareLf,
    #[error("a line contains CR")]
    BareCr,
    #[error("the request line is not 'METHOD target HTTP/1.1'")]
    RequestLine,
    #[error("the request target has a fragment")]
    Fragment,
    #[error("the request target is too long")]
    LongTarget,
    #[error("a header line is folded, or is not 'name: value'")]
    Field,
    #[error("Content-Length is repeated, or not a number")]
    ContentLength,
    #[error("Transfer-Encoding is repeated, not 'chunked', or in HTTP/1.0")]
    TransferEncoding,
    #[error("Content-Length and Transfer-Encoding are both given")]
    TwoFramings,
    #[error("a chunk's size is not a hexadecimal number of at most 16 digits")]
    ChunkSize,
    #[error("a chunk extension has a control character")]
    ChunkExtension,
    #[error("a chunk is longer or shorter than its size says")]
    ChunkEnd,
    #[error("the connection speaks HTTP/2")]
    Http2,
    #[error("the connection has been refused before")]
    AfterRefusal,
}

/// The request line of the HTTP/2 connection preface (RFC 9113 section 3.4).
const HTTP2: &[u8] = b"PRI * HTTP/2.0";
/// More digits than this may not fit a length.
const MOST_LENGTH_DIGITS: usize = 18;

/// How a request's body is delimited.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    None,
    Length(u64),
    Chunked,
}

/// What the lines so far say about the body.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// HTTP/1.0, which knows no transfer codings.
    old: bool,
    length: Option<u64>,
    chunked: bool,
}

impl Head {
    /// Takes the request line; `first` of its connection, it may say that the connection is another protocol's.
    pub(super) fn begin(line: &[u8], first: bool) -> Result<Self, Offence> {
        if first && line == HTTP2 {
            return Err(Offence::Http2);
        }
        let mut parts = line.split(|byte| *byte == b' ');
        let (Some([_, ..]), Some(target @ [_, ..]), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Offence::RequestLine);
        };
        // A parser that knows fragments would drop it, and serve another target than was sent.
        if target.contains(&b'#') {
            return Err(Offence::Fragment);
        }
        let old = match version {
            b"HTTP/1.1" => false,
            b"HTTP/1.0" => true,
            _ => return Err(Offence::RequestLine),
        };
        Ok(Self {
            old,
            ..Self::default()
        })
    }

    /// Takes a header line.
    pub(super) fn take(&mut self, line: &[u8]) -> Result<(), Offence> {
        let (name, value) = field(line)?;
        if is_named(name, b"content-length") {
            if self.chunked {
                return Err(Offence::TwoFramings);
            }
            if !name.contains(&b'-') || self.length.is_some() {
                return Err(Offence::ContentLength);
            }
            self.length = Some(length(value)?);
        } else if is_named(name, b"transfer-encoding") {
            if self.length.is_some() {
                return Err(Offence::TwoFramings);
            }
            if !name.contains(&b'-')
                || self.chunked
                || self.old
                || !value.eq_ignore_ascii_case(b"chunked")
            {
                return Err(Offence::TransferEncoding);
            }
            self.chunked = true;
        }
        Ok(())
    }

    pub(super) fn body(&self) -> Body {
        match self.length {
            _ if self.chunked => Body::Chunked,
            Some(length) => Body::Length(length),
            None => Body::None,
        }
    }
}

/// The name of a header or trailer field, and its value without the whitespace around it.
pub(super) fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Offence> {
    let colon = line.iter().position(|byte| *byte == b':');
    let (name, value) = line.split_at(colon.ok_or(Offence::Field)?);
    // A name begins where the line does and ends where the colon is.
    if name.is_empty() || name.iter().any(|byte| !byte.is_ascii_graphic()) {
        return Err(Offence::Field);
    }
    let value = value.strip_prefix(b":").unwrap_or_default();
    Ok((name, trim(value)))
}

/// Without the spaces and tabs around it, and nothing else: what some trim, others do not.
fn trim(value: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_space(byte));
    let end = value.iter().rposition(|byte| !is_space(byte));
    match (start, end) {
        (Some(start), Some(end)) => value.get(start..=end).unwrap_or_default(),
        _ => &[],
    }
}

/// Whether the field is the one of this name, for a server that takes `_` for `-` too.
fn is_named(field: &[u8], name: &[u8]) -> bool {
    field.len() == name.len()
        && field.iter().zip(name).all(|(byte, expected)| {
            byte.eq_ignore_ascii_case(expected) || (*byte == b'_' && *expected == b'-')
        })
}

fn length(value: &[u8]) -> Result<u64, Offence> {
    if value.is_empty() || value.len() > MOST_LENGTH_DIGITS {
        return Err(Offence::ContentLength);
    }
    value.iter().try_fold(0, |length: u64, byte| match byte {
        b'0'..=b'9' => Ok(length * 10 + u64::from(byte - b'0')),
        _ => Err(Offence::ContentLength),
    })
}
