//! Answers for a gateway that stays away: `503`, so that nobody waits in the backlog for longer than a few seconds.
//!
//! It accepts from the very socket that the children are given, so it stops as soon as one of them serves.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};

use super::GatewayStatus;

/// Shorter absences go unnoticed: connections wait in the backlog meanwhile.
const PATIENCE: Duration = Duration::from_secs(3);
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);
const MOST_CONNECTIONS: usize = 256;
const BODY: &[u8] =
    br#"{"error":"The gateway is away; its supervisor is starting it again. Retry in a few seconds."}"#;

/// Never ends.
pub(super) async fn run(listener: Arc<TcpListener>, mut status: watch::Receiver<GatewayStatus>) {
    loop {
        // Without a keeper there is nobody to stand in for.
        if status
            .wait_for(|status| !status.is_serving())
            .await
            .map(drop)
            .is_err()
        {
            return std::future::pending().await;
        }
        if tokio::time::timeout(PATIENCE, serves(&mut status))
            .await
            .is_ok()
        {
            continue;
        }
        tracing::warn!("until the gateway is back, requests are answered 503");
        tokio::select! {
            () = serves(&mut status) => {}
            error = accept(&listener) => {
                tracing::error!("nobody answers for the gateway: {error}");
                tokio::time::sleep(PATIENCE).await;
            }
        }
    }
}

async fn serves(status: &mut watch::Receiver<GatewayStatus>) {
    if status
        .wait_for(GatewayStatus::is_serving)
        .await
        .map(drop)
        .is_err()
    {
        std::future::pending().await
    }
}

async fn accept(listener: &TcpListener) -> io::Error {
    // Registered only while it is used: otherwise each of the gateway's connections would wake this process too.
    let listener = match listener
        .try_clone()
        .and_then(tokio::net::TcpListener::from_std)
    {
        Ok(listener) => listener,
        Err(error) => return error,
    };
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return io::ErrorKind::Other.into();
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(async move {
                    // A client that leaves early has its answer.
                    let _ = tokio::time::timeout(REQUEST_DEADLINE, answer(stream)).await;
                    drop(permit);
                });
            }
            Err(error) => return error,
        }
    }
}

async fn answer(stream: TcpStream) -> Result<(), hyper::Error> {
    let service = service_fn(|_| async {
        let mut response = Response::new(Full::new(Bytes::from_static(BODY)));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        Ok::<_, Infallible>(response)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_DEADLINE)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}
