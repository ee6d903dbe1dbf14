//! ECMAScript regular expressions with flag `u`, read into a tree.
//!
//! The grammar is the strict one (no Annex B leniency). Nesting is bounded, so that no pattern can exhaust the stack;
//! names of Unicode properties are taken as they stand and checked by the caller.

mod characters;
mod names;

use std::iter::Peekable;
use std::str::Chars;

use super::tree::{Piece, Set, Times, Tree, single};
use names::{group_names, read_name};

/// Deeper nesting than any person writes; it bounds every recursion over the tree.
const MAX_DEPTH: usize = 200;

/// Fails with a sentence that says what is wrong.
pub(super) fn parse(pattern: &str) -> Result<Tree, String> {
    let mut parser = Parser {
        rest: pattern.chars().peekable(),
        names: Vec::new(),
        properties: Vec::new(),
        known_names: group_names(pattern),
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

struct Parser<'a> {
    rest: Peekable<Chars<'a>>,
    /// Names met so far: each may occur once.
    names: Vec<String>,
    properties: Vec<String>,
    /// The names of all capturing groups: a reference may stand before its group.
    known_names: Vec<Option<String>>,
    groups: usize,
    highest_reference: usize,
    depth: usize,
    irregular: bool,
}

/// What a parenthesis begins.
enum Opening {
    Group(Option<usize>),
    Look { behind: bool, negated: bool },
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
            let piece = self.term(c)?;
            pieces.push(match self.quantifier()? {
                None => piece,
                Some(_) if !piece.is_quantifiable() => {
                    return Err("nothing to repeat".to_owned());
                }
                Some(times) => Piece::Repeat {
                    inner: Box::new(piece),
                    times,
                    captures: first_capture..self.groups + 1,
                },
            });
        }
        Ok(Piece::Concat(pieces))
    }

    /// The term that `c` begins.
    fn term(&mut self, c: char) -> Result<Piece, String> {
        match c {
            '^' => Ok(Piece::Start),
            '$' => Ok(Piece::End),
            '.' => Ok(Piece::AnyInLine),
            '(' => self.group(),
            '[' => self.class().map(Piece::Set),
            '\\' => self.atom_escape(),
            '*' | '+' | '?' => Err("nothing to repeat".to_owned()),
            '{' | '}' | ']' => Err(format!("lone '{c}'")),
            c => Ok(single(u32::from(c))),
        }
    }

    fn group(&mut self) -> Result<Piece, String> {
        let opening = self.opening()?;
        let inner = Box::new(self.disjunction()?);
        if self.rest.next() != Some(')') {
            return Err("unterminated group".to_owned());
        }
        Ok(match opening {
            Opening::Group(capture) => Piece::Group { capture, inner },
            Opening::Look { behind, negated } => {
                self.irregular = true;
                Piece::Look {
                    behind,
                    negated,
                    inner,
                }
            }
        })
    }

    /// What follows the `(` of a group, up to its content.
    fn opening(&mut self) -> Result<Opening, String> {
        if self.rest.next_if_eq(&'?').is_none() {
            return Ok(self.capture());
        }
        let look = |behind, negated| Ok(Opening::Look { behind, negated });
        match self.rest.next() {
            Some(':') => Ok(Opening::Group(None)),
            Some('=') => look(false, false),
            Some('!') => look(false, true),
            Some('<') if self.rest.next_if_eq(&'=').is_some() => look(true, false),
            Some('<') if self.rest.next_if_eq(&'!').is_some() => look(true, true),
            Some('<') => {
                let name = read_name(&mut self.rest)?;
                if self.names.contains(&name) {
                    return Err(format!("two groups have the name '{name}'"));
                }
                self.names.push(name);
                Ok(self.capture())
            }
            _ => Err("invalid group".to_owned()),
        }
    }

    fn capture(&mut self) -> Opening {
        self.groups += 1;
        Opening::Group(Some(self.groups))
    }

    fn quantifier(&mut self) -> Result<Option<Times>, String> {
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
        Ok(Some(Times { min, max, lazy }))
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

    /// What follows a `\` outside of a class.
    fn atom_escape(&mut self) -> Result<Piece, String> {
        match self.rest.peek().copied() {
            Some('b' | 'B') => {
                let negated = self.rest.next() == Some('B');
                Ok(Piece::WordBoundary { negated })
            }
            Some('1'..='9') => {
                let number = self.number().map_or(usize::MAX, |n| n as usize);
                self.highest_reference = self.highest_reference.max(number);
                self.irregular = true;
                Ok(Piece::Backreference(number))
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
                Ok(Piece::Backreference(index + 1))
            }
            _ => {
                let member = self.escaped_member(false)?;
                Ok(Piece::Set(Set::of(member)))
            }
        }
    }
}
