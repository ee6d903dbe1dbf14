//! An explanation as text for people: the verdict, then what leads to it, then what to change.

mod rules;

use std::fmt::{self, Write};
use std::io::{IsTerminal, stdout};

use serde_json::Value;

use super::commands::Commands;
use super::recorded::Recorded;
use crate::permissions::explain::{Answer, Explanation, Grant};

/// How much of a value of the request is shown, in characters.
const SHOWN: usize = 200;

/// Ends with a line end. `is_whole`: nothing is left out for brevity.
pub(super) fn text(
    explanation: &Explanation,
    commands: &Commands,
    recorded: Option<&Recorded>,
    is_whole: bool,
) -> String {
    let page = Page {
        text: String::new(),
        has_colour: stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        is_whole,
    };
    page.written(explanation, commands, recorded)
}

struct Page {
    text: String,
    has_colour: bool,
    is_whole: bool,
}

/// What a line says by its sign.
#[derive(Clone, Copy)]
enum Mark {
    Yes,
    No,
    /// Not looked at.
    Skipped,
}

impl Page {
    fn written(
        mut self,
        explanation: &Explanation,
        commands: &Commands,
        recorded: Option<&Recorded>,
    ) -> String {
        // Writing to a string cannot fail.
        let _ = self.write(explanation, commands, recorded);
        self.text
    }

    fn write(
        &mut self,
        explanation: &Explanation,
        commands: &Commands,
        recorded: Option<&Recorded>,
    ) -> fmt::Result {
        if let Some(recorded) = recorded {
            self.line("then   ", &recorded.lines().join("\n       "))?;
        }
        self.verdict(explanation, recorded.is_some())?;
        self.request(&explanation.request)?;
        self.rules(&explanation.rules)?;
        if !explanation.advice.is_empty() {
            self.heading("What to change")?;
            for advice in &explanation.advice {
                self.line("  - ", &advice.sentence)?;
            }
        }
        self.grants(&explanation.grants)?;
        if let Some(ask) = &commands.ask {
            self.heading("How the agent asks for it")?;
            self.line("", ask)?;
        }
        if let Some(grant) = &commands.grant {
            self.heading("How the operator grants it")?;
            self.line("", grant)?;
        }
        Ok(())
    }

    fn verdict(&mut self, explanation: &Explanation, is_again: bool) -> fmt::Result {
        let (word, mark) = match explanation.verdict {
            Answer::Allow => ("allow", Mark::Yes),
            Answer::Deny => ("deny", Mark::No),
            Answer::Error => ("error", Mark::No),
        };
        if is_again {
            self.text.push_str("now    ");
        }
        self.coloured(mark, word)?;
        let request = &explanation.request;
        let part = |name: &str| {
            request
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let url = format!(
            "{} {}://{}{}",
            part("method"),
            part("protocol"),
            part("domain"),
            part("path")
        );
        self.line(&" ".repeat(7_usize.saturating_sub(word.len())), &url)?;
        self.line("       ", &reason(explanation))
    }

    fn request(&mut self, request: &Value) -> fmt::Result {
        self.heading("The request as rules see it")?;
        let mut parts = Vec::new();
        for (name, value) in request.as_object().into_iter().flatten() {
            match (name.as_str(), value) {
                ("headers" | "queryParams" | "customMetadata", Value::Object(members)) => {
                    let members = members.iter();
                    parts
                        .extend(members.map(|(member, value)| (format!("{name}/{member}"), value)));
                }
                _ => parts.push((name.clone(), value)),
            }
        }
        let names = parts.iter().map(|(name, _)| name.chars().count());
        let width = names.max().unwrap_or_default().min(40);
        for (name, value) in parts {
            self.line(&format!("  {name:<width$}  "), &plain(value))?;
        }
        Ok(())
    }

    fn grants(&mut self, grants: &[Grant]) -> fmt::Result {
        if grants.is_empty() {
            return Ok(());
        }
        self.heading("What in the catalog covers it")?;
        for grant in grants {
            let description = grant.description.as_deref().unwrap_or_default();
            let line = format!("{} under {}  {description}", grant.permission, grant.scope);
            self.line("  ", line.trim_end())?;
            if !grant.wider.is_empty() {
                self.line("    more than this: ", &grant.wider.join(", "))?;
            }
            if let Some(rule) = &grant.obstacle {
                let why = format!(
                    "granted under {} it comes too late: rule {} of {} (scope {}) decides first",
                    grant.scope, rule.index, rule.file, rule.scope
                );
                self.line("    ", &why)?;
            }
        }
        Ok(())
    }

    fn heading(&mut self, text: &str) -> fmt::Result {
        self.text.push('\n');
        let bold = if self.has_colour { "\x1b[1m" } else { "" };
        self.text.push_str(bold);
        self.printable(text);
        writeln!(
            self.text,
            "{}",
            if self.has_colour { "\x1b[0m" } else { "" }
        )
    }

    fn mark(&mut self, mark: Mark) -> fmt::Result {
        let sign = match mark {
            Mark::Yes => "✓",
            Mark::No => "✗",
            Mark::Skipped => "·",
        };
        self.coloured(mark, sign)
    }

    fn coloured(&mut self, mark: Mark, text: &str) -> fmt::Result {
        let colour = match mark {
            Mark::Yes => "32",
            Mark::No => "31",
            Mark::Skipped => "2",
        };
        if self.has_colour {
            write!(self.text, "\x1b[{colour}m{text}\x1b[0m")
        } else {
            self.text.write_str(text)
        }
    }

    fn line(&mut self, lead: &str, text: &str) -> fmt::Result {
        self.printable(lead);
        self.printable(text);
        let end = self.text.trim_end_matches(' ').len();
        self.text.truncate(end);
        self.text.write_char('\n')
    }

    /// A request or a file may hold anything, also what a terminal would obey.
    fn printable(&mut self, text: &str) {
        let shown = text
            .chars()
            .map(|c| if c.is_control() && c != '\n' { ' ' } else { c });
        self.text.extend(shown);
    }
}

/// What the verdict rests on.
fn reason(explanation: &Explanation) -> String {
    if let Some(error) = &explanation.error {
        return error.clone();
    }
    let Some(rule) = &explanation.rule else {
        return "no rule's scope matches".to_owned();
    };
    let why = match (
        explanation.verdict,
        &explanation.matched,
        &explanation.denied_by,
    ) {
        (_, Some(permission), _) => format!("{permission} matches"),
        (_, None, Some(hook)) => format!("the hook {hook} denies"),
        (Answer::Allow, None, None) => "its hooks pass and it asks for no permission".to_owned(),
        (_, None, None) => "none of its permissions matches".to_owned(),
    };
    format!(
        "rule {} of {}: scope {}, {why}",
        rule.index, rule.file, rule.scope
    )
}

/// A value of the request, texts without quotes.
fn plain(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let text = text.replace('\n', " ");
    match text.char_indices().nth(SHOWN) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(&text)),
    }
}
