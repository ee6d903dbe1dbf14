//! ECMAScript regular expressions (flag `u`), searched anywhere in a text.
//!
//! What ECMAScript rejects is rejected here, and what it accepts means the same. Matching takes bounded time: a finite
//! automaton where the pattern is regular, a matcher with a limit on its steps where it is not. A limit that is hit is an
//! error and never an answer.

mod backtrack;
mod linear;
mod syntax;
#[cfg(test)]
mod tests;

use std::fmt;

use regex::Regex;

use backtrack::Program;

/// Longer than any pattern that a person writes.
const MAX_LENGTH: usize = 64 * 1024;

/// A pattern that is ready to search.
pub(super) struct Pattern {
    matcher: Matcher,
}

enum Matcher {
    Linear(Regex),
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
        // The last word on names of properties and of groups.
        let flags = regress::Flags {
            unicode: true,
            no_opt: true,
            ..regress::Flags::default()
        };
        regress::Regex::with_flags(source, flags).map_err(|error| error.text)?;
        if !tree.irregular
            && let Some(translated) = linear::translate(&tree.root)
            && let Ok(regex) = Regex::new(&translated)
        {
            return Ok(Self {
                matcher: Matcher::Linear(regex),
            });
        }
        Ok(Self {
            matcher: Matcher::Backtracking(Program::compile(&tree)?),
        })
    }

    pub(super) fn is_match(&self, text: &str) -> Result<bool, TooCostly> {
        match &self.matcher {
            Matcher::Linear(regex) => Ok(regex.is_match(text)),
            Matcher::Backtracking(program) => program.is_match(text).map_err(|_| TooCostly),
        }
    }

    /// Whether a search can end in [`TooCostly`].
    pub(super) fn is_bounded(&self) -> bool {
        matches!(self.matcher, Matcher::Linear(_))
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern").finish_non_exhaustive()
    }
}
