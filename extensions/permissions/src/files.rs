//! Permissions files over HTTP. Each answer is rendered once a version of its file; an edit is repeated on the file's newest
//! content until nobody came in between.

use std::cell::RefCell;

use mngr_extension::permission_files::{
    self, Boundary, Cause, PermissionFilesError, PermissionsFile as Stored,
};
use mngr_extension::{Context, Request, Response, Version, pretty_json};

use crate::cache::Cache;
use crate::permissions_file::{Malformed, PermissionsFile, Placed};
use crate::refusal::Refusal;
use crate::rule_body::RuleBody;

const JSON: &str = "application/json; charset=utf-8";
/// Far above any body that a person could mean, and small enough to be taken apart in the instance's memory.
const BODY_LIMIT: usize = 1024 * 1024;
const RENDERED_LIMIT: usize = 8 * 1024 * 1024;
/// Each conflict means that another edit went through, so this many in a row is no bad luck.
const ATTEMPTS: usize = 1000;

/// Files as they are answered, by the path that they were asked for with.
#[derive(Debug)]
pub struct RenderedFiles(Cache<Rendered>);

#[derive(Debug, Clone)]
struct Rendered {
    version: Version,
    body: Vec<u8>,
}

impl Default for RenderedFiles {
    fn default() -> Self {
        Self(Cache::new(RENDERED_LIMIT))
    }
}

impl RenderedFiles {
    fn version(&mut self, name: &str) -> Option<Version> {
        self.0.get(name).map(|rendered| rendered.version)
    }

    /// The body to answer, from a reading that was given [`Self::version`].
    fn body(&mut self, name: &str, read: Option<Stored>) -> Result<Option<Vec<u8>>, Refusal> {
        let Some(stored) = read else {
            return Ok(self.0.get(name).map(|rendered| rendered.body.clone()));
        };
        let file = parse(&stored)?;
        let body = pretty_json(file.members())
            .map_err(|error| Refusal::malformed(&stored.path, &error.into()))?;
        self.0.insert(
            name,
            Rendered {
                version: stored.version,
                body: body.clone(),
            },
            body.len(),
        );
        Ok(Some(body))
    }
}

/// The file that allowed the request.
pub async fn applied(
    kept: &RefCell<RenderedFiles>,
    context: &Context,
) -> Result<Response, Refusal> {
    let read = async |known| permission_files::read_applied(&context.request_id, known).await;
    answer(kept, &context.permissions_config, read).await
}

/// The file that the caller names.
pub async fn named(kept: &RefCell<RenderedFiles>, path: &str) -> Result<Response, Refusal> {
    let read = async |known| permission_files::read(path, Boundary::PermissionsRoot, known).await;
    answer(kept, path, read).await
}

async fn answer(
    kept: &RefCell<RenderedFiles>,
    name: &str,
    read: impl AsyncFn(Option<Version>) -> Result<Option<Stored>, PermissionFilesError>,
) -> Result<Response, Refusal> {
    let refused = |error| Refusal::from_reading(error, name);
    let known = kept.borrow_mut().version(name);
    let stored = read(known).await.map_err(refused)?;
    let mut body = kept.borrow_mut().body(name, stored)?;
    if body.is_none() {
        // Forgotten while the gateway was asked.
        let stored = read(None).await.map_err(refused)?;
        body = kept.borrow_mut().body(name, stored)?;
    }
    Ok(Response::bytes(200, JSON, body.unwrap_or_default()))
}

/// The query parameter `path`.
pub fn path_parameter(request: &Request) -> Result<String, Refusal> {
    parameter(request, "path")
}

fn parameter(request: &Request, name: &'static str) -> Result<String, Refusal> {
    request
        .query_param(name)
        .filter(|value| !value.is_empty())
        .ok_or(Refusal::MissingParameter(name))
}

