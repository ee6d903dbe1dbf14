//! A connection on which the bytes matter.

use std::net::SocketAddr;

use bytes::BytesMut;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::within_patience;

/// A TCP connection, and what it has received and nobody has read yet.
pub struct Raw {
    stream: TcpStream,
    received: BytesMut,
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = within_patience("the gateway accepts", TcpStream::connect(address))
            .await
            .expect("the gateway accepts connections");
        stream
            .set_nodelay(true)
            .expect("a connection takes options");
        Self {
            stream,
            received: BytesMut::new(),
        }
    }

    /// Sends bytes.
    ///
    /// # Panics
    /// When the gateway takes no more.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.expect("the gateway reads");
    }

    /// Sends bytes to a gateway that may have hung up.
    ///
    /// # Errors
    /// When it has.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        within_patience("the gateway reads", self.stream.write_all(bytes.as_ref())).await
    }

    /// Says that nothing more will be sent, and goes on reading.
    pub async fn finish_sending(&mut self) {
        self.stream
            .shutdown()
            .await
            .expect("a connection can be half closed");
    }

    /// Leaves with a reset, as a client does that crashed.
    pub fn reset(self) {
        self.stream
            .set_zero_linger()
            .expect("a connection takes options");
    }

    /// The next answer, with its content if it has one. `1xx` answers count as answers.
    ///
    /// # Panics
    /// When the connection ends before it does.
    pub async fn answer(&mut self) -> RawAnswer {
        within_patience("an answer", async {
            let head = self.head().await;
            let mut answer = RawAnswer {
                head,
                body: Vec::new(),
            };
            if answer.status() < 200 || matches!(answer.status(), 204 | 304) {
                return answer;
            }
            if answer
                .header("transfer-encoding")
                .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
            {
                loop {
                    let size = self.line().await;
                    let size = usize::from_str_radix(size.trim(), 16).expect("a chunk has a size");
                    answer.body.extend(self.take(size).await);
                    assert_eq!(
                        self.line().await,
                        "",
                        "a chunk, and the last one, ends with an empty line"
                    );
                    if size == 0 {
                        return answer;
                    }
                }
            }
            let length = answer
                .header("content-length")
                .expect("an answer has a length");
            answer.body = self
                .take(length.parse().expect("a length is a number"))
                .await;
            answer
        })
        .await
    }

    /// The next answer's head alone, for answers to HEAD and for streams.
    pub async fn answer_head(&mut self) -> RawAnswer {
        let head = within_patience("an answer's head", self.head()).await;
        RawAnswer {
            head,
            body: Vec::new(),
        }
    }

    /// Everything until the gateway hangs up, however it does.
    pub async fn until_closed(mut self) -> Vec<u8> {
        within_patience("the gateway hangs up", async {
            while self.read().await {}
            self.received.to_vec()
        })
        .await
    }

    async fn head(&mut self) -> String {
        let mut head = String::new();
        loop {
            let line = self.line().await;
            if line.is_empty() {
                return head;
            }
            head.push_str(&line);
            head.push('\n');
        }
    }

    async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self
                .received
                .windows(2)
                .position(|window| window == b"\r\n")
            {
                let line = self.received.split_to(end + 2);
                return String::from_utf8_lossy(&line[..end]).into_owned();
            }
            assert!(
                self.read().await,
                "the gateway hung up after {:?}",
                self.received
            );
        }
    }

    async fn take(&mut self, size: usize) -> Vec<u8> {
        while self.received.len() < size {
            assert!(
                self.read().await,
                "the gateway hung up after {:?}",
                self.received
            );
        }
        self.received.split_to(size).to_vec()
    }

    async fn read(&mut self) -> bool {
        self.stream
            .read_buf(&mut self.received)
            .await
            .is_ok_and(|length| length > 0)
    }
}

/// An answer as it came.
#[derive(Debug)]
pub struct RawAnswer {
    /// Status line and header fields, one a line.
    pub head: String,
    /// The content without its framing.
    pub body: Vec<u8>,
}

impl RawAnswer {
    /// The status code.
    pub fn status(&self) -> u16 {
        let status = self
            .head
            .split(' ')
            .nth(1)
            .and_then(|status| status.lines().next());
        status
            .and_then(|status| status.parse().ok())
            .unwrap_or_else(|| panic!("no status: {:?}", self.head))
    }

    /// Panics unless the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status(),
            status,
            "{:?} {:?}",
            self.head,
            String::from_utf8_lossy(&self.body)
        );
        self
    }

    /// The first header field of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// The content as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the content is JSON")
    }
}
