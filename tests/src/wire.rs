//! A client's connection of which every byte is kept, for tests that ask what came back, and what did not.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::message::{Message, Parser};
use crate::within_patience;

/// Who takes nothing for so long has stopped.
const STALL: Duration = Duration::from_secs(1);

/// The connection, and all that it has received.
pub struct Wire {
    stream: TcpStream,
    transcript: Vec<u8>,
    answers: Parser,
    given: usize,
    ended: bool,
}

impl Wire {
    /// Connects.
    ///
    /// # Panics
    /// When nobody accepts.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = within_patience("the gateway accepts", TcpStream::connect(address))
            .await
            .expect("the gateway accepts connections");
        stream
            .set_nodelay(true)
            .expect("a connection takes options");
        Self {
            stream,
            transcript: Vec::new(),
            answers: Parser::of_responses(),
            given: 0,
            ended: false,
        }
    }

    /// Says that a request of this method will be answered: the answer to HEAD has no body. Untold, it is no HEAD.
    pub fn asks(&mut self, method: &str) {
        self.answers.asked(method);
    }

    /// Sends bytes, to a peer that may have hung up.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // Whoever has answered early may hang up before everything is sent; what it answered is what counts.
        let _ = within_patience("the gateway reads", self.stream.write_all(bytes.as_ref())).await;
    }

    /// Sends bytes, at most `limit`, until the peer has taken none for a while. Says how many it took.
    pub async fn fill(&mut self, limit: usize) -> usize {
        let part = vec![b'x'; 64 * 1024];
        let mut taken = 0;
        while taken < limit {
            match tokio::time::timeout(STALL, self.stream.write(&part)).await {
                Ok(Ok(length)) => taken += length,
                Ok(Err(_)) | Err(_) => break,
            }
        }
        taken
    }

    /// Says that nothing more will be sent.
    pub async fn finish_sending(&mut self) {
        // A peer that has gone already knows.
        let _ = self.stream.shutdown().await;
    }

    /// Leaves with a reset, as a client does that crashed.
    pub fn reset(self) {
        self.stream
            .set_zero_linger()
            .expect("a connection takes options");
    }

    /// The next answer, whole; interim ones count. None when the connection ends first.
    ///
    /// # Panics
    /// When it is no well-formed answer.
    pub async fn try_answer(&mut self) -> Option<Message> {
        let index = self.given;
        let answer = self
            .until("an answer", |answers| {
                answers.get(index).filter(|answer| answer.complete).cloned()
            })
            .await;
        self.given += usize::from(answer.is_some());
        answer
    }

    /// The next answer, whole.
    ///
    /// # Panics
    /// When none comes.
    pub async fn answer(&mut self) -> Message {
        match self.try_answer().await {
            Some(answer) => answer,
            None => panic!("the connection ended without an answer: {}", self.text()),
        }
    }

    /// The answer that arrives, once `enough` of it is there. It counts as given when it is complete.
    ///
    /// # Panics
    /// When the connection ends before.
    pub async fn partial(&mut self, what: &str, enough: impl Fn(&Message) -> bool) -> Message {
        let index = self.given;
        let answer = self
            .until(what, |answers| {
                answers.get(index).filter(|answer| enough(answer)).cloned()
            })
            .await;
        match answer {
            Some(answer) => answer,
            None => panic!("{what}: the connection ended: {}", self.text()),
        }
    }

    /// Reads until the gateway hangs up, and gives the answers that were not given yet; the last one may be incomplete.
    pub async fn rest(&mut self) -> Vec<Message> {
        self.until("the gateway hangs up", |_| None::<()>).await;
        let answers = self.answers.messages();
        answers.get(self.given..).unwrap_or_default().to_vec()
    }

    /// Everything that has been received.
    pub fn transcript(&self) -> &[u8] {
        &self.transcript
    }

    /// The same as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.transcript).into_owned()
    }

    /// Reads until `find` gives something, or the connection ends.
    async fn until<T>(
        &mut self,
        what: &str,
        mut find: impl FnMut(&[Message]) -> Option<T>,
    ) -> Option<T> {
        within_patience(what, async {
            loop {
                if let Some(found) = find(self.answers.messages()) {
                    return Some(found);
                }
                if self.ended {
                    return None;
                }
                let mut bytes = vec![0; 64 * 1024];
                let length = self.stream.read(&mut bytes).await.unwrap_or(0);
                bytes.truncate(length);
                self.transcript.extend_from_slice(&bytes);
                self.answers.feed(&bytes);
                self.ended = length == 0;
                if self.ended {
                    self.answers.end();
                }
                if let Some(failure) = self.answers.failure() {
                    panic!(
                        "{what}: the gateway's answers are malformed: {failure}: {}",
                        self.text()
                    );
                }
            }
        })
        .await
    }
}
