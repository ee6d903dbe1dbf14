//! mngr's own settings, as far as they concern us: `[plugins.latchkey]` in three files, a variable, an option. Each layer
//! overrides the ones before it, key by key.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cli::environment::Environment;
use crate::cli::failure::Failure;
use crate::store::durable::{self, StorageError};

const SIZE_LIMIT: u64 = 1024 * 1024;

/// A value and who set it.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub value: String,
    pub origin: String,
}

/// What all layers together say.
#[derive(Debug, Default)]
pub(super) struct Section {
    pub directory: Option<Setting>,
    pub latchkey_binary: Option<Setting>,
}

/// The file that selects a profile.
#[derive(Default, Deserialize)]
struct RootFile {
    profile: Option<String>,
}

#[derive(Default, Deserialize)]
struct SettingsFile {
    #[serde(default)]
    plugins: Plugins,
}

#[derive(Default, Deserialize)]
struct Plugins {
    #[serde(default)]
    latchkey: Latchkey,
}

/// Unknown keys are refused, as mngr does: a misspelt `directory` would put everything in the wrong place.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Latchkey {
    directory: Option<String>,
    #[serde(alias = "latchkey-binary")]
    latchkey_binary: Option<String>,
    #[serde(rename = "enabled")]
    _enabled: Option<bool>,
}

/// `assignments` are the `KEY=VALUE` of the command line.
pub(super) fn read(environment: &Environment, assignments: &[String]) -> Result<Section, Failure> {
    let mut section = Section::default();
    for path in settings_files(environment)? {
        let file: SettingsFile = read_toml(&path)?;
        let set = |value: String| Setting {
            value,
            origin: path.display().to_string(),
        };
        let latchkey = file.plugins.latchkey;
        section.directory = latchkey.directory.map(set).or(section.directory);
        section.latchkey_binary = latchkey
            .latchkey_binary
            .map(set)
            .or(section.latchkey_binary);
    }
    for (key, slot) in section.slots() {
        let name = format!("MNGR__PLUGINS__LATCHKEY__{}", key.to_uppercase());
        if let Some(value) = environment.text(&name)? {
            *slot = scalar(value, format!("${name}"))?.or(slot.take());
        }
    }
    for assignment in assignments {
        let Some((key, value)) = assignment.split_once('=') else {
            continue;
        };
        for (name, slot) in section.slots() {
            if key.trim().replace('-', "_") == format!("plugins.latchkey.{name}") {
                *slot = scalar(value, format!("--setting {key}"))?.or(slot.take());
            }
        }
    }
    Ok(section)
}

impl Section {
    fn slots(&mut self) -> [(&'static str, &mut Option<Setting>); 2] {
        [
            ("directory", &mut self.directory),
            ("latchkey_binary", &mut self.latchkey_binary),
        ]
    }
}

/// JSON when it is JSON, otherwise the text as it is; `null` sets nothing.
fn scalar(value: &str, origin: String) -> Result<Option<Setting>, Failure> {
    match serde_json::from_str(value) {
        Ok(Value::String(value)) => Ok(Some(Setting { value, origin })),
        Ok(Value::Null) => Ok(None),
        Ok(_) => Err(Failure::failed(format_args!(
            "{origin} must be a text, got {value}"
        ))),
        Err(_) => Ok(Some(Setting {
            value: value.to_owned(),
            origin,
        })),
    }
}

/// Lowest precedence first.
fn settings_files(environment: &Environment) -> Result<Vec<PathBuf>, Failure> {
    let root_name = environment.text("MNGR_ROOT_NAME")?.unwrap_or("mngr");
    let mut files = Vec::new();

    let base = match environment.variable("MNGR_HOST_DIR") {
        Some(base) => Some(environment.expand(Path::new(base))?),
        // Without a home there is no file to find.
        None => environment
            .home
            .as_ref()
            .map(|home| home.join(format!(".{root_name}"))),
    };
    if let Some(base) = base {
        let root: RootFile = read_toml(&base.join("config.toml"))?;
        if let Some(profile) = root.profile.filter(|profile| !profile.is_empty()) {
            files.push(base.join("profiles").join(profile).join("settings.toml"));
        }
    }

    let project = match environment.variable("MNGR_PROJECT_CONFIG_DIR") {
        Some(project) => Some(environment.expand(Path::new(project))?),
        None => worktree_root(environment).map(|root| root.join(format!(".{root_name}"))),
    };
    if let Some(project) = project {
        files.push(project.join("settings.toml"));
        files.push(project.join("settings.local.toml"));
    }
    Ok(files)
}

/// The directory with the `.git` (a file in a linked worktree) that is nearest above the working directory.
fn worktree_root(environment: &Environment) -> Option<&Path> {
    environment
        .working_directory
        .as_deref()?
        .ancestors()
        .find(|directory| directory.join(".git").exists())
}

/// The file's content, or that of an empty file when there is none.
fn read_toml<T: Default + DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let content = match durable::read(path, SIZE_LIMIT) {
        Ok(Some((content, _))) => content,
        Ok(None) => return Ok(T::default()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(T::default()),
        Err(error) => return Err(Failure::failed(error)),
    };
    let text = String::from_utf8(content).map_err(|_| {
        let source = io::Error::new(io::ErrorKind::InvalidData, "it is not valid UTF-8");
        Failure::failed(StorageError::new("read the settings file", path, source))
    })?;
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(&text, span.start));
        Failure::failed(format_args!(
            "the settings file {} is malformed in line {line}: {}",
            path.display(),
            error.message().replace('\n', "; ")
        ))
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
        + 1
}
