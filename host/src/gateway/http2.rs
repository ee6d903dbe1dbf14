//! What an HTTP/2 client is told that has not asked whether the gateway speaks HTTP/2: `HTTP_1_1_REQUIRED`.
//!
//! The answer stands in frames of its own protocol, on the stream of its first request: a client like curl then tries again
//! with HTTP/1.1 by itself, and any other can say what is wrong. Nothing of what the client sends is looked at but the
//! frames' headers, and nobody is waited for longer than [`PATIENCE`].

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// How long the client may take for its first request, and then for letting go.
const PATIENCE: Duration = Duration::from_secs(5);
/// What follows the first line of the connection preface (RFC 9113 section 3.4).
const REST_OF_PREFACE: &[u8] = b"\r\nSM\r\n\r\n";
const HTTP_1_1_REQUIRED: u32 = 0xd;
const REASON: &[u8] = b"this gateway speaks HTTP/1.1";

const HEADERS: u8 = 0x1;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const GOAWAY: u8 = 0x7;
const ACKNOWLEDGED: u8 = 0x1;

/// Answers on a connection whose first line was that of the preface. `begun` is what has been read beyond it.
pub(super) async fn decline<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, begun: Vec<u8>) {
    // A client that leaves has learned enough.
    let _ = timeout(PATIENCE, answer(&mut stream, &begun)).await;
    let _ = timeout(PATIENCE, async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    })
    .await;
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, begun: &[u8]) -> io::Result<()> {
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    let (reading, mut writing) = tokio::io::split(stream);
    let mut reading = begun.chain(reading);
    let mut preface = [0; REST_OF_PREFACE.len()];
    reading.read_exact(&mut preface).await?;
    if preface != REST_OF_PREFACE {
        return Ok(());
    }
    let request = first_request(&mut reading).await?;
    let code = HTTP_1_1_REQUIRED.to_be_bytes();
    let last = [request.to_be_bytes().as_slice(), &code, REASON].concat();
    let answer = [
        frame(SETTINGS, ACKNOWLEDGED, 0, &[]),
        frame(RST_STREAM, 0, request, &code),
        frame(GOAWAY, 0, 0, &last),
    ];
    writing.write_all(&answer.concat()).await
}

/// The stream of the first request.
async fn first_request(reading: &mut (impl AsyncRead + Unpin)) -> io::Result<u32> {
    loop {
        let mut header = [0; 9];
        reading.read_exact(&mut header).await?;
        let [a, b, c, kind, _, stream @ ..] = header;
        if kind == HEADERS {
            return Ok(u32::from_be_bytes(stream) & (u32::MAX >> 1));
        }
        let length = u32::from_be_bytes([0, a, b, c]);
        let mut payload = (&mut *reading).take(length.into());
        tokio::io::copy(&mut payload, &mut tokio::io::sink()).await?;
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    // Each of these is shorter than 256 bytes.
    let length = u32::try_from(payload.len()).unwrap_or_default();
    let [_, a, b, c] = length.to_be_bytes();
    let mut frame = vec![a, b, c, kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn conversation(sent: &[u8]) -> Vec<u8> {
        let (mut client, server) = tokio::io::duplex(1024);
        let gateway = tokio::spawn(decline(server, sent.to_vec()));
        client.shutdown().await.unwrap();
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.unwrap();
        gateway.await.unwrap();
        received
    }

    #[tokio::test]
    async fn the_first_request_is_told_which_protocol_to_use() {
        let mut sent = REST_OF_PREFACE.to_vec();
        sent.extend(frame(SETTINGS, 0, 0, &[0; 18]));
        sent.extend(frame(HEADERS, 5, 7, b"whatever"));
        let received = conversation(&sent).await;
        let settings = frame(SETTINGS, 0, 0, &[]);
        let reset = frame(RST_STREAM, 0, 7, &[0, 0, 0, 0xd]);
        let mut last = vec![0, 0, 0, 7, 0, 0, 0, 0xd];
        last.extend(REASON);
        let last = frame(GOAWAY, 0, 0, &last);
        assert!(received.starts_with(&settings), "{received:?}");
        assert!(received.ends_with(&[reset, last].concat()), "{received:?}");
    }

    #[tokio::test]
    async fn what_is_no_preface_after_all_is_let_go() {
        for sent in [b"\r\nXX\r\n\r\n".as_slice(), b"", b"\r\nSM\r\n\r\n\0\0"] {
            assert_eq!(conversation(sent).await, frame(SETTINGS, 0, 0, &[]));
        }
    }
}
