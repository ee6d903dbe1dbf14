use std::fs;

use clap::Parser;
use secrecy::ExposeSecret;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    arguments: Arguments,
}

fn resolve(words: &[&str], variables: &[(&str, &str)], home: &Path) -> Result<Settings, String> {
    let line =
        Line::try_parse_from(std::iter::once("gateway").chain(words.iter().copied())).unwrap();
    let environment = Environment {
        variables: variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        home: Some(home.to_owned()),
        working_directory: None,
    };
    open(&line.options, &environment)
        .and_then(|(directory, key)| {
            settings(
                &line.arguments,
                &line.options,
                &environment,
                &directory,
                &key,
            )
        })
        .map_err(|failure| failure.to_string())
}

fn listens_on(settings: &Settings) -> (&str, u16) {
    match &settings.listen {
        Listen::On { host, port } => (host, *port),
        Listen::Socket(_) => panic!("nobody passed a socket"),
    }
}

#[test]
fn without_anything_the_upstream_defaults_hold() {
    let home = tempfile::tempdir().unwrap();
    let settings = resolve(&[], &[], home.path()).unwrap();
    assert_eq!(listens_on(&settings), ("localhost", 1989));
    assert!(settings.password.is_none() && settings.permissions_root.is_none());
    assert_eq!(settings.latchkey_directory, home.path().join(".latchkey"));
    assert_eq!(
        settings.default_permissions,
        home.path().join(".latchkey/permissions.json")
    );
    assert!(settings.builtin_schemas && !settings.allow_missing_permissions);
    assert!(home.path().join(".latchkey/encryption_key").is_file());
}

#[test]
fn a_named_directory_is_wired_as_a_supervisor_would() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("d");
    let words = ["--latchkey-directory", "~/d", "--listen-port", "0"];
    let variables = [
        (PASSWORD, "mine"),
        (PERMISSIONS, "/p.json"),
        (PERMISSIONS_ROOT, "/r"),
        (DIRECTORY, "/x"),
    ];
    let settings = resolve(&words, &variables, home.path()).unwrap();
    assert_eq!(listens_on(&settings), ("localhost", 0));
    assert_eq!(settings.latchkey_directory, root);
    assert_eq!(
        settings.default_permissions,
        root.join("mngr_latchkey/latchkey_default_permissions.json")
    );
    assert_eq!(settings.permissions_root, Some(root.join("mngr_latchkey")));
    let password = settings.password.unwrap();
    assert_eq!(
        password.expose_secret(),
        gateway_password(&settings.signing_key).expose_secret()
    );
    assert!(settings.default_permissions.is_file());
}

#[test]
fn variables_count_and_options_win_over_them() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("l");
    let variables = [
        (DIRECTORY, root.to_str().unwrap()),
        (HOST, "::1"),
        (PORT, "4000"),
        (PASSWORD, "secret"),
        (PERMISSIONS, "~/p.json"),
        (PERMISSIONS_ROOT, "/r"),
        (NO_BUILTIN_SCHEMAS, "1"),
        (
            "LATCHKEY_ENCRYPTION_KEY",
            "yMnKy8zNzs_Q0dLT1NXW19jZ2tvc3d7f4OHi4-Tl5uc",
        ),
    ];
    let settings = resolve(
        &["--listen-host", "127.0.0.1", "--allow-missing-permissions"],
        &variables,
        home.path(),
    )
    .unwrap();
    assert_eq!(listens_on(&settings), ("127.0.0.1", 4000));
    assert_eq!(settings.password.unwrap().expose_secret(), "secret");
    assert_eq!(settings.default_permissions, home.path().join("p.json"));
    assert_eq!(settings.permissions_root.as_deref(), Some(Path::new("/r")));
    assert!(!settings.builtin_schemas && settings.allow_missing_permissions);
    assert_eq!(
        fs::read_dir(&root).unwrap().count(),
        0,
        "the key of the environment leaves no file"
    );
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_name() {
    let home = tempfile::tempdir().unwrap();
    for (name, value) in [
        (PORT, "65536"),
        (PORT, "http"),
        (DIRECTORY, "rel"),
        (PERMISSIONS, "rel"),
        (PERMISSIONS_ROOT, "rel"),
    ] {
        let message = resolve(&[], &[(name, value)], home.path()).unwrap_err();
        assert!(
            message.contains(name) && message.contains(value),
            "{message}"
        );
    }
}
