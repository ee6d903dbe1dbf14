//! A denial as a record of the log, and back: the one place that knows what the values of such a record are called.

use std::path::PathBuf;

use jiff::Timestamp;
use tracing::Level;

use super::request::{LoggedRequest, shortened};
use crate::logging::Record;
use crate::logging::record::Value;
use crate::permissions::{CheckError, Verdict};
use crate::store::ids::HostId;

/// Whose records these are; nobody else can log under it.
pub const TARGET: &str = "mngr_latchkey::gateway::denials";

/// In characters; a path alone may be longer.
const LONGEST_TEXT: usize = 256;
const LONGEST_DETAIL: usize = 2048;

/// A request that was not allowed, as the operator may know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Denial {
    pub at: Timestamp,
    /// What the agent was given in the header of the 403.
    pub request_id: String,
    pub cause: Cause,
    /// Whether it was denied. False for a host in observe mode: the request went on.
    pub enforced: bool,
    /// The permissions file as the caller's token names it, or the default one.
    pub permissions: PathBuf,
    /// The host whose file that is, if it is one's.
    pub host: Option<HostId>,
    pub request: LoggedRequest,
}

/// Why a request was not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No rule has a scope that matches it.
    NoRule,
    /// The first rule whose scope matches it does not allow it.
    Rule {
        rule: LoggedRule,
        /// The hook that denied it; without one, no permission of the rule matches it.
        hook: Option<String>,
    },
    /// The file cannot decide: the detail is the one that the agent was given.
    Error(String),
}

/// The rule that decided, as the log names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedRule {
    /// Counted from 0 within its file.
    pub index: u64,
    pub scope: String,
    /// The permissions file itself, or one that it includes.
    pub file: PathBuf,
}

/// Denials that came too fast to be logged one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// When the first of them came.
    pub since: Timestamp,
    /// When they were counted together.
    pub at: Timestamp,
    pub count: u64,
    pub enforced: bool,
    pub permissions: PathBuf,
    pub host: Option<HostId>,
    /// None for those that were too different.
    pub what: Option<Kind>,
}

/// What requests have in common that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind {
    pub method: String,
    /// Percent-encoded, without the query.
    pub path: String,
    /// That of the deciding rule; none when there is no rule, or the file cannot decide.
    pub scope: Option<String>,
}

/// One record about denials.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    One(Denial),
    Many(Summary),
}

impl Cause {
    pub(super) fn of(outcome: Result<&Verdict, &CheckError>) -> Self {
        match outcome {
            Err(error) => Self::Error(shortened(&error.to_string(), LONGEST_DETAIL)),
            Ok(Verdict { rule: None, .. }) => Self::NoRule,
            Ok(Verdict {
                rule: Some(rule),
                denied_by,
                ..
            }) => Self::Rule {
                rule: LoggedRule {
                    index: u64::try_from(rule.index).unwrap_or(u64::MAX),
                    scope: shortened(&rule.scope, LONGEST_TEXT),
                    file: rule.file.to_path_buf(),
                },
                hook: denied_by
                    .as_deref()
                    .map(|hook| shortened(hook, LONGEST_TEXT)),
            },
        }
    }

    /// `deny` or `error`.
    pub fn verdict(&self) -> &'static str {
        match self {
            Self::NoRule | Self::Rule { .. } => "deny",
            Self::Error(_) => "error",
        }
    }

    fn rule(&self) -> Option<&LoggedRule> {
        match self {
            Self::Rule { rule, .. } => Some(rule),
            Self::NoRule | Self::Error(_) => None,
        }
    }
}

/// `tracing` wants the level to be a constant.
macro_rules! log_at {
    ($level:expr, $($fields:tt)*) => {
        match $level {
            Level::WARN => tracing::event!(target: TARGET, Level::WARN, $($fields)*),
            _ => tracing::event!(target: TARGET, Level::INFO, $($fields)*),
        }
    };
}

impl Denial {
    pub fn kind(&self) -> Kind {
        Kind {
            method: self.request.method().to_owned(),
            path: self.request.path().to_owned(),
            scope: self.cause.rule().map(|rule| rule.scope.clone()),
        }
    }

    /// Sends it to the log. A denial is what a gateway is for; one that is not enforced, or an unusable file, is a warning.
    pub(super) fn log(&self) {
        let rule = self.cause.rule();
        let (hook, error) = match &self.cause {
            Cause::Rule { hook, .. } => (hook.as_deref(), None),
            Cause::Error(detail) => (None, Some(detail.as_str())),
            Cause::NoRule => (None, None),
        };
        let level = match (&self.cause, self.enforced) {
            (Cause::Error(_), _) | (_, false) => Level::WARN,
            (Cause::NoRule | Cause::Rule { .. }, true) => Level::INFO,
        };
        let message = self.message();
        let request = self.request.text();
        // A record has room for so much: what is needed to judge again comes first.
        log_at!(
            level,
            request_id = self.request_id.as_str(),
            verdict = self.cause.verdict(),
            enforced = self.enforced,
            host = self.host.as_ref().map(HostId::as_str),
            request = request.as_str(),
            rule_index = rule.map(|rule| rule.index),
            rule_scope = rule.map(|rule| rule.scope.as_str()),
            hook,
            error,
            permissions_file = &*self.permissions.to_string_lossy(),
            rule_file = rule
                .filter(|rule| rule.file != self.permissions)
                .map(|rule| rule.file.to_string_lossy())
                .as_deref(),
            "{message}"
        );
    }

