//! The tree of a pattern in the notation of the `regex` crate, whose search takes time linear in the text.
//!
//! Every class is spelled out by its code points: the two notations give `\d`, `\w`, `\s`, `\b`, `.` and `$` different
//! meanings. What a finite automaton cannot express is left to [`super::backtrack`].

use std::fmt::Write as _;

use super::tree::{Member, Piece, Set};

const DIGIT: &str = "0-9";
const WORD: &str = "0-9A-Z_a-z";
const SPACE: &str = r"\x{9}-\x{D}\x{20}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}\x{FEFF}";
const IN_LINE: &str = r"[^\x{A}\x{D}\x{2028}\x{2029}]";
const NOTHING: &str = r"[^\x{0}-\x{10FFFF}]";
const ANYTHING: &str = r"[\x{0}-\x{10FFFF}]";

/// `None` where the piece holds a lookaround or a backreference.
pub(super) fn translate(piece: &Piece) -> Option<String> {
    let mut out = String::new();
    write_piece(piece, &mut out)?;
    Some(out)
}

fn write_piece(piece: &Piece, out: &mut String) -> Option<()> {
    match piece {
        Piece::Concat(pieces) => {
            for piece in pieces {
                write_piece(piece, out)?;
            }
        }
        Piece::Either(branches) => {
            out.push_str("(?:");
            for (position, branch) in branches.iter().enumerate() {
                if position > 0 {
                    out.push('|');
                }
                write_piece(branch, out)?;
            }
            out.push(')');
        }
        Piece::Set(set) => match plain(set) {
            Some(c) => out.push(c),
            None => out.push_str(&class(set)),
        },
        Piece::AnyInLine => out.push_str(IN_LINE),
        Piece::Start => out.push_str(r"\A"),
        Piece::End => out.push_str(r"\z"),
        Piece::WordBoundary { negated: false } => out.push_str(r"(?-u:\b)"),
        Piece::WordBoundary { negated: true } => out.push_str(r"(?-u:\B)"),
        Piece::Group { inner, .. } => {
            out.push_str("(?:");
            write_piece(inner, out)?;
            out.push(')');
        }
        Piece::Repeat { inner, times, .. } => {
            out.push_str("(?:");
            write_piece(inner, out)?;
            out.push(')');
            // Writing to a string cannot fail.
            let _ = match (times.min, times.max) {
                (0, None) => write!(out, "*"),
                (1, None) => write!(out, "+"),
                (min, None) => write!(out, "{{{min},}}"),
                (min, Some(max)) => write!(out, "{{{min},{max}}}"),
            };
            if times.lazy {
                out.push('?');
            }
        }
        Piece::Backreference(_) | Piece::Look { .. } => return None,
    }
    Some(())
}

/// The only character of a set, where it stands for itself: most do, and are read much faster than a class.
fn plain(set: &Set) -> Option<char> {
    match (set.negated, set.members.as_slice()) {
        (false, [Member::Range(low, high)]) if low == high => char::from_u32(*low)
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-')),
        _ => None,
    }
}

/// A set as a class in brackets.
pub(super) fn class(set: &Set) -> String {
    let mut members = String::new();
    for member in &set.members {
        write_member(member, &mut members);
    }
    match (members.is_empty(), set.negated) {
        (true, false) => NOTHING.to_owned(),
        (true, true) => ANYTHING.to_owned(),
        (false, false) => format!("[{members}]"),
        (false, true) => format!("[^{members}]"),
    }
}

fn write_member(member: &Member, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = match member {
        Member::Range(low, high) => match without_surrogates(*low, *high) {
            Some((low, high)) if low == high => write!(out, "\\x{{{low:X}}}"),
            Some((low, high)) => write!(out, "\\x{{{low:X}}}-\\x{{{high:X}}}"),
            None => Ok(()),
        },
        Member::Digit { negated } => write_class(out, *negated, DIGIT),
        Member::Word { negated } => write_class(out, *negated, WORD),
        Member::Space { negated } => write_class(out, *negated, SPACE),
        Member::Property {
            expression,
            negated,
        } => write!(
            out,
            "\\{}{{{expression}}}",
            if *negated { 'P' } else { 'p' }
        ),
    };
}

fn write_class(out: &mut String, negated: bool, members: &str) -> std::fmt::Result {
    if negated {
        write!(out, "[^{members}]")
    } else {
        write!(out, "{members}")
    }
}

/// A text holds no lone surrogate, so an end of a range that is one moves to its nearest character.
fn without_surrogates(low: u32, high: u32) -> Option<(u32, u32)> {
    const SURROGATES: std::ops::RangeInclusive<u32> = 0xD800..=0xDFFF;
    let low = if SURROGATES.contains(&low) {
        0xE000
    } else {
        low
    };
    let high = if SURROGATES.contains(&high) {
        0xD7FF
    } else {
        high
    };
    (low <= high).then_some((low, high))
}
