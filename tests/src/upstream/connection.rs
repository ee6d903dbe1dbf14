//! One connection of a server: everything that arrives is kept and read strictly; answers follow their scripts, in order.

use std::fmt;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::script::{Script, Step};
use super::{Shared, lock};
use crate::message::{Message, Parser};

/// What a connection has carried.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Every byte, as it arrived.
    pub bytes: Vec<u8>,
    /// Whether the other end has hung up, or the connection broke.
    pub ended: bool,
    parser: Parser,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            ended: false,
            parser: Parser::of_requests(),
        }
    }
}

impl Connection {
    /// Its requests; the last one may still be arriving.
    pub fn requests(&self) -> &[Message] {
        self.parser.messages()
    }

    /// The same without the bodies, which may be large.
    fn without_content(&self) -> Self {
        Self {
            bytes: Vec::new(),
            ended: self.ended,
            parser: self.parser.heads(),
        }
    }

    /// Why it could not be read on.
    pub fn failure(&self) -> Option<&str> {
        self.parser.failure()
    }

    /// Bytes that belong to no request.
    pub fn leftover(&self) -> &[u8] {
        self.parser.unread()
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 4096;
        let shown = self.bytes.get(..SHOWN).unwrap_or(&self.bytes);
        writeln!(
            formatter,
            "{} bytes, {}{}:\n{}",
            self.bytes.len(),
            if self.ended { "ended" } else { "open" },
            self.failure()
                .map(|reason| format!(", unreadable ({reason})"))
                .unwrap_or_default(),
            String::from_utf8_lossy(shown)
        )
    }
}

/// Serves a connection until it ends.
pub(super) async fn serve<S>(stream: S, twin: TcpStream, shared: Arc<Shared>, index: usize)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (reader_half, mut writer) = tokio::io::split(stream);
    let (scripts, mut due) = mpsc::channel(64);
    // It ends with this task.
    let mut reading = JoinSet::new();
    let resume = Arc::new(Notify::new());
    let reader = Reader {
        shared: Arc::clone(&shared),
        index,
        scripts,
        resume: Arc::clone(&resume),
    };
    reading.spawn(reader.read(reader_half));
    let mut position = 0;
    while let Some(script) = due.recv().await {
        for step in script.steps {
            match play(step, &mut writer, &shared, index, position).await {
                Next::Go => {}
                Next::Close => {
                    let _ = writer.shutdown().await;
                    resume.notify_one();
                    // Whatever still comes is evidence.
                    reading.join_next().await;
                    return;
                }
                Next::Reset => {
                    let _ = twin.set_zero_linger();
                    reading.abort_all();
                    shared.note(index, |connection| connection.ended = true);
                    return;
                }
            }
        }
        if script.unread {
            resume.notify_one();
        }
        position += 1;
    }
}

enum Next {
    Go,
    Close,
    Reset,
}

async fn play<S: AsyncWrite>(
    step: Step,
    writer: &mut WriteHalf<S>,
    shared: &Shared,
    index: usize,
    position: usize,
) -> Next {
    match step {
        Step::Send(bytes) => send(writer, &bytes).await,
        Step::AwaitBody => {
            until(shared, index, |connection| {
                request(connection, position).is_some_and(|request| request.complete)
            })
            .await;
            Next::Go
        }
        Step::Wait(gate) => {
            tokio::select! {
                () = gate.opened() => Next::Go,
                () = until(shared, index, |_| false) => Next::Go,
            }
        }
        Step::Relay(receiver) => {
            let mut receiver = receiver.lock().await;
            loop {
                let bytes = tokio::select! {
                    bytes = receiver.recv() => bytes,
                    () = until(shared, index, |_| false) => None,
                };
                match bytes {
                    Some(bytes) => send(writer, &bytes).await,
                    None => return Next::Go,
                };
            }
        }
        Step::Echo => {
            let mut sent = 0;
            loop {
                let mut part = Vec::new();
                let mut complete = false;
                until(shared, index, |connection| {
                    let request = request(connection, position);
                    complete = request.is_none_or(|request| request.complete);
                    part = request
                        .and_then(|request| request.body.get(sent..))
                        .unwrap_or_default()
                        .to_vec();
                    complete || !part.is_empty()
                })
                .await;
                if part.is_empty() {
                    return Next::Go;
                }
                sent += part.len();
                let mut chunk = format!("{:x}\r\n", part.len()).into_bytes();
                chunk.extend(part);
                chunk.extend(b"\r\n");
                send(writer, &chunk).await;
            }
        }
        Step::Silence => {
            until(shared, index, |_| false).await;
            Next::Go
        }
        Step::Close => Next::Close,
        Step::Reset => Next::Reset,
    }
}

fn request(connection: &Connection, position: usize) -> Option<&Message> {
    connection.requests().get(position)
}

/// Sends bytes; that the other end has gone is seen by the reader.
async fn send<S: AsyncWrite>(writer: &mut WriteHalf<S>, bytes: &[u8]) -> Next {
    let _ = writer.write_all(bytes).await;
    let _ = writer.flush().await;
    Next::Go
}

/// Awaits that `condition` holds, or that the connection ends.
async fn until(shared: &Shared, index: usize, mut condition: impl FnMut(&Connection) -> bool) {
    let mut changed = shared.changed.subscribe();
    loop {
        changed.mark_unchanged();
        {
            let connections = shared.connections();
            if condition(&connections[index]) || connections[index].ended {
                return;
            }
        }
        if changed.changed().await.is_err() {
            return;
        }
    }
}

/// The receiving half of a connection.
struct Reader {
    shared: Arc<Shared>,
    index: usize,
    scripts: mpsc::Sender<Script>,
    resume: Arc<Notify>,
}

impl Reader {
    /// Keeps what arrives, and has each new request answered. Ends with the connection.
    async fn read<S: AsyncRead>(self, mut stream: ReadHalf<S>) {
        let mut bytes = vec![0; 64 * 1024];
        let mut answered = 0;
        loop {
            let length = stream.read(&mut bytes).await.unwrap_or(0);
            let arrived = &bytes[..length];
            let known = self.shared.note(self.index, |connection| {
                connection.bytes.extend_from_slice(arrived);
                connection.parser.feed(arrived);
                connection.ended = length == 0 || connection.failure().is_some();
                connection.without_content()
            });
            let mut unread = false;
            for request in &known.requests()[answered..] {
                let script = lock(&self.shared.answers)(&known, request);
                unread |= script.unread;
                if self.scripts.send(script).await.is_err() {
                    return;
                }
            }
            answered = known.requests().len();
            // What cannot be read is evidence enough.
            if length == 0 || known.failure().is_some() {
                return;
            }
            if unread {
                self.resume.notified().await;
            }
        }
    }
}
