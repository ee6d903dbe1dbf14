//! Where the latchkey directory comes from: option, variable, mngr's settings, default.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::fs;

use end_to_end::Home;

/// A home with every source of the setting below the option, each naming a directory of its own.
struct Sources {
    home: Home,
    variables: Vec<(&'static str, String)>,
    arguments: Vec<String>,
}

impl Sources {
    fn new() -> Self {
        let home = Home::new();
        let setting = |name: &str| format!("[plugins.latchkey]\ndirectory = \"~/{name}\"\n");
        home.write(".mngr/config.toml", "profile = \"p\"\n", 0o600);
        home.write(".mngr/profiles/p/settings.toml", &setting("profile"), 0o600);
        home.write("project/.git", "gitdir: elsewhere\n", 0o600);
        home.write("project/.mngr/settings.toml", &setting("project"), 0o600);
        home.write(
            "project/.mngr/settings.local.toml",
            &setting("local"),
            0o600,
        );
        home.write("project/deep/down/file", "", 0o600);
        Self {
            home,
            variables: Vec::new(),
            arguments: Vec::new(),
        }
    }

    fn variable(mut self, name: &'static str, value: &str) -> Self {
        let value = value.replace("HOME", self.home.path().to_str().unwrap());
        self.variables.push((name, value));
        self
    }

    fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(
            arguments
                .iter()
                .map(|argument| argument.replace("HOME", self.home.path().to_str().unwrap())),
        );
        self
    }

    fn without(self, file: &str) -> Self {
        fs::remove_file(self.home.path().join(file)).unwrap();
        self
    }

    /// Which directory below the home the program has chosen.
    #[track_caller]
    fn chosen(self) -> String {
        let mut command = self.home.command(["admin-jwt"]).arguments(&self.arguments);
        for (name, value) in &self.variables {
            command = command.environment(name, value);
        }
        command
            .working_directory(&self.home.path().join("project/deep/down"))
            .run()
            .expect_success();
        let candidates = [
            "option",
            "variable",
            "assignment",
            "environment",
            "local",
            "project",
            "profile",
            "root",
            ".mngr/latchkey",
        ];
        let chosen: Vec<_> = candidates
            .into_iter()
            .filter(|name| self.home.path().join(name).join("encryption_key").exists())
            .collect();
        assert_eq!(chosen.len(), 1, "{chosen:?}");
        chosen[0].to_owned()
    }
}

#[test]
fn each_source_wins_over_those_below_it() {
    let assignment = ["-S", "plugins.latchkey.directory=~/assignment"];
    let environment = ("MNGR__PLUGINS__LATCHKEY__DIRECTORY", "\"HOME/environment\"");
    let all = || {
        Sources::new()
            .arguments(&assignment)
            .variable(environment.0, environment.1)
            .variable("MNGR_LATCHKEY_DIRECTORY", "~/variable")
    };
    assert_eq!(
        all()
            .arguments(&["--latchkey-directory", "~/option"])
            .chosen(),
        "option"
    );
    assert_eq!(all().chosen(), "variable");
    let settings = || Sources::new().variable(environment.0, environment.1);
    assert_eq!(settings().arguments(&assignment).chosen(), "assignment");
    assert_eq!(settings().chosen(), "environment");
    assert_eq!(
        Sources::new()
            .variable(environment.0, "~/environment")
            .chosen(),
        "environment"
    );
    assert_eq!(Sources::new().chosen(), "local");
    let project = || Sources::new().without("project/.mngr/settings.local.toml");
    assert_eq!(project().chosen(), "project");
    let profile = || project().without("project/.mngr/settings.toml");
    assert_eq!(profile().chosen(), "profile");
    assert_eq!(
        profile().without(".mngr/config.toml").chosen(),
        ".mngr/latchkey"
    );
}

#[test]
fn variables_move_the_places_of_the_settings() {
    let home = |sources: Sources| {
        let text = "[plugins.latchkey]\ndirectory = \"~/root\"\n";
        sources.home.write("other/settings.toml", text, 0o600);
        sources
            .home
            .write(".root/config.toml", "profile = \"q\"\n", 0o600);
        sources
            .home
            .write(".root/profiles/q/settings.toml", text, 0o600);
        sources
    };
    assert_eq!(
        home(Sources::new())
            .variable("MNGR_PROJECT_CONFIG_DIR", "HOME/other")
            .chosen(),
        "root"
    );
    assert_eq!(
        home(Sources::new())
            .variable("MNGR_ROOT_NAME", "root")
            .chosen(),
        "root"
    );
    let bare = Sources::new()
        .without("project/.mngr/settings.local.toml")
        .without("project/.mngr/settings.toml");
    assert_eq!(
        home(bare).variable("MNGR_HOST_DIR", "HOME/.root").chosen(),
        "root"
    );
}

#[test]
fn other_settings_are_none_of_our_business() {
    let sources = Sources::new();
    let text = "verbose = 1\n[plugins.other]\nx = [1]\n[plugins.latchkey]\nenabled = true\nlatchkey_binary = \"x\"\ndirectory = \"~/local\"\n";
    sources
        .home
        .write("project/.mngr/settings.local.toml", text, 0o600);
    assert_eq!(
        sources
            .arguments(&["-S", "plugins.other.x=1", "-S", "verbose=2"])
            .chosen(),
        "local"
    );
}

#[test]
fn a_malformed_file_is_named_with_its_line() {
    for (file, content, line) in [
        (".mngr/config.toml", "profile = \n", "line 1"),
        (
            ".mngr/profiles/p/settings.toml",
            "\n\n[plugins.latchkey\n",
            "line 3",
        ),
        (
            "project/.mngr/settings.toml",
            "[plugins.latchkey]\ndirectory = 1\n",
            "line 2",
        ),
        (
            "project/.mngr/settings.local.toml",
            "\n[plugins.latchkey]\ndirectry = \"/x\"\n",
            "line",
        ),
    ] {
        let sources = Sources::new();
        let path = sources.home.write(file, content, 0o600);
        let project = sources.home.path().join("project");
        let outcome = sources
            .home
            .command(["admin-jwt"])
            .working_directory(&project)
            .run()
            .expect_code(1);
        assert!(
            outcome.stderr.contains(path.to_str().unwrap()) && outcome.stderr.contains(line),
            "{outcome}"
        );
        assert_eq!(
            (outcome.stdout.as_str(), outcome.stderr.lines().count()),
            ("", 1),
            "{outcome}"
        );
    }
}

#[test]
fn a_relative_directory_is_an_error_wherever_it_comes_from() {
    let home = Home::new();
    let relative = |outcome: end_to_end::Outcome| {
        let outcome = outcome.expect_code(1);
        assert!(outcome.stderr.contains("must be absolute"), "{outcome}");
    };
    relative(
        home.command(["admin-jwt", "--latchkey-directory", "some/where"])
            .run(),
    );
    relative(
        home.command(["admin-jwt"])
            .environment("MNGR_LATCHKEY_DIRECTORY", "some/where")
            .run(),
    );
    relative(
        home.command(["admin-jwt", "-S", "plugins.latchkey.directory=some/where"])
            .run(),
    );
    relative(
        home.command(["gateway", "--latchkey-directory", "some/where"])
            .run(),
    );
    assert_eq!(
        fs::read_dir(home.path()).unwrap().count(),
        0,
        "nothing was created"
    );
}
