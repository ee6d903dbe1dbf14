//! Records for people, on stderr: the time in UTC, the level, who says it, the message, `name=value`. A value that is a JSON
//! object is for programs, and left out.
//!
//! Nothing of a record reaches a terminal but what can be printed on one line: every control character becomes a space, and
//! so does what reverses the direction of text. Whatever wrote the message, a guest, a server or a child, it can neither
//! command the terminal nor make up a line. Colours of its own are left out whole.

use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

use tracing::Level;

use super::queue::Destination;
use super::record::{Record, Value};

const OWN_CRATE: &str = "mngr_latchkey::";

/// Whether to use colours, by <https://no-color.org> and what the terminal calls itself.
pub fn wants_colour(is_terminal: bool, no_color: Option<&OsStr>, terminal: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty) && terminal != Some(OsStr::new("dumb"))
}

/// Appends the record to `out` as one line, its end included.
pub(super) fn write_line(record: &Record, in_colour: bool, out: &mut Vec<u8>) {
    let (start, end) = match record.level() {
        _ if !in_colour => ("", ""),
        Level::ERROR => ("\u{1b}[31m", "\u{1b}[0m"),
        Level::WARN => ("\u{1b}[33m", "\u{1b}[0m"),
        Level::INFO => ("\u{1b}[32m", "\u{1b}[0m"),
        Level::DEBUG => ("\u{1b}[34m", "\u{1b}[0m"),
        Level::TRACE => ("\u{1b}[35m", "\u{1b}[0m"),
    };
    // Memory takes everything.
    let _ = write!(
        out,
        "{:.3} {start}{:>5}{end} {}: {}",
        record.timestamp(),
        record.level().as_str(),
        Printable(source(record.target())),
        Printable(record.message())
    );
    for (name, value) in record.fields() {
        // The target says it already.
        if name == super::layer::EXTENSION || is_for_programs(value) {
            continue;
        }
        let _ = write!(out, " {}=", Printable(name));
        let _ = match value {
            Value::Text(text) if needs_quotes(text) => {
                write!(out, "\"{}\"", Printable(&text.replace('"', "'")))
            }
            value => write!(out, "{}", Printable(&value.to_string())),
        };
    }
    out.push(b'\n');
}

/// Of our own modules, the layer; of others, all.
fn source(target: &str) -> &str {
    match target.strip_prefix(OWN_CRATE) {
        Some(path) => path.split_once("::").map_or(path, |(layer, _)| layer),
        None => target,
    }
}

fn is_for_programs(value: &Value) -> bool {
    matches!(value, Value::Text(text) if text.starts_with("{\"") && text.ends_with('}'))
}

fn needs_quotes(text: &str) -> bool {
    text.is_empty()
        || text.contains(|character: char| character.is_whitespace() || character == '"')
}

/// A text without what a terminal would obey.
struct Printable<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(position) = rest.find(is_command) {
            let (fine, command) = rest.split_at(position);
            formatter.write_str(fine)?;
            rest = match without_style(command) {
                Some(rest) => rest,
                None => {
                    formatter.write_char(' ')?;
                    let mut characters = command.chars();
                    characters.next();
                    characters.as_str()
                }
            };
        }
        formatter.write_str(rest)
    }
}

/// What stands behind a control sequence at the beginning of `text`: such are the colours of other programs.
fn without_style(text: &str) -> Option<&str> {
    let sequence = text.strip_prefix("\u{1b}[")?;
    let rest = sequence.trim_start_matches(|c: char| matches!(c, ' '..='?'));
    rest.strip_prefix(|c: char| matches!(c, '@'..='~'))
}

fn is_command(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The standard error stream. Lines that it does not take are nobody's: there is no place left to say so.
pub(super) struct Stderr {
    pub form: Form,
}

/// How records look on the way to stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Console { in_colour: bool },
    Records,
}

impl Form {
    pub(super) fn write_line(self, record: &Record, out: &mut Vec<u8>) {
        match self {
            Self::Console { in_colour } => write_line(record, in_colour, out),
            Self::Records => record.write_line(out),
        }
    }
}

impl Destination for Stderr {
    fn write(&mut self, line: &[u8]) {
        let _ = io::stderr().lock().write_all(line);
    }

    fn dropped(&mut self, count: u64) {
        let mut line = Vec::new();
        let record = super::losses(count, "whoever reads stderr is too slow");
        self.form.write_line(&record, &mut line);
        self.write(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(record: &Record, in_colour: bool) -> String {
        let mut out = Vec::new();
        write_line(record, in_colour, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn record(level: Level, target: &'static str, message: &'static str) -> Record {
        let time = "2026-11-21T19:05:48.123456789Z".parse().unwrap();
        Record::new(time, level, target, message)
    }

    #[test]
    fn a_line_has_time_level_source_message_and_fields() {
        let mut own = record(Level::INFO, "mngr_latchkey::gateway::run", "up");
        own.set("port", 1989_u64);
        own.set("error", "no \"route\"");
        own.set("empty", "");
        own.set("extension", "files");
        own.set("request", "{\"method\":\"GET\"}");
        own.set("place", "{x}");
        assert_eq!(
            line(&own, false),
            "2026-11-21T19:05:48.123Z  INFO gateway: up port=1989 error=\"no 'route'\" empty=\"\" place={x}\n"
        );
        for (target, source) in [
            ("extension.permissions", "extension.permissions"),
            ("mngr_latchkey", "mngr_latchkey"),
            ("mngr_latchkey::cli", "cli"),
            ("russh::client", "russh::client"),
        ] {
            let line = line(&record(Level::WARN, target, "m"), false);
            assert_eq!(
                line,
                format!("2026-11-21T19:05:48.123Z  WARN {source}: m\n")
            );
        }
    }

    #[test]
    fn nothing_of_a_record_commands_the_terminal() {
        let evil = "\u{1b}[1;33ma\u{1b}[0m\r\nb\u{7}\u{9b}31m\u{202e}c\u{1b}]0;d\u{0}\u{2028}\u{1b}[3\u{1b}";
        let mut record = Record::now(Level::INFO, evil, evil);
        record.set(evil, evil);
        let line = line(&record, false);
        assert_eq!(
            line.find(is_command),
            Some(line.len() - 1),
            "one line, and nothing but that: {line:?}"
        );
        assert!(line.contains("a  b  31m c ]0;d   [3 "), "{line:?}");
    }

    #[test]
    fn only_the_level_is_coloured() {
        let coloured = line(&record(Level::ERROR, "t", "m"), true);
        assert_eq!(
            coloured,
            "2026-11-21T19:05:48.123Z \u{1b}[31mERROR\u{1b}[0m t: m\n"
        );
    }

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        let some = |text: &'static str| Some(OsStr::new(text));
        assert!(wants_colour(true, None, some("xterm")));
        assert!(wants_colour(true, some(""), None));
        assert!(!wants_colour(false, None, some("xterm")));
        assert!(!wants_colour(true, some("1"), some("xterm")));
        assert!(!wants_colour(true, None, some("dumb")));
    }
}
