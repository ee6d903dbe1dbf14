//! Strict HTTP/1.1 messages out of a stream of bytes: what a connection carried, exactly, or why it cannot be told.
//!
//! Nothing is forgiven: bytes that two recipients could read differently are a failure, never a message. A failed parser stays
//! failed, and keeps what it could not read.

use std::collections::VecDeque;

use bytes::{Buf, BytesMut};

/// One message, complete or still arriving.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Request line or status line.
    pub start: String,
    /// Names as they were sent, in their order.
    pub headers: Vec<(String, String)>,
    /// The content without its framing, as far as it has arrived.
    pub body: Vec<u8>,
    /// The trailer fields of a chunked body.
    pub trailers: Vec<(String, String)>,
    /// Whether its last byte has arrived.
    pub complete: bool,
}

impl Message {
    /// The first word of a request.
    pub fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    /// The second word of a request.
    pub fn target(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    /// The target up to its query.
    pub fn path(&self) -> &str {
        self.target().split('?').next().unwrap_or_default()
    }

    /// The status of a response.
    ///
    /// # Panics
    /// When it is a request.
    #[track_caller]
    pub fn status(&self) -> u16 {
        self.target()
            .parse()
            .unwrap_or_else(|_| panic!("no status: {self:?}"))
    }

    /// All values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = |(field, _): &&(String, String)| field.eq_ignore_ascii_case(name);
        self.headers
            .iter()
            .filter(named)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// A header's only value.
    ///
    /// # Panics
    /// When it is repeated.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let values = self.all(name);
        assert!(values.len() < 2, "{name} is repeated: {self:?}");
        values.first().copied()
    }

    /// The content as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What a parser reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Request,
    Response,
}

/// What comes next.
#[derive(Clone, Debug)]
enum State {
    Head,
    Length(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailers,
    UntilClosed,
    Failed(String),
}

/// Messages as they arrive.
#[derive(Clone, Debug)]
pub struct Parser {
    kind: Kind,
    state: State,
    unread: BytesMut,
    messages: Vec<Message>,
    bodiless: VecDeque<bool>,
}

impl Parser {
    /// Of requests.
    pub fn of_requests() -> Self {
        Self::new(Kind::Request)
    }

    /// Of responses, to requests that [`Parser::asked`] tells of.
    pub fn of_responses() -> Self {
        Self::new(Kind::Response)
    }

    fn new(kind: Kind) -> Self {
        Self {
            kind,
            state: State::Head,
            unread: BytesMut::new(),
            messages: Vec::new(),
            bodiless: VecDeque::new(),
        }
    }

    /// The method of a request that is to be answered: the answer to HEAD has no body. Untold, it is no HEAD.
    pub fn asked(&mut self, method: &str) {
        self.bodiless.push_back(method == "HEAD");
    }

    /// The messages whose heads have arrived.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Why nothing more can be read.
    pub fn failure(&self) -> Option<&str> {
        match &self.state {
            State::Failed(reason) => Some(reason),
            _ => None,
        }
    }

    /// Bytes that belong to no message so far: the beginning of a head, or what could not be read.
    pub fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// The same without the bodies.
    pub(crate) fn heads(&self) -> Self {
        let bodiless = |message: &Message| Message {
            start: message.start.clone(),
            headers: message.headers.clone(),
            complete: message.complete,
            ..Message::default()
        };
        Self {
            kind: self.kind,
            state: self.state.clone(),
            unread: BytesMut::new(),
            messages: self.messages.iter().map(bodiless).collect(),
            bodiless: self.bodiless.clone(),
        }
    }

