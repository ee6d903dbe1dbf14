//! Programs that take mngr's place in tests.

use std::path::Path;
use std::process::Command;

/// Puts a script for sh at `path`, replacing the one that is there.
///
/// Another process writes it: a descriptor of ours that is open for writing could be inherited for a moment by a child of
/// another test, and the system refuses to run a file that is open for writing.
pub(super) fn write(path: &Path, body: &str) {
    let written = Command::new("/bin/sh")
        .arg("-c")
        .arg(r#"printf '#!/bin/sh\n%s\n' "$2" >"$1.new" && chmod 755 "$1.new" && mv "$1.new" "$1""#)
        .arg("sh")
        .arg(path)
        .arg(body)
        .status()
        .unwrap();
    assert!(written.success(), "{written}");
}
