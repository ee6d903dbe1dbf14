//! The literals that a text must begin or end with for a pattern to occur in it, as far as the pattern says so plainly.
//!
//! A pattern is searched anywhere in a text, so only one that is anchored says anything. What is answered here may take in
//! too much, never too little.

use regex_syntax::hir::Look;
use regex_syntax::hir::literal::{ExtractKind, Extractor};

use super::{Matcher, Pattern};

/// How many alternatives are worth telling apart.
const MAX_LITERALS: usize = 256;
/// How many characters of a class are spelled out as alternatives.
const MAX_CLASS: usize = 8;
/// Longer than the paths that people grant.
const MAX_LENGTH: usize = 1024;

/// Which end of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::permissions) enum Edge {
    Start,
    End,
}

/// What a text must be, or begin or end with; its bytes, which may end within a character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::permissions) enum Literal {
    Whole(Vec<u8>),
    Edge(Vec<u8>),
}

impl Pattern {
    /// Every text in which the pattern occurs is, or has at that edge, one of these; `None` when there is no telling.
    pub(in crate::permissions) fn literals(&self, edge: Edge) -> Option<Vec<Literal>> {
        let Matcher::Linear(automaton) = &self.matcher else {
            return None;
        };
        let hir = regex_syntax::parse(automaton.source()).ok()?;
        let properties = hir.properties();
        let starts = properties.look_set_prefix().contains(Look::Start);
        let ends = properties.look_set_suffix().contains(Look::End);
        let (kind, is_anchored) = match edge {
            Edge::Start => (ExtractKind::Prefix, starts),
            Edge::End => (ExtractKind::Suffix, ends),
        };
        if !is_anchored {
            return None;
        }
        let mut extractor = Extractor::new();
        extractor
            .kind(kind)
            .limit_class(MAX_CLASS)
            .limit_literal_len(MAX_LENGTH)
            .limit_total(MAX_LITERALS);
        let found = extractor.extract(&hir);
        let literal = |literal: &regex_syntax::hir::literal::Literal| {
            let bytes = literal.as_bytes().to_vec();
            if literal.is_exact() && starts && ends {
                Literal::Whole(bytes)
            } else {
                Literal::Edge(bytes)
            }
        };
        Some(found.literals()?.iter().map(literal).collect())
    }
}
