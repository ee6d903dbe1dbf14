//! The process's surroundings, read once: variables, home and working directory. Tests make up their own.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use super::failure::Failure;

#[derive(Debug, Default)]
pub(super) struct Environment {
    pub variables: HashMap<OsString, OsString>,
    pub home: Option<PathBuf>,
    pub working_directory: Option<PathBuf>,
}

impl Environment {
    pub(super) fn of_process() -> Self {
        Self {
            variables: std::env::vars_os().collect(),
            home: std::env::home_dir(),
            working_directory: std::env::current_dir().ok(),
        }
    }

    /// A variable's value; an empty one counts as unset.
    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        let value = self.variables.get(OsStr::new(name))?;
        (!value.is_empty()).then_some(value)
    }

    /// The same for a variable that must be text. Never shows the value, which may be a secret.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Failure> {
        match self.variable(name) {
            Some(value) if value.to_str().is_none() => {
                Err(Failure::failed(format_args!("${name} must be valid UTF-8")))
            }
            value => Ok(value.and_then(OsStr::to_str)),
        }
    }

    /// `path` with a leading `~` replaced by the home directory.
    pub(super) fn expand(&self, path: &Path) -> Result<PathBuf, Failure> {
        let mut components = path.components();
        if components.next() != Some(Component::Normal(OsStr::new("~"))) {
            return Ok(path.to_owned());
        }
        let below = components.as_path();
        match &self.home {
            // Joining nothing would add a slash.
            Some(home) if below.as_os_str().is_empty() => Ok(home.clone()),
            Some(home) => Ok(home.join(below)),
            None => Err(Failure::failed(format_args!(
                "cannot expand '{}': there is no home directory; set $HOME or name the path in full",
                path.display()
            ))),
        }
    }

    /// The same, for a path that must be absolute; `what` begins the message when it is not.
    pub(super) fn absolute(&self, path: &Path, what: &str) -> Result<PathBuf, Failure> {
        let path = self.expand(path)?;
        if path.is_absolute() {
            Ok(path)
        } else {
            Err(Failure::failed(format_args!(
                "{what} must be absolute, got '{}'",
                path.display()
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_directory_stands_for_a_leading_tilde_alone() {
        let environment = Environment {
            home: Some("/home/me".into()),
            ..Environment::default()
        };
        let expand = |path: &str| environment.expand(Path::new(path)).unwrap();
        assert_eq!(expand("~"), Path::new("/home/me"));
        assert_eq!(expand("~/a/b"), Path::new("/home/me/a/b"));
        assert_eq!(expand("/a/~"), Path::new("/a/~"));
        assert_eq!(expand("~other/a"), Path::new("~other/a"));
        assert!(Environment::default().expand(Path::new("~/a")).is_err());
    }
}
