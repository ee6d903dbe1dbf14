//! Being called `mngr`: a plugin of it, and a door to the real one.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use end_to_end::{Cli, Home};

/// A directory for PATH with a link to the program in it, called `mngr`.
fn called_mngr(home: &Home, directory: &str) -> PathBuf {
    let directory = home.path().join(directory);
    fs::create_dir_all(&directory).unwrap();
    symlink(end_to_end::program(), directory.join("mngr")).unwrap();
    directory
}

#[test]
fn under_the_name_mngr_it_is_a_plugin() {
    let home = Home::new();
    let ours = called_mngr(&home, "ours");
    let directory = home.latchkey_directory();
    let direct = home.cli(["admin-jwt"]).expect_success();
    let plugin = Cli::program(ours.join("mngr"), home.path())
        .arguments(["latchkey", "admin-jwt", "--latchkey-directory"])
        .argument(&directory);
    assert_eq!(plugin.run().expect_success().line(), direct.line());
    let help = Cli::program(ours.join("mngr"), home.path())
        .arguments(["latchkey", "--help"])
        .run()
        .expect_success();
    assert!(help.stdout.contains("mngr latchkey"), "{help}");
    Cli::program(ours.join("mngr"), home.path())
        .arguments(["latchkey", "nope"])
        .run()
        .expect_code(2);
}

#[test]
fn under_the_name_mngr_everything_else_goes_to_the_next_mngr_on_path() {
    let home = Home::new();
    let ours = called_mngr(&home, "ours");
    let again = called_mngr(&home, "again");
    let script = "#!/bin/sh\nprintf '%s|' \"$0\" \"$@\"\nexit 42\n";
    let real = home.write("real/mngr", script, 0o755);
    home.write("not-executable/mngr", script, 0o644);
    let path = std::env::join_paths([
        &ours,
        &home.path().join("not-executable"),
        &again,
        real.parent().unwrap(),
        Path::new("/usr/bin"),
        Path::new("/bin"),
    ])
    .unwrap();
    for arguments in [
        &["list", "--all", "a b"][..],
        &[],
        &["--help"],
        &["latchkeys"],
    ] {
        let outcome = Cli::program(ours.join("mngr"), home.path())
            .arguments(arguments)
            .environment("PATH", &path)
            .run()
            .expect_code(42);
        let expected: String = std::iter::once(real.to_str().unwrap())
            .chain(arguments.iter().copied())
            .map(|word| format!("{word}|"))
            .collect();
        assert_eq!(outcome.stdout, expected);
    }
    let alone = std::env::join_paths([&ours, &again]).unwrap();
    let outcome = Cli::program(ours.join("mngr"), home.path())
        .argument("list")
        .environment("PATH", alone)
        .run()
        .expect_code(1);
    assert!(
        outcome.stderr.starts_with("Error: ") && outcome.stderr.contains("mngr"),
        "{outcome}"
    );
}
