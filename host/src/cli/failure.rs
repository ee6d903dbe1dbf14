//! What a command ends with when it does not succeed: one line on stderr and an exit code.

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// A command that did not do what it was asked for.
#[derive(Debug)]
pub(super) enum Failure {
    /// The invocation was wrong: exit code 2.
    Usage(String),
    /// No subcommand was named: exit code 2, after the help that lists them.
    NoSubcommand(String),
    /// It was right, and something else went wrong: exit code 1.
    Failed(String),
    /// The same for a command whose exit code 1 is an answer: exit code 2.
    Unanswered(String),
    /// The result is on stdout, and the exit code is part of it.
    Answered(u8),
}

impl Failure {
    pub(super) fn usage(message: impl fmt::Display) -> Self {
        Self::Usage(message.to_string())
    }

    pub(super) fn failed(message: impl fmt::Display) -> Self {
        Self::Failed(message.to_string())
    }

    /// For a command whose exit code 1 is an answer: no failure ends with it.
    pub(super) fn without_answer(self) -> Self {
        match self {
            Self::Failed(message) => Self::Unanswered(message),
            other => other,
        }
    }

    /// Scripts match the wording for what is missing; the parser's own does for the rest.
    pub(super) fn from_parser(error: &clap::Error) -> Self {
        if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            return Self::NoSubcommand(error.render().to_string());
        }
        let missing = match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::Strings(names))
                if error.kind() == ErrorKind::MissingRequiredArgument =>
            {
                names.first()
            }
            _ => None,
        };
        if let Some(name) = missing {
            // Of alternatives, `<--a <A>|--b <B>>`, the first stands for all.
            let name = name.trim_start_matches(['<', '[']);
            let name = name.split_whitespace().next().unwrap_or(name);
            let kind = if name.starts_with('-') {
                "option"
            } else {
                "argument"
            };
            let name = name.trim_matches(['<', '>', '[', ']', '.']);
            return Self::Usage(format!("Missing {kind} '{name}'."));
        }
        let text = error.render().to_string();
        Self::Usage(
            text.strip_prefix("error: ")
                .unwrap_or(&text)
                .trim_end()
                .to_owned(),
        )
    }

    /// Prints the diagnostic and gives the exit code.
    pub(super) fn report(&self) -> ExitCode {
        let (prefix, code) = match self {
            Self::Usage(_) => ("Error: ", ExitCode::from(2)),
            Self::NoSubcommand(_) => ("", ExitCode::from(2)),
            Self::Failed(_) => ("Error: ", ExitCode::FAILURE),
            Self::Unanswered(_) => ("Error: ", ExitCode::from(2)),
            Self::Answered(code) => return ExitCode::from(*code),
        };
        // Without a stderr there is nobody to tell.
        let _ = writeln!(std::io::stderr().lock(), "{prefix}{self}");
        code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(message)
        | Self::NoSubcommand(message)
        | Self::Failed(message)
        | Self::Unanswered(message)) = self
        else {
            return Ok(());
        };
        // A path may hold anything, also what a terminal would obey.
        for character in message.chars() {
            if character.is_control() && character != '\n' {
                write!(formatter, "{}", character.escape_default())?;
            } else {
                write!(formatter, "{character}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(Failure::failed("a\x1b[2Jb").to_string(), "a\\u{1b}[2Jb");
    }
}
