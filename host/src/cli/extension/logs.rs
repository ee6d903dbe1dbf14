//! `extension logs`: what an extension has said, what was said about it, and how it crashed.

use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{printable, subject};
use crate::cli::failure::Failure;
use crate::cli::options::Options;
use crate::cli::output;
use crate::extensions::output::{Follower, tail};
use crate::store::paths::LatchkeyDirectory;

const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Show what an extension has said: its log, what it printed, and reports of its crashes
///
/// The last 512 KiB or so are kept, also when no gateway runs and after the extension was removed. With --format json: an
/// object a line.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The extension
    #[arg(value_name = "NAME")]
    name: String,

    /// How many lines from the end
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    lines: usize,

    /// Go on with what it says, until interrupted
    #[arg(short, long)]
    follow: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    directory: &LatchkeyDirectory,
    options: &Options,
) -> Result<(), Failure> {
    let (extensions, name) = (directory.extensions_dir(), &arguments.name);
    if arguments.follow {
        return follow(&extensions, arguments, options);
    }
    let lines = tail(&extensions, name, arguments.lines).map_err(Failure::failed)?;
    if lines.is_empty() {
        // Of an extension that has been removed, there may be output.
        subject::find(directory, name)?;
        output::notice(Some(format!("{} has not said anything.", printable(name))));
    }
    print(&lines, options)
}

fn follow(extensions: &Path, arguments: &Arguments, options: &Options) -> Result<(), Failure> {
    let failed = |error| Failure::failed(format_args!("cannot wait for output: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let (mut follower, lines) =
        Follower::start(extensions, &arguments.name, arguments.lines).map_err(Failure::failed)?;
    print(&lines, options)?;
    runtime.block_on(async {
        let mut abandoned = pin!(output::abandoned());
        let mut due = tokio::time::interval(LOOK_AGAIN);
        loop {
            tokio::select! {
                _ = due.tick() => {}
                () = &mut abandoned => return Ok(()),
            }
            print(&follower.more().map_err(Failure::failed)?, options)?;
        }
    })
}

fn print(lines: &[String], options: &Options) -> Result<(), Failure> {
    lines.iter().try_for_each(|line| {
        if options.is_json() {
            output::json_line(&as_json(line))
        } else {
            output::line(line)
        }
    })
}

/// A line is `<RFC 3339 time> <LEVEL> <text>`; of one that is not, all is text.
fn as_json(line: &str) -> Value {
    let parts = line.split_once(' ').and_then(|(time, rest)| {
        let time: Timestamp = time.parse().ok()?;
        let (level, message) = rest.split_once(' ')?;
        Some((time, level, message))
    });
    match parts {
        Some((time, level, message)) => {
            json!({"timestamp": time, "level": level, "message": message})
        }
        None => json!({"message": line}),
    }
}
