//! ECMAScript regular expressions with flag `u`, read into a tree.
//!
//! The grammar is the strict one (no Annex B leniency). Nesting is bounded, so that no pattern can exhaust the stack;
//! names of Unicode properties are taken as they stand and checked by the caller.

use std::iter::Peekable;
use std::str::Chars;

/// Deeper nesting than any person writes; it bounds every recursion over the tree.
const MAX_DEPTH: usize = 200;
const MAX_CODE_POINT: u32 = 0x10_FFFF;

/// One piece of a pattern.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Concat(Vec<Piece>),
    Either(Vec<Piece>),
    Set(Set),
    /// `.`: anything but a line terminator.
    AnyInLine,
    Start,
    End,
    WordBoundary {
        negated: bool,
    },
    /// `index` is 0 for a group that captures nothing.
    Group {
        index: usize,
        inner: Box<Piece>,
    },
    Backreference(usize),
    Look {
        behind: bool,
        negated: bool,
        inner: Box<Piece>,
    },
    Repeat {
        inner: Box<Piece>,
        min: u32,
        max: Option<u32>,
        lazy: bool,
        /// The captures that every iteration forgets: first, and one past the last.
        captures: (usize, usize),
    },
}

/// A class of characters, or a single one.
#[derive(Debug, Clone, Default)]
pub(super) struct Set {
    pub(super) negated: bool,
    pub(super) members: Vec<Member>,
}

#[derive(Debug, Clone)]
pub(super) enum Member {
    /// Both ends belong to it; surrogates are possible and match nothing.
    Range(u32, u32),
    Digit {
        negated: bool,
    },
    Space {
        negated: bool,
    },
    Word {
        negated: bool,
    },
    /// What stands between the braces of `\p{...}`.
    Property {
        expression: String,
        negated: bool,
    },
}

/// A whole pattern.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: Piece,
    /// How many groups capture.
    pub(super) groups: usize,
    /// Whether a lookaround or a backreference occurs: such a pattern is beyond a finite automaton.
    pub(super) irregular: bool,
    /// What stood in `\p{...}`, and the names of groups: both still to be checked.
    pub(super) properties: Vec<String>,
    pub(super) names: Vec<String>,
}

pub(super) fn parse(pattern: &str) -> Result<Tree, String> {
    let names = group_names(pattern);
    let mut parser = Parser {
        rest: pattern.chars().peekable(),
        names: Vec::new(),
        properties: Vec::new(),
        known_names: names,
        groups: 0,
        highest_reference: 0,
        depth: 0,
        irregular: false,
    };
    let root = parser.disjunction()?;
    if parser.rest.peek().is_some() {
        return Err("unmatched ')'".to_owned());
    }
    if parser.highest_reference > parser.groups {
        return Err(format!("\\{} refers to no group", parser.highest_reference));
    }
    Ok(Tree {
        root,
        groups: parser.groups,
        irregular: parser.irregular,
        properties: parser.properties,
        names: parser.names,
    })
}

/// The names of the capturing groups by number: a backreference may stand before its group.
fn group_names(pattern: &str) -> Vec<Option<String>> {
    let mut names = Vec::new();
    let mut rest = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(c) = rest.next() {
        match c {
            '\\' => {
                rest.next();
            }
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => {
                if rest.next_if_eq(&'?').is_none() {
                    names.push(None);
                } else if rest.next_if_eq(&'<').is_some()
                    && rest.peek().is_some_and(|next| !matches!(next, '=' | '!'))
                {
                    names.push(read_name(&mut rest).ok());
                }
            }
            _ => {}
        }
    }
    names
}

/// Reads `name>`; escapes of code points in a name are resolved.
fn read_name(rest: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let mut name = String::new();
    loop {
        match rest.next() {
            Some('>') if !name.is_empty() => return Ok(name),
            Some('\\') => {
                if rest.next() != Some('u') {
                    return Err("invalid name of a group".to_owned());
                }
                let code = read_code_point(rest)?;
                name.push(char::from_u32(code).ok_or("invalid name of a group")?);
            }
            Some('>') | None => return Err("invalid name of a group".to_owned()),
            Some(c) => name.push(c),
        }
    }
}

/// What follows `\u`: four digits, a surrogate pair of them, or digits in braces.
fn read_code_point(rest: &mut Peekable<Chars<'_>>) -> Result<u32, String> {
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

struct Parser<'a> {
    rest: Peekable<Chars<'a>>,
    /// Names met so far: each may occur once.
    names: Vec<String>,
    properties: Vec<String>,
    known_names: Vec<Option<String>>,
    groups: usize,
    highest_reference: usize,
    depth: usize,
    irregular: bool,
}

