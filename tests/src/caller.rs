//! Somebody who sends HTTP requests. Each request has a connection of its own; tests of connections themselves use
//! [`crate::Raw`].

use std::fs;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;

use crate::follow::Follow;
use crate::home::Home;
use crate::within_patience;

/// Headers that go with every request.
#[derive(Clone)]
pub struct Caller {
    address: SocketAddr,
    headers: HeaderMap,
}

impl Caller {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            headers: HeaderMap::new(),
        }
    }

    /// The same caller with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.append(header_name(name), header_value(value));
        self
    }

    /// Its headers as they go over the wire, for raw connections.
    pub fn header_lines(&self) -> String {
        self.headers
            .iter()
            .map(|(name, value)| {
                format!("{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes()))
            })
            .collect()
    }

    /// `GET`.
    pub async fn get(&self, target: &str) -> Answer {
        self.request("GET", target).send().await
    }

    /// `POST` with a JSON body.
    pub async fn post(&self, target: &str, body: impl Into<Value>) -> Answer {
        self.request("POST", target).json(&body.into()).send().await
    }

    /// `DELETE`.
    pub async fn delete(&self, target: &str) -> Answer {
        self.request("DELETE", target).send().await
    }

    /// Approves a pending request.
    pub async fn approve(&self, id: impl AsRef<str>) -> Answer {
        self.request(
            "POST",
            &format!("/permission-requests/approve/{}", id.as_ref()),
        )
        .send()
        .await
    }

    /// The pending requests.
    pub async fn pending(&self) -> Vec<Value> {
        self.get("/permission-requests")
            .await
            .expect(200)
            .json_lines()
    }

    /// The stream of pending requests and of those to come. Returns when the gateway has answered.
    pub async fn follow(&self) -> Follow {
        self.follow_at("/permission-requests?follow=true").await
    }

    /// The same by another spelling of its target.
    pub async fn follow_at(&self, target: &str) -> Follow {
        Follow::new(self.request("GET", target).start().await)
    }

    /// Any request.
    pub fn request(&self, method: &str, target: &str) -> RequestBuilder {
        let mut request = Request::new(Full::default());
        *request.method_mut() = Method::from_bytes(method.as_bytes()).expect("a method");
        *request.uri_mut() = target
            .parse()
            .unwrap_or_else(|error| panic!("{target}: {error}"));
        *request.headers_mut() = self.headers.clone();
        let host = self.address.to_string();
        request.headers_mut().insert(HOST, header_value(&host));
        RequestBuilder {
            address: self.address,
            request,
        }
    }
}

/// A request to be.
#[must_use]
pub struct RequestBuilder {
    address: SocketAddr,
    request: Request<Full<Bytes>>,
}

impl RequestBuilder {
    /// One more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request
            .headers_mut()
            .append(header_name(name), header_value(value));
        self
    }

    /// A body and its type.
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json")
            .body(body.to_string())
    }

    /// A body as it is.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        *self.request.body_mut() = Full::new(body.into());
        self
    }

    /// Sends it and awaits the whole answer.
    pub async fn send(self) -> Answer {
        let question = format!("{} {}", self.request.method(), self.request.uri());
        let (parts, body) = self.start().await.into_parts();
        let body = within_patience("the answer ends", body.collect()).await;
        let body = match body {
            Ok(body) => body.to_bytes(),
            Err(error) => panic!("{question}: the answer broke off: {error}"),
        };
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
            question,
        }
    }

    /// Sends it and awaits the head of the answer.
    pub async fn start(self) -> Response<Incoming> {
        let question = format!("{} {}", self.request.method(), self.request.uri());
        let answer = within_patience(&question, async {
            let stream = TcpStream::connect(self.address)
                .await
                .expect("the gateway accepts connections");
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream))
                    .await
                    .expect("HTTP/1 needs no handshake");
            tokio::spawn(connection);
            sender.send_request(self.request).await
        })
        .await;
        answer.unwrap_or_else(|error| panic!("{question}: no answer: {error}"))
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status code.
    pub status: u16,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its content.
    pub body: Bytes,
    question: String,
}

