//! What a server does once a request's head has arrived.

use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Mutex, mpsc, watch};

use crate::message::Message;

/// Steps, one after the other. What is left of the request's body is read alongside and after them.
#[derive(Clone, Default)]
pub struct Script {
    pub(super) steps: Vec<Step>,
    pub(super) unread: bool,
}

#[derive(Clone)]
pub(super) enum Step {
    AwaitBody,
    Send(Bytes),
    Wait(Gate),
    Relay(Arc<Mutex<mpsc::Receiver<Bytes>>>),
    Echo,
    Silence,
    Close,
    Reset,
}

impl Script {
    /// No steps yet. A script without steps never answers, and takes the connection's next request.
    pub fn new() -> Self {
        Self::default()
    }

    /// An answer that says which request it belongs to: `<method> <target>`. Without content to HEAD.
    pub fn named(request: &Message) -> Self {
        let name = format!("{} {}", request.method(), request.target());
        match request.method() {
            "HEAD" => Self::raw(format!(
                "HTTP/1.1 200 Scripted\r\ncontent-length: {}\r\n\r\n",
                name.len()
            )),
            _ => Self::text(200, &name),
        }
    }

    /// A whole answer with a length, once the request is complete.
    pub fn text(status: u16, body: &str) -> Self {
        Self::with_headers(status, "", body)
    }

    /// The same with more header lines, each with its `\r\n`.
    pub fn with_headers(status: u16, headers: &str, body: &str) -> Self {
        Self::raw(format!(
            "HTTP/1.1 {status} Scripted\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    /// These bytes, once the request is complete.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self::new().await_body().send(bytes)
    }

    /// These bytes, as soon as the request's head is there.
    pub fn early(bytes: impl Into<Bytes>) -> Self {
        Self::new().send(bytes)
    }

    /// A chunked answer with trailer lines, each with its `\r\n`, once the request is complete.
    pub fn chunked(headers: &str, parts: &[&str], trailers: &str) -> Self {
        let mut answer =
            format!("HTTP/1.1 200 Scripted\r\n{headers}transfer-encoding: chunked\r\n\r\n");
        for part in parts {
            write!(answer, "{:x}\r\n{part}\r\n", part.len()).expect("text takes text");
        }
        Self::raw(answer + "0\r\n" + trailers + "\r\n")
    }

    /// A redirect.
    pub fn redirect(location: &str) -> Self {
        Self::with_headers(302, &format!("location: {location}\r\n"), "")
    }

    /// An answer that sends back the request's body, chunk for chunk, as it arrives.
    pub fn echo() -> Self {
        let mut script = Self::early("HTTP/1.1 200 Scripted\r\ntransfer-encoding: chunked\r\n\r\n");
        script.steps.push(Step::Echo);
        script.send("0\r\n\r\n")
    }

    /// An answer with a chunked body that the test writes as it goes.
    pub fn fed(headers: &str) -> (Feed, Self) {
        let (sender, receiver) = mpsc::channel(16);
        let mut script = Self::early(format!(
            "HTTP/1.1 200 Scripted\r\n{headers}transfer-encoding: chunked\r\n\r\n"
        ));
        script
            .steps
            .push(Step::Relay(Arc::new(Mutex::new(receiver))));
        (Feed { sender }, script)
    }

    /// Then waits until the request is complete.
    #[must_use]
    pub fn await_body(self) -> Self {
        self.then(Step::AwaitBody)
    }

    /// Then sends these bytes.
    #[must_use]
    pub fn send(self, bytes: impl Into<Bytes>) -> Self {
        self.then(Step::Send(bytes.into()))
    }

    /// Then waits until the test opens the gate.
    #[must_use]
    pub fn wait(self, gate: &Gate) -> Self {
        self.then(Step::Wait(gate.clone()))
    }

    /// Then says nothing more, and never hangs up.
    #[must_use]
    pub fn silence(self) -> Self {
        self.then(Step::Silence)
    }

    /// Then hangs up in order, and reads on whatever still comes.
    #[must_use]
    pub fn close(self) -> Self {
        self.then(Step::Close)
    }

    /// Then breaks the connection.
    #[must_use]
    pub fn reset(self) -> Self {
        self.then(Step::Reset)
    }

    /// Reads no more of the request than has already arrived, until all steps are done.
    #[must_use]
    pub fn unread(mut self) -> Self {
        self.unread = true;
        self
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

/// What holds a script up until it is opened.
#[derive(Clone)]
pub struct Gate {
    open: Arc<watch::Sender<bool>>,
}

impl Gate {
    /// A closed one.
    pub fn new() -> Self {
        Self {
            open: Arc::new(watch::Sender::new(false)),
        }
    }

    /// Opens it for good.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    pub(super) async fn opened(&self) {
        let mut state = self.open.subscribe();
        // The sender lives as long as `self`.
        let _ = state.wait_for(|open| *open).await;
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

/// The test's end of a body that it writes. Dropping it leaves the body unfinished and the connection open.
pub struct Feed {
    sender: mpsc::Sender<Bytes>,
}

impl Feed {
    /// Sends one chunk.
    ///
    /// # Panics
    /// When nobody takes it any more.
    pub async fn chunk(&self, content: &str) {
        self.bytes(format!("{:x}\r\n{content}\r\n", content.len()))
            .await;
    }

    /// Ends the body in order.
    pub async fn end(self) {
        self.bytes("0\r\n\r\n").await;
    }

    async fn bytes(&self, bytes: impl Into<Bytes>) {
        self.sender
            .send(bytes.into())
            .await
            .expect("the upstream still answers");
    }
}