    /// How much of the log it takes, about.
    pub(super) fn size(&self) -> u32 {
        const NAMES: usize = 512;
        let error = match &self.cause {
            Cause::Error(detail) => detail.len(),
            Cause::NoRule | Cause::Rule { .. } => 0,
        };
        let paths = 2 * self.permissions.as_os_str().len();
        let size = NAMES + self.request.text().len() + error + paths;
        u32::try_from(size).unwrap_or(u32::MAX)
    }

    fn message(&self) -> String {
        let method = self.request.method();
        let path = shortened(self.request.path(), LONGEST_TEXT);
        let because = match &self.cause {
            Cause::NoRule => "no rule applies to it".to_owned(),
            Cause::Rule { rule, hook: None } => {
                format!("rule {} ({}) does not allow it", rule.index, rule.scope)
            }
            Cause::Rule {
                rule,
                hook: Some(hook),
            } => format!(
                "the hook {hook} of rule {} ({}) denied it",
                rule.index, rule.scope
            ),
            Cause::Error(_) => "the permission check failed".to_owned(),
        };
        if self.enforced {
            format!("{method} {path} was denied: {because}")
        } else {
            format!(
                "{method} {path} would be denied, and was let through in observe mode: {because}"
            )
        }
    }
}

impl Summary {
    pub(super) fn log(&self) {
        let level = if self.enforced {
            Level::INFO
        } else {
            Level::WARN
        };
        let kind = self.what.as_ref();
        let path = kind.map(|kind| shortened(&kind.path, LONGEST_TEXT));
        let of_what = match (kind, &path) {
            (Some(kind), Some(path)) => format!("{} {path}", kind.method),
            _ => "various requests".to_owned(),
        };
        let became = if self.enforced {
            "denied"
        } else {
            "let through in observe mode that would be denied"
        };
        let message = format!(
            "{} more times {of_what} was {became}, too often to be logged one by one",
            self.count
        );
        log_at!(
            level,
            count = self.count,
            enforced = self.enforced,
            host = self.host.as_ref().map(HostId::as_str),
            since = self.since.to_string().as_str(),
            method = kind.map(|kind| kind.method.as_str()),
            path = path.as_deref(),
            rule_scope = kind.and_then(|kind| kind.scope.as_deref()),
            permissions_file = &*self.permissions.to_string_lossy(),
            "{message}"
        );
    }
}

impl Entry {
    /// The denial or denials that a record of the log tells of; none for every other record.
    pub fn read(record: &Record) -> Option<Self> {
        if record.target() != TARGET {
            return None;
        }
        let fields = Fields(record);
        let enforced = fields.bool("enforced")?;
        let permissions = fields.text("permissions_file")?.into();
        let host = fields
            .text("host")
            .and_then(|host| HostId::parse(host).ok());
        if let Some(count) = fields.number("count") {
            let kind = |method: &str| Kind {
                method: method.to_owned(),
                path: fields.text("path").unwrap_or_default().to_owned(),
                scope: fields.text("rule_scope").map(str::to_owned),
            };
            return Some(Self::Many(Summary {
                since: fields.text("since")?.parse().ok()?,
                at: record.timestamp(),
                count,
                enforced,
                permissions,
                host,
                what: fields.text("method").map(kind),
            }));
        }
        Some(Self::One(Denial {
            at: record.timestamp(),
            request_id: fields.text("request_id")?.to_owned(),
            cause: fields.cause()?,
            enforced,
            permissions,
            host,
            request: LoggedRequest::parse(fields.text("request")?)?,
        }))
    }
}

/// The values of a record by their names.
struct Fields<'a>(&'a Record);

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        let mut fields = self.0.fields();
        fields.find_map(|(known, value)| (known == name).then_some(value))
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn number(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Value::Unsigned(number) => Some(*number),
            _ => None,
        }
    }

    fn bool(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    fn cause(&self) -> Option<Cause> {
        if let Some(detail) = self.text("error") {
            return Some(Cause::Error(detail.to_owned()));
        }
        let Some(index) = self.number("rule_index") else {
            return Some(Cause::NoRule);
        };
        Some(Cause::Rule {
            rule: LoggedRule {
                index,
                scope: self.text("rule_scope")?.to_owned(),
                file: self
                    .text("rule_file")
                    .or_else(|| self.text("permissions_file"))?
                    .into(),
            },
            hook: self.text("hook").map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests;
