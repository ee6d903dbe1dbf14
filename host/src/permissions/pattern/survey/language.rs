//! The texts that pieces of a pattern stand for, where they are few or begin alike.

use super::super::tree::{Member, Piece, Times};
use super::common;

/// More texts than a person writes out as one pattern.
const MAX_TEXTS: usize = 64;
/// Bounds the length of what repetitions are written out to.
const MAX_LENGTH: usize = 1024;

/// What a match of these pieces begins with, and whether that is all of it. Never more than is certain.
pub(super) fn leading(pieces: &[&Piece]) -> (String, bool) {
    let mut text = String::new();
    for piece in pieces {
        let (part, is_whole) = leading_of(piece);
        text.push_str(&part);
        if !is_whole || text.len() > MAX_LENGTH {
            return (text, false);
        }
    }
    (text, true)
}

fn leading_of(piece: &Piece) -> (String, bool) {
    match piece {
        Piece::Concat(pieces) => leading(&pieces.iter().collect::<Vec<_>>()),
        Piece::Group { inner, .. } => leading_of(inner),
        Piece::Either(branches) => {
            let texts = branches.iter().map(|branch| leading_of(branch).0);
            (
                texts
                    .reduce(|one, other| common(&one, &other))
                    .unwrap_or_default(),
                false,
            )
        }
        Piece::Repeat { inner, times, .. } if times.min > 0 => {
            let (text, is_whole) = leading_of(inner);
            (
                text,
                is_whole
                    && matches!(
                        times,
                        Times {
                            min: 1,
                            max: Some(1),
                            ..
                        }
                    ),
            )
        }
        piece => match character(piece) {
            Some(c) => (c.to_string(), true),
            None => (String::new(), false),
        },
    }
}

/// The one character that a piece stands for.
pub(super) fn character(piece: &Piece) -> Option<char> {
    let Piece::Set(set) = piece else {
        return None;
    };
    match set.members.as_slice() {
        [Member::Range(low, high)] if low == high && !set.negated => char::from_u32(*low),
        _ => None,
    }
}

/// Every text that these pieces, one after the other, stand for.
pub(super) fn texts(pieces: &[&Piece]) -> Option<Vec<String>> {
    let mut texts = vec![String::new()];
    for piece in pieces {
        texts = join(&texts, &texts_of(piece)?)?;
    }
    Some(texts)
}

fn texts_of(piece: &Piece) -> Option<Vec<String>> {
    match piece {
        Piece::Concat(pieces) => texts(&pieces.iter().collect::<Vec<_>>()),
        Piece::Group { inner, .. } => texts_of(inner),
        Piece::Either(branches) => {
            let mut all = Vec::new();
            for branch in branches {
                all.extend(texts_of(branch)?);
            }
            (all.len() <= MAX_TEXTS).then_some(all)
        }
        Piece::Set(set) if !set.negated => {
            let mut all = Vec::new();
            for member in &set.members {
                let Member::Range(low, high) = member else {
                    return None;
                };
                if high.abs_diff(*low) as usize >= MAX_TEXTS {
                    return None;
                }
                all.extend((*low..=*high).filter_map(char::from_u32).map(String::from));
            }
            (all.len() <= MAX_TEXTS).then_some(all)
        }
        Piece::Repeat { inner, times, .. } => {
            let (inner, max) = (texts_of(inner)?, times.max?);
            if max as usize > MAX_TEXTS {
                return None;
            }
            let mut all = Vec::new();
            let mut rounds = vec![String::new()];
            for round in 0..=max {
                if round >= times.min {
                    all.extend(rounds.iter().cloned());
                }
                if all.len() > MAX_TEXTS {
                    return None;
                }
                rounds = join(&rounds, &inner)?;
            }
            Some(all)
        }
        _ => None,
    }
}

fn join(heads: &[String], tails: &[String]) -> Option<Vec<String>> {
    if heads.len().saturating_mul(tails.len()) > MAX_TEXTS
        || heads
            .iter()
            .chain(tails)
            .any(|text| text.len() > MAX_LENGTH)
    {
        return None;
    }
    let joined = heads
        .iter()
        .flat_map(|head| tails.iter().map(move |tail| format!("{head}{tail}")));
    Some(joined.collect())
}