/// One rule of one file, with the file as it was found.
#[derive(Debug)]
pub struct Rule {
    path: String,
    key: String,
    found: Result<Stored, PermissionFilesError>,
}

impl Rule {
    /// The rule that the request's query names. The path is judged before the key is asked for.
    pub async fn select(request: &Request) -> Result<Self, Refusal> {
        let path = path_parameter(request)?;
        let found = read(&path).await;
        match found {
            Err(error @ (PermissionFilesError::RootNotSet | PermissionFilesError::Outside)) => {
                Err(Refusal::from_reading(error, &path))
            }
            found => Ok(Self {
                path,
                key: parameter(request, "rule_key")?,
                found,
            }),
        }
    }

    /// Answers the rule.
    pub fn answer(self) -> Result<Response, Refusal> {
        let stored = self
            .found
            .map_err(|error| Refusal::from_reading(error, &self.path))?;
        let file = parse(&stored)?;
        let rule = file.rule(&self.key).ok_or(Refusal::RuleMissing(self.key))?;
        Ok(Response::json(200, rule))
    }

    /// Adds or replaces the rule, as the request's body says. A missing file is created.
    pub async fn set(self, mut request: Request) -> Result<Response, Refusal> {
        let body = RuleBody::parse(&request.read_body(BODY_LIMIT).await?)?;
        let key = self.key.clone();
        let (placed, rule) = self
            .edit(
                |file| Ok(file.set_rule(&key, &body.permissions, &body.schemas)),
                true,
            )
            .await?;
        let status = match placed {
            Placed::Added => 201,
            Placed::Replaced => 200,
        };
        Ok(Response::json(status, &rule))
    }

    /// Removes the rule.
    pub async fn remove(self) -> Result<Response, Refusal> {
        let key = self.key.clone();
        let removal = |file: &mut PermissionsFile| match file.remove_rule(&key) {
            true => Ok(Ok(())),
            false => Err(Refusal::RuleMissing(key.clone())),
        };
        self.edit(removal, false).await?;
        Ok(Response::empty(204))
    }

    async fn edit<T>(
        self,
        change: impl Fn(&mut PermissionsFile) -> Result<Result<T, Malformed>, Refusal>,
        create: bool,
    ) -> Result<T, Refusal> {
        let Self {
            path, mut found, ..
        } = self;
        for _ in 0..ATTEMPTS {
            let (resolved, base, before) = match found {
                Ok(stored) => (stored.path.clone(), Some(stored.version), parse(&stored)?),
                Err(PermissionFilesError::Missing(resolved)) if create => {
                    (resolved, None, PermissionsFile::empty())
                }
                Err(error) => return Err(Refusal::from_reading(error, &path)),
            };
            let mut after = before.clone();
            let result = change(&mut after)?
                .map_err(|malformed| Refusal::malformed(&resolved, &malformed))?;
            if base.is_some() && after == before {
                return Ok(result);
            }
            let content = pretty_json(after.members())
                .map_err(|error| Refusal::malformed(&resolved, &error.into()))?;
            let cause = Some(Cause::RuleEdit);
            match permission_files::replace(&path, Boundary::PermissionsRoot, content, base, cause)
                .await
            {
                Ok(_) => return Ok(result),
                Err(PermissionFilesError::Conflict) => found = read(&path).await,
                Err(error) => return Err(Refusal::from_writing(error, &path)),
            }
        }
        Err(Refusal::Contended(path))
    }
}

async fn read(path: &str) -> Result<Stored, PermissionFilesError> {
    let read = permission_files::read(path, Boundary::PermissionsRoot, None).await?;
    // Without a known version the gateway always gives the file.
    read.ok_or_else(|| PermissionFilesError::Missing(path.to_owned()))
}

fn parse(stored: &Stored) -> Result<PermissionsFile, Refusal> {
    PermissionsFile::parse(&stored.content)
        .map_err(|malformed| Refusal::malformed(&stored.path, &malformed))
}
