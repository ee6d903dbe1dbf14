//! `permissions check`: what a permissions file says to requests.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::super::environment::Environment;
use super::super::failure::Failure;
use super::super::observed;
use super::super::options::Options;
use super::super::output;
use super::engine::{block_on, engine};
use super::requests::{Described, RequestError, RequestOptions, read_lines};
use super::subject::{NoFile, Subject};
use crate::permissions::{CheckError, Decision, Engine, Verdict};

/// Say what a permissions file decides about one request or many
///
/// Exit code for one request: 0 allowed, 1 denied, 2 not decidable. For many: 0 when all could be decided, else 2.
/// With --format json: one object a request, in order, a line each.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    subject: Subject,

    #[command(flatten)]
    request: RequestOptions,

    /// Requests as JSON lines {"method", "url", "headers"?, "body"?, "account"?}; - reads standard input
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "url",
        required_unless_present = "url"
    )]
    requests: Option<PathBuf>,
}

pub(super) fn run(
    arguments: &Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    check(arguments, options, environment).map_err(Failure::without_answer)
}

fn check(
    arguments: &Arguments,
    options: &Options,
    environment: &Environment,
) -> Result<(), Failure> {
    let file = arguments.subject.path(options, environment)?;
    output::notice(observed::notice_for_file(&file, options, environment));
    let judge = Judge::new(file, engine(options, environment)?);
    if let Some(requests) = &arguments.requests {
        let requests = read_lines(requests, environment)?;
        return block_on(check_all(requests, &judge, options))?;
    }
    let Some(described) = arguments.request.described()? else {
        return Err(Failure::usage("Missing option '--url'."));
    };
    let answer = block_on(judge.answer(Ok(described)))?;
    answer.print(options)?;
    match &answer.verdict {
        Ok(verdict) if verdict.decision == Decision::Allowed => Ok(()),
        Ok(_) => Err(Failure::Answered(1)),
        Err(_) => Err(Failure::Answered(2)),
    }
}

async fn check_all(
    requests: impl Iterator<Item = Result<Result<Described, RequestError>, Failure>>,
    judge: &Judge,
    options: &Options,
) -> Result<(), Failure> {
    let mut all_decided = true;
    for described in requests {
        let answer = judge.answer(described?).await;
        answer.print(options)?;
        all_decided &= answer.verdict.is_ok();
    }
    if all_decided {
        Ok(())
    } else {
        Err(Failure::Answered(2))
    }
}

/// Why a request could not be decided.
#[derive(Debug, thiserror::Error)]
enum Undecided {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    NoFile(#[from] NoFile),
    #[error(transparent)]
    Check(#[from] CheckError),
}

/// A permissions file and what decides by it.
struct Judge {
    engine: Engine,
    file: PathBuf,
    is_missing: bool,
}

impl Judge {
    fn new(file: PathBuf, engine: Engine) -> Self {
        Self {
            engine,
            is_missing: !file.exists(),
            file,
        }
    }

    async fn answer(&self, described: Result<Described, RequestError>) -> Answer {
        let request = match &described {
            Ok(described) => format!("{} {}", described.method(), described.url),
            Err(_) => "?".to_owned(),
        };
        Answer {
            request,
            verdict: self.verdict(described).await,
        }
    }

    async fn verdict(
        &self,
        described: Result<Described, RequestError>,
    ) -> Result<Verdict, Undecided> {
        let request = described?.request()?;
        if self.is_missing {
            return Err(NoFile(self.file.clone()).into());
        }
        Ok(self.engine.judge(&self.file, &request).await?)
    }
}

/// What came of one request.
struct Answer {
    /// For people: method and URL.
    request: String,
    verdict: Result<Verdict, Undecided>,
}

impl Answer {
    fn print(&self, options: &Options) -> Result<(), Failure> {
        if options.is_json() {
            output::json_line(&self.as_json())
        } else {
            output::line(&self.as_text())
        }
    }

    fn as_json(&self) -> Value {
        match &self.verdict {
            Ok(verdict) => json!({
                "verdict": word(verdict.decision),
                "rule": verdict.rule.as_ref().map(|rule| json!({
                    "index": rule.index,
                    "scope": &*rule.scope,
                    "file": rule.file.to_string_lossy(),
                })),
                "matched": verdict.matched.as_deref(),
            }),
            Err(undecided) => json!({
                "verdict": "error",
                "rule": null,
                "matched": null,
                "error": undecided.to_string(),
            }),
        }
    }

    fn as_text(&self) -> String {
        let (word, reason) = match &self.verdict {
            Ok(verdict) => (word(verdict.decision), reason(verdict)),
            Err(undecided) => ("error", undecided.to_string()),
        };
        let text = format!("{word:<5}  {}\n       {reason}", self.request);
        // A URL may hold anything, also what a terminal would obey.
        text.chars()
            .filter(|character| !character.is_control() || *character == '\n')
            .collect()
    }
}

fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Allowed => "allow",
        Decision::Denied => "deny",
    }
}

/// What a verdict rests on, for people.
pub(super) fn reason(verdict: &Verdict) -> String {
    let Some(rule) = &verdict.rule else {
        return "no rule's scope matches".to_owned();
    };
    let why = match (verdict.decision, &verdict.matched, &verdict.denied_by) {
        (_, Some(permission), _) => format!("{permission} matches"),
        (_, None, Some(hook)) => format!("the hook {hook} denies"),
        (Decision::Allowed, None, None) => {
            "its hooks pass and it asks for no permission".to_owned()
        }
        (Decision::Denied, None, None) => "none of its permissions matches".to_owned(),
    };
    format!(
        "rule {} of {}: scope {}, {why}",
        rule.index,
        rule.file.display(),
        rule.scope
    )
}
