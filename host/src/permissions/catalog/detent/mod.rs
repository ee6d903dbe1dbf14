//! Builds a catalog from an installed detent or a checkout of it.
//!
//! Names that this program knows keep their service, scope, display name and place; what it does not know follows them. A name
//! that this program knows and detent lacks keeps its built-in schema, so that no permissions file becomes unusable. Nothing is
//! written before all of it has been checked.

mod literal;
mod merge;
mod package;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Map, Value};

use self::merge::Merged;
use self::package::Package;
use super::imported;
use super::listing::Listing;
use super::origin::{Counts, Origin};
use super::{Catalog, validation};
use crate::permissions::BuiltinSchemas;
use crate::permissions::schema::{Compiler, Fault, Registry};
use crate::store::durable::StorageError;
use crate::store::paths::LatchkeyDirectory;

/// The engine's own, which no catalog changes.
const ANY: &str = "any";

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("there is no directory {}; name a checkout of detent, or its package in node_modules", .0.display())]
    NoDirectory(PathBuf),
    #[error(
        "{} holds no schemas of detent: neither src/schemas/builtin/*.json nor dist/src/schemas/generatedBuiltinSchemas.js, there or in node_modules/@imbue-ai/detent; name a checkout of detent, or its package, for instance \"$(npm root -g)/@imbue-ai/detent\"",
        .0.display()
    )]
    NoSchemas(PathBuf),
    #[error("cannot list {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("{} is not as detent writes it: {problem}; install detent anew", path.display())]
    Unusable { path: PathBuf, problem: String },
    #[error(
        "{name:?} stands in {first} and in {second}; names must be unique: remove one of them, or install detent anew"
    )]
    Duplicate {
        name: String,
        first: String,
        second: String,
    },
    #[error("the catalog that comes of it is not usable: {0}; rename the file of that service")]
    Listing(String),
    #[error(
        "{} of its schemas cannot be used, and nothing was imported: {}; --skip-unusable imports the rest",
        .0.len(),
        list(.0)
    )]
    Schemas(Vec<UnusableSchema>),
}

/// A schema that the engine could not decide by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusableSchema {
    pub file: String,
    pub name: String,
    pub problem: String,
}

fn list(unusable: &[UnusableSchema]) -> String {
    let each: Vec<_> = unusable
        .iter()
        .map(|schema| format!("{} of {} ({})", schema.name, schema.file, schema.problem))
        .collect();
    each.join(", ")
}

/// What to do about schemas that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnusable {
    Refuse,
    /// Leave them out; a name that this program knows keeps its built-in schema.
    Skip,
}

/// A catalog that was built from a detent, checked and not yet in use.
#[derive(Debug)]
pub struct Import {
    listing: Listing,
    schemas: Map<String, Value>,
    origin: Origin,
    /// Names that detent does not have, and that keep their built-in schema.
    pub kept: Vec<String>,
    /// Names that this program does not know by itself.
    pub added: Vec<String>,
    /// Schemas that belong to no scope: rules may use them, the listing does not have them.
    pub unlisted: Vec<String>,
    /// Schemas that were left out.
    pub skipped: Vec<UnusableSchema>,
}

impl Import {
    /// Reads and checks the detent at `root`. Blocking.
    ///
    /// # Errors
    /// When there is none, or something in it cannot be used.
    pub fn read(root: &Path, on_unusable: OnUnusable) -> Result<Self, ImportError> {
        let mut package = Package::read(root)?;
        for file in &mut package.files {
            file.schemas.retain(|(name, _)| name != ANY);
        }
        check_names(&package)?;
        let own = Catalog::builtin();
        let skipped = unusable(&package, &own);
        if !skipped.is_empty() && on_unusable == OnUnusable::Refuse {
            return Err(ImportError::Schemas(skipped));
        }
        for file in &mut package.files {
            file.schemas
                .retain(|(name, _)| skipped.iter().all(|skipped| skipped.name != *name));
        }
        let merged = merge::merge(&package.files, &own);
        validation::check(&serde_json::to_value(&merged.listing).unwrap_or_default())
            .map_err(|problem| ImportError::Listing(problem.to_string()))?;
        Ok(Self::new(merged, &package, skipped))
    }

    fn new(merged: Merged, package: &Package, skipped: Vec<UnusableSchema>) -> Self {
        let Merged {
            listing,
            schemas,
            kept,
            added,
            unlisted,
        } = merged;
        let scopes = || listing.scopes().map(|(_, scope)| scope);
        let counts = Counts {
            services: listing.0.len(),
            scopes: scopes().count(),
            permissions: scopes().map(|scope| scope.permissions.len()).sum(),
            kept: kept.len(),
        };
        Self {
            origin: Origin {
                path: package.path.to_string_lossy().into_owned(),
                version: package.version.clone(),
                imported_at: now(),
                counts,
            },
            listing,
            schemas,
            kept,
            added,
            unlisted,
            skipped,
        }
    }

    /// Where it comes from, and how large it is.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Makes it the catalog in use. Durable when it returns; blocking.
    pub fn save(self, directory: &LatchkeyDirectory) -> Result<(), StorageError> {
        imported::save(directory, self.origin, &self.listing, self.schemas)
    }
}

/// To the second: it is for people.
fn now() -> String {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second())
        .unwrap_or(now)
        .to_string()
}

fn check_names(package: &Package) -> Result<(), ImportError> {
    let mut files: HashMap<&str, &str> = HashMap::new();
    for file in &package.files {
        for (name, _) in &file.schemas {
            if let Some(first) = files.insert(name, &file.name) {
                return Err(ImportError::Duplicate {
                    name: name.clone(),
                    first: first.to_owned(),
                    second: file.name.clone(),
                });
            }
        }
    }
    Ok(())
}

/// Compiles every schema as a rule that names it would.
fn unusable(package: &Package, own: &Catalog) -> Vec<UnusableSchema> {
    // A schema may refer to any other by its name.
    let mut all: HashMap<String, Value> = own.0.schemas.clone();
    let entries = || {
        package
            .files
            .iter()
            .flat_map(|file| file.schemas.iter().map(move |entry| (file, entry)))
    };
    all.extend(entries().map(|(_, entry)| entry.clone()));
    let builtin = BuiltinSchemas::of(Catalog::new(Listing::default(), all, None));
    let nothing = HashMap::new();
    let registry = Registry {
        defined: &nothing,
        builtin,
    };
    entries()
        .filter_map(|(file, (name, schema))| {
            let problem = match compile(&registry, name) {
                Ok(()) if schema.is_object() => return None,
                Ok(()) => "it is no object".to_owned(),
                Err(fault) if fault.schema == *name => fault.detail,
                Err(fault) => format!("{}: {}", fault.schema, fault.detail),
            };
            Some(UnusableSchema {
                file: file.name.clone(),
                name: name.clone(),
                problem,
            })
        })
        .collect()
}

fn compile(registry: &Registry<'_>, name: &str) -> Result<(), Fault> {
    let mut compiler = Compiler::new(registry);
    compiler.named(name)?;
    match compiler.finish().first_fault() {
        Some(fault) => Err(fault.clone()),
        None => Ok(()),
    }
}
