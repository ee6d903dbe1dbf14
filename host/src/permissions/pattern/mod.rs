//! ECMAScript regular expressions (flag `u`), searched anywhere in a text.
//!
//! What ECMAScript rejects is rejected here, and what it accepts means the same. Matching takes bounded time: a finite
//! automaton where the pattern is regular, a matcher with a limit on its steps where it is not. A limit that is hit is an
//! error and never an answer.

mod automaton;
mod backtrack;
mod linear;
mod literals;
mod representative;
mod samples;
mod survey;
mod syntax;
#[cfg(test)]
mod tests;
mod tree;

use std::fmt;
use std::sync::LazyLock;

use regex::Regex;

use automaton::Automaton;
use backtrack::Program;

pub(super) use literals::{Edge, Literal};
pub(super) use samples::{samples, spread};
pub(super) use survey::Survey;

/// Longer than any pattern that a person writes.
const MAX_LENGTH: usize = 64 * 1024;

/// A pattern that is ready to search.
pub(super) struct Pattern {
    matcher: Matcher,
}

enum Matcher {
    Linear(Automaton),
    Backtracking(Program),
}

/// A text took too long to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooCostly;

impl Pattern {
    /// Fails with a sentence that says what is wrong with `source`.
    pub(super) fn new(source: &str) -> Result<Self, String> {
        if source.len() > MAX_LENGTH {
            return Err(format!("it is longer than {MAX_LENGTH} bytes"));
        }
        let tree = syntax::parse(source)?;
        tree.properties
            .iter()
            .try_for_each(|expression| check_property(expression))?;
        tree.names.iter().try_for_each(|name| check_name(name))?;
        if !tree.irregular
            && let Some(automaton) = Automaton::new(&tree.root)
        {
            return Ok(Self {
                matcher: Matcher::Linear(automaton),
            });
        }
        Ok(Self {
            matcher: Matcher::Backtracking(Program::compile(&tree)?),
        })
    }

    pub(super) fn is_match(&self, text: &str) -> Result<bool, TooCostly> {
        self.counted(text).0
    }

    /// The same, and the steps of backtracking that it took: many small searches are a long one, too.
    pub(super) fn counted(&self, text: &str) -> (Result<bool, TooCostly>, u32) {
        match &self.matcher {
            Matcher::Linear(automaton) => {
                let regex = automaton.regex().ok_or(TooCostly);
                (regex.map(|regex| regex.is_match(text)), 0)
            }
            Matcher::Backtracking(program) => {
                let (found, steps) = program.counted(text);
                (found.map_err(|_| TooCostly), steps)
            }
        }
    }

    /// Whether a search can end in [`TooCostly`].
    pub(super) fn is_bounded(&self) -> bool {
        matches!(self.matcher, Matcher::Linear(_))
    }
}

/// Only the names that ECMAScript lists, spelled as it spells them: other engines know more.
fn check_property(expression: &str) -> Result<(), String> {
    let flags = regress::Flags {
        unicode: true,
        ..regress::Flags::default()
    };
    match regress::Regex::with_flags(&format!("\\p{{{expression}}}"), flags) {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("\\p{{{expression}}} is no property of characters")),
    }
}

/// The name of a group is an identifier.
fn check_name(name: &str) -> Result<(), String> {
    static IDENTIFIER: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"\A[$_\p{ID_Start}][$\u{200C}\u{200D}\p{ID_Continue}]*\z").ok()
    });
    match &*IDENTIFIER {
        Some(identifier) if identifier.is_match(name) => Ok(()),
        _ => Err(format!("{name:?} cannot be the name of a group")),
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern").finish_non_exhaustive()
    }
}
