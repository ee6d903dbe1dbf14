//! What it means to share a path: which requests to the file server the grant covers.
//!
//! The permission check sees a request's path as the WHATWG URL parser leaves it, so the grant's pattern is made from the
//! path in that form. It covers the path itself and everything below it, and nothing else.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// Where the file server's tree stands on the gateway.
const FILE_SERVER: &str = "/minds-api-proxy/api/v1/files";
const SCHEMA_PREFIX: &str = "minds-file-server-";
/// What the URL parser encodes in a path beside non-ASCII characters.
const ENCODED_IN_PATHS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}');

const READ_METHODS: [&str; 4] = ["GET", "HEAD", "OPTIONS", "PROPFIND"];
/// Without COPY and MOVE: they write where their `Destination` header says, which no path pattern covers.
const WRITE_METHODS: [&str; 6] = ["PUT", "DELETE", "PROPPATCH", "MKCOL", "LOCK", "UNLOCK"];

/// Why a path cannot be shared. Displayed, it follows the name of the field that has the path.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidPath {
    /// It does not begin at the root.
    #[error("must be absolute (start with '/'): got {0}")]
    Relative(String),
    /// It goes up.
    #[error("contains a '..' segment, refusing as a path-traversal attempt: {0}")]
    Traversal(String),
    /// It is the root, whose grant would cover every file.
    #[error("must name something below '/'")]
    Root,
}

/// What may be done with a shared path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Look at it.
    Read,
    /// Look at it and change it.
    Write,
}

impl Access {
    /// As a request names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "READ",
            Self::Write => "WRITE",
        }
    }

    /// As a schema's name has it.
    fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    /// The access of this name; upper and lower case are the same here.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Read, Self::Write]
            .into_iter()
            .find(|access| access.name().eq_ignore_ascii_case(name))
    }

    /// The HTTP methods that it allows.
    pub fn methods(self) -> Vec<&'static str> {
        let more: &[&str] = match self {
            Self::Read => &[],
            Self::Write => &WRITE_METHODS,
        };
        READ_METHODS.iter().chain(more).copied().collect()
    }
}

/// A path that can be shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedPath {
    given: String,
    normalised: String,
}

impl SharedPath {
    /// Takes in an absolute path without `..` segments that names something below the root.
    pub fn parse(given: &str) -> Result<Self, InvalidPath> {
        if !given.starts_with('/') {
            return Err(InvalidPath::Relative(given.to_owned()));
        }
        // The URL parser drops these three wherever they stand, also between two dots.
        let kept: String = given
            .chars()
            .filter(|character| !matches!(character, '\t' | '\n' | '\r'))
            .collect();
        let segments = || kept.split(['/', '\\']).skip(1);
        if segments().any(|segment| dots(segment) == Some(2)) {
            return Err(InvalidPath::Traversal(given.to_owned()));
        }
        let normalised = segments().filter(|segment| dots(segment) != Some(1)).fold(
            String::new(),
            |path, segment| {
                path + "/" + &utf8_percent_encode(segment, ENCODED_IN_PATHS).to_string()
            },
        );
        let normalised = normalised.trim_end_matches('/');
        if normalised.is_empty() {
            return Err(InvalidPath::Root);
        }
        Ok(Self {
            given: given.to_owned(),
            normalised: normalised.to_owned(),
        })
    }

    /// The path as it was given.
    pub fn given(&self) -> &str {
        &self.given
    }

    /// The name of the schema that grants `access` to the path.
    pub fn schema_name(&self, access: Access) -> String {
        format!(
            "{SCHEMA_PREFIX}{}-{}",
            access.word(),
            self.given.trim_end_matches('/')
        )
    }

    /// The ECMAScript pattern of the request paths that the grant covers.
    pub fn pattern(&self) -> String {
        format!(
            "^{}(/.*)?$",
            escape(&format!("{FILE_SERVER}{}", self.normalised))
        )
    }
}

/// What the name of a schema says that it shares. What it really matches is in the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharingName<'a> {
    /// What may be done with it.
    pub access: Access,
    /// Without trailing slashes, which names of older versions have.
    pub path: &'a str,
}

impl<'a> SharingName<'a> {
    /// Takes a schema's name apart; none for a name of another kind.
    pub fn parse(name: &'a str) -> Option<Self> {
        let rest = name.strip_prefix(SCHEMA_PREFIX)?;
        let (access, path) = [Access::Read, Access::Write]
            .into_iter()
            .find_map(|access| {
                let path = rest.strip_prefix(access.word())?.strip_prefix('-')?;
                Some((access, path))
            })?;
        Some(Self {
            access,
            path: path.trim_end_matches('/'),
        })
        .filter(|name| name.path.starts_with('/'))
    }
}

/// Whether the URL parser takes the segment as `.` (1) or `..` (2).
fn dots(segment: &str) -> Option<usize> {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    matches!(plain.as_str(), "." | "..").then_some(plain.len())
}

/// Only what has a meaning in a pattern may be escaped in one with the flag `u`.
fn escape(literal: &str) -> String {
    literal.chars().fold(
        String::with_capacity(literal.len()),
        |mut escaped, character| {
            if r".*+?^${}()|[]\".contains(character) {
                escaped.push('\\');
            }
            escaped.push(character);
            escaped
        },
    )
}

#[cfg(test)]
#[path = "file_sharing_tests.rs"]
mod tests;
