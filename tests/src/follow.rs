//! A stream of lines that has no end of its own.

use bytes::BytesMut;
use http::Response;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

use crate::within_patience;

/// The client's end of it; dropping it leaves.
pub struct Follow {
    head: Response<()>,
    body: Incoming,
    received: BytesMut,
}

impl Follow {
    pub(crate) fn new(response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        Self {
            head: Response::from_parts(head, ()),
            body,
            received: BytesMut::new(),
        }
    }

    /// Status and header fields.
    pub fn head(&self) -> &Response<()> {
        &self.head
    }

    /// The next line, without its end.
    ///
    /// # Panics
    /// When none comes, or the stream ends.
    pub async fn next_line(&mut self) -> String {
        within_patience("the next line", self.line())
            .await
            .unwrap_or_else(|| panic!("the stream ended before the next line"))
    }

    /// The next line as JSON.
    pub async fn next(&mut self) -> Value {
        let line = self.next_line().await;
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("no JSON: {error}: {line}"))
    }

    /// `request_id` of the next line.
    pub async fn next_id(&mut self) -> String {
        let record = self.next().await;
        record["request_id"]
            .as_str()
            .expect("a record has an id")
            .to_owned()
    }

    /// Awaits the regular end of the stream, and gives the lines before it.
    pub async fn rest(mut self) -> Vec<String> {
        within_patience("the stream ends", async {
            let mut lines = Vec::new();
            while let Some(line) = self.line().await {
                lines.push(line);
            }
            lines
        })
        .await
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.received.iter().position(|&byte| byte == b'\n') {
                let line = self.received.split_to(end + 1);
                return Some(String::from_utf8(line[..end].to_vec()).expect("a line is text"));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self
                    .received
                    .extend_from_slice(frame.data_ref().expect("no trailers")),
                Some(Err(error)) => panic!("the stream broke off: {error}"),
                None => {
                    assert!(
                        self.received.is_empty(),
                        "the stream ended within a line: {:?}",
                        self.received
                    );
                    return None;
                }
            }
        }
    }
}
