//! Asking the gateways of a latchkey directory, for the commands that need an answer.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::printable;
use crate::cli::failure::Failure;
use crate::cli::times::ago;
use crate::extensions::report::{ExtensionReport, Reloaded};
use crate::gateway::control::{self, AskError, Asked, Reply, Request, Respondent};
use crate::store::paths::LatchkeyDirectory;

/// What every gateway that runs has said.
pub(super) struct Answers<T> {
    pub(super) given: Vec<(Respondent, T)>,
    /// Gateways that run and have not answered.
    silent: Vec<(u32, AskError)>,
}

/// How every extension of every gateway stands.
pub(super) fn list(
    directory: &LatchkeyDirectory,
) -> Result<Answers<Vec<ExtensionReport>>, Failure> {
    ask(directory, &Request::List {}, |reply| match reply {
        Reply::Extensions(reports) => Some(reports),
        Reply::Reloaded(_) | Reply::Error(_) => None,
    })
}

/// Has every gateway take what stands in the extensions directory.
pub(super) fn reload(
    directory: &LatchkeyDirectory,
    extension: Option<&str>,
) -> Result<Answers<Vec<Reloaded>>, Failure> {
    let extension = extension.map(str::to_owned);
    ask(
        directory,
        &Request::Reload { extension },
        |reply| match reply {
            Reply::Reloaded(reloaded) => Some(reloaded),
            Reply::Extensions(_) | Reply::Error(_) => None,
        },
    )
}

fn ask<T>(
    directory: &LatchkeyDirectory,
    request: &Request,
    expected: impl Fn(Reply) -> Option<T>,
) -> Result<Answers<T>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::failed(format_args!(
                "the asynchronous runtime cannot start: {error}"
            ))
        })?;
    let asked = runtime
        .block_on(control::ask(directory, request))
        .map_err(Failure::failed)?;
    let mut answers = Answers {
        given: Vec::new(),
        silent: Vec::new(),
    };
    for Asked { pid, answer } in asked {
        match answer.map(|(gateway, reply)| (gateway, expected(reply))) {
            Ok((gateway, Some(given))) => answers.given.push((gateway, given)),
            Ok((_, None)) => answers.silent.push((pid, AskError::BesideThePoint)),
            Err(error) => answers.silent.push((pid, error)),
        }
    }
    Ok(answers)
}

impl<T> Answers<T> {
    /// Whether no gateway runs.
    pub(super) fn is_empty(&self) -> bool {
        self.given.is_empty() && self.silent.is_empty()
    }

    /// Whether there is more than one gateway, to be told apart.
    pub(super) fn has_several(&self) -> bool {
        self.given.len() + self.silent.len() > 1
    }

    /// What is of interest in each answer, of the gateways in whose answer there is something.
    pub(super) fn about<U>(self, interesting: impl Fn(T) -> Option<U>) -> Answers<U> {
        let given = self.given.into_iter();
        Answers {
            given: given
                .filter_map(|(gateway, answer)| Some((gateway, interesting(answer)?)))
                .collect(),
            silent: self.silent,
        }
    }

    /// The answers of all, for programs, each with who gave it.
    pub(super) fn as_json(&self, key: &str) -> Value
    where
        T: Serialize,
    {
        let given = self.given.iter().map(|(gateway, answer)| {
            let mut value = json!(gateway);
            if let Value::Object(about) = &mut value {
                about.insert(key.to_owned(), json!(answer));
            }
            value
        });
        let silent = self.silent.iter();
        let silent = silent.map(|(pid, error)| json!({"pid": pid, "error": error.to_string()}));
        given.chain(silent).collect()
    }

    /// Fails when a gateway has not answered.
    pub(super) fn expect_all(&self) -> Result<(), Failure> {
        let silent = self.silent.iter();
        let silent: Vec<_> = silent
            .map(|(pid, error)| format!("the gateway with pid {pid}: {error}"))
            .collect();
        match silent.as_slice() {
            [] => Ok(()),
            silent => Err(Failure::failed(printable(&silent.join("; ")))),
        }
    }
}

/// A gateway in a heading, for people.
pub(super) fn heading(gateway: &Respondent, now: Timestamp) -> String {
    printable(&format!(
        "gateway  serving for {} (pid {}, version {})",
        ago(gateway.started_at, now),
        gateway.pid,
        gateway.version
    ))
}

/// That there is none to ask, for people.
pub(super) fn none_runs(directory: &LatchkeyDirectory) -> String {
    printable(&format!(
        "no gateway of {} runs",
        directory.root().display()
    ))
}
