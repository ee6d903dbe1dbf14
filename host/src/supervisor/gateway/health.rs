//! Whether the gateway answers. A process that exists and accepts proves nothing: its runtime may be stuck.

use std::net::SocketAddr;
use std::time::Duration;

use http::header::{CONNECTION, HOST};
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;

use crate::gateway::headers::PASSWORD;

const INTERVAL: Duration = Duration::from_secs(10);
/// A loaded machine is slow; a stuck gateway does not answer at all.
const PATIENCE: Duration = Duration::from_secs(10);
const MOST_FAILURES: u32 = 3;

/// Completes with the reason when several checks in a row have failed.
pub(super) async fn fails(address: SocketAddr, password: &SecretString) -> String {
    let mut failures = 0;
    loop {
        tokio::time::sleep(INTERVAL).await;
        let answer = tokio::time::timeout(PATIENCE, ask(address, password)).await;
        let error = match answer {
            Ok(Ok(StatusCode::OK)) => {
                failures = 0;
                continue;
            }
            Ok(Ok(status)) => format!("its status is {status}"),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("nothing within {PATIENCE:?}"),
        };
        failures += 1;
        tracing::warn!(
            "the gateway failed a health check ({failures} of {MOST_FAILURES}): {error}"
        );
        if failures >= MOST_FAILURES {
            return error;
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum HealthError {
    #[error("{0}")]
    Connect(#[from] std::io::Error),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("{0}")]
    Request(#[from] http::Error),
}

async fn ask(address: SocketAddr, password: &SecretString) -> Result<StatusCode, HealthError> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get("/")
        .header(HOST, address.to_string())
        .header(CONNECTION, "close")
        .header(PASSWORD, password.expose_secret())
        .body(Empty::<Bytes>::new())?;
    // Ends with the exchange; what goes wrong there the sender is told.
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?.status())
}
