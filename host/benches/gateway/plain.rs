//! What the gateway is measured against: hyper with a handler that returns one prepared response, and nothing else.
//!
//! It runs as a process of its own, started from this same executable. The response arrives on its standard input.

use std::io::BufRead;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::Outcome;
use crate::serving;
use crate::wire;

/// The argument that turns the benchmark into this server.
pub const ARGUMENT: &str = "serve-plain";

/// What hyper adds by itself.
const AUTOMATIC: [&str; 3] = ["content-length", "date", "transfer-encoding"];

type Body = http_body_util::Full<Bytes>;

/// A response in the form that the server reads: status, headers, an empty line, and the body, to the end of the input.
pub fn encode(response: &wire::Response) -> Vec<u8> {
    let mut encoded = format!("{}\n", response.status);
    for (name, value) in &response.headers {
        if !AUTOMATIC
            .iter()
            .any(|automatic| name.eq_ignore_ascii_case(automatic))
        {
            encoded += &format!("{name}: {value}\n");
        }
    }
    encoded.push('\n');
    let mut encoded = encoded.into_bytes();
    encoded.extend(&response.body);
    encoded
}

/// Serves until it is killed. Blocks.
pub fn serve() -> Outcome<()> {
    let prepared = Prepared::decode(std::io::stdin().lock())?;
    serving::serve(move |_| std::future::ready(prepared.response()))
}

struct Prepared {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Prepared {
    fn decode(mut input: impl BufRead) -> Outcome<Self> {
        let mut line = String::new();
        input.read_line(&mut line)?;
        let status = line.trim().parse()?;
        let mut headers = HeaderMap::new();
        loop {
            line.clear();
            input.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(": ") else {
                break;
            };
            headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        let mut body = Vec::new();
        input.read_to_end(&mut body)?;
        Ok(Self {
            status,
            headers,
            body: body.into(),
        })
    }

    fn response(&self) -> Response<Body> {
        let mut response = Response::new(Body::new(self.body.clone()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }
}
