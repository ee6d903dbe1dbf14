//! An HTTP server with the runtime and the HTTP settings of the gateway, for everything that it is compared with.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpSocket, TcpStream};

use crate::Outcome;

/// The gateway's own value.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);

/// Room for everybody who connects at the same moment.
const BACKLOG: u32 = 4096;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Says its address on standard error, as the gateway does, and serves until it is killed. Blocks.
pub fn serve<R, F, B>(respond: R) -> Outcome<()>
where
    R: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data: Send, Error: Into<Failure>> + Send + 'static,
{
    let respond = Arc::new(respond);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.bind(([127, 0, 0, 1], 0).into())?;
        let listener = socket.listen(BACKLOG)?;
        eprintln!("http://{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(connection(stream, Arc::clone(&respond)));
        }
    })
}

async fn connection<R, F, B>(stream: TcpStream, respond: Arc<R>)
where
    R: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<B>>,
    B: Body<Error: Into<Failure>> + 'static,
{
    let service = service_fn(move |request| {
        let response = respond(request);
        async { Ok::<_, Infallible>(response.await) }
    });
    // The client leaves as it pleases.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
