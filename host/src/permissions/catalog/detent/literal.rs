//! Reads an object literal out of a JavaScript or TypeScript module, without running any of it.
//!
//! What is understood is what a compiler makes of JSON: objects with quoted or bare keys, arrays, strings, numbers, `true`,
//! `false`, `null`, comments and trailing commas. Anything that would have to be evaluated is an error with its place.

use serde_json::{Map, Number, Value};

/// Far deeper than any schema.
const DEEPEST: usize = 128;

/// The entries of the object that `source` assigns to a variable whose name `is_wanted`, in order. None when it assigns none.
pub(super) fn assigned_object(
    source: &str,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Option<Vec<(String, Value)>>, String> {
    let mut reader = Reader { source, at: 0 };
    while let Some(word) = reader.next_word()? {
        if !is_wanted(word) {
            continue;
        }
        let after = reader.at;
        if reader.skip_to_value()? {
            return reader.entries(0).map(Some);
        }
        reader.at = after;
    }
    Ok(None)
}

struct Reader<'a> {
    source: &'a str,
    /// In bytes, at a character's start.
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += character.len_utf8();
        Some(character)
    }

    fn take(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at += expected.len();
        }
        found
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest
            .find(|character| !belongs(character))
            .unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn error(&self, problem: &str) -> String {
        let before = self.source.get(..self.at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        format!("{problem} at line {line} column {column}")
    }

    /// White space and comments.
    fn skip_blanks(&mut self) -> Result<(), String> {
        loop {
            self.take_while(|character| character.is_whitespace() || character == '\u{feff}');
            if self.take("//") {
                self.take_while(|character| character != '\n');
            } else if self.take("/*") {
                match self.rest().find("*/") {
                    Some(length) => self.at += length + 2,
                    None => return Err(self.error("a comment without end")),
                }
            } else {
                return Ok(());
            }
        }
    }

    /// The next identifier that stands in no comment and no string.
    fn next_word(&mut self) -> Result<Option<&'a str>, String> {
        loop {
            self.skip_blanks()?;
            match self.peek() {
                None => return Ok(None),
                Some(quote @ ('"' | '\'')) => {
                    // In a regular expression a quote means nothing.
                    let after = self.at + quote.len_utf8();
                    if self.string(quote).is_err() {
                        self.at = after;
                    }
                }
                Some('`') => self.skip_template(),
                Some(character) if is_word(character) => return Ok(Some(self.take_while(is_word))),
                Some(_) => {
                    self.next();
                }
            }
        }
    }

    /// To the value that a declaration assigns, past its type, if it assigns an object.
    fn skip_to_value(&mut self) -> Result<bool, String> {
        self.skip_blanks()?;
        if self.peek() == Some(':') {
            self.take_while(|character| !matches!(character, '=' | ';' | '{' | '('));
        }
        if !self.take("=") || matches!(self.peek(), Some('=' | '>')) {
            return Ok(false);
        }
        self.skip_blanks()?;
        Ok(self.peek() == Some('{'))
    }

    fn skip_template(&mut self) {
        self.next();
        while let Some(character) = self.next() {
            match character {
                '\\' => {
                    self.next();
                }
                '`' => return,
                _ => {}
            }
        }
    }

    /// From `{` to past its `}`.
    fn entries(&mut self, depth: usize) -> Result<Vec<(String, Value)>, String> {
        let mut entries = Vec::new();
        self.next();
        loop {
            self.skip_blanks()?;
            if self.take("}") {
                return Ok(entries);
            }
            let key = match self.peek() {
                Some(quote @ ('"' | '\'')) => self.string(quote)?,
                Some(character) if is_word(character) => self.take_while(is_word).to_owned(),
                _ => return Err(self.error("expected a key or '}'")),
            };
            self.skip_blanks()?;
            if !self.take(":") {
                return Err(self.error("expected ':'"));
            }
            entries.push((key, self.value(depth + 1)?));
            self.separator('}')?;
        }
    }

    fn elements(&mut self, depth: usize) -> Result<Vec<Value>, String> {
        let mut elements = Vec::new();
        self.next();
        loop {
            self.skip_blanks()?;
            if self.take("]") {
                return Ok(elements);
            }
            elements.push(self.value(depth + 1)?);
            self.separator(']')?;
        }
    }

    /// A comma, or what stands before the end.
    fn separator(&mut self, end: char) -> Result<(), String> {
        self.skip_blanks()?;
        if self.take(",") || self.peek() == Some(end) {
            Ok(())
        } else {
            Err(self.error(&format!("expected ',' or '{end}'")))
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > DEEPEST {
            return Err(self.error("nested too deeply"));
        }
        self.skip_blanks()?;
        match self.peek() {
            Some('{') => {
                let mut object = Map::new();
                for (key, value) in self.entries(depth)? {
                    if object.insert(key.clone(), value).is_some() {
                        return Err(
                            self.error(&format!("{key:?} stands twice in the object that ends"))
                        );
                    }
                }
                Ok(Value::Object(object))
            }
            Some('[') => self.elements(depth).map(Value::Array),
            Some(quote @ ('"' | '\'')) => self.string(quote).map(Value::String),
            _ => self.word_value(),
        }
    }

    fn word_value(&mut self) -> Result<Value, String> {
        let start = self.at;
        let word =
            self.take_while(|character| is_word(character) || matches!(character, '.' | '+' | '-'));
        let value = match word {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            "null" => Some(Value::Null),
            number => serde_json::from_str::<Number>(number)
                .ok()
                .map(Value::Number),
        };
        value.ok_or_else(|| {
            self.at = start;
            self.error("expected a plain value: nothing is evaluated")
        })
    }

    fn string(&mut self, quote: char) -> Result<String, String> {
        let start = self.at;
        let mut text = String::new();
        self.next();
        loop {
            match self.next() {
                Some(end) if end == quote => return Ok(text),
                Some('\\') => self.escape(&mut text)?,
                Some('\n') | None => {
                    self.at = start;
                    return Err(self.error("a string without end"));
                }
                Some(character) => text.push(character),
            }
        }
    }

    fn escape(&mut self, text: &mut String) -> Result<(), String> {
        let character = match self.next() {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('v') => '\u{b}',
            Some('0') => '\0',
            Some('x') => self.code(2)?,
            Some('u') if self.take("{") => {
                let digits = self.take_while(|character| character.is_ascii_hexdigit());
                let code = u32::from_str_radix(digits, 16)
                    .ok()
                    .and_then(char::from_u32);
                match code {
                    Some(code) if self.take("}") => code,
                    _ => return Err(self.error("no such character")),
                }
            }
            Some('u') => self.utf_16()?,
            // A line that goes on.
            Some('\n') => return Ok(()),
            Some(character) => character,
            None => return Err(self.error("a string without end")),
        };
        text.push(character);
        Ok(())
    }

    fn utf_16(&mut self) -> Result<char, String> {
        let first = self.unit(4)?;
        let mut units = vec![first];
        if (0xd800..0xdc00).contains(&first) && self.take("\\u") {
            units.push(self.unit(4)?);
        }
        let mut decoded = char::decode_utf16(units);
        match (decoded.next(), decoded.next()) {
            (Some(Ok(character)), None) => Ok(character),
            _ => Err(self.error("no such character")),
        }
    }

    fn code(&mut self, digits: usize) -> Result<char, String> {
        let unit = self.unit(digits)?;
        char::from_u32(u32::from(unit)).ok_or_else(|| self.error("no such character"))
    }

    fn unit(&mut self, digits: usize) -> Result<u16, String> {
        let unit = self
            .rest()
            .get(..digits)
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|text| u16::from_str_radix(text, 16).ok())
            .ok_or_else(|| self.error("expected hexadecimal digits"))?;
        self.at += digits;
        Ok(unit)
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$')
}

#[cfg(test)]
mod tests;
