use std::fs;

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    options: Options,
}

/// A home with a selected profile, and a git worktree that the command runs in.
struct Machine {
    _keep: tempfile::TempDir,
    root: PathBuf,
    environment: Environment,
}

impl Machine {
    fn new() -> Self {
        let keep = tempfile::tempdir().unwrap();
        let root = keep.path().to_owned();
        let environment = Environment {
            home: Some(root.join("home")),
            working_directory: Some(root.join("tree/deep/down")),
            ..Environment::default()
        };
        let machine = Self {
            _keep: keep,
            root,
            environment,
        };
        machine.file("home/.mngr/config.toml", "profile = \"p1\"\n");
        machine.file("tree/.git", "gitdir: elsewhere");
        machine.file("tree/deep/down/x", "");
        machine
    }

    fn file(&self, path: &str, content: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn settings(&self, path: &str, directory: &str) {
        self.file(
            path,
            &format!(
                "other = 1\n[plugins.latchkey]\nenabled = true\ndirectory = \"{directory}\"\n"
            ),
        );
    }

    fn variable(&mut self, name: &str, value: &str) {
        self.environment.variables.insert(name.into(), value.into());
    }

    fn resolve(&self, arguments: &[&str]) -> Result<Settings, String> {
        let words = std::iter::once("x").chain(arguments.iter().copied());
        let line = Line::try_parse_from(words).unwrap();
        Settings::resolve(&line.options, &self.environment).map_err(|failure| failure.to_string())
    }

    fn directory(&self, arguments: &[&str]) -> String {
        self.resolve(arguments)
            .unwrap()
            .directory
            .to_str()
            .unwrap()
            .to_owned()
    }
}

#[test]
fn each_layer_overrides_the_ones_before_it() {
    let mut machine = Machine::new();
    let home = machine.root.join("home");
    assert_eq!(
        machine.directory(&[]),
        home.join(".mngr/latchkey").to_str().unwrap()
    );
    machine.settings("home/.mngr/profiles/p1/settings.toml", "/profile");
    assert_eq!(machine.directory(&[]), "/profile");
    machine.settings("tree/.mngr/settings.toml", "/project");
    assert_eq!(machine.directory(&[]), "/project");
    machine.settings("tree/.mngr/settings.local.toml", "~/local");
    assert_eq!(machine.directory(&[]), home.join("local").to_str().unwrap());
    machine.variable("MNGR__PLUGINS__LATCHKEY__DIRECTORY", "/raw");
    assert_eq!(machine.directory(&[]), "/raw");
    machine.variable("MNGR__PLUGINS__LATCHKEY__DIRECTORY", "\"/json\"");
    assert_eq!(machine.directory(&[]), "/json");
    let assignment = [
        "-S",
        "plugins.latchkey.directory=/first",
        "-S",
        "plugins.latchkey.directory=/second",
    ];
    assert_eq!(machine.directory(&assignment), "/second");
    machine.variable("MNGR_LATCHKEY_DIRECTORY", "");
    assert_eq!(machine.directory(&assignment), "/second");
    machine.variable("MNGR_LATCHKEY_DIRECTORY", "/variable");
    assert_eq!(machine.directory(&assignment), "/variable");
    assert_eq!(
        machine.directory(&["--latchkey-directory", "~"]),
        home.to_str().unwrap()
    );
}

#[test]
fn a_layer_that_says_nothing_of_a_key_overrides_nothing() {
    let machine = Machine::new();
    machine.file(
        "home/.mngr/profiles/p1/settings.toml",
        "[plugins.latchkey]\ndirectory = \"/a\"\nlatchkey_binary = \"/bin/one\"\n",
    );
    machine.file(
        "tree/.mngr/settings.toml",
        "[plugins.latchkey]\nlatchkey_binary = \"two\"\n",
    );
    let settings = machine.resolve(&[]).unwrap();
    assert_eq!(settings.directory, Path::new("/a"));
    assert_eq!(settings.latchkey_binary, "two");
}

#[test]
fn the_places_of_the_files_can_be_changed() {
    let mut machine = Machine::new();
    machine.settings("tree/.other/settings.toml", "/renamed");
    machine.variable("MNGR_ROOT_NAME", "other");
    assert_eq!(machine.directory(&[]), "/renamed");

    let base = machine.root.join("base");
    machine.variable("MNGR_HOST_DIR", base.to_str().unwrap());
    machine.file("base/config.toml", "profile = \"q\"");
    machine.settings("base/profiles/q/settings.toml", "/based");
    machine.variable("MNGR_PROJECT_CONFIG_DIR", "/nowhere");
    assert_eq!(machine.directory(&[]), "/based");
}

#[test]
fn a_malformed_file_is_named_with_the_line_even_when_an_option_decides() {
    for (content, line) in [
        ("a = 1\n[plugins.latchkey\n", "line 2"),
        ("[plugins.latchkey]\n\ndirectory = 5\n", "line 3"),
        ("[plugins.latchkey]\ndirectroy = \"/x\"\n", "line 2"),
    ] {
        let machine = Machine::new();
        machine.file("tree/.mngr/settings.toml", content);
        let message = machine
            .resolve(&["--latchkey-directory", "/d"])
            .unwrap_err();
        assert!(message.contains("tree/.mngr/settings.toml"), "{message}");
        assert!(
            message.contains(line) && !message.contains('\n'),
            "{message}"
        );
    }
}

#[test]
fn a_relative_directory_is_refused_with_its_origin() {
    let mut machine = Machine::new();
    let message = machine
        .resolve(&["--latchkey-directory", "a/b"])
        .unwrap_err();
    assert!(
        message.contains("--latchkey-directory") && message.contains("must be absolute"),
        "{message}"
    );
    machine.settings("tree/.mngr/settings.toml", "rel");
    let message = machine.resolve(&[]).unwrap_err();
    assert!(
        message.contains("settings.toml") && message.contains("must be absolute"),
        "{message}"
    );
    machine.variable("MNGR__PLUGINS__LATCHKEY__DIRECTORY", "5");
    assert!(machine.resolve(&[]).unwrap_err().contains("must be a text"));
}
