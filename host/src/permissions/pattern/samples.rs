//! Texts that a pattern matches: a few of many, spread over its alternatives. Each has been tried.

use super::tree::Piece;
use super::{Pattern, syntax};

/// Longer than what patterns for requests ask for.
const MAX_LENGTH: usize = 2000;

/// At most `limit` texts that match `source`; none where it is no pattern, or one whose texts are hard to guess.
pub(in crate::permissions) fn samples(source: &str, limit: usize) -> Vec<String> {
    let (Ok(pattern), Ok(tree)) = (Pattern::new(source), syntax::parse(source)) else {
        return Vec::new();
    };
    let mut texts = texts(&tree.root, limit);
    texts.retain(|text| pattern.is_match(text) == Ok(true));
    texts
}

fn texts(piece: &Piece, limit: usize) -> Vec<String> {
    match piece {
        Piece::Concat(pieces) => pieces.iter().fold(vec![String::new()], |starts, piece| {
            joined(&starts, &texts(piece, limit), limit)
        }),
        Piece::Either(branches) => {
            let all = branches.iter().flat_map(|branch| texts(branch, limit));
            spread(all.collect(), limit)
        }
        Piece::Group { inner, .. } => texts(inner, limit),
        Piece::Repeat { inner, times, .. } => {
            let once = texts(inner, limit);
            let mut found = match times.min {
                0 => vec![String::new()],
                _ => Vec::new(),
            };
            if times.max != Some(0) {
                let rounds = usize::try_from(times.min.max(1)).unwrap_or(MAX_LENGTH);
                let repeated = once.iter().filter(|text| {
                    let length = text.len().saturating_mul(rounds);
                    length <= MAX_LENGTH
                });
                found.extend(repeated.map(|text| text.repeat(rounds)));
            }
            spread(found, limit)
        }
        Piece::Set(set) => set.representative().map(String::from).into_iter().collect(),
        Piece::AnyInLine => vec!["a".to_owned()],
        Piece::Start | Piece::End | Piece::WordBoundary { .. } | Piece::Look { .. } => {
            vec![String::new()]
        }
        Piece::Backreference(_) => Vec::new(),
    }
}

/// Every start with every end.
fn joined(starts: &[String], ends: &[String], limit: usize) -> Vec<String> {
    let all = starts
        .iter()
        .flat_map(|start| ends.iter().map(move |end| format!("{start}{end}")));
    spread(all.filter(|text| text.len() <= MAX_LENGTH).collect(), limit)
}

/// At most `limit` of the items, from all over the list.
pub(in crate::permissions) fn spread<T>(items: Vec<T>, limit: usize) -> Vec<T> {
    let step = items.len().div_ceil(limit.max(1)).max(1);
    items.into_iter().step_by(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_are_spelled_out_and_everything_matches() {
        assert_eq!(
            samples("^/v1/(pages|blocks/[0-9a-f-]{4})(/x)?$", 10),
            [
                "/v1/pages",
                "/v1/pages/x",
                "/v1/blocks/aaaa",
                "/v1/blocks/aaaa/x"
            ]
        );
        assert_eq!(samples(r"\.json$", 10), [".json"]);
        assert_eq!(samples(r"^(?!/admin)/[^/]+$", 10), ["/a"]);
        // A guess that the lookaround refutes is no sample.
        assert_eq!(samples(r"^(?!/a)/[^/]+$", 10), Vec::<String>::new());
        assert_eq!(samples("(", 10), Vec::<String>::new());
    }

    #[test]
    fn there_are_never_more_than_asked_for() {
        let found = samples("^(a|b|c|d)(a|b|c|d)(a|b|c|d)(x{9}){9999}?$", 7);
        assert!(found.len() <= 7, "{found:?}");
        let found = samples("^[a-f](a|b|c|d)(a|b|c|d)$", 7);
        assert!((2..=7).contains(&found.len()), "{found:?}");
    }
}
