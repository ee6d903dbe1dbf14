//! A permissions file together with what it includes.
//!
//! Includes are resolved against the directory of the including file as it is named, links unresolved, and merged depth
//! first: what is included comes before what includes it, and the latter's schemas win. A file that is not there counts as
//! an empty one. Every file that took part is recorded as it was read, missing and unreadable ones too.

use std::collections::HashMap;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tracing::warn;

use super::config::{self, Config, Rule};
use super::error::CheckError;
use crate::store::stamp::Stamp;

const MAX_FILES: usize = 500;
const MAX_SIZE: u64 = 16 * 1024 * 1024;

/// A file that took part in a decision.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    /// Taken before the content was read, so that every later change shows.
    pub(super) stamp: Stamp,
    /// `None` when nothing is there.
    pub(super) content: Result<Option<Arc<[u8]>>, CheckError>,
}

impl Source {
    pub(super) fn read(path: PathBuf) -> Self {
        let stamp = Stamp::of(&path).unwrap_or_else(|_| Stamp::never());
        let content = read(&path).map(|content| content.map(Arc::from));
        Self {
            path,
            stamp,
            content,
        }
    }
}

/// A rule and where it stands.
#[derive(Debug, Clone)]
pub(super) struct PlacedRule {
    pub(super) rule: Rule,
    pub(super) path: Arc<Path>,
    /// Within its file.
    pub(super) index: usize,
}

/// The schemas that files define, by name.
pub(super) type Definitions = Arc<HashMap<String, Arc<Value>>>;

/// Everything that a file and its includes define.
#[derive(Debug, Clone, Default)]
pub(super) struct Merged {
    pub(super) schemas: Definitions,
    pub(super) rules: Vec<PlacedRule>,
}

/// What was read, and what came of it. The sources are complete up to the failure, if any.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) sources: Vec<Source>,
    pub(super) merged: Result<Merged, CheckError>,
}

/// Reads the file at `path` and its includes. With `content` the file itself is taken to hold that.
pub(super) fn load(path: &Path, content: Option<&[u8]>) -> Loaded {
    let mut loader = Loader {
        sources: Vec::new(),
        done: HashMap::new(),
        stack: Vec::new(),
        rules: Vec::new(),
    };
    let root = normalise(path);
    let merged = loader.file(&root, content).map(|schemas| Merged {
        schemas,
        rules: std::mem::take(&mut loader.rules),
    });
    Loaded {
        sources: loader.sources,
        merged,
    }
}

/// The content of a file, or `None` when nothing is there.
fn read(path: &Path) -> Result<Option<Vec<u8>>, CheckError> {
    let failed = |problem: String| CheckError::Unreadable {
        path: path.to_owned(),
        problem,
    };
    let file = match path.metadata() {
        Ok(metadata) if metadata.is_file() => File::open(path),
        Ok(metadata) if metadata.is_dir() => return Err(failed("it is a directory".to_owned())),
        Ok(_) => return Err(failed("it is not a regular file".to_owned())),
        Err(error) => Err(error),
    };
    let file = match file {
        Ok(file) => file,
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(failed(error.to_string())),
    };
    let mut content = Vec::new();
    let read = file.take(MAX_SIZE + 1).read_to_end(&mut content);
    read.map_err(|error| failed(error.to_string()))?;
    if content.len() as u64 > MAX_SIZE {
        return Err(failed(format!("it is larger than {MAX_SIZE} bytes")));
    }
    Ok(Some(content))
}

/// A name that cannot exist is a name under which nothing is.
fn is_missing(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::InvalidInput
            | ErrorKind::InvalidFilename
    )
}

/// An absolute path without `.` and `..`, by its text alone: links are not followed.
pub(super) fn normalise(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut normal = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

struct Loader {
    sources: Vec<Source>,
    /// The schemas of every file that is finished, its includes' too.
    done: HashMap<PathBuf, Definitions>,
    stack: Vec<PathBuf>,
    rules: Vec<PlacedRule>,
}

impl Loader {
    fn file(&mut self, path: &Path, content: Option<&[u8]>) -> Result<Definitions, CheckError> {
        if self.stack.iter().any(|open| open == path) {
            let mut chain = self.stack.clone();
            chain.push(path.to_owned());
            return Err(CheckError::CircularInclude { chain });
        }
        if let Some(schemas) = self.done.get(path) {
            // Its rules are tried already; trying them again would change nothing.
            return Ok(Arc::clone(schemas));
        }
        if self.sources.len() >= MAX_FILES {
            return Err(CheckError::TooManyIncludes {
                path: self.stack.first().cloned().unwrap_or_default(),
                limit: MAX_FILES,
            });
        }
        let Config {
            include,
            schemas: own,
            rules,
        } = self.config(path, content)?;
        let mut schemas = HashMap::new();
        let directory = path.parent().unwrap_or(path);
        self.stack.push(path.to_owned());
        for included in include {
            let included = self.file(&normalise(&directory.join(included)), None)?;
            schemas.extend(
                included
                    .iter()
                    .map(|(name, schema)| (name.clone(), Arc::clone(schema))),
            );
        }
        self.stack.pop();
        schemas.extend(
            own.into_iter()
                .map(|(name, schema)| (name, Arc::new(schema))),
        );
        let place: Arc<Path> = path.into();
        self.rules.extend(
            rules
                .into_iter()
                .enumerate()
                .map(|(index, rule)| PlacedRule {
                    rule,
                    path: Arc::clone(&place),
                    index,
                }),
        );
        let schemas = Arc::new(schemas);
        self.done.insert(path.to_owned(), Arc::clone(&schemas));
        Ok(schemas)
    }

    fn config(&mut self, path: &Path, content: Option<&[u8]>) -> Result<Config, CheckError> {
        if let Some(content) = content {
            return config::parse(path, content);
        }
        let source = Source::read(path.to_owned());
        let content = source.content.clone();
        self.sources.push(source);
        match content? {
            Some(content) => config::parse(path, &content),
            None => {
                if let Some(includer) = self.stack.last() {
                    warn!(
                        file = %includer.display(),
                        include = %path.display(),
                        "an included permissions file is missing and counts as empty"
                    );
                }
                Ok(Config::default())
            }
        }
    }
}