impl Parser<'_> {
    fn disjunction(&mut self) -> Result<Piece, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("groups are nested deeper than {MAX_DEPTH}"));
        }
        let mut branches = vec![self.alternative()?];
        while self.rest.next_if_eq(&'|').is_some() {
            branches.push(self.alternative()?);
        }
        self.depth -= 1;
        if branches.len() == 1 {
            return branches.pop().ok_or_else(|| "empty pattern".to_owned());
        }
        Ok(Piece::Either(branches))
    }

    fn alternative(&mut self) -> Result<Piece, String> {
        let mut pieces = Vec::new();
        while let Some(&c) = self.rest.peek() {
            if matches!(c, '|' | ')') {
                break;
            }
            self.rest.next();
            let first_capture = self.groups + 1;
            let (piece, quantifiable) = self.term(c)?;
            let Some((min, max, lazy)) = self.quantifier()? else {
                pieces.push(piece);
                continue;
            };
            if !quantifiable {
                return Err("nothing to repeat".to_owned());
            }
            pieces.push(Piece::Repeat {
                inner: Box::new(piece),
                min,
                max,
                lazy,
                captures: (first_capture, self.groups + 1),
            });
        }
        Ok(Piece::Concat(pieces))
    }

    /// One term that starts with `c`, and whether a quantifier may follow it.
    fn term(&mut self, c: char) -> Result<(Piece, bool), String> {
        Ok(match c {
            '^' => (Piece::Start, false),
            '$' => (Piece::End, false),
            '.' => (Piece::AnyInLine, true),
            '(' => return self.group(),
            '[' => (Piece::Set(self.class()?), true),
            '\\' => return self.atom_escape(),
            '*' | '+' | '?' => return Err("nothing to repeat".to_owned()),
            '{' | '}' | ']' => return Err(format!("lone '{c}'")),
            c => (single(u32::from(c)), true),
        })
    }

    fn group(&mut self) -> Result<(Piece, bool), String> {
        let mut index = 0;
        let mut look = None;
        if self.rest.next_if_eq(&'?').is_some() {
            match self.rest.next() {
                Some(':') => {}
                Some('=') => look = Some((false, false)),
                Some('!') => look = Some((false, true)),
                Some('<') => {
                    if self.rest.next_if_eq(&'=').is_some() {
                        look = Some((true, false));
                    } else if self.rest.next_if_eq(&'!').is_some() {
                        look = Some((true, true));
                    } else {
                        let name = read_name(&mut self.rest)?;
                        if self.names.contains(&name) {
                            return Err(format!("two groups have the name '{name}'"));
                        }
                        self.names.push(name);
                        self.groups += 1;
                        index = self.groups;
                    }
                }
                _ => return Err("invalid group".to_owned()),
            }
        } else {
            self.groups += 1;
            index = self.groups;
        }
        let inner = Box::new(self.disjunction()?);
        if self.rest.next() != Some(')') {
            return Err("unterminated group".to_owned());
        }
        Ok(match look {
            None => (Piece::Group { index, inner }, true),
            Some((behind, negated)) => {
                self.irregular = true;
                let look = Piece::Look {
                    behind,
                    negated,
                    inner,
                };
                (look, false)
            }
        })
    }

    fn quantifier(&mut self) -> Result<Option<(u32, Option<u32>, bool)>, String> {
        let (min, max) = match self.rest.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => {
                self.rest.next();
                let min = self.number().ok_or("incomplete quantifier")?;
                let max = if self.rest.next_if_eq(&',').is_none() {
                    Some(min)
                } else {
                    self.number()
                };
                if self.rest.peek() != Some(&'}') {
                    return Err("incomplete quantifier".to_owned());
                }
                if max.is_some_and(|max| max < min) {
                    return Err("numbers out of order in a quantifier".to_owned());
                }
                (min, max)
            }
            _ => return Ok(None),
        };
        self.rest.next();
        let lazy = self.rest.next_if_eq(&'?').is_some();
        Ok(Some((min, max, lazy)))
    }

    fn number(&mut self) -> Option<u32> {
        let mut value = None;
        while let Some(digit) = self.rest.peek().and_then(|c| c.to_digit(10)) {
            self.rest.next();
            value = Some(
                value
                    .unwrap_or(0_u32)
                    .saturating_mul(10)
                    .saturating_add(digit),
            );
        }
        value
    }

    fn atom_escape(&mut self) -> Result<(Piece, bool), String> {
        match self.rest.peek().copied() {
            Some('b') | Some('B') => {
                let negated = self.rest.next() == Some('B');
                Ok((Piece::WordBoundary { negated }, false))
            }
            Some('1'..='9') => {
                let number = self.number().map_or(usize::MAX, |n| n as usize);
                self.highest_reference = self.highest_reference.max(number);
                self.irregular = true;
                Ok((Piece::Backreference(number), true))
            }
            Some('k') => {
                self.rest.next();
                if self.rest.next() != Some('<') {
                    return Err("invalid named reference".to_owned());
                }
                let name = read_name(&mut self.rest)?;
                let index = self
                    .known_names
                    .iter()
                    .position(|known| known.as_deref() == Some(name.as_str()))
                    .ok_or_else(|| format!("\\k<{name}> refers to no group"))?;
                self.irregular = true;
                Ok((Piece::Backreference(index + 1), true))
            }
            _ => {
                let member = self.escaped_member(false)?;
                Ok((Piece::Set(Set::of(member)), true))
            }
        }
    }

    /// An escape that stands for characters, in a class or outside.
    fn escaped_member(&mut self, in_class: bool) -> Result<Member, String> {
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

    fn class(&mut self) -> Result<Set, String> {
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

impl Set {
    fn of(member: Member) -> Self {
        Self {
            negated: false,
            members: vec![member],
        }
    }
}

fn single(code: u32) -> Piece {
    Piece::Set(Set::of(Member::Range(code, code)))
}
