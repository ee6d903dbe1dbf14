//! The gateway's side of the control socket.
//!
//! One task for the socket, one a connection, all ended with the [`Control`]. A connection is kept for as long as it asks: a line must
//! arrive within [`PATIENCE`], and its answer be taken within the same. What is asked for has no limit of time, and goes on when the
//! client has left.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::socket::{self, SocketFile};
use super::{Reply, Request, Respondent, Response, line};
use crate::extensions::Extensions;
use crate::extensions::report::{ExtensionReport, Reloaded};
use crate::store::paths::LatchkeyDirectory;

/// Longest request, in bytes.
const LONGEST: usize = 16 * 1024;
/// For a request to arrive, and for an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(5);
/// More connections than this wait.
const MOST_CONNECTIONS: usize = 16;
/// After a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Whom a control socket asks and tells.
pub(in crate::gateway) trait Subject: Send + Sync + 'static {
    /// How every extension stands.
    fn report(&self) -> Vec<ExtensionReport>;

    /// Takes what stands in the extensions directory: one extension anew, or whatever has changed.
    ///
    /// # Errors
    /// When it cannot be looked at: why, for people.
    fn reload(
        &self,
        extension: Option<&str>,
    ) -> impl Future<Output = Result<Vec<Reloaded>, String>> + Send;
}

impl Subject for Extensions {
    fn report(&self) -> Vec<ExtensionReport> {
        Self::report(self)
    }

    async fn reload(&self, extension: Option<&str>) -> Result<Vec<Reloaded>, String> {
        Self::reload(self, extension)
            .await
            .map_err(|error| error.to_string())
    }
}

/// A gateway's control socket: open until this is dropped.
pub(in crate::gateway) struct Control {
    _accepting: AbortOnDropHandle<()>,
    _file: SocketFile,
}

impl Control {
    /// Opens the socket; none, and a warning, when it cannot be.
    pub(in crate::gateway) async fn start(
        directory: &LatchkeyDirectory,
        subject: Arc<impl Subject>,
    ) -> Option<Self> {
        let directory = directory.extensions_dir();
        let (listener, file) = match socket::listen(&directory).await {
            Ok(listening) => listening,
            Err(error) => {
                tracing::warn!(
                    "no control socket can be opened in {}, so `mngr-latchkey extension` does not reach this gateway: {error}",
                    directory.display()
                );
                return None;
            }
        };
        let server = Arc::new(Server {
            respondent: Respondent {
                pid: std::process::id(),
                started_at: Timestamp::now(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            subject,
        });
        Some(Self {
            _accepting: AbortOnDropHandle::new(tokio::spawn(accept(listener, server))),
            _file: file,
        })
    }
}

/// Never ends.
async fn accept(listener: UnixListener, server: Arc<Server<impl Subject>>) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        // Those that have ended need not be kept.
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let server = Arc::clone(&server);
                connections.spawn(async move {
                    if let Err(error) = server.serve(stream).await {
                        tracing::debug!("a connection to the control socket ended: {error}");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::debug!("cannot accept a connection to the control socket: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

struct Server<S> {
    respondent: Respondent,
    subject: Arc<S>,
}

impl<S: Subject> Server<S> {
    /// Until the client has no more to ask, or is not worth listening to.
    async fn serve(&self, stream: UnixStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let read = timeout(PATIENCE, line::read(&mut stream, LONGEST)).await?;
            let request = match read {
                Ok(None) => return Ok(()),
                Ok(Some(line)) => serde_json::from_slice(&line)
                    .map_err(|error| format!("the line is no request: {error}")),
                Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Err(error.to_string()),
                Err(error) => return Err(error),
            };
            let (reply, is_last) = match request {
                Ok(request) => (self.reply(request).await, false),
                Err(mistake) => (Reply::Error(mistake), true),
            };
            let response = Response {
                gateway: self.respondent.clone(),
                reply,
            };
            let mut answer = serde_json::to_vec(&response)?;
            answer.push(b'\n');
            timeout(PATIENCE, stream.write_all(&answer)).await??;
            if is_last {
                return Ok(());
            }
        }
    }

    async fn reply(&self, request: Request) -> Reply {
        match request {
            Request::List {} => Reply::Extensions(self.subject.report()),
            Request::Reload { extension } => {
                match self.subject.reload(extension.as_deref()).await {
                    Ok(reloaded) => Reply::Reloaded(reloaded),
                    Err(problem) => Reply::Error(problem),
                }
            }
        }
    }
}
