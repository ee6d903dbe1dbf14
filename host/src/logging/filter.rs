//! Which records are wanted, by level and target.
//!
//! Without a word from anybody: of this program and its extensions everything from INFO up, of libraries only what is wrong.
//! `RUST_LOG` (`level`, or `target=level,...`; a target stands for those that begin with it) replaces that, for the console
//! and for files. `-q` and `-v` mean the console, and win there over `RUST_LOG`; without `RUST_LOG`, files follow `-v`, and
//! never have less than INFO.

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

/// What this program's modules, its extensions and its children are called.
const OURS: [&str; 4] = ["mngr_latchkey", super::layer::EXTENSION, "gateway", "mngr"];

/// What the user asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes<'a> {
    pub quiet: bool,
    pub verbose: u8,
    /// `$RUST_LOG`.
    pub rust_log: Option<&'a str>,
}

/// What goes where.
#[derive(Clone, Debug)]
pub(super) struct Levels {
    pub console: Targets,
    pub files: Targets,
    /// Something to tell the user about the wishes.
    pub warning: Option<String>,
}

impl Levels {
    pub(super) fn new(wishes: Wishes<'_>) -> Self {
        let (asked, warning) = match wishes.rust_log.map(str::trim) {
            None | Some("") => (None, None),
            Some(text) => match text.parse::<Targets>() {
                Ok(targets) => (Some(targets), None),
                Err(error) => (
                    None,
                    Some(format!(
                        "RUST_LOG is ignored: {error}; write a level or target=level,..., for instance info,mngr_latchkey=debug"
                    )),
                ),
            },
        };
        let ours = match (wishes.quiet, wishes.verbose) {
            (true, _) => LevelFilter::OFF,
            (false, 0) => LevelFilter::INFO,
            (false, 1) => LevelFilter::DEBUG,
            (false, _) => LevelFilter::TRACE,
        };
        let explicit = wishes.quiet || wishes.verbose > 0;
        let console = match &asked {
            Some(targets) if !explicit => targets.clone(),
            _ => usual(ours),
        };
        let files = asked.unwrap_or_else(|| usual(ours.max(LevelFilter::INFO)));
        Self {
            console,
            files,
            warning,
        }
    }
}

/// `ours` for this program; of the libraries only what is wrong.
fn usual(ours: LevelFilter) -> Targets {
    Targets::new()
        .with_default(ours.min(LevelFilter::WARN))
        .with_targets(OURS.map(|target| (target, ours)))
}

/// Records that pass any one of these are wanted.
#[derive(Clone, Debug)]
pub(super) struct Filter(Vec<Targets>);

impl Filter {
    pub(super) fn any_of(targets: impl IntoIterator<Item = Targets>) -> Self {
        Self(targets.into_iter().collect())
    }

    pub(super) fn wants(&self, target: &str, level: Level) -> bool {
        self.0
            .iter()
            .any(|targets| targets.would_enable(target, &level))
    }

    /// The most that any target may say.
    pub(super) fn most(&self) -> LevelFilter {
        let levels = self.0.iter().map(|targets| {
            targets
                .iter()
                .map(|(_, level)| level)
                .chain(targets.default_level())
                .max()
                .unwrap_or(LevelFilter::OFF)
        });
        levels.max().unwrap_or(LevelFilter::OFF)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "mngr_latchkey::gateway::run";

    fn most(targets: &Targets, target: &str) -> LevelFilter {
        let levels = [
            Level::TRACE,
            Level::DEBUG,
            Level::INFO,
            Level::WARN,
            Level::ERROR,
        ];
        levels
            .into_iter()
            .find(|level| targets.would_enable(target, level))
            .map_or(LevelFilter::OFF, LevelFilter::from_level)
    }

    /// What the console and files get of this program, of an extension and of a library.
    fn levels(quiet: bool, verbose: u8, rust_log: Option<&str>) -> [[LevelFilter; 3]; 2] {
        let levels = Levels::new(Wishes {
            quiet,
            verbose,
            rust_log,
        });
        [&levels.console, &levels.files]
            .map(|targets| [OWN, "extension.permissions", "russh"].map(|of| most(targets, of)))
    }

    #[test]
    fn without_rust_log_the_options_decide_and_libraries_keep_quiet() {
        use LevelFilter as L;
        let usual = [L::INFO, L::INFO, L::WARN];
        for unset in [None, Some(""), Some(" ")] {
            assert_eq!(levels(false, 0, unset), [usual, usual]);
            assert_eq!(levels(true, 0, unset), [[L::OFF; 3], usual]);
            let debug = [L::DEBUG, L::DEBUG, L::WARN];
            assert_eq!(levels(false, 1, unset), [debug, debug]);
            let trace = [L::TRACE, L::TRACE, L::WARN];
            assert_eq!(levels(false, 2, unset), [trace, trace]);
        }
    }

    #[test]
    fn rust_log_replaces_the_usual_and_options_win_over_it_on_the_console() {
        use LevelFilter as L;
        let asked = Some("warn,mngr_latchkey::gateway=trace,extension.perm=error");
        let by_rust_log = [L::TRACE, L::ERROR, L::WARN];
        assert_eq!(levels(false, 0, asked), [by_rust_log, by_rust_log]);
        assert_eq!(levels(true, 0, asked), [[L::OFF; 3], by_rust_log]);
        assert_eq!(
            levels(false, 1, asked),
            [[L::DEBUG, L::DEBUG, L::WARN], by_rust_log]
        );
        assert_eq!(levels(false, 0, Some("off")), [[L::OFF; 3]; 2]);
    }

    #[test]
    fn a_rust_log_that_is_not_understood_is_a_warning() {
        let levels = Levels::new(Wishes {
            rust_log: Some("mngr_latchkey=loud"),
            ..Wishes::default()
        });
        let warning = levels.warning.unwrap();
        assert!(
            warning.contains("RUST_LOG") && warning.contains("info,mngr_latchkey=debug"),
            "{warning}"
        );
        assert_eq!(most(&levels.console, OWN), LevelFilter::INFO);
    }

    #[test]
    fn a_filter_wants_what_any_part_wants() {
        let filter = Filter::any_of(["warn", "off,a=debug"].map(|text| text.parse().unwrap()));
        assert!(filter.wants("a", Level::DEBUG) && filter.wants("b", Level::WARN));
        assert!(!filter.wants("a", Level::TRACE) && !filter.wants("b", Level::INFO));
        assert_eq!(filter.most(), LevelFilter::DEBUG);
        assert_eq!(Filter::any_of([]).most(), LevelFilter::OFF);
    }
}
