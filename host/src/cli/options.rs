//! The options that every subcommand accepts, before or after its name: our own two, and those that mngr gives to all of its
//! commands. The latter are accepted so that scripts need not know which program they talk to; most mean nothing here.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::failure::Failure;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Root directory of all state [default: ~/.mngr/latchkey; for gateway see there]
    #[arg(long, global = true, value_name = "DIR", display_order = LAST)]
    pub latchkey_directory: Option<PathBuf>,

    /// The upstream latchkey program [default: latchkey on PATH]
    #[arg(long, global = true, value_name = "FILE", display_order = LAST)]
    pub latchkey_binary: Option<PathBuf>,

    /// human, json or jsonl: what the commands print that show something; the others have one format each
    #[arg(long, global = true, value_name = "FORMAT", default_value = "human", help_heading = COMMON, hide_short_help = true)]
    format: String,

    /// Log nothing to stderr; errors still appear there
    #[arg(short, long, global = true, help_heading = COMMON)]
    pub quiet: bool,

    /// Log more to stderr (-vv: everything); without -q and -v, $RUST_LOG says what to log
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = COMMON)]
    pub verbose: u8,

    /// Log to this file too, one JSON object a line
    #[arg(long, global = true, value_name = "FILE", help_heading = COMMON)]
    pub log_file: Option<PathBuf>,

    /// Accepted for mngr's sake
    #[arg(long, global = true, overrides_with = "no_log_commands", help_heading = COMMON, hide_short_help = true)]
    log_commands: bool,

    /// Accepted for mngr's sake
    #[arg(long, global = true, overrides_with = "log_commands", help_heading = COMMON, hide_short_help = true)]
    no_log_commands: bool,

    /// Accepted for mngr's sake: nothing here asks questions
    #[arg(long, global = true, help_heading = COMMON, hide_short_help = true)]
    headless: bool,

    /// Accepted for mngr's sake
    #[arg(long, global = true, help_heading = COMMON, hide_short_help = true)]
    safe: bool,

    /// Accepted for mngr's sake
    #[arg(long, global = true, alias = "enable-plugin", value_name = "NAME", help_heading = COMMON, hide_short_help = true)]
    plugin: Vec<String>,

    /// Accepted for mngr's sake
    #[arg(long, global = true, value_name = "NAME", help_heading = COMMON, hide_short_help = true)]
    disable_plugin: Vec<String>,

    /// Override a setting of mngr, for instance plugins.latchkey.directory=/srv/latchkey
    #[arg(short = 'S', long = "setting", global = true, value_name = "KEY=VALUE", help_heading = COMMON)]
    pub settings: Vec<String>,
}

/// Behind the options of the subcommand, before those for help.
const LAST: usize = 998;
const COMMON: &str = "Options of every mngr command";
const FORMATS: [&str; 3] = ["human", "json", "jsonl"];

impl Options {
    /// Whether the result is for a program.
    pub(super) fn is_json(&self) -> bool {
        !self.format.eq_ignore_ascii_case("human")
    }

    /// What the parser cannot see by itself.
    pub(super) fn validate(&self) -> Result<(), Failure> {
        if !FORMATS
            .iter()
            .any(|format| self.format.eq_ignore_ascii_case(format))
        {
            return Err(Failure::usage(format_args!(
                "--format must be human, json or jsonl, got '{}'; templates are not supported by this command",
                self.format
            )));
        }
        match self.settings.iter().find(|setting| !setting.contains('=')) {
            Some(setting) => Err(Failure::usage(format_args!(
                "--setting must have the form KEY=VALUE, got '{setting}'"
            ))),
            None => Ok(()),
        }
    }
}
