//! Being called `mngr`: embedders have one path for both programs. Under that name, `latchkey <subcommand>` is ours and every
//! other command goes, by exec, to the next real mngr on PATH.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::failure::Failure;
use crate::supervisor::discovery::NO_OTHER_MNGR;

/// Names the process and the copies of this program that it has been, so that two copies never pass a command to and fro.
/// Exec keeps the process's number, so a child that inherits the variable knows that it is not meant.
const PASSED_BY: &str = "MNGR_LATCHKEY_PASSED_BY";
pub(super) const NAME: &str = "mngr";

/// How the process was started.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Under a name of its own: the arguments are ours.
    OwnName,
    /// As `mngr latchkey ...`.
    Plugin,
    /// As `mngr` with anything else.
    OtherCommand,
}

impl Start {
    pub(super) fn recognise(arguments: &[OsString]) -> Self {
        let program = arguments.first().map(Path::new).and_then(Path::file_name);
        if program != Some(OsStr::new(NAME)) {
            return Self::OwnName;
        }
        match arguments.get(1) {
            Some(command) if command == "latchkey" => Self::Plugin,
            _ => Self::OtherCommand,
        }
    }
}

/// Becomes the next mngr. Returns only when that fails.
pub(super) fn hand_over(arguments: &[OsString]) -> Failure {
    let process = std::process::id().to_string();
    let mut passed_by = std::env::var(PASSED_BY)
        .ok()
        .filter(|passed_by| passed_by.split(' ').next() == Some(&process))
        .unwrap_or(process);
    if let Some(file) = std::env::current_exe()
        .ok()
        .and_then(|path| identity(&path))
    {
        // Writing to a string cannot fail.
        let _ = write!(passed_by, " {file}");
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let Some(program) = next_on(&path, &passed_by) else {
        return Failure::failed(format_args!(
            "{NO_OTHER_MNGR}; this program provides 'mngr latchkey' alone: install mngr for the rest"
        ));
    };
    let error = Command::new(&program)
        .args(arguments.iter().skip(1))
        .env(PASSED_BY, passed_by)
        .exec();
    Failure::failed(format_args!("cannot run {}: {error}", program.display()))
}

/// The first executable mngr that is none of the files in `passed_by`.
fn next_on(path: &OsStr, passed_by: &str) -> Option<PathBuf> {
    std::env::split_paths(path)
        // An empty entry would mean the working directory, which nobody chose.
        .filter(|directory| !directory.as_os_str().is_empty())
        .map(|directory| directory.join(NAME))
        .find(|candidate| {
            is_executable(candidate)
                && identity(candidate)
                    .is_some_and(|file| !passed_by.split(' ').any(|passed| passed == file))
        })
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
        && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// Device and inode: a link and its target are one file.
fn identity(path: &Path) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    Some(format!("{}:{}", metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn start(arguments: &[&str]) -> Start {
        Start::recognise(&arguments.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn only_the_name_mngr_makes_a_difference() {
        assert_eq!(start(&["/x/mngr-latchkey", "admin-jwt"]), Start::OwnName);
        assert_eq!(start(&["mngr", "latchkey", "admin-jwt"]), Start::Plugin);
        assert_eq!(start(&["/x/mngr", "latchkey"]), Start::Plugin);
        assert_eq!(start(&["/x/mngr", "list"]), Start::OtherCommand);
        assert_eq!(start(&["mngr"]), Start::OtherCommand);
        assert_eq!(start(&[]), Start::OwnName);
    }

    #[test]
    fn the_next_is_executable_and_has_not_passed_the_command_on() {
        let root = tempfile::tempdir().unwrap();
        let file = |name: &str, mode| {
            let directory = root.path().join(name);
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join(NAME), b"").unwrap();
            fs::set_permissions(directory.join(NAME), fs::Permissions::from_mode(mode)).unwrap();
            directory
        };
        let ours = file("ours", 0o755);
        let link = root.path().join("link");
        fs::create_dir(&link).unwrap();
        symlink(ours.join(NAME), link.join(NAME)).unwrap();
        let text = file("text", 0o644);
        let real = file("real", 0o755);
        let path = std::env::join_paths([&ours, &link, &text, &real]).unwrap();

        let passed = format!("1 {}", identity(&ours.join(NAME)).unwrap());
        assert_eq!(next_on(&path, &passed), Some(real.join(NAME)));
        let passed = format!("{passed} {}", identity(&real.join(NAME)).unwrap());
        assert_eq!(next_on(&path, &passed), None);
    }
}
