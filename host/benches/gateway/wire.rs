//! HTTP/1.1 responses as cheaply as they can be read: just enough parsing to find where each one ends.
//!
//! The client shares the machine with what it measures, so it builds its requests beforehand and looks at no header but
//! the two that frame a body. It trusts the server; a response that it cannot follow is an error, never a guess.

use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Outcome;

const READ_SIZE: usize = 64 * 1024;

/// A keep-alive connection.
pub struct Connection {
    stream: TcpStream,
    received: BytesMut,
}

/// A response with everything in it.
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What of a response is checked under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outline {
    pub status: u16,
    pub body_length: usize,
}

enum Framing {
    Length(usize),
    Chunked,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            received: BytesMut::with_capacity(READ_SIZE),
        })
    }

    /// One request, its response read to the end and forgotten.
    pub async fn exchange(&mut self, request: &[u8]) -> Outcome<Outline> {
        self.stream.write_all(request).await?;
        self.outline().await
    }

    /// One request whose body follows its head, `length` bytes of no meaning.
    pub async fn upload(&mut self, head: &[u8], length: u64) -> Outcome<Outline> {
        static BLOCK: [u8; 4 * READ_SIZE] = [b'.'; 4 * READ_SIZE];
        self.stream.write_all(head).await?;
        let mut left = length;
        while left > 0 {
            let size = left.min(BLOCK.len() as u64);
            let block = BLOCK.get(..size as usize).unwrap_or_default();
            self.stream.write_all(block).await?;
            left -= size;
        }
        self.outline().await
    }

    /// Sends a request whose response does not end.
    pub async fn subscribe(&mut self, request: &[u8]) -> Outcome<()> {
        Ok(self.stream.write_all(request).await?)
    }

    /// Reads until `wanted` has come.
    pub async fn wait_for(&mut self, wanted: &[u8]) -> Outcome<()> {
        loop {
            let found = self
                .received
                .windows(wanted.len())
                .position(|window| window == wanted);
            if let Some(start) = found {
                self.received.advance(start + wanted.len());
                return Ok(());
            }
            self.receive().await?;
        }
    }

    async fn outline(&mut self) -> Outcome<Outline> {
        let head = self.head_length().await?;
        let (status, framing) = outline(self.received.get(..head).unwrap_or_default())?;
        self.received.advance(head);
        let body_length = self.body(framing, None).await?;
        Ok(Outline {
            status,
            body_length,
        })
    }

    /// One request, and its response whole.
    pub async fn fetch(&mut self, request: &[u8]) -> Outcome<Response> {
        self.stream.write_all(request).await?;
        let head = self.head_length().await?;
        let head = self.received.split_to(head);
        let (status, framing) = outline(&head)?;
        let headers = std::str::from_utf8(&head)?
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        let mut body = Vec::new();
        self.body(framing, Some(&mut body)).await?;
        Ok(Response {
            status,
            headers,
            body,
        })
    }

    /// Waits for a whole head; its length, the empty line included.
    async fn head_length(&mut self) -> Outcome<usize> {
        loop {
            let end = self
                .received
                .windows(4)
                .position(|window| window == b"\r\n\r\n");
            match end {
                Some(end) => return Ok(end + 4),
                None => self.receive().await?,
            }
        }
    }

    /// Reads a body to its end, into `kept` if that is given; its length.
    async fn body(&mut self, framing: Framing, mut kept: Option<&mut Vec<u8>>) -> Outcome<usize> {
        match framing {
            Framing::Length(length) => {
                self.take(length, kept).await?;
                Ok(length)
            }
            Framing::Chunked => {
                let mut total = 0;
                loop {
                    let length = self.chunk_length().await?;
                    self.take(length, kept.as_deref_mut()).await?;
                    self.take(b"\r\n".len(), None).await?;
                    if length == 0 {
                        return Ok(total);
                    }
                    total += length;
                }
            }
        }
    }

    async fn chunk_length(&mut self) -> Outcome<usize> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line = self.received.split_to(end + 1);
                return Ok(usize::from_str_radix(
                    std::str::from_utf8(&line)?.trim(),
                    16,
                )?);
            }
            self.receive().await?;
        }
    }

    async fn take(&mut self, length: usize, mut kept: Option<&mut Vec<u8>>) -> Outcome<()> {
        let mut missing = length;
        while missing > 0 {
            if self.received.is_empty() {
                self.receive().await?;
            }
            let available = missing.min(self.received.len());
            if let Some(kept) = &mut kept {
                kept.extend(self.received.iter().take(available));
            }
            self.received.advance(available);
            missing -= available;
        }
        Ok(())
    }

    async fn receive(&mut self) -> Outcome<()> {
        self.received.reserve(READ_SIZE);
        match self.stream.read_buf(&mut self.received).await? {
            0 => Err("the server closed the connection in the middle of a response".into()),
            _ => Ok(()),
        }
    }
}

fn outline(head: &[u8]) -> Outcome<(u16, Framing)> {
    let mut lines = head.split(|byte| *byte == b'\n');
    let status = lines
        .next()
        .and_then(|line| line.split(|byte| *byte == b' ').nth(1))
        .ok_or("the response has no status")?;
    let status = std::str::from_utf8(status)?.trim().parse()?;
    // 204 and its kind have neither header.
    let mut framing = Framing::Length(0);
    for line in lines {
        if let Some(value) = value_of(line, b"content-length:") {
            framing = Framing::Length(std::str::from_utf8(value)?.trim().parse()?);
        } else if value_of(line, b"transfer-encoding:").is_some() {
            framing = Framing::Chunked;
        }
    }
    Ok((status, framing))
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then_some(value)
}
