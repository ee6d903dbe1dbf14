//! The result on stdout. A reader that has left is no failure; any other trouble is, for the result did not arrive.

use std::io::{self, Write};
use std::os::fd::AsFd;

use serde::Serialize;
use serde_json::ser::Formatter;
use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;

use super::failure::Failure;

/// One line.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    bytes(format!("{text}\n").as_bytes())
}

/// Something that must be known beside the result, if there is such a thing: a line on stderr.
pub(super) fn notice(text: Option<String>) {
    if let Some(text) = text {
        // Without a stderr there is nobody to tell.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

/// Text that brings its own line ends.
pub(super) fn text(text: &str) -> Result<(), Failure> {
    bytes(text.as_bytes())
}

/// One line of JSON in the form that mngr's commands print: a space after each comma and colon.
pub(super) fn json_line(value: &serde_json::Value) -> Result<(), Failure> {
    let mut line = render(value).map_err(|error| {
        Failure::failed(format_args!("cannot write the result as JSON: {error}"))
    })?;
    line.push(b'\n');
    bytes(&line)
}

fn render(value: &serde_json::Value) -> serde_json::Result<Vec<u8>> {
    let mut text = Vec::new();
    value.serialize(&mut serde_json::Serializer::with_formatter(
        &mut text, Spaced,
    ))?;
    Ok(text)
}

pub(super) fn bytes(result: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(result).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(
            format_args!("cannot write the result to stdout: {error}"),
        )),
        _ => Ok(()),
    }
}

/// Completes when nobody reads the result any more; never where that cannot be seen, as with a file.
pub(super) async fn abandoned() {
    let stdout = io::stdout().as_fd().try_clone_to_owned();
    if let Ok(stdout) = stdout.and_then(Sender::from_owned_fd_unchecked) {
        // A pipe without a reader is in error, whether it is written to or not.
        while let Ok(state) = stdout.ready(Interest::ERROR).await {
            if state.is_error() || state.is_write_closed() {
                return;
            }
        }
    }
    std::future::pending().await
}

struct Spaced;

impl Formatter for Spaced {
    /// As it is, but for the control characters that JSON allows and a terminal may obey.
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(position) = rest.find(char::is_control) {
            let (fine, special) = rest.split_at(position);
            writer.write_all(fine.as_bytes())?;
            let mut characters = special.chars();
            if let Some(control) = characters.next() {
                write!(writer, "\\u{:04x}", u32::from(control))?;
            }
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_control_character_is_printed_and_none_is_lost() {
        let value = json!("a\u{7f}b\u{9b}31m\u{1b}é");
        let text = String::from_utf8(render(&value).unwrap()).unwrap();
        assert_eq!(text, r#""a\u007fb\u009b31m\u001bé""#);
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed, value);
    }

    #[test]
    fn json_keeps_its_order_and_has_the_spaces_of_python() {
        let value = json!({"b": [1, "x", {}], "a": {"c": null, "d": []}});
        let text = String::from_utf8(render(&value).unwrap()).unwrap();
        assert_eq!(text, r#"{"b": [1, "x", {}], "a": {"c": null, "d": []}}"#);
    }
}
