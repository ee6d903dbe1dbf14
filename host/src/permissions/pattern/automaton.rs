//! A regular pattern as a finite automaton, built when it is first searched for.
//!
//! Building takes far longer than reading a pattern, and of a thousand rules most never come to be tried. Only what is
//! large is built at once: it could turn out to be too large.

use std::sync::OnceLock;

use regex::Regex;

use super::linear;
use super::tree::{Member, Piece, Set};

/// Automatons up to this size, roughly counted in states, are far from what the `regex` crate refuses.
const LIGHT: usize = 10_000;

/// What finds a pattern in time linear in the text.
pub(super) struct Automaton {
    /// The pattern in the notation of the `regex` crate.
    source: String,
    built: OnceLock<Option<Regex>>,
}

impl Automaton {
    /// `None` where the pattern is irregular, or too large.
    pub(super) fn new(root: &Piece) -> Option<Self> {
        let automaton = Self {
            source: linear::translate(root)?,
            built: OnceLock::new(),
        };
        (weight(root) <= LIGHT || automaton.regex().is_some()).then_some(automaton)
    }

    /// `None` when it cannot be built after all.
    pub(super) fn regex(&self) -> Option<&Regex> {
        self.built
            .get_or_init(|| Regex::new(&self.source).ok())
            .as_ref()
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }
}

/// No less than the states of the automaton, roughly; nesting counts, too, as the `regex` crate limits it.
fn weight(piece: &Piece) -> usize {
    match piece {
        Piece::Concat(pieces) | Piece::Either(pieces) => pieces
            .iter()
            .fold(pieces.len(), |sum, piece| sum.saturating_add(weight(piece))),
        Piece::Set(set) => weight_of_set(set),
        Piece::AnyInLine => 64,
        Piece::Start | Piece::End | Piece::WordBoundary { .. } | Piece::Backreference(_) => 1,
        Piece::Group { inner, .. } | Piece::Look { inner, .. } => weight(inner).saturating_add(100),
        Piece::Repeat { inner, times, .. } => {
            let rounds = times
                .max
                .unwrap_or(times.min)
                .max(times.min)
                .saturating_add(1);
            let rounds = usize::try_from(rounds).unwrap_or(usize::MAX);
            weight(inner).saturating_mul(rounds).saturating_add(100)
        }
    }
}

fn weight_of_set(set: &Set) -> usize {
    if let (false, [Member::Range(low, high)]) = (set.negated, set.members.as_slice())
        && low == high
    {
        return 4;
    }
    let members = set.members.iter().map(|member| match member {
        Member::Range(..) => 16,
        Member::Digit { .. } | Member::Space { .. } | Member::Word { .. } => 64,
        Member::Property { .. } => LIGHT,
    });
    members.fold(64, usize::saturating_add)
}
