//! Requests as people and programs describe them: by options, or as JSON lines.

use std::borrow::Cow;
use std::io::{BufRead, BufReader};
use std::path::Path;

use clap::Args;
use http::{HeaderName, Method};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::super::environment::Environment;
use super::super::failure::Failure;
use crate::permissions::{GATEWAY_ORIGIN, Request};

/// More than any request has that a permissions file could decide about.
const MAX_LINE: u64 = 64 * 1024 * 1024;

/// One request, described by options.
#[derive(Debug, Args)]
pub(super) struct RequestOptions {
    /// The request's URL; one that begins with / is the gateway's own
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// The request's method [default: GET]
    #[arg(long, value_name = "METHOD", requires = "url")]
    method: Option<String>,

    /// A header, as for curl; may be repeated
    #[arg(long, value_name = "NAME: VALUE", requires = "url")]
    header: Vec<String>,

    /// The request's body
    #[arg(long, value_name = "TEXT", requires = "url")]
    body: Option<String>,

    /// The account that the request is made with
    #[arg(long, value_name = "NAME", requires = "url")]
    account: Option<String>,
}

impl RequestOptions {
    /// The request, if there is one.
    pub(super) fn described(&self) -> Result<Option<Described>, Failure> {
        let Some(url) = &self.url else {
            return Ok(None);
        };
        let headers = self
            .header
            .iter()
            .map(|header| match header.split_once(':') {
                Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
                None => Err(Failure::usage("--header must have the form 'NAME: VALUE'")),
            });
        Ok(Some(Described {
            method: self.method.clone(),
            url: url.clone(),
            headers: Headers::List(headers.collect::<Result<_, _>>()?),
            body: self.body.clone().map(Value::String),
            account: self.account.clone(),
        }))
    }
}

/// A request as a JSON line has it. Its secrets are not for `Debug`.
#[derive(Deserialize)]
pub(super) struct Described {
    pub method: Option<String>,
    pub url: String,
    #[serde(default)]
    headers: Headers,
    /// Text, or JSON that stands for its own text.
    body: Option<Value>,
    account: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(
    untagged,
    expecting = "headers must be an object of strings, or of lists of strings"
)]
enum Headers {
    Map(Map<String, Value>),
    List(Vec<(String, String)>),
    #[default]
    None,
}

/// Why a description is no request.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    #[error("line {number} is not a request: {problem}")]
    NotDescribed { number: usize, problem: String },
    #[error("{url:?} is not a URL: {problem}")]
    Url { url: String, problem: String },
    #[error("{0:?} is not a method")]
    Method(String),
    #[error("{0:?} is not a header name")]
    HeaderName(String),
    /// The value may be a secret.
    #[error(
        "the value of header {0:?} must be a string, or a list of strings, of Latin-1 characters without line ends"
    )]
    HeaderValue(String),
}

impl Described {
    pub(super) fn method(&self) -> &str {
        self.method.as_deref().unwrap_or("GET")
    }

    /// The request that is described.
    pub(super) fn request(&self) -> Result<Request, RequestError> {
        let url = if self.url.starts_with('/') {
            Cow::Owned(format!("{GATEWAY_ORIGIN}{}", self.url))
        } else {
            Cow::Borrowed(self.url.as_str())
        };
        let url = Url::parse(&url).map_err(|error| RequestError::Url {
            url: self.url.clone(),
            problem: error.to_string(),
        })?;
        let method = self.method();
        if Method::from_bytes(method.as_bytes()).is_err() {
            return Err(RequestError::Method(method.to_owned()));
        }
        let headers = self.headers.pairs()?;
        let headers = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()));
        let body = self.body.as_ref().map(|body| match body {
            Value::String(text) => Cow::Borrowed(text.as_str()),
            json => Cow::Owned(json.to_string()),
        });
        let metadata = self
            .account
            .as_ref()
            .map(|account| Map::from_iter([("account".to_owned(), account.as_str().into())]));
        let body = body.as_deref().map(str::as_bytes);
        Ok(Request::new(method, &url, headers, body, metadata))
    }
}

impl Headers {
    fn pairs(&self) -> Result<Vec<(String, Vec<u8>)>, RequestError> {
        let mut pairs = Vec::new();
        let mut add = |name: &str, value: &str| {
            if HeaderName::from_bytes(name.as_bytes()).is_err() {
                return Err(RequestError::HeaderName(name.to_owned()));
            }
            let value = latin1(value).ok_or_else(|| RequestError::HeaderValue(name.to_owned()))?;
            pairs.push((name.to_owned(), value));
            Ok(())
        };
        match self {
            Self::None => {}
            Self::List(headers) => {
                for (name, value) in headers {
                    add(name, value)?;
                }
            }
            Self::Map(headers) => {
                for (name, value) in headers {
                    let values = match value {
                        Value::Array(values) => values.as_slice(),
                        value => std::slice::from_ref(value),
                    };
                    for value in values {
                        let text = value
                            .as_str()
                            .ok_or_else(|| RequestError::HeaderValue(name.clone()))?;
                        add(name, text)?;
                    }
                }
            }
        }
        Ok(pairs)
    }
}

/// The bytes that a header's text stands for.
fn latin1(text: &str) -> Option<Vec<u8>> {
    text.chars()
        .map(|character| u8::try_from(u32::from(character)).ok())
        .map(|byte| byte.filter(|byte| !matches!(byte, b'\r' | b'\n' | 0)))
        .collect()
}

/// The requests of a file with one JSON object a line; `-` is the standard input. Blank lines are skipped.
pub(super) fn read_lines(
    file: &Path,
    environment: &Environment,
) -> Result<impl Iterator<Item = Result<Result<Described, RequestError>, Failure>>, Failure> {
    let name = file.display().to_string();
    let failed = move |error: std::io::Error| {
        Failure::failed(format_args!("cannot read the requests of {name}: {error}"))
    };
    let mut reader: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        let file = std::fs::File::open(environment.expand(file)?).map_err(&failed)?;
        Box::new(BufReader::new(file))
    };
    let mut number = 0_usize;
    Ok(std::iter::from_fn(move || {
        loop {
            let mut line = Vec::new();
            let mut bounded = std::io::Read::take(&mut reader, MAX_LINE);
            match bounded.read_until(b'\n', &mut line) {
                Ok(0) => return None,
                Ok(_) => number += 1,
                Err(error) => return Some(Err(failed(error))),
            }
            if !line.trim_ascii().is_empty() {
                return Some(Ok(parse(&line, number)));
            }
        }
    }))
}

fn parse(line: &[u8], number: usize) -> Result<Described, RequestError> {
    serde_json::from_slice::<Map<String, Value>>(line.trim_ascii())
        .and_then(|members| serde_json::from_value(members.into()))
        .map_err(|error| RequestError::NotDescribed {
            number,
            problem: error.to_string(),
        })
}
