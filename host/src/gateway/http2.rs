//! What an HTTP/2 client is told that has not asked whether the gateway speaks HTTP/2: `HTTP_1_1_REQUIRED`.
//!
//! Every request is reset with that code, in frames of the client's own protocol: a client like curl then tries again with
//! HTTP/1.1 by itself. The connection stays for [`PATIENCE`], for the client to end it (curl gives up when the gateway does),
//! and ends with a `GOAWAY` that says the same. Nothing of what the client sends is looked at but the frames' headers.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// How long the client may take for its requests, and then for letting go.
const PATIENCE: Duration = Duration::from_secs(5);
/// What follows the first line of the connection preface (RFC 9113 section 3.4).
const REST_OF_PREFACE: &[u8] = b"\r\nSM\r\n\r\n";
const HTTP_1_1_REQUIRED: [u8; 4] = [0, 0, 0, 0xd];
const REASON: &[u8] = b"this gateway speaks HTTP/1.1";

const HEADERS: u8 = 0x1;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const GOAWAY: u8 = 0x7;
const ACKNOWLEDGED: u8 = 0x1;

/// Answers on a connection whose first line was that of the preface. `begun` is what has been read beyond it.
pub(super) async fn decline<S: AsyncRead + AsyncWrite + Unpin>(stream: S, begun: Vec<u8>) {
    decline_within(PATIENCE, stream, begun).await;
}

async fn decline_within<S: AsyncRead + AsyncWrite + Unpin>(
    patience: Duration,
    mut stream: S,
    begun: Vec<u8>,
) {
    // A client that has left, or speaks something else after all, is told nothing more.
    if timeout(patience, reset_requests(&mut stream, &begun))
        .await
        .is_ok()
    {
        return;
    }
    let _ = timeout(patience, async {
        let last_stream = u32::MAX >> 1;
        let content = [&last_stream.to_be_bytes(), &HTTP_1_1_REQUIRED, REASON].concat();
        stream.write_all(&frame(GOAWAY, 0, 0, &content)).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    })
    .await;
}

/// Goes on until the client leaves.
async fn reset_requests<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    begun: &[u8],
) -> io::Result<()> {
    let (reading, mut writing) = tokio::io::split(stream);
    let mut reading = begun.chain(reading);
    let mut preface = [0; REST_OF_PREFACE.len()];
    reading.read_exact(&mut preface).await?;
    if preface != REST_OF_PREFACE {
        return Ok(());
    }
    writing.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    loop {
        let mut header = [0; 9];
        reading.read_exact(&mut header).await?;
        let [a, b, c, kind, flags, stream @ ..] = header;
        let length = u32::from_be_bytes([0, a, b, c]);
        let mut content = (&mut reading).take(length.into());
        tokio::io::copy(&mut content, &mut tokio::io::sink()).await?;
        let answer = match kind {
            HEADERS => {
                let stream = u32::from_be_bytes(stream) & (u32::MAX >> 1);
                frame(RST_STREAM, 0, stream, &HTTP_1_1_REQUIRED)
            }
            SETTINGS if flags & ACKNOWLEDGED == 0 => frame(SETTINGS, ACKNOWLEDGED, 0, &[]),
            _ => continue,
        };
        writing.write_all(&answer).await?;
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
        let gateway = tokio::spawn(decline_within(
            Duration::from_millis(50),
            server,
            sent.to_vec(),
        ));
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.unwrap();
        drop(client);
        gateway.await.unwrap();
        received
    }

    fn requests() -> Vec<u8> {
        let mut sent = REST_OF_PREFACE.to_vec();
        sent.extend(frame(SETTINGS, 0, 0, &[0; 18]));
        sent.extend(frame(SETTINGS, ACKNOWLEDGED, 0, &[]));
        sent.extend(frame(HEADERS, 5, 1, b"whatever"));
        sent.extend(frame(0, 1, 1, b"a body"));
        sent.extend(frame(HEADERS, 5, 3, b"whatever"));
        sent
    }

    #[tokio::test]
    async fn every_request_is_told_which_protocol_to_use() {
        let received = conversation(&requests()).await;
        let expected = [
            frame(SETTINGS, 0, 0, &[]),
            frame(SETTINGS, ACKNOWLEDGED, 0, &[]),
            frame(RST_STREAM, 0, 1, &[0, 0, 0, 0xd]),
            frame(RST_STREAM, 0, 3, &[0, 0, 0, 0xd]),
            frame(
                GOAWAY,
                0,
                0,
                b"\x7f\xff\xff\xff\0\0\0\x0dthis gateway speaks HTTP/1.1",
            ),
        ];
        assert_eq!(received, expected.concat());
    }

    #[tokio::test]
    async fn a_client_that_leaves_is_let_go() {
        let (mut client, server) = tokio::io::duplex(1024);
        client.write_all(&requests()).await.unwrap();
        drop(client);
        decline(server, Vec::new()).await;
    }

    #[tokio::test]
    async fn what_is_no_preface_after_all_is_let_go() {
        assert_eq!(conversation(b"\r\nXX\r\n\r\n").await, b"");
    }
}
