//! Finds the schemas of an installed detent or of a checkout, and reads them as they are.
//!
//! They stand in one JSON file a service, or, in packages that are built for bundlers, in one module that has them all. A file
//! maps names to schemas, in an order that means something; a name that stands twice is an error.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::ImportError;
use super::literal::assigned_object;
use crate::store::durable;

/// Far larger than any of its files.
const LARGEST: u64 = 32 * 1024 * 1024;
/// Where a package manager puts it, below what an operator may name: the package itself, a directory of packages, a project, a
/// prefix, or the program that brings it along.
const PACKAGES: [&str; 6] = [
    "",
    "@imbue-ai/detent",
    "node_modules/@imbue-ai/detent",
    "lib/node_modules/@imbue-ai/detent",
    "node_modules/latchkey/node_modules/@imbue-ai/detent",
    "lib/node_modules/latchkey/node_modules/@imbue-ai/detent",
];
/// Where it keeps its sources and what is compiled of them. Sources first: what was compiled may be older.
const TREES: [&str; 4] = ["src", "", "dist/src", "dist"];
/// Older versions call schemas patterns.
const HOMES: [&str; 2] = ["schemas", "patterns"];
const JSON_DIRECTORY: &str = "builtin";
/// What the module and its constant are called, apart from case, underscores and what stands before it.
const MODULES: [&str; 2] = ["builtinschemas", "builtinpatterns"];
const MODULE_EXTENSIONS: [&str; 4] = ["js", "mjs", "cjs", "ts"];

/// The schemas of one detent.
#[derive(Debug)]
pub(super) struct Package {
    /// The directory or the module that they were read from.
    pub path: PathBuf,
    pub version: Option<String>,
    pub files: Vec<File>,
}

/// One file of schemas.
#[derive(Debug)]
pub(super) struct File {
    /// For messages.
    pub name: String,
    /// The service that it is about; unknown in a module, which has those of all.
    pub service: Option<String>,
    pub schemas: Vec<(String, Value)>,
}

impl Package {
    /// Reads the detent at `root`. Blocking.
    pub(super) fn read(root: &Path) -> Result<Self, ImportError> {
        if !root.is_dir() {
            return Err(ImportError::NoDirectory(root.to_owned()));
        }
        for package in PACKAGES {
            let package = join(root, package);
            for home in TREES.iter().flat_map(|tree| {
                let tree = join(&package, tree);
                HOMES.iter().map(move |home| tree.join(home))
            }) {
                if let Some(found) = Self::read_home(&home)? {
                    return Ok(found);
                }
            }
            // An operator who names the innermost directory means it.
            for directory in [package.join(JSON_DIRECTORY), package] {
                if directory
                    .file_name()
                    .is_some_and(|name| name == JSON_DIRECTORY)
                    && let Some(found) = Self::read_directory(&directory)?
                {
                    return Ok(found);
                }
            }
        }
        Err(ImportError::NoSchemas(root.to_owned()))
    }

    fn read_home(home: &Path) -> Result<Option<Self>, ImportError> {
        if let Some(found) = Self::read_directory(&home.join(JSON_DIRECTORY))? {
            return Ok(Some(found));
        }
        for path in list(home)? {
            if is_module(&path) {
                return Self::read_module(path).map(Some);
            }
        }
        Ok(None)
    }

    fn read_directory(directory: &Path) -> Result<Option<Self>, ImportError> {
        let mut files = Vec::new();
        let mut directories = vec![directory.to_owned()];
        while let Some(directory) = directories.pop() {
            for path in list(&directory)? {
                if path.is_dir() && !path.is_symlink() {
                    directories.push(path);
                } else if path
                    .extension()
                    .is_some_and(|extension| extension == "json")
                {
                    files.push(path);
                }
            }
        }
        files.sort();
        let files: Vec<_> = files
            .iter()
            .map(|path| File::read_json(path))
            .collect::<Result<_, _>>()?;
        Ok((!files.is_empty()).then(|| Self {
            path: directory.to_owned(),
            version: version(directory),
            files,
        }))
    }

    fn read_module(path: PathBuf) -> Result<Self, ImportError> {
        let unusable = |problem| ImportError::Unusable {
            path: path.clone(),
            problem,
        };
        let schemas = assigned_object(&text(&path)?, is_constant)
            .map_err(unusable)?
            .ok_or_else(|| {
                unusable("it defines no constant with the built-in schemas".to_owned())
            })?;
        let file = File {
            name: name_of(&path),
            service: None,
            schemas,
        };
        Ok(Self {
            version: version(&path),
            path,
            files: vec![file],
        })
    }
}

impl File {
    fn read_json(path: &Path) -> Result<Self, ImportError> {
        let schemas: Entries =
            serde_json::from_str(&text(path)?).map_err(|error| ImportError::Unusable {
                path: path.to_owned(),
                problem: error.to_string(),
            })?;
        let service = path.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Self {
            name: name_of(path),
            service: Some(service.into_owned()),
            schemas: schemas.0,
        })
    }
}

/// The members of a JSON object in order, also such as have the same name.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Entries;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object that maps names to schemas")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// What the nearest package file says.
fn version(path: &Path) -> Option<String> {
    let package = path
        .ancestors()
        .map(|directory| directory.join("package.json"))
        .find(|package| package.is_file())?;
    let package: Value = serde_json::from_str(&text(&package).ok()?).ok()?;
    let text = |key: &str| package.get(key).and_then(Value::as_str);
    // Somebody else's project may stand around it.
    let is_own = text("name").is_none_or(|name| name.ends_with("detent"));
    text("version").filter(|_| is_own).map(str::to_owned)
}

fn text(path: &Path) -> Result<String, ImportError> {
    let content = match durable::read(path, LARGEST)? {
        Some((content, _)) => content,
        None => Vec::new(),
    };
    String::from_utf8(content).map_err(|_| ImportError::Unusable {
        path: path.to_owned(),
        problem: "it is not valid UTF-8".to_owned(),
    })
}

/// By name; nothing where there is no such directory.
fn list(directory: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let unreadable = |source| ImportError::Unreadable {
        path: directory.to_owned(),
        source,
    };
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths: Vec<_> = std::fs::read_dir(directory)
        .map_err(unreadable)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    paths.sort();
    Ok(paths)
}

fn is_module(path: &Path) -> bool {
    let is_code = path
        .extension()
        .is_some_and(|extension| MODULE_EXTENSIONS.iter().any(|known| extension == *known));
    // A declaration file (`.d.ts`) has another stem.
    is_code
        && path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .is_some_and(is_constant)
}

fn is_constant(name: &str) -> bool {
    let name = name.replace('_', "").to_lowercase();
    MODULES.iter().any(|known| name.ends_with(known))
}

/// Joining nothing would add a slash.
fn join(directory: &Path, below: &str) -> PathBuf {
    match below {
        "" => directory.to_owned(),
        below => directory.join(below),
    }
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
