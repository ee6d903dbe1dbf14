//! `permissions explain`: why a permissions file decides a request as it does, and what to do about it.

mod commands;
mod recorded;
mod rendering;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::super::environment::Environment;
use super::super::failure::Failure;
use super::super::observed;
use super::super::options::Options;
use super::super::output;
use super::super::settings::Settings;
use super::engine::{block_on, engine};
use super::requests::RequestOptions;
use super::subject::{NoFile, Subject};
use crate::gateway::denials;
use crate::permissions::Request;
use crate::permissions::explain::{Answer, Explanation, Hooks};
use crate::store::observe;
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
    group = clap::ArgGroup::new("what").args(["file", "host_id", "agent_id", "agent_env", "request_id"]).required(true).multiple(true)
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
    recorded: Option<Recorded>,
}

fn explain(
    arguments: &Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    let settings = Settings::resolve(options, environment)?;
    let directory = LatchkeyDirectory::new(&settings.directory).map_err(Failure::failed)?;
    let subject = arguments.subject.is_given();
    let file = subject.then(|| arguments.subject.path(options, environment));
    let question = Question::of(arguments, file.transpose()?, &directory)?;
    let hooks = if arguments.no_hooks {
        Hooks::Skip
    } else {
        Hooks::Run
    };
    let engine = engine(options, environment)?;
    let mut explanation = block_on(engine.explain(&question.file, &question.request, hooks))?;
    if !question.file.exists() {
        explanation.verdict = Answer::Error;
        explanation.error = Some(NoFile(question.file.clone()).to_string());
        explanation.advice.clear();
        explanation.grants.clear();
    }
    let host = observe::host_of(&directory, &question.file);
    let commands = Commands::of(&explanation, host.as_ref());
    let recorded = question.recorded.as_ref();
    output::notice(observed::notice_for_file(
        &question.file,
        options,
        environment,
    ));
    if options.is_json() {
        output::json_line(&as_json(&explanation, &commands, recorded)?)?;
    } else {
        let is_whole = options.verbose > 0;
        output::text(&rendering::text(
            &explanation,
            &commands,
            recorded,
            is_whole,
        ))?;
    }
    match explanation.verdict {
        Answer::Allow => Ok(()),
        Answer::Deny => Err(Failure::Answered(1)),
        Answer::Error => Err(Failure::Answered(2)),
    }
}

impl Question {
    /// `file` is the one that was named, if one was.
    fn of(
        arguments: &Arguments,
        file: Option<PathBuf>,
        directory: &LatchkeyDirectory,
    ) -> Result<Self, Failure> {
        if let Some(id) = &arguments.request_id {
            let denial = denials::find(&directory.events_log(), id).map_err(Failure::failed)?;
            let request = denial.request.restored().ok_or_else(|| {
                Failure::failed(format_args!(
                    "the record of {id} in the log is not of a request"
                ))
            })?;
            return Ok(Self {
                request,
                file: file.unwrap_or_else(|| denial.permissions.clone()),
                recorded: Some(Recorded::new(denial)),
            });
        }
        let described = arguments.request.described()?;
        // Without an id the parser has seen to it that a file is named.
        let (Some(described), Some(file)) = (described, file) else {
            return Err(Failure::usage("Missing option '--url'."));
        };
        Ok(Self {
            request: described.request().map_err(Failure::failed)?,
            file,
            recorded: None,
        })
    }
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
