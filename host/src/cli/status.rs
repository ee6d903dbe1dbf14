//! `status`: what the supervisor of this directory does, its gateway, and each agent host.

mod rendering;

use std::io::{IsTerminal, stdout};
use std::pin::pin;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::environment::Environment;
use super::failure::Failure;
use super::gateway_info::NOT_RUNNING;
use super::observed;
use super::options::Options;
use super::output;
use super::settings::Settings;
use crate::store::paths::LatchkeyDirectory;
use crate::store::record::Record;
use crate::supervisor::Status;

const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// To the top left corner, and nothing below.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Show what the supervisor does: its gateway, its discovery of agents, and the tunnel to each host
///
/// Fails when none runs. With --format json: one line of JSON.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Show it again at every change, until interrupted
    #[arg(long)]
    watch: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    let settings = Settings::resolve(options, environment)?;
    let directory = LatchkeyDirectory::new(&settings.directory).map_err(Failure::failed)?;
    if arguments.watch {
        return watch(&directory, options);
    }
    let view = View::take(&directory)?;
    if !matches!(view.supervisor, Supervisor::NotRunning) {
        return view.print(options);
    }
    if options.is_json() {
        view.print(options)?;
    } else {
        view.print_notices()?;
    }
    Err(Failure::failed(NOT_RUNNING))
}

fn watch(directory: &LatchkeyDirectory, options: &Options) -> Result<(), Failure> {
    let failed = |error| Failure::failed(format_args!("cannot wait for changes: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    runtime.block_on(async {
        let mut abandoned = pin!(output::abandoned());
        let mut due = tokio::time::interval(LOOK_AGAIN);
        let mut shown = None;
        let clear = !options.is_json() && stdout().is_terminal();
        loop {
            tokio::select! {
                _ = due.tick() => {}
                () = &mut abandoned => return Ok(()),
            }
            let view = View::take(directory)?;
            let value = view.json();
            // Times pass on a screen; a program is told of changes.
            if clear {
                output::text(CLEAR)?;
            } else if shown.as_ref() == Some(&value) {
                continue;
            }
            shown = Some(value);
            view.print(options)?;
        }
    })
}

/// What there is to see.
struct View {
    supervisor: Supervisor,
    /// Hosts whose permissions are not enforced, or may be meant not to be.
    notices: Vec<String>,
    observed: Vec<Value>,
}

enum Supervisor {
    NotRunning,
    /// It has not said anything about itself yet.
    Starting(Record),
    Running(Box<Status>),
}

impl Supervisor {
    fn look_up(directory: &LatchkeyDirectory) -> Result<Self, Failure> {
        let record = Record::load(&directory.record()).map_err(Failure::failed)?;
        let Some(record) = record.filter(|record| record.is_alive(directory)) else {
            return Ok(Self::NotRunning);
        };
        let status = Status::load(directory, &record).map_err(Failure::failed)?;
        Ok(match status {
            Some(status) => Self::Running(Box::new(status)),
            None => Self::Starting(record),
        })
    }

    fn json(&self) -> Map<String, Value> {
        let (is_running, about) = match self {
            Self::NotRunning => (false, Value::Null),
            Self::Starting(record) => (true, json!(record)),
            Self::Running(status) => (true, json!(status)),
        };
        let mut value = Map::from_iter([("running".to_owned(), is_running.into())]);
        if let Value::Object(about) = about {
            value.extend(about);
        }
        value
    }
}

impl View {
    fn take(directory: &LatchkeyDirectory) -> Result<Self, Failure> {
        let now = Timestamp::now();
        Ok(Self {
            supervisor: Supervisor::look_up(directory)?,
            notices: observed::notices(directory, now),
            observed: observed::hosts(directory, now),
        })
    }

    /// `observe_mode` is there only while a host is in it.
    fn json(&self) -> Value {
        let mut value = self.supervisor.json();
        if !self.observed.is_empty() {
            value.insert("observe_mode".to_owned(), self.observed.clone().into());
        }
        value.into()
    }

    fn print(&self, options: &Options) -> Result<(), Failure> {
        if options.is_json() {
            return output::json_line(&self.json());
        }
        self.print_notices()?;
        match &self.supervisor {
            Supervisor::NotRunning => output::line("supervisor  not running"),
            // One of another version says no more than this.
            Supervisor::Starting(record) => output::line(&match record.gateway_port {
                Some(port) => format!(
                    "supervisor  running (pid {}), gateway at http://127.0.0.1:{port}",
                    record.pid
                ),
                None => format!("supervisor  starting or stopping (pid {})", record.pid),
            }),
            Supervisor::Running(status) => output::text(&rendering::text(status, Timestamp::now())),
        }
    }

    fn print_notices(&self) -> Result<(), Failure> {
        self.notices
            .iter()
            .try_for_each(|notice| output::line(notice))
    }
}
