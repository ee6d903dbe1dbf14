//! A pattern for a path as people write one: `^/repos/[^/]+/issues(/[0-9]+)?$` becomes `/repos/*/issues[/*]`.

use std::iter::Peekable;
use std::str::Chars;

/// The same for people; the pattern itself where it has something that this notation has no sign for.
pub(super) fn of(pattern: &str) -> String {
    let mut reader = Reader {
        rest: pattern.chars().peekable(),
        depth: 0,
    };
    match reader.alternatives() {
        Some(alternatives) if reader.rest.peek().is_none() => {
            let whole: Vec<_> = alternatives.iter().map(Sequence::anchored).collect();
            whole.join(" or ")
        }
        _ => pattern.to_owned(),
    }
}

/// Deeper than any pattern that a person writes.
const DEEPEST: usize = 64;
/// Part of a segment.
const SOME: &str = "*";
/// Anything at all.
const ANYTHING: &str = "**";

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    depth: usize,
}

#[derive(Default)]
struct Sequence {
    text: String,
    starts: bool,
    ends: bool,
}

impl Sequence {
    /// A pattern is searched, so whatever is not anchored may have anything beside it.
    fn anchored(&self) -> String {
        let before = if self.starts || self.text.starts_with(ANYTHING) {
            ""
        } else {
            ANYTHING
        };
        let after = if self.ends || self.text.ends_with(ANYTHING) {
            ""
        } else {
            ANYTHING
        };
        format!("{before}{}{after}", self.text)
    }
}

/// One thing that can be repeated.
enum Atom {
    Text(String),
    Group(String),
    /// One of some characters; whether a slash may be one.
    Class {
        text: Option<String>,
        slash: bool,
    },
    /// Takes no text.
    Nothing,
}

impl Reader<'_> {
    /// None where there is something that cannot be told.
    fn alternatives(&mut self) -> Option<Vec<Sequence>> {
        let mut alternatives = vec![self.sequence()?];
        while self.rest.next_if_eq(&'|').is_some() {
            alternatives.push(self.sequence()?);
        }
        Some(alternatives)
    }

    fn sequence(&mut self) -> Option<Sequence> {
        let mut sequence = Sequence::default();
        while let Some(&next) = self.rest.peek() {
            match next {
                '|' | ')' => break,
                '^' => {
                    self.rest.next();
                    sequence.starts |= sequence.text.is_empty();
                }
                '$' => {
                    self.rest.next();
                    sequence.ends = true;
                }
                _ => {
                    let atom = self.atom()?;
                    let repeated = self.repeated(atom)?;
                    // Two stars in a row are one.
                    if !(repeated == ANYTHING && sequence.text.ends_with(ANYTHING)) {
                        sequence.text.push_str(&repeated);
                    }
                }
            }
        }
        Some(sequence)
    }

    fn atom(&mut self) -> Option<Atom> {
        Some(match self.rest.next()? {
            '(' => self.group()?,
            '[' => self.class()?,
            '.' => Atom::Class {
                text: None,
                slash: true,
            },
            '\\' => self.escape()?,
            '*' | '+' | '?' | '{' | '}' | ']' => return None,
            literal => Atom::Text(literal.to_string()),
        })
    }

    fn group(&mut self) -> Option<Atom> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let mut is_look = false;
        if self.rest.next_if_eq(&'?').is_some() {
            match self.rest.next()? {
                ':' => {}
                '=' | '!' => is_look = true,
                '<' => match self.rest.peek()? {
                    '=' | '!' => {
                        self.rest.next();
                        is_look = true;
                    }
                    _ => while self.rest.next()? != '>' {},
                },
                _ => return None,
            }
        }
        let alternatives = self.alternatives()?;
        self.rest.next_if_eq(&')')?;
        self.depth -= 1;
        if is_look {
            return Some(Atom::Nothing);
        }
        let texts: Vec<_> = alternatives
            .into_iter()
            .map(|sequence| sequence.text)
            .collect();
        Some(Atom::Group(match texts.as_slice() {
            [only] => only.clone(),
            several => format!("{{{}}}", several.join(",")),
        }))
    }

    fn class(&mut self) -> Option<Atom> {
        let negated = self.rest.next_if_eq(&'^').is_some();
        let mut members = String::new();
        let mut is_plain = !negated;
        let mut has_slash = false;
        loop {
            match self.rest.next()? {
                ']' => break,
                '\\' => match self.rest.next()? {
                    'S' | 'W' | 'D' => {
                        has_slash = true;
                        is_plain = false;
                    }
                    letter if letter.is_ascii_alphanumeric() => is_plain = false,
                    escaped => {
                        has_slash |= escaped == '/';
                        members.push(escaped);
                    }
                },
                '-' => is_plain = false,
                character => {
                    has_slash |= character == '/';
                    members.push(character);
                }
            }
        }
        let few = is_plain.then(|| {
            let members: Vec<_> = members.chars().map(String::from).collect();
            format!("{{{}}}", members.join(","))
        });
        Some(Atom::Class {
            text: few,
            slash: has_slash != negated,
        })
    }

    fn escape(&mut self) -> Option<Atom> {
        Some(match self.rest.next()? {
            'd' | 'w' | 's' => Atom::Class {
                text: None,
                slash: false,
            },
            'D' | 'W' | 'S' => Atom::Class {
                text: None,
                slash: true,
            },
            'b' | 'B' => Atom::Nothing,
            letter if letter.is_ascii_alphanumeric() => return None,
            escaped => Atom::Text(escaped.to_string()),
        })
    }

    /// What stands for an atom with the sign of repetition that follows it.
    fn repeated(&mut self, atom: Atom) -> Option<String> {
        let sign = match self.rest.peek() {
            Some('*' | '+' | '?') => self.rest.next(),
            Some('{') => {
                while self.rest.next()? != '}' {}
                Some('{')
            }
            _ => None,
        };
        if sign.is_some() {
            // As little as possible, which makes no difference to what matches.
            self.rest.next_if_eq(&'?');
        }
        Some(match (atom, sign) {
            (Atom::Nothing, _) => String::new(),
            (Atom::Text(text) | Atom::Group(text), None) => text,
            (Atom::Text(text) | Atom::Group(text), Some('?'))
                if text == ANYTHING || text == SOME =>
            {
                text
            }
            (Atom::Text(text) | Atom::Group(text), Some('?')) => format!("[{text}]"),
            (Atom::Text(text) | Atom::Group(text), Some(_)) => format!("{text}..."),
            (
                Atom::Class {
                    text: Some(text), ..
                },
                None,
            ) => text,
            (
                Atom::Class {
                    text: Some(text), ..
                },
                Some('?'),
            ) => format!("[{text}]"),
            (Atom::Class { slash: true, .. }, Some('*' | '+' | '{')) => ANYTHING.to_owned(),
            (Atom::Class { .. }, _) => SOME.to_owned(),
        })
    }
}
