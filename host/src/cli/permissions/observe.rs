//! `permissions observe`: dry runs. Which hosts are in observe mode, since when and until when, and what their permissions
//! would have denied.

use std::fmt::Write;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::environment::Environment;
use super::super::failure::Failure;
use super::super::link_permissions::parse_host;
use super::super::observed::{self, printable};
use super::super::options::Options;
use super::super::output;
use super::super::settings::Settings;
use super::super::times;
use crate::gateway::denials::{Kind, Occurrences, WouldBeDenials, would_be_denials};
use crate::store::ids::HostId;
use crate::store::observe::{self, BeginError, Observation, Reading};
use crate::store::paths::LatchkeyDirectory;

/// Try a host's permissions without enforcing them
///
/// In observe mode, what the host's permissions file would deny is logged and let through, until the stated time; an unusable
/// file denies as ever, and so do the gateway's own routes and those of other agents. Without --for and --end: shows the
/// hosts in observe mode, or one host, and what would have been denied.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The host
    #[arg(long, value_name = "ID")]
    host_id: Option<String>,

    /// Put the host in observe mode for so long, like 30m, 2h or 1d12h; at most 7d
    #[arg(long = "for", value_name = "TIME", requires = "host_id", value_parser = times::parse)]
    duration: Option<SignedDuration>,

    /// Enforce the host's permissions again, now
    #[arg(long, requires = "host_id", conflicts_with = "duration")]
    end: bool,

    /// Show what would have been denied; always shown with --host-id
    #[arg(long, alias = "list", conflicts_with_all = ["duration", "end"])]
    denials: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    let host = arguments.host_id.as_deref().map(parse_host).transpose()?;
    let settings = Settings::resolve(options, environment)?;
    let directory = LatchkeyDirectory::new(&settings.directory).map_err(Failure::failed)?;
    let mode = Mode {
        directory,
        options,
        now: Timestamp::now(),
    };
    match (host, arguments.duration) {
        (Some(host), Some(duration)) => mode.begin(&host, duration, &user(environment)),
        (Some(host), None) if arguments.end => mode.end(&host),
        (Some(host), None) => mode.show(&host),
        (None, _) => mode.list(arguments.denials),
    }
}

/// Who asks, for the file and the log.
pub(super) fn user(environment: &Environment) -> String {
    let name = ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| environment.variable(name));
    match name {
        Some(name) => name.to_string_lossy().into_owned(),
        None => format!("user {}", rustix::process::getuid().as_raw()),
    }
}

/// The observe mode of one latchkey directory, now.
struct Mode<'a> {
    directory: LatchkeyDirectory,
    options: &'a Options,
    now: Timestamp,
}

