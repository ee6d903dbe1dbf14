//! A text that a pattern was most likely written for. It is a guess: whoever shows it tries it first.

use super::super::tree::Piece;

/// Longer than anybody reads.
const MAX_LENGTH: usize = 200;

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
            let found = set.representative();
            text.extend(found);
            found.is_some()
        }
        Piece::Start | Piece::End | Piece::WordBoundary { .. } | Piece::Look { .. } => true,
        Piece::Backreference(_) => false,
    }
}
