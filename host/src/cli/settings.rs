//! The two settings and where they come from: an option, `MNGR_LATCHKEY_*`, mngr's settings, the default; the first that
//! says something counts. mngr's settings are read in any case, so that a broken file shows at once and not years later.

mod layers;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::failure::Failure;
use super::options::Options;

const DEFAULT_DIRECTORY: &str = "~/.mngr/latchkey";
const DEFAULT_BINARY: &str = "latchkey";

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// Absolute.
    pub directory: PathBuf,
    /// A path, or a name to look up on PATH.
    pub latchkey_binary: OsString,
}

impl Settings {
    pub(super) fn resolve(options: &Options, environment: &Environment) -> Result<Self, Failure> {
        let section = layers::read(environment, &options.settings)?;
        let directory = first(
            (
                "--latchkey-directory",
                options.latchkey_directory.as_deref().map(Path::as_os_str),
            ),
            (
                "$MNGR_LATCHKEY_DIRECTORY",
                environment.variable("MNGR_LATCHKEY_DIRECTORY"),
            ),
            section.directory.as_ref(),
            DEFAULT_DIRECTORY,
        );
        let binary = first(
            (
                "--latchkey-binary",
                options.latchkey_binary.as_deref().map(Path::as_os_str),
            ),
            (
                "$MNGR_LATCHKEY_BINARY",
                environment.variable("MNGR_LATCHKEY_BINARY"),
            ),
            section.latchkey_binary.as_ref(),
            DEFAULT_BINARY,
        );
        let what = format!("the latchkey directory (from {})", directory.origin);
        Ok(Self {
            directory: environment.absolute(Path::new(directory.value), &what)?,
            latchkey_binary: environment
                .expand(Path::new(binary.value))?
                .into_os_string(),
        })
    }
}

struct Chosen<'a> {
    value: &'a OsStr,
    origin: &'a str,
}

fn first<'a>(
    option: (&'a str, Option<&'a OsStr>),
    variable: (&'a str, Option<&'a OsStr>),
    setting: Option<&'a layers::Setting>,
    default: &'a str,
) -> Chosen<'a> {
    let chosen =
        |(origin, value): (&'a str, Option<&'a OsStr>)| value.map(|value| Chosen { value, origin });
    chosen(option)
        .or_else(|| chosen(variable))
        .or_else(|| {
            setting.map(|setting| Chosen {
                value: setting.value.as_ref(),
                origin: &setting.origin,
            })
        })
        .unwrap_or(Chosen {
            value: default.as_ref(),
            origin: "the default",
        })
}

#[cfg(test)]
mod tests;
