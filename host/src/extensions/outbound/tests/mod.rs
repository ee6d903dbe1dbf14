//! The client against real sockets: an upstream that is scripted byte by byte.

mod framing;
mod responses;
mod reuse;
mod time;
mod tls;

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::{Client, Limits, Reach, SendError, UpstreamBody};

const PATIENT: Limits = Limits {
    connect: Duration::from_secs(20),
    first_byte: Duration::from_secs(20),
    idle: Duration::from_secs(20),
};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Fails the test instead of waiting for what does not come.
async fn expected<T>(what: &str, coming: impl Future<Output = T>) -> T {
    let came = tokio::time::timeout(Duration::from_secs(10), coming).await;
    came.unwrap_or_else(|_| panic!("{what} did not come"))
}

/// A listener that answers nothing by itself.
struct Upstream(TcpListener);

impl Upstream {
    async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn uri(&self, path: &str) -> String {
        format!("http://{}{path}", self.0.local_addr().unwrap())
    }

    async fn accept(&self) -> Peer<TcpStream> {
        let accepted = expected("a connection", self.0.accept()).await;
        Peer::new(accepted.unwrap().0)
    }
}

/// The upstream's end of a connection.
struct Peer<S> {
    stream: S,
    read: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    fn new(stream: S) -> Self {
        Self {
            stream,
            read: Vec::new(),
        }
    }

    /// Everything up to and with `end`.
    async fn until(&mut self, end: &str) -> String {
        loop {
            let found = self
                .read
                .windows(end.len())
                .position(|window| window == end.as_bytes());
            if let Some(at) = found {
                let rest = self.read.split_off(at + end.len());
                let taken = std::mem::replace(&mut self.read, rest);
                return String::from_utf8(taken).unwrap();
            }
            let read = expected(end, self.stream.read_buf(&mut self.read)).await;
            let read = read.unwrap();
            let so_far = String::from_utf8_lossy(&self.read);
            assert!(read > 0, "the client closed after {so_far:?}");
        }
    }

    async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    async fn answer(&mut self, bytes: &str) -> String {
        let head = self.head().await;
        self.send(bytes).await;
        head
    }

    /// What comes until the client closes the connection, or breaks it.
    async fn rest(mut self) -> String {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = expected("the end", self.stream.read(&mut buffer)).await {
            self.read.extend_from_slice(&buffer[..read]);
        }
        String::from_utf8_lossy(&self.read).into_owned()
    }
}

fn get(uri: String) -> Request<Empty<Bytes>> {
    Request::get(uri).body(Empty::new()).unwrap()
}

fn request<B>(method: &str, uri: String, body: B) -> Request<B> {
    let method: Method = method.parse().unwrap();
    Request::builder()
        .method(method)
        .uri(uri)
        .body(body)
        .unwrap()
}

async fn send<B>(client: &Client, request: Request<B>) -> Result<Response<UpstreamBody>, SendError>
where
    B: Body<Data = Bytes, Error: Into<super::error::BoxError>> + Send + Unpin + 'static,
{
    client.send(request, PATIENT, Reach::Anywhere).await
}

async fn text(response: Response<UpstreamBody>) -> Result<String, SendError> {
    let bytes = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

/// A GET and the upstream's answer to it, both to their ends.
async fn exchange<S>(client: &Client, uri: String, peer: &mut Peer<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (response, _) = tokio::join!(send(client, get(uri)), peer.answer(OK));
    assert_eq!(text(response.unwrap()).await.unwrap(), "ok");
}

/// A body that a test sends piece by piece; of unknown length.
struct Piecemeal(mpsc::Receiver<io::Result<Frame<Bytes>>>);

struct Pieces(mpsc::Sender<io::Result<Frame<Bytes>>>);

fn piecemeal() -> (Pieces, Piecemeal) {
    let (sender, receiver) = mpsc::channel(1);
    (Pieces(sender), Piecemeal(receiver))
}

impl Pieces {
    async fn send(&self, data: impl Into<Bytes>) {
        self.frame(Ok(Frame::data(data.into()))).await;
    }

    async fn frame(&self, frame: io::Result<Frame<Bytes>>) {
        self.0.send(frame).await.ok();
    }
}

impl Body for Piecemeal {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context)
    }
}

/// A body of unknown length that is there at once.
fn chunks(data: &'static str) -> impl Body<Data = Bytes, Error = Infallible> + Send + Unpin {
    Full::new(Bytes::from_static(data.as_bytes()))
        .with_trailers(std::future::ready(None::<Result<HeaderMap, Infallible>>))
}
