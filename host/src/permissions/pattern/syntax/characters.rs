//! Escapes and classes: what stands for characters.

use std::iter::Peekable;
use std::str::Chars;

use super::super::tree::{Member, Set};
use super::Parser;

const MAX_CODE_POINT: u32 = 0x10_FFFF;

/// What follows `\u`: four digits, a surrogate pair of them, or digits in braces.
pub(super) fn read_code_point(rest: &mut Peekable<Chars<'_>>) -> Result<u32, String> {
    if rest.next_if_eq(&'{').is_some() {
        let mut code = 0_u32;
        let mut digits = 0;
        loop {
            match rest.next() {
                Some('}') if digits > 0 => return Ok(code),
                Some(c) => {
                    let digit = c.to_digit(16).ok_or("invalid Unicode escape")?;
                    code = code.saturating_mul(16).saturating_add(digit);
                    digits += 1;
                    if code > MAX_CODE_POINT {
                        return Err("a code point is out of range".to_owned());
                    }
                }
                None => return Err("invalid Unicode escape".to_owned()),
            }
        }
    }
    let lead = read_hex(rest, 4)?;
    if (0xD800..0xDC00).contains(&lead) {
        let mut ahead = rest.clone();
        if ahead.next() == Some('\\')
            && ahead.next() == Some('u')
            && let Ok(trail) = read_hex(&mut ahead, 4)
            && (0xDC00..0xE000).contains(&trail)
        {
            *rest = ahead;
            return Ok(0x1_0000 + ((lead - 0xD800) << 10) + (trail - 0xDC00));
        }
    }
    Ok(lead)
}

fn read_hex(rest: &mut Peekable<Chars<'_>>, digits: usize) -> Result<u32, String> {
    let mut value = 0;
    for _ in 0..digits {
        let digit = rest
            .next()
            .and_then(|c| c.to_digit(16))
            .ok_or("invalid escape of a character by its number")?;
        value = value * 16 + digit;
    }
    Ok(value)
}

impl Parser<'_> {
    /// An escape that stands for characters, in a class or outside.
    pub(super) fn escaped_member(&mut self, in_class: bool) -> Result<Member, String> {
        let c = self.rest.next().ok_or("\\ at the end of the pattern")?;
        let code = match c {
            'd' | 'D' => return Ok(Member::Digit { negated: c == 'D' }),
            's' | 'S' => return Ok(Member::Space { negated: c == 'S' }),
            'w' | 'W' => return Ok(Member::Word { negated: c == 'W' }),
            'p' | 'P' => {
                return Ok(Member::Property {
                    expression: self.property()?,
                    negated: c == 'P',
                });
            }
            't' => 0x09,
            'n' => 0x0A,
            'v' => 0x0B,
            'f' => 0x0C,
            'r' => 0x0D,
            'b' if in_class => 0x08,
            '-' if in_class => 0x2D,
            '0' if !self.rest.peek().is_some_and(char::is_ascii_digit) => 0,
            'c' => match self.rest.next() {
                Some(letter) if letter.is_ascii_alphabetic() => u32::from(letter) % 32,
                _ => return Err("invalid control escape".to_owned()),
            },
            'x' => read_hex(&mut self.rest, 2)?,
            'u' => read_code_point(&mut self.rest)?,
            '^' | '$' | '\\' | '.' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|'
            | '/' => u32::from(c),
            _ => return Err(format!("invalid escape '\\{c}'")),
        };
        Ok(Member::Range(code, code))
    }

    fn property(&mut self) -> Result<String, String> {
        if self.rest.next() != Some('{') {
            return Err("invalid property name".to_owned());
        }
        let mut expression = String::new();
        loop {
            match self.rest.next() {
                Some('}') if !expression.is_empty() => {
                    if !self.properties.contains(&expression) {
                        self.properties.push(expression.clone());
                    }
                    return Ok(expression);
                }
                Some(c) if c.is_ascii_alphanumeric() || matches!(c, '_' | '=') => {
                    expression.push(c)
                }
                _ => return Err("invalid property name".to_owned()),
            }
        }
    }

    pub(super) fn class(&mut self) -> Result<Set, String> {
        let mut set = Set {
            negated: self.rest.next_if_eq(&'^').is_some(),
            members: Vec::new(),
        };
        loop {
            if self.rest.next_if_eq(&']').is_some() {
                return Ok(set);
            }
            let low = self.class_member()?;
            let mut ahead = self.rest.clone();
            let is_range = ahead.next() == Some('-') && ahead.peek().is_some_and(|&c| c != ']');
            if !is_range {
                set.members.push(low);
                continue;
            }
            self.rest = ahead;
            match (low, self.class_member()?) {
                (Member::Range(low, _), Member::Range(high, _)) if low <= high => {
                    set.members.push(Member::Range(low, high));
                }
                (Member::Range(..), Member::Range(..)) => {
                    return Err("a range of characters is out of order".to_owned());
                }
                _ => return Err("a class cannot be the end of a range".to_owned()),
            }
        }
    }

    fn class_member(&mut self) -> Result<Member, String> {
        match self.rest.next() {
            Some('\\') => self.escaped_member(true),
            Some(c) => Ok(Member::Range(u32::from(c), u32::from(c))),
            None => Err("unterminated character class".to_owned()),
        }
    }
}
