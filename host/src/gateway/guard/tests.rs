//! The guard in front of the HTTP server that it is for.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use regex::bytes::Regex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// A client that sends these pieces and then no more, and what it has received.
struct Client {
    pieces: VecDeque<Vec<u8>>,
    received: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(mut piece) = self.pieces.pop_front() {
            let rest = piece.split_off(piece.len().min(buffer.remaining()));
            buffer.put_slice(&piece);
            if !rest.is_empty() {
                self.pieces.push_front(rest);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Client {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.received.lock().unwrap().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Method, target and body.
type Served = (String, String, Vec<u8>);

/// The requests that were served whole, and everything that was answered.
fn serve(pieces: impl IntoIterator<Item = Vec<u8>>) -> (Vec<Served>, String) {
    let served = Arc::new(Mutex::new(Vec::new()));
    let received = Arc::new(Mutex::new(Vec::new()));
    let client = Client {
        pieces: pieces
            .into_iter()
            .filter(|piece| !piece.is_empty())
            .collect(),
        received: Arc::clone(&received),
    };
    let service = service_fn(|request: Request<Incoming>| {
        let served = Arc::clone(&served);
        async move {
            let (method, uri) = (request.method().to_string(), request.uri().to_string());
            if let Ok(body) = request.into_body().collect().await {
                served
                    .lock()
                    .unwrap()
                    .push((method, uri, body.to_bytes().to_vec()));
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let connection = http1::Builder::new()
        .half_close(true)
        .serve_connection(TokioIo::new(Guarded::new(client)), service);
    // How a connection ends is seen in what was answered.
    let _ = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(connection);
    let received = String::from_utf8_lossy(&received.lock().unwrap()).into_owned();
    (served.lock().unwrap().clone(), received)
}

#[test]
fn what_is_refused_is_answered_in_its_turn_and_nothing_after_it_is_served() {
    let good = b"GET /good HTTP/1.1\r\nhost: x\r\n\r\n".as_slice();
    for bad in [
        "GET /bad HTTP/1.1\nhost: x\r\n\r\n",
        "GET /bad HTTP/1.1\nhost: x\n\n",
        "GET /bad\r\n\r\n",
        "\r\n\r\nGET /bad HTTP/1.1\r\n\r\n",
        "GET /bad#fragment HTTP/1.1\r\n\r\n",
        "GET /bad HTTP/1.1\r\nhost: x\r\n\n",
        "GET /bad HTTP/1.1\r\na : b\r\n\r\n",
        "GET /bad HTTP/1.1\r\na: b\r\n c\r\n\r\n",
        "GET /bad HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n",
        "GET /bad HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        "GET /bad HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
    ] {
        for size in [1, 7, 1000] {
            let bytes = [good, bad.as_bytes(), good].concat();
            let (served, received) = serve(bytes.chunks(size).map(<[u8]>::to_vec));
            assert_eq!(served.len(), 1, "{bad:?}: {served:?}");
            let answers: Vec<_> = received.matches("HTTP/1.1 ").collect();
            assert!(
                answers.len() == 2 && received.contains("HTTP/1.1 400 Bad Request\r\n"),
                "{bad:?}: {received}"
            );
        }
    }
}

#[test]
fn a_body_that_is_refused_is_not_taken_for_a_whole_one() {
    let head = "POST /bad HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
    for body in [
        "1\nx\r\n0\r\n\r\n",
        "1;a\nx\r\n0\r\n\r\n",
        "0;a\n\r\n\r\n",
        "0;a\0\r\n\r\n",
        "0\r\na: b\n\r\n",
        "0\r\na: b\r\n c\r\n\r\n",
        "0\r\n\n",
        "0\n\r\n",
        "1 \r\nx\r\n0\r\n\r\n",
        "1\r\nxy\r\n0\r\n\r\n",
        "1\r\nx\n0\r\n\r\n",
        "00000000000000000\r\n\r\n",
    ] {
        for size in [1, 7, 1000] {
            let bytes = format!("{head}{body}GET /next HTTP/1.1\r\n\r\n");
            let (served, _) = serve(bytes.as_bytes().chunks(size).map(<[u8]>::to_vec));
            assert_eq!(served, [], "{body:?} in pieces of {size}");
        }
    }
}

#[test]
fn a_target_that_never_ends_is_served_cut_off_and_as_the_last() {
    let bytes = format!(
        "GET /{} HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "x".repeat(1 << 20)
    );
    let (served, received) = serve(bytes.as_bytes().chunks(5000).map(<[u8]>::to_vec));
    let [(_, target, _)] = served.as_slice() else {
        panic!("{served:?}");
    };
    assert!(target.len() > super::super::target::LONGEST_TARGET);
    assert!(received.contains("connection: close"), "{received}");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off() {
    let (_client, server) = tokio::io::duplex(8);
    let mut server = Guarded::new(server);
    server.stall = Stall::after(Duration::from_millis(10));
    let stalled = server.write_all(b"nine bytes").await.unwrap_err();
    assert_eq!(stalled.kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn a_client_that_takes_something_starts_afresh() {
    let (mut client, server) = tokio::io::duplex(8);
    let mut server = Guarded::new(server);
    let full = std::future::poll_fn(|context| {
        while Pin::new(&mut server).poll_write(context, b"x").is_ready() {}
        Poll::Ready(server.stall.since)
    });
    assert!(full.await.is_some());
    client.read_exact(&mut [0; 4]).await.unwrap();
    server.write_all(b"more").await.unwrap();
    assert_eq!(server.stall.since, None);
}

#[tokio::test]
async fn a_socket_is_written_to_in_pieces_at_once() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let stream = tokio::net::TcpStream::connect(listener.local_addr().unwrap());
    assert!(Guarded::new(stream.await.unwrap()).is_write_vectored());
}

/// The requests in `bytes`, taken apart the slow way, up to the first that is incomplete or ambiguous.
fn reference(mut bytes: &[u8]) -> Vec<Served> {
    let head = Regex::new(concat!(
        r"(?-u)\A(?:\r\n)?([!-~]+) ([!-~\x80-\xff&&[^#]]+) HTTP/1\.([01])\r\n",
        r"((?:[!-~&&[^:]]+:[^\r\n]*\r\n)*)\r\n"
    ))
    .unwrap();
    let field = Regex::new(r"(?i-u)([!-~&&[^:]]+):[ \t]*([^\r\n]*?)[ \t]*\r\n").unwrap();
    let chunk = Regex::new(r"(?-u)\A([0-9a-fA-F]{1,16})(?:;[\t -~\x80-\xff]*)?\r\n").unwrap();
    let trailers = Regex::new(r"(?-u)\A(?:[!-~&&[^:]]+:[^\r\n]*\r\n)*\r\n").unwrap();
    let mut served = Vec::new();
    while let Some(found) = head.captures(bytes) {
        bytes = &bytes[found[0].len()..];
        let framing: Vec<_> = field
            .captures_iter(&found[4])
            .map(|field| (field[1].to_ascii_lowercase(), field[2].to_ascii_lowercase()))
            .map(|(name, value)| (String::from_utf8(name).unwrap(), value))
            .filter(|(name, _)| {
                ["content-length", "transfer-encoding"].contains(&name.replace('_', "-").as_str())
            })
            .collect();
        let mut body = Vec::new();
        match framing.as_slice() {
            [] => {}
            [(name, value)]
                if name == "content-length"
                    && value.len() <= 18
                    && !value.is_empty()
                    && value.iter().all(u8::is_ascii_digit) =>
            {
                let length: usize = std::str::from_utf8(value).unwrap().parse().unwrap();
                let Some((content, rest)) = bytes.split_at_checked(length) else {
                    break;
                };
                body.extend_from_slice(content);
                bytes = rest;
            }
            [(name, value)]
                if name == "transfer-encoding" && value == b"chunked" && &found[3] == b"1" =>
            {
                loop {
                    let Some(size) = chunk.captures(bytes) else {
                        return served;
                    };
                    bytes = &bytes[size[0].len()..];
                    let size =
                        usize::from_str_radix(std::str::from_utf8(&size[1]).unwrap(), 16).unwrap();
                    if size == 0 {
                        let Some(trailers) = trailers.find(bytes) else {
                            return served;
                        };
                        bytes = &bytes[trailers.len()..];
                        break;
                    }
                    let Some((content, rest)) = bytes.split_at_checked(size) else {
                        return served;
                    };
                    let Some(rest) = rest.strip_prefix(b"\r\n") else {
                        return served;
                    };
                    body.extend_from_slice(content);
                    bytes = rest;
                }
            }
            _ => break,
        }
        let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
        served.push((text(&found[1]), text(&found[2]), body));
    }
    served
}

/// Pieces of requests, right and wrong ones.
fn debris() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "GET /a HTTP/1.1\r\n",
        "POST /b HTTP/1.1\r\n",
        "GET /old HTTP/1.0\r\n",
        "GET /a HTTP/1.1\r\nx: y\r\n\r\n",
        "POST /c HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello",
        "POST /d HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
        "POST /e HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\n\r\n",
        "content-length: 3\r\n",
        "Content-Length:5\r\n",
        "content_length: 1\r\n",
        "transfer-encoding: chunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "x: y\r\n",
        "\r\n",
        "\n",
        "\r",
        " ",
        "\0",
        "abc",
        "3\r\nabc\r\n",
        "5;x=\"y\"\r\nhello\r\n",
        "0\r\n\r\n",
        "0\r\nx: y\r\n\r\n",
        "0;x\r\n\r\n",
    ]);
    prop_oneof![
        20 => pieces.prop_map(|piece| piece.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 1..4),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn what_is_served_is_what_a_second_parser_finds(pieces in proptest::collection::vec(debris(), 1..12)) {
        let expected = reference(&pieces.concat());
        let (served, received) = serve(pieces);
        prop_assert!(expected.starts_with(&served), "served {served:?}\nexpected {expected:?}\nanswers {received}");
    }
}
