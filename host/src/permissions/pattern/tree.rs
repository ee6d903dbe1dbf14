//! The tree that a pattern is read into.

use std::ops::Range;

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
    Group {
        /// Its number among those that capture, from 1 on.
        capture: Option<usize>,
        inner: Box<Piece>,
    },
    /// The number of the group that it refers to.
    Backreference(usize),
    Look {
        behind: bool,
        negated: bool,
        inner: Box<Piece>,
    },
    Repeat {
        inner: Box<Piece>,
        times: Times,
        /// The groups within, whose captures every round forgets.
        captures: Range<usize>,
    },
}

/// What a quantifier asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) min: u32,
    /// `None` is without end.
    pub(super) max: Option<u32>,
    /// Whether as few rounds as possible are tried first.
    pub(super) lazy: bool,
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

impl Piece {
    pub(super) fn is_quantifiable(&self) -> bool {
        match self {
            Self::Start | Self::End | Self::WordBoundary { .. } | Self::Look { .. } => false,
            Self::Concat(_)
            | Self::Either(_)
            | Self::Set(_)
            | Self::AnyInLine
            | Self::Group { .. }
            | Self::Backreference(_)
            | Self::Repeat { .. } => true,
        }
    }
}

impl Set {
    pub(super) fn of(member: Member) -> Self {
        Self {
            negated: false,
            members: vec![member],
        }
    }
}

pub(super) fn single(code: u32) -> Piece {
    Piece::Set(Set::of(Member::Range(code, code)))
}