impl Mode<'_> {
    fn begin(&self, host: &HostId, duration: SignedDuration, by: &str) -> Result<(), Failure> {
        let begun = observe::begin(&self.directory, host, duration, by, self.now);
        let observation = begun.map_err(|error| match error {
            BeginError::Duration => Failure::usage(format_args!("--for: {error}")),
            error => Failure::failed(error),
        })?;
        if self.options.is_json() {
            return output::json_line(&observed::as_json(host, &observation));
        }
        let notice = observed::notice(&self.directory, host, self.now);
        output::line(&notice.unwrap_or_default())?;
        output::line(&format!(
            "See what would be denied: permissions observe --host-id {host}\n\
             End it before its time:   permissions observe --host-id {host} --end"
        ))
    }

    fn end(&self, host: &HostId) -> Result<(), Failure> {
        // Looked at first, for then it is gone.
        let was_current = matches!(
            observe::current(&self.directory, host, self.now),
            Ok(Some(_))
        );
        let is_removed = observe::end(&self.directory, host).map_err(Failure::failed)?;
        if self.options.is_json() {
            return output::json_line(&json!({"host_id": host, "ended": is_removed}));
        }
        output::line(&if was_current {
            format!("{host} is no longer in observe mode: its permissions are enforced.")
        } else {
            format!("{host} was not in observe mode: its permissions are enforced.")
        })
    }

    /// One host, whether it is in observe mode, was, or never was.
    fn show(&self, host: &HostId) -> Result<(), Failure> {
        let reading = observe::read(&self.directory, host).transpose();
        if let (None, false) = (&reading, self.options.is_json()) {
            return output::line(&format!(
                "{host} is not in observe mode: its permissions are enforced."
            ));
        }
        self.print(host, reading, true)
    }

    /// The hosts that are in observe mode, or whose file is malformed.
    fn list(&self, with_denials: bool) -> Result<(), Failure> {
        let mut is_any = false;
        for (host, reading) in observe::all(&self.directory).map_err(Failure::failed)? {
            if reading
                .as_ref()
                .is_ok_and(|observation| !observation.is_current(self.now))
            {
                continue;
            }
            is_any = true;
            self.print(&host, Some(reading), with_denials)?;
        }
        if !is_any && !self.options.is_json() {
            output::line("No host is in observe mode: all permissions are enforced.")?;
        }
        Ok(())
    }

    fn print(
        &self,
        host: &HostId,
        reading: Option<Reading>,
        with_denials: bool,
    ) -> Result<(), Failure> {
        let (observation, error) = match reading {
            Some(Ok(observation)) => (Some(observation), None),
            Some(Err(error)) => (None, Some(error.to_string())),
            None => (None, None),
        };
        let denials = match &observation {
            Some(observation) => {
                let log = self.directory.events_log();
                would_be_denials(&log, host, observation.since).map_err(Failure::failed)?
            }
            None => WouldBeDenials::default(),
        };
        if self.options.is_json() {
            let value = self.as_json(host, observation.as_ref(), error, &denials, with_denials);
            return output::json_line(&value);
        }
        let Some(observation) = observation else {
            return output::line(&printable(&format!(
                "{host}: {}",
                error.unwrap_or_default()
            )));
        };
        output::line(&self.headline(host, &observation))?;
        output::line(&match denials.total() {
            0 => "  nothing would have been denied yet".to_owned(),
            count => format!("  {count} would have been denied"),
        })?;
        if with_denials {
            output::text(&self.as_text(&denials))?;
        }
        Ok(())
    }

    fn headline(&self, host: &HostId, observation: &Observation) -> String {
        observed::notice(&self.directory, host, self.now).unwrap_or_else(|| {
            let Observation { since, until, .. } = observation;
            format!("{host} was in observe mode from {since:.0} to {until:.0}; its permissions are enforced")
        })
    }

    fn as_text(&self, denials: &WouldBeDenials) -> String {
        let mut text = String::new();
        for (kind, occurrences) in &denials.kinds {
            let times = match occurrences.count {
                1 => "once".to_owned(),
                count => format!("{count} times"),
            };
            let scope = match &kind.scope {
                Some(scope) => format!("by the rule for {scope}"),
                None => "by no rule".to_owned(),
            };
            let when = times::ago(occurrences.last, self.now);
            let line = format!(
                "  {} {}  {times}, {scope}, last {when} ago",
                kind.method, kind.path
            );
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", printable(&line));
            if let Some(id) = &occurrences.request_id {
                let _ = writeln!(text, "    permissions explain --request-id {id}");
            }
        }
        if denials.others > 0 {
            let _ = writeln!(text, "  {} more, of various kinds", denials.others);
        }
        text
    }

    fn as_json(
        &self,
        host: &HostId,
        observation: Option<&Observation>,
        error: Option<String>,
        denials: &WouldBeDenials,
        with_denials: bool,
    ) -> Value {
        let mut value = json!({
            "host_id": host,
            "observed": observation.is_some_and(|observation| observation.is_current(self.now)),
            "since": observation.map(|observation| observation.since),
            "until": observation.map(|observation| observation.until),
            "by": observation.map(|observation| &observation.by),
            "remaining_seconds": observation.map_or(0, |observation| observation.remaining(self.now).as_secs()),
            "would_be_denials": denials.total(),
        });
        if let Value::Object(value) = &mut value {
            if let Some(error) = error {
                value.insert("error".to_owned(), error.into());
            }
            if with_denials {
                let kinds = denials.kinds.iter().map(kind_as_json).collect();
                value.insert("denials".to_owned(), kinds);
                value.insert("others".to_owned(), denials.others.into());
            }
        }
        value
    }
}

fn kind_as_json((kind, occurrences): &(Kind, Occurrences)) -> Value {
    json!({
        "method": kind.method,
        "path": kind.path,
        "scope": kind.scope,
        "count": occurrences.count,
        "last": occurrences.last,
        "request_id": occurrences.request_id,
    })
}
