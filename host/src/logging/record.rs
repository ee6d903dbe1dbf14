//! One thing that happened: when, how bad, said by whom, and what was said, with named values beside it.
//!
//! A `Record` is bounded by construction, whatever it is made of: texts share `MAX_TEXT` bytes, and what does not fit is cut
//! (a cut text ends in `…`). So a line of JSON made of one is never longer than `MAX_LINE`, and one that was read back from
//! such a line (`json`) is equal to what was written, up to the last bit of a fraction.

mod json;

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use tracing::Level;

/// What all texts of a record may have together, in bytes.
pub const MAX_TEXT: usize = 16 * 1024;
/// The longest line that a record becomes: every byte escaped as `\u00xx`, and every field a long number.
pub const MAX_LINE: usize = 128 * 1024;
/// The most fields; more are left out.
const MAX_FIELDS: usize = 64;
/// A field's name or a target, in bytes.
const MAX_NAME: usize = 256;
const CUT: &str = "…";

/// Text that is often part of the program.
pub type Text = Cow<'static, str>;

/// A value beside the message.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(Text),
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    /// What is not finite becomes a text in JSON.
    Float(f64),
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    timestamp: Timestamp,
    level: Level,
    target: Text,
    message: Text,
    fields: Vec<(Text, Value)>,
    /// How many bytes of text may still be added.
    room: usize,
}

impl Record {
    pub fn new(
        timestamp: Timestamp,
        level: Level,
        target: impl Into<Text>,
        message: impl Into<Text>,
    ) -> Self {
        let target = cut(target.into(), MAX_NAME);
        let message = cut(message.into(), MAX_TEXT - target.len());
        Self {
            room: MAX_TEXT - target.len() - message.len(),
            timestamp,
            level,
            target,
            message,
            fields: Vec::new(),
        }
    }

    /// Something that happens now.
    pub fn now(level: Level, target: impl Into<Text>, message: impl Into<Text>) -> Self {
        Self::new(Timestamp::now(), level, target, message)
    }

    /// Adds a field. The first of a name stays; a name that every record has gets a trailing `_`.
    pub fn set(&mut self, name: impl Into<Text>, value: impl Into<Value>) {
        let mut name = cut(name.into(), MAX_NAME);
        if matches!(&*name, "timestamp" | "level" | "target" | "message") {
            name.to_mut().push('_');
        }
        if self.fields.len() >= MAX_FIELDS
            || name.len() > self.room
            || self.fields.iter().any(|(known, _)| *known == name)
        {
            return;
        }
        let room = self.room - name.len();
        let (value, left) = match value.into() {
            Value::Text(text) if text.len() > room && room < CUT.len() => return,
            Value::Text(text) => {
                let text = cut(text, room);
                let left = room - text.len();
                (Value::Text(text), left)
            }
            value => (value, room),
        };
        self.room = left;
        self.fields.push((name, value));
    }

    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    pub fn level(&self) -> Level {
        self.level
    }

    /// Whose record it is: a module of this program, an `extension.<name>`, a child process.
    pub fn target(&self) -> &str {
        &self.target
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    pub fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.fields.iter().map(|(name, value)| (&**name, value))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Bool(value) => value.fmt(formatter),
            Self::Unsigned(value) => value.fmt(formatter),
            Self::Signed(value) => value.fmt(formatter),
            Self::Float(value) => value.fmt(formatter),
        }
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Unsigned(value)
    }
}

impl From<i64> for Value {
    /// A number has one form, so that it comes back from JSON as it went.
    fn from(value: i64) -> Self {
        u64::try_from(value).map_or(Self::Signed(value), Self::Unsigned)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

/// `text` in at most `limit` bytes.
fn cut(mut text: Text, limit: usize) -> Text {
    if text.len() > limit {
        let owned = text.to_mut();
        owned.truncate(owned.floor_char_boundary(limit.saturating_sub(CUT.len())));
        if owned.len() + CUT.len() <= limit {
            owned.push_str(CUT);
        }
    }
    text
}

/// What something writes about itself, kept up to `MAX_TEXT` bytes and a little more, so that a record cuts and marks it.
pub(super) fn bounded(arguments: fmt::Arguments<'_>) -> Text {
    struct Bounded(String);

    impl fmt::Write for Bounded {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let room = (MAX_TEXT + CUT.len()).saturating_sub(self.0.len());
            let fitting = text
                .get(..text.floor_char_boundary(room))
                .unwrap_or_default();
            self.0.push_str(fitting);
            // An error would be a surprise to those that only ever write to memory.
            Ok(())
        }
    }

    match arguments.as_str() {
        Some(text) => text.into(),
        None => {
            let mut bounded = Bounded(String::new());
            // A value that cannot be shown has shown what it could.
            let _ = fmt::write(&mut bounded, arguments);
            bounded.0.into()
        }
    }
}

#[cfg(test)]
mod tests;
