//! Where the program under test is: `$TEST_BINARY`, or beside the tests in cargo's directory.

use std::path::PathBuf;

const NAME: &str = "mngr-latchkey";

/// The program under test.
///
/// # Panics
/// When it has not been built, or `$TEST_BINARY` names no file.
pub fn path() -> PathBuf {
    if let Some(path) = std::env::var_os("TEST_BINARY") {
        let path = PathBuf::from(path);
        assert!(
            path.is_file(),
            "$TEST_BINARY names {}, which is no file: build the program, or unset the variable",
            path.display()
        );
        return path;
    }
    let path = profile_directory().join(NAME);
    assert!(
        path.is_file(),
        "the program under test is not at {}: run `cargo build --package mngr-latchkey`, run the tests by tests/run, or name \
         it in $TEST_BINARY",
        path.display()
    );
    path
}

/// `<target>/debug` or the like: a test's own executable is in its `deps`.
pub(crate) fn profile_directory() -> PathBuf {
    let executable = std::env::current_exe().expect("a process has an executable");
    executable
        .parent()
        .and_then(|deps| deps.parent())
        .expect("cargo puts tests two levels below the target directory")
        .to_owned()
}
