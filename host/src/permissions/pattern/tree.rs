//! The tree that a pattern is read into.

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