    /// Takes in more.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        loop {
            match self.step() {
                Ok(true) => {}
                Ok(false) => return,
                Err(reason) => {
                    self.state = State::Failed(reason);
                    return;
                }
            }
        }
    }

    /// The connection has ended, which is where some responses end.
    pub fn end(&mut self) {
        if matches!(self.state, State::UntilClosed) {
            self.finish();
        }
    }

    /// One move; false when it takes more bytes.
    fn step(&mut self) -> Result<bool, String> {
        match self.state {
            State::Head => self.head(),
            State::Length(0) => Ok(self.finish()),
            State::Length(rest) => Ok(self.content(rest, State::Length)),
            State::UntilClosed => Ok(self.content(u64::MAX, |_| State::UntilClosed)),
            State::ChunkSize => {
                let Some(line) = self.line()? else {
                    return Ok(false);
                };
                let digits = !line.is_empty()
                    && line.len() <= 16
                    && line.bytes().all(|byte| byte.is_ascii_hexdigit());
                self.state = match u64::from_str_radix(&line, 16) {
                    Ok(0) if digits => State::Trailers,
                    Ok(size) if digits => State::Chunk(size),
                    _ => return Err(format!("no chunk size: {line:?}")),
                };
                Ok(true)
            }
            State::Chunk(0) => {
                self.state = State::ChunkEnd;
                Ok(true)
            }
            State::Chunk(rest) => Ok(self.content(rest, State::Chunk)),
            State::ChunkEnd => match self.line()? {
                Some(line) if line.is_empty() => {
                    self.state = State::ChunkSize;
                    Ok(true)
                }
                Some(line) => Err(format!("more than a chunk's size: {line:?}")),
                None => Ok(false),
            },
            State::Trailers => match self.line()? {
                Some(line) if line.is_empty() => Ok(self.finish()),
                Some(line) => {
                    let field = field(&line)?;
                    self.current().trailers.push(field);
                    Ok(true)
                }
                None => Ok(false),
            },
            State::Failed(_) => Ok(false),
        }
    }

    fn head(&mut self) -> Result<bool, String> {
        let Some(end) = find(&self.unread, b"\r\n\r\n") else {
            // What will never be a head is a failure now.
            if let Some(end) = find(&self.unread, b"\r\n") {
                self.start_line(&text(&self.unread[..end])?)?;
            }
            return Ok(false);
        };
        let head = text(&self.unread[..end])?;
        let mut lines = head.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        self.start_line(&start)?;
        let headers = lines.map(field).collect::<Result<Vec<_>, _>>()?;
        let message = Message {
            start,
            headers,
            ..Message::default()
        };
        self.state = self.framing(&message)?;
        self.messages.push(message);
        self.unread.advance(end + 4);
        Ok(true)
    }

    fn start_line(&self, line: &str) -> Result<(), String> {
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        let fits = match (self.kind, words.as_slice()) {
            (Kind::Request, [method, target, "HTTP/1.1"]) => {
                is_token(method)
                    && target.starts_with('/')
                    && target.bytes().all(|byte| byte.is_ascii_graphic())
            }
            (Kind::Response, ["HTTP/1.1" | "HTTP/1.0", status, _reason]) => {
                status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit())
            }
            _ => false,
        };
        if fits {
            Ok(())
        } else {
            Err(format!("no start of a message: {line:?}"))
        }
    }

    /// Where the body of a message ends (RFC 9112 section 6.3), if there is but one answer.
    fn framing(&mut self, message: &Message) -> Result<State, String> {
        if self.kind == Kind::Request && message.all("host").len() != 1 {
            return Err(format!("not one Host: {message:?}"));
        }
        let interim = self.kind == Kind::Response && (100..200).contains(&message.status());
        let bodiless = self.kind == Kind::Response
            && (interim
                || self.bodiless.pop_front().unwrap_or(false)
                || matches!(message.status(), 204 | 304));
        let codings = message.all("transfer-encoding");
        let lengths = message.all("content-length");
        match (codings.as_slice(), lengths.as_slice()) {
            (_, [length]) if bodiless && length.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(State::Length(0))
            }
            (_, []) if bodiless => Ok(State::Length(0)),
            ([], []) if self.kind == Kind::Request => Ok(State::Length(0)),
            ([], []) => Ok(State::UntilClosed),
            (["chunked"], []) => Ok(State::ChunkSize),
            ([], [length])
                if length.len() < 20 && length.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                let length = length.parse();
                length
                    .map(State::Length)
                    .map_err(|error| format!("no length: {error}: {message:?}"))
            }
            _ => Err(format!("ambiguous framing: {message:?}")),
        }
    }

    /// Takes what has arrived of `rest` bytes of content.
    fn content(&mut self, rest: u64, state: impl Fn(u64) -> State) -> bool {
        let there = usize::try_from(rest)
            .unwrap_or(usize::MAX)
            .min(self.unread.len());
        let part = self.unread.split_to(there);
        self.current().body.extend_from_slice(&part);
        self.state = state(rest - there as u64);
        there > 0
    }

    fn line(&mut self) -> Result<Option<String>, String> {
        let Some(end) = find(&self.unread, b"\r\n") else {
            return match self.unread.contains(&b'\n') {
                true => Err(format!("a bare line feed: {:?}", self.unread)),
                false => Ok(None),
            };
        };
        let line = text(&self.unread[..end])?;
        self.unread.advance(end + 2);
        Ok(Some(line))
    }

    fn current(&mut self) -> &mut Message {
        self.messages.last_mut().expect("a body follows a head")
    }

    fn finish(&mut self) -> bool {
        self.current().complete = true;
        self.state = State::Head;
        true
    }
}

/// Bytes of a head, in which line ends are only where lines end.
fn text(bytes: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let odd = text
        .replace("\r\n", "")
        .chars()
        .any(|char| char.is_control() && char != '\t');
    if odd {
        Err(format!("control characters: {text:?}"))
    } else {
        Ok(text)
    }
}

fn field(line: &str) -> Result<(String, String), String> {
    match line.split_once(':') {
        Some((name, value)) if is_token(name) => {
            Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
        }
        _ => Err(format!("no field: {line:?}")),
    }
}

fn is_token(word: &str) -> bool {
    !word.is_empty()
        && word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests;
