//! The service behind the proxies: hyper again, with a few answers that need no thought.
//!
//! The last segment of the path says what is asked, whatever a proxy has put before it. Nothing is checked, so that the
//! proxies are what is measured; what it has seen so far, `census` tells.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::sync::watch;

use crate::Outcome;
use crate::serving;

/// The argument that turns the benchmark into this server.
pub const ARGUMENT: &str = "serve-upstream";

/// A small answer, as an API gives it.
pub const SMALL: usize = 1024;
/// What every event stream starts with, and what `publish` makes of each.
pub const OPENED: &[u8] = b": opened\n\n";
pub const EVENT: &[u8] = b"data: {\"state\":\"ready\"}\n\n";

/// The gateway's own.
const GREETING: &str = r#"{"status":"ok","version":"0.0.0"}"#;

/// What a download consists of.
const BLOCK: usize = 256 * 1024;

type Streamed = StreamBody<BoxStream<'static, Result<Frame<Bytes>, Infallible>>>;
type Body = Either<Full<Bytes>, Streamed>;

/// What the service has, and what it has seen.
struct Service {
    small: Bytes,
    block: Bytes,
    published: watch::Sender<u64>,
    /// Bytes of uploads so far.
    received: AtomicU64,
}

/// Serves until it is killed. Blocks.
pub fn serve() -> Outcome<()> {
    let service = Arc::new(Service {
        small: vec![b'.'; SMALL].into(),
        block: vec![b'.'; BLOCK].into(),
        published: watch::Sender::new(0),
        received: AtomicU64::new(0),
    });
    serving::serve(move |request| {
        let service = Arc::clone(&service);
        async move { service.respond(request).await }
    })
}

impl Service {
    async fn respond(&self, request: Request<Incoming>) -> Response<Body> {
        let name = request.uri().path().rsplit('/').next().unwrap_or_default();
        match (request.method(), name) {
            // Tunnels are closed when something else than the gateway answers behind them.
            (&Method::GET, "") => whole(GREETING),
            (&Method::GET, "small") => whole(self.small.clone()),
            (&Method::GET, "download") => self.download(request.uri().query()),
            (&Method::GET, "events") => self.events(),
            (&Method::GET, "census") => whole(self.received.load(Ordering::Relaxed).to_string()),
            (&Method::POST, "upload") => self.upload(request.into_body()).await,
            (&Method::POST, "publish") => {
                self.published.send_modify(|published| *published += 1);
                whole(Bytes::new())
            }
            _ => status(StatusCode::NOT_FOUND),
        }
    }

    /// As many bytes as the query says.
    fn download(&self, query: Option<&str>) -> Response<Body> {
        let Some(length) = query.and_then(|length| length.parse::<u64>().ok()) else {
            return status(StatusCode::BAD_REQUEST);
        };
        let block = self.block.clone();
        let blocks = stream::unfold(length, move |left| {
            let size = left.min(block.len() as u64);
            let part = block.slice(..size as usize);
            async move { (size > 0).then(|| (Ok(Frame::data(part)), left - size)) }
        });
        let mut response = streamed(blocks.boxed());
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        response
    }

    /// Events for as long as the client stays.
    fn events(&self) -> Response<Body> {
        let published = self.published.subscribe();
        let events = stream::unfold(published, |mut published| async move {
            published.changed().await.ok()?;
            Some((Ok(Frame::data(Bytes::from_static(EVENT))), published))
        });
        let opened = stream::once(async { Ok(Frame::data(Bytes::from_static(OPENED))) });
        let mut response = streamed(opened.chain(events).boxed());
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/event-stream"),
        );
        response
    }

    /// Takes everything; the answer is how much that was.
    async fn upload(&self, mut body: Incoming) -> Response<Body> {
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return status(StatusCode::BAD_REQUEST);
            };
            let data = frame.data_ref().map_or(0, Bytes::len) as u64;
            self.received.fetch_add(data, Ordering::Relaxed);
            length += data;
        }
        whole(length.to_string())
    }
}

fn whole(body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(body.into())));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    response
}

fn streamed(frames: BoxStream<'static, Result<Frame<Bytes>, Infallible>>) -> Response<Body> {
    Response::new(Either::Right(StreamBody::new(frames)))
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = whole(Bytes::new());
    *response.status_mut() = status;
    response
}