impl Answer {
    /// Panics unless the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// Panics unless it is this status with `{"error": message}`.
    #[track_caller]
    pub fn expect_error(self, status: u16, message: &str) -> Self {
        let this = self.expect(status);
        assert_eq!(this.error(), message, "{this}");
        this
    }

    /// A header field's only value; empty when it is absent.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        let value = values
            .next()
            .map_or("", |value| value.to_str().expect("the field is text"));
        assert!(values.next().is_none(), "{name} is repeated: {self}");
        value
    }

    /// The content as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the content is text")
    }

    /// The content as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON: {error}: {self}"))
    }

    /// The content as one JSON value a line.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let parse = |line| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON: {error}: {self}"))
        };
        self.text().lines().map(parse).collect()
    }

    /// `error` of the content, which has nothing else.
    #[track_caller]
    pub fn error(&self) -> String {
        let json = self.json();
        let fields = json.as_object().expect("an error is an object");
        assert_eq!(fields.len(), 1, "{self}");
        fields
            .get("error")
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no error: {self}"))
            .to_owned()
    }

    /// `request_id` of the content.
    #[track_caller]
    pub fn id(&self) -> String {
        let json = self.json();
        json.get("request_id")
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no request_id: {self}"))
            .to_owned()
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        write!(
            formatter,
            "{} was answered {} with {body:?}",
            self.question, self.status
        )
    }
}

/// A registered agent: a caller with the environment that `create-agent-env` gave it.
pub struct Agent {
    caller: Caller,
    /// `agent-` and 32 hexadecimal characters, the same for the same name.
    pub id: String,
    /// `host-` and 32 hexadecimal characters.
    pub host_id: String,
    /// Its opaque handle, which its token names.
    pub handle: PathBuf,
    /// Its host's permissions file, which the handle links to.
    pub permissions: PathBuf,
    /// What it is started with.
    pub environment: Vec<(String, String)>,
}

impl Agent {
    /// Wires up an agent on the host of this name; `bearer` gives a caller with a token.
    pub(crate) fn register(
        home: &Home,
        host: &str,
        name: &str,
        bearer: impl FnOnce(&str) -> Caller,
    ) -> Self {
        let id = format!("agent-{}", digest(name));
        let host_id = format!("host-{}", digest(host));
        let created = home.cli(["create-agent-env"]).expect_success().json();
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        let handle = text(&created["opaque_permissions_path"]);
        home.cli([
            "link-permissions",
            "--host-id",
            &host_id,
            "--opaque-path",
            &handle,
        ])
        .expect_success();
        home.cli(["register-agent", "--host-id", &host_id, "--agent-id", &id])
            .expect_success();
        let environment = created["env"].as_object().expect("an object");
        let token = text(&created["env"]["LATCHKEY_GATEWAY_PERMISSIONS_OVERRIDE"]);
        Self {
            caller: bearer(&token),
            permissions: fs::canonicalize(&handle).expect("the handle leads to a file"),
            handle: Path::new(&handle).to_owned(),
            environment: environment
                .iter()
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
            id,
            host_id,
        }
    }

    /// The token that names its handle.
    ///
    /// # Panics
    /// When its environment has none.
    pub fn token(&self) -> String {
        let mut variables = self.environment.iter();
        let token = variables.find(|(name, _)| name == "LATCHKEY_GATEWAY_PERMISSIONS_OVERRIDE");
        token.expect("every agent has a token").1.clone()
    }
}

/// 32 hexadecimal characters, the same for the same name.
fn digest(name: &str) -> String {
    let digest = Sha256::digest(name);
    let first = digest.iter().take(16);
    first.map(|byte| format!("{byte:02x}")).collect()
}

impl Deref for Agent {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

fn header_name(name: &str) -> HeaderName {
    name.parse().expect("a header name")
}

fn header_value(value: &str) -> HeaderValue {
    value.parse().expect("a header value")
}
