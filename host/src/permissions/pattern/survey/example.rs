//! A text that a pattern was most likely written for. It is a guess: whoever shows it tries it first.

use super::super::tree::{Member, Piece, Set};

/// Longer than anybody reads.
const MAX_LENGTH: usize = 200;
/// What most sets have one of, the most readable first.
const CANDIDATES: &str = "a1/-_.A~%";

/// `dot` is what a lone `.` becomes.
pub(super) fn example(pieces: &[&Piece], dot: char) -> Option<String> {
    let mut text = String::new();
    pieces
        .iter()
        .all(|piece| write(piece, dot, &mut text))
        .then_some(text)
}

fn write(piece: &Piece, dot: char, text: &mut String) -> bool {
    if text.len() > MAX_LENGTH {
        return false;
    }
    match piece {
        Piece::Concat(pieces) => pieces.iter().all(|piece| write(piece, dot, text)),
        Piece::Either(branches) => branches
            .first()
            .is_some_and(|branch| write(branch, dot, text)),
        Piece::Group { inner, .. } => write(inner, dot, text),
        Piece::Repeat { inner, times, .. } => {
            // A repeated dot is not one that lacks a backslash.
            (0..times.min).all(|_| write(inner, 'a', text))
        }
        Piece::AnyInLine => {
            text.push(dot);
            true
        }
        Piece::Set(set) => {
            let found = member(set);
            text.extend(found);
            found.is_some()
        }
        Piece::Start | Piece::End | Piece::WordBoundary { .. } | Piece::Look { .. } => true,
        Piece::Backreference(_) => false,
    }
}

fn member(set: &Set) -> Option<char> {
    let firsts = set.members.iter().filter_map(|member| match member {
        Member::Range(low, _) => char::from_u32(*low),
        _ => None,
    });
    CANDIDATES
        .chars()
        .chain(firsts)
        .find(|c| set.members.iter().any(|member| is_in(member, *c)) != set.negated)
}

fn is_in(member: &Member, c: char) -> bool {
    match member {
        Member::Range(low, high) => (*low..=*high).contains(&u32::from(c)),
        Member::Digit { negated } => c.is_ascii_digit() != *negated,
        Member::Space { negated } => c.is_whitespace() != *negated,
        Member::Word { negated } => (c.is_ascii_alphanumeric() || c == '_') != *negated,
        Member::Property { .. } => false,
    }
}
