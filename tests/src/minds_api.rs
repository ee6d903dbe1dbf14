//! A Minds API for the clients: a real HTTP/1.1 server that says what it received, and gives what it is asked for.
//!
//! Below `/api/v1/agents/<id>/`: `request` describes the request in JSON; `blob/<size>` is that much of the [pattern](Pattern),
//! in ranges too; `mirror` sends the body back while it comes; `events` is an event stream that the test feeds;
//! `received/<bytes>` answers once that much has been received by `request`. It insists on the key, and on not being told what
//! is the gateway's.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, RANGE,
    TRANSFER_ENCODING,
};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::pattern::{Pattern, Tally};
use crate::{KEY, eventually};

type Answer = Response<BoxBody<Bytes, hyper::Error>>;

/// A running server; it ends with the test.
pub struct MindsApi {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    received: watch::Sender<u64>,
    streams: Mutex<Vec<mpsc::Sender<Bytes>>>,
}

impl MindsApi {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let state = Arc::new(State {
            received: watch::Sender::new(0),
            streams: Mutex::default(),
        });
        let serving = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let state = Arc::clone(&serving);
                let service = service_fn(move |request| {
                    let state = Arc::clone(&state);
                    async move { state.answer(request).await }
                });
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // A client that goes in the middle is not this server's trouble.
                tokio::spawn(async { drop(connection.await) });
            }
        });
        Self { address, state }
    }

    /// Its origin.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends an event to every open event stream.
    pub async fn emit(&self, event: &str) {
        let streams = self.state.streams.lock().expect("no one panics").clone();
        assert!(!streams.is_empty(), "no event stream has been opened");
        for stream in streams {
            let event = Bytes::from(format!("data: {event}\n\n"));
            assert!(stream.send(event).await.is_ok(), "an event stream is gone");
        }
    }

    /// Awaits that somebody listens to events.
    pub async fn listened_to(&self) {
        eventually("an event stream is opened", async || {
            !self.state.streams.lock().expect("no one panics").is_empty()
        })
        .await;
    }

    /// Ends the event streams as a server does that is done.
    pub fn end_streams(&self) {
        self.state.streams.lock().expect("no one panics").clear();
    }

    /// Awaits that whoever listened to events has left.
    pub async fn deserted(&self) {
        eventually("the event streams are left", async || {
            let streams = self.state.streams.lock().expect("no one panics");
            streams.iter().all(mpsc::Sender::is_closed)
        })
        .await;
    }
}

impl State {
    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, hyper::Error> {
        let headers = request.headers();
        if headers
            .get(AUTHORIZATION)
            .is_none_or(|value| *value != format!("Bearer {KEY}"))
        {
            return Ok(refuse(StatusCode::UNAUTHORIZED, "the key is missing"));
        }
        if headers
            .keys()
            .any(|name| name.as_str().starts_with("x-latchkey-gateway"))
        {
            let why = "a header of the gateway's own was passed on";
            return Ok(refuse(StatusCode::BAD_REQUEST, why));
        }
        let path = request.uri().path().to_owned();
        let rest = path.strip_prefix("/api/v1/agents/").unwrap_or_default();
        let (_, rest) = rest.split_once('/').unwrap_or_default();
        let (name, argument) = rest.split_once('/').unwrap_or((rest, ""));
        match (name, argument.parse()) {
            ("request", _) => self.describe(request).await,
            ("blob", Ok(size)) => Ok(blob(size, headers)),
            ("received", Ok(bytes)) => Ok(self.received(bytes).await),
            ("mirror", _) => Ok(Response::new(request.into_body().boxed())),
            ("events", _) => Ok(self.events()),
            _ => Ok(refuse(StatusCode::NOT_FOUND, &path)),
        }
    }

    async fn describe(&self, request: Request<Incoming>) -> Result<Answer, hyper::Error> {
        let (head, mut body) = request.into_parts();
        let mut tally = Tally::default();
        while let Some(frame) = body.frame().await {
            if let Ok(piece) = frame?.into_data() {
                tally.add(&piece);
                self.received
                    .send_modify(|bytes| *bytes += piece.len() as u64);
            }
        }
        let (bytes, digest) = tally.total();
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into();
        let headers: serde_json::Map<String, Value> = head
            .headers
            .keys()
            .map(|name| {
                let values: Vec<String> = head.headers.get_all(name).iter().map(text).collect();
                (name.to_string(), json!(values))
            })
            .collect();
        let description = json!({
            "method": head.method.as_str(),
            "target": head.uri.to_string(),
            "headers": headers,
            "bytes": bytes,
            "sha256": digest,
            "chunked": head.headers.contains_key(TRANSFER_ENCODING),
        });
        Ok(answer(StatusCode::OK, &description))
    }

    async fn received(&self, bytes: u64) -> Answer {
        let mut received = self.received.subscribe();
        let reached = received.wait_for(|received| *received >= bytes).await;
        let reached = reached.map_or(0, |received| *received);
        answer(StatusCode::OK, &json!({"received": reached}))
    }

    fn events(&self) -> Answer {
        let (sender, receiver) = mpsc::channel(16);
        self.streams.lock().expect("no one panics").push(sender);
        let mut answer = Response::new(Events(receiver).map_err(|never| match never {}).boxed());
        answer.headers_mut().insert(
            CONTENT_TYPE,
            http::HeaderValue::from_static("text/event-stream"),
        );
        answer
    }
}

fn answer(status: StatusCode, content: &Value) -> Answer {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .body(whole(content.to_string()))
        .expect("an answer")
}

fn refuse(status: StatusCode, why: &str) -> Answer {
    answer(status, &json!({"error": format!("upstream: {why}")}))
}

fn whole(content: impl Into<Bytes>) -> BoxBody<Bytes, hyper::Error> {
    Full::new(content.into())
        .map_err(|never| match never {})
        .boxed()
}

fn blob(size: u64, headers: &HeaderMap) -> Answer {
    let asked = headers.get(RANGE).map(|range| {
        let range = range
            .to_str()
            .ok()
            .and_then(|range| range.strip_prefix("bytes="));
        range.and_then(|range| satisfied(range, size))
    });
    let builder = Response::builder()
        .header(ACCEPT_RANGES, "bytes")
        .header(ETAG, format!("\"{size}\""))
        .header(CONTENT_TYPE, "application/octet-stream");
    let (builder, range) = match asked {
        None => (builder, 0..size),
        Some(Some(range)) => {
            let what = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            let builder = builder.status(StatusCode::PARTIAL_CONTENT);
            (builder.header(CONTENT_RANGE, what), range)
        }
        Some(None) => {
            let builder = builder.status(StatusCode::RANGE_NOT_SATISFIABLE);
            (
                builder.header(CONTENT_RANGE, format!("bytes */{size}")),
                0..0,
            )
        }
    };
    let pattern = Pattern::new(range);
    builder
        .header(CONTENT_LENGTH, pattern.remaining())
        .body(Blob(pattern).map_err(|never| match never {}).boxed())
        .expect("an answer")
}

/// One range, if it names a part of `size` bytes.
fn satisfied(range: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = range.split_once('-')?;
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) => first..size.min(last + 1),
        (Ok(first), Err(_)) => first..size,
        (Err(_), Ok(length)) => size.saturating_sub(length)..size,
        _ => return None,
    };
    (!range.is_empty()).then_some(range)
}

struct Blob(Pattern);

impl Body for Blob {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|piece| Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.remaining())
    }
}

struct Events(mpsc::Receiver<Bytes>);

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(context)
            .map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}
