//! `permissions explain`: why a permissions file decides a request as it does, and what to do about it.

mod commands;
mod recorded;
mod rendering;

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::super::environment::Environment;
use super::super::failure::Failure;
use super::super::options::Options;
use super::super::output;
use super::super::settings::Settings;
use super::engine::{block_on, engine};
use super::requests::RequestOptions;
use super::subject::Subject;
use crate::gateway::denials;
use crate::permissions::Request;
use crate::permissions::explain::{Answer, Explanation, Hooks};
use crate::store::ids::HostId;
use crate::store::paths::LatchkeyDirectory;
use commands::Commands;
use recorded::Recorded;

/// Say why a permissions file decides a request as it does, and what to change
///
/// Goes through the rules one by one, and ends in what would let a denied request through. Headers and query parameters whose
/// names say that they are secret are hidden. Exit code: 0 allowed, 1 denied, 2 not decidable. With --format json: one object.
#[derive(Debug, Args)]
#[command(
    mut_group("Subject", |group| group.required(false)),
    group = clap::ArgGroup::new("what").args(["file", "host_id", "agent_env", "request_id"]).required(true).multiple(true)
)]
pub(super) struct Arguments {
    #[command(flatten)]
    subject: Subject,

    #[command(flatten)]
    request: RequestOptions,

    /// A denied request by the id in its answer, instead of one that is described; judged by the file as it is now
    #[arg(long, value_name = "ID", conflicts_with = "url")]
    request_id: Option<String>,

    /// Do not run the hooks of the rule that decides
    #[arg(long)]
    no_hooks: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    explain(arguments, options, environment).map_err(Failure::without_answer)
}

/// What is to be explained.
struct Question {
    request: Request,
    file: PathBuf,
    host: Option<HostId>,
    recorded: Option<Recorded>,
}

fn explain(
    arguments: &Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    let question = question(arguments, options, environment)?;
    let hooks = if arguments.no_hooks {
        Hooks::Skip
    } else {
        Hooks::Run
    };
    let engine = engine(options, environment)?;
    let mut explanation = block_on(engine.explain(&question.file, &question.request, hooks))?;
    if !question.file.exists() {
        explanation.verdict = Answer::Error;
        explanation.error = Some(format!(
            "there is no permissions file at {}",
            question.file.display()
        ));
    }
    let commands = Commands::of(&explanation, question.host.as_ref());
    if options.is_json() {
        output::json_line(&as_json(
            &explanation,
            &commands,
            question.recorded.as_ref(),
        )?)?;
    } else {
        let recorded = question.recorded.as_ref();
        let text = rendering::text(&explanation, &commands, recorded, options.verbose > 0);
        output::text(&text)?;
    }
    match explanation.verdict {
        Answer::Allow => Ok(()),
        Answer::Deny => Err(Failure::Answered(1)),
        Answer::Error => Err(Failure::Answered(2)),
    }
}

fn question(
    arguments: &Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<Question, Failure> {
    let subject = arguments.subject.is_given();
    let file = || arguments.subject.path(options, environment);
    if let Some(id) = &arguments.request_id {
        let settings = Settings::resolve(options, environment)?;
        let directory = LatchkeyDirectory::new(&settings.directory).map_err(Failure::failed)?;
        let denial = denials::find(&directory.events_log(), id).map_err(Failure::failed)?;
        let request = denial.request.restored().ok_or_else(|| {
            Failure::failed(format_args!(
                "the record of {id} in the log is not of a request"
            ))
        })?;
        return Ok(Question {
            request,
            file: if subject {
                file()?
            } else {
                denial.permissions.clone()
            },
            host: denial.host.clone(),
            recorded: Some(Recorded::new(denial)),
        });
    }
    let file = file()?;
    let Some(described) = arguments.request.described()? else {
        return Err(Failure::usage("Missing option '--url'."));
    };
    let named = arguments.subject.host_id();
    Ok(Question {
        request: described.request().map_err(Failure::failed)?,
        host: named
            .and_then(|id| HostId::parse(id).ok())
            .or_else(|| host_of(&file)),
        file,
        recorded: None,
    })
}

/// The host whose permissions file this is, or leads to, by the name of its directory.
fn host_of(file: &Path) -> Option<HostId> {
    let file = file.canonicalize().ok()?;
    let directory = file.parent()?;
    let is_hosts = directory.parent()?.file_name()? == "hosts";
    HostId::parse(directory.file_name()?.to_str()?)
        .ok()
        .filter(|_| is_hosts)
}

fn as_json(
    explanation: &Explanation,
    commands: &Commands,
    recorded: Option<&Recorded>,
) -> Result<Value, Failure> {
    let mut value = serde_json::to_value(explanation)
        .map_err(|error| Failure::failed(format_args!("cannot write the result: {error}")))?;
    if let Some(members) = value.as_object_mut() {
        members.insert("commands".to_owned(), json!(commands));
        members.extend(recorded.map(|recorded| ("recorded".to_owned(), recorded.as_json())));
    }
    Ok(value)
}
