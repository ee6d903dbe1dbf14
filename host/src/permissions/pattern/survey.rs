//! What a pattern says about the texts that it matches, told from the pattern alone.
//!
//! Answers err on one side, and each says on which: what a pattern is certain to ask for is never overstated, and what it is
//! said to let through has been tried on it.

mod example;
mod language;
#[cfg(test)]
mod tests;

use super::tree::{Member, Piece, Set, Tree};
use super::{Pattern, syntax};
use example::example;

/// A pattern, looked at.
pub(in crate::permissions) struct Survey {
    tree: Tree,
    pattern: Pattern,
}

impl Survey {
    /// `None` for what is no pattern.
    pub(in crate::permissions) fn of(source: &str) -> Option<Self> {
        let pattern = Pattern::new(source).ok()?;
        let tree = syntax::parse(source).ok()?;
        Some(Self { tree, pattern })
    }

    /// Whether a lookaround or a backreference keeps it from being searched in linear time.
    pub(in crate::permissions) fn needs_backtracking(&self) -> bool {
        !self.pattern.is_bounded()
    }

    /// What every text that matches begins with, as far as that is plain.
    pub(in crate::permissions) fn leading_text(&self) -> String {
        let leads = alternatives(&self.tree.root).into_iter().map(|pieces| {
            let (first, rest) = pieces.split_first()?;
            matches!(first, Piece::Start).then(|| language::leading(rest).0)
        });
        leads
            .collect::<Option<Vec<_>>>()
            .and_then(|leads| leads.into_iter().reduce(|one, other| common(&one, &other)))
            .unwrap_or_default()
    }

    /// The text, where what matches is exactly every text that begins with it.
    pub(in crate::permissions) fn leading_text_alone(&self) -> Option<String> {
        let [pieces] = alternatives(&self.tree.root).try_into().ok()?;
        let (Piece::Start, rest) = pieces.split_first()? else {
            return None;
        };
        let fixed = rest
            .iter()
            .take_while(|piece| language::leading(std::slice::from_ref(piece)).1)
            .count();
        let (fixed, open) = rest.split_at_checked(fixed)?;
        let nothing_more = open.iter().all(|piece| is_nullable(piece));
        nothing_more.then(|| language::leading(fixed).0)
    }

    /// Every text that matches, where there are few and the pattern spells them out.
    pub(in crate::permissions) fn texts(&self) -> Option<Vec<String>> {
        let mut texts = Vec::new();
        for pieces in alternatives(&self.tree.root) {
            let [Piece::Start, middle @ .., Piece::End] = pieces.as_slice() else {
                return None;
            };
            texts.extend(language::texts(middle)?);
        }
        Some(texts)
    }

    /// Whether every text of one line that is not empty, and that begins with `lead` if that is given, is sure to match.
    pub(in crate::permissions) fn takes_everything(&self, lead: Option<char>) -> bool {
        alternatives(&self.tree.root)
            .iter()
            .any(|pieces| takes_everything(pieces, lead))
    }

    /// A text that matches although one of `additions` stands before what is asked for; none where the beginning is fixed
    /// or left open on purpose.
    pub(in crate::permissions) fn open_start(&self, additions: &[&str]) -> Option<String> {
        let open = |pieces: &[&Piece]| match pieces.first() {
            Some(first) => !mentions(first, &Piece::Start) && any_repeated(first).is_none(),
            None => true,
        };
        self.extended(open, additions, |addition, text| {
            format!("{addition}{text}")
        })
    }

    /// The same for what stands behind.
    pub(in crate::permissions) fn open_end(&self, additions: &[&str]) -> Option<String> {
        let open = |pieces: &[&Piece]| match pieces.last() {
            Some(last) => !mentions(last, &Piece::End) && any_repeated(last).is_none(),
            None => true,
        };
        self.extended(open, additions, |addition, text| {
            format!("{text}{addition}")
        })
    }

    fn extended(
        &self,
        is_open: impl Fn(&[&Piece]) -> bool,
        additions: &[&str],
        join: impl Fn(&str, &str) -> String,
    ) -> Option<String> {
        let alternatives = alternatives(&self.tree.root);
        let open = alternatives.iter().filter(|pieces| is_open(pieces));
        let mut texts = open.filter_map(|pieces| example(pieces, '.'));
        texts.find_map(|text| {
            let mut longer = additions.iter().map(|addition| join(addition, &text));
            longer.find(|text| self.takes(text))
        })
    }

    /// Where a `.` stands for one character that is most likely meant to be a dot: a text with the dot, and one without it
    /// that matches as well.
    pub(in crate::permissions) fn loose_dot(&self) -> Option<(String, String)> {
        alternatives(&self.tree.root).iter().find_map(|pieces| {
            let is_loose = pieces.iter().any(|piece| matches!(piece, Piece::AnyInLine));
            let (meant, other) = (example(pieces, '.')?, example(pieces, 'x')?);
            (is_loose && self.takes(&meant) && self.takes(&other)).then_some((meant, other))
        })
    }

    fn takes(&self, text: &str) -> bool {
        self.pattern.is_match(text) == Ok(true)
    }
}

/// The branches at the top level, each as a sequence without the groups around its parts.
fn alternatives(root: &Piece) -> Vec<Vec<&Piece>> {
    let mut sequence = Vec::new();
    flatten(root, &mut sequence);
    match sequence.as_slice() {
        [Piece::Either(branches)] => branches.iter().flat_map(alternatives).collect(),
        _ => vec![sequence],
    }
}

fn flatten<'p>(piece: &'p Piece, sequence: &mut Vec<&'p Piece>) {
    match piece {
        Piece::Concat(pieces) => pieces.iter().for_each(|piece| flatten(piece, sequence)),
        Piece::Group { inner, .. } => flatten(inner, sequence),
        other => sequence.push(other),
    }
}

/// Whether an anchor stands anywhere within: `(/|$)` fixes an end as well as `$` does.
fn mentions(piece: &Piece, anchor: &Piece) -> bool {
    match piece {
        Piece::Concat(pieces) | Piece::Either(pieces) => {
            pieces.iter().any(|piece| mentions(piece, anchor))
        }
        Piece::Group { inner, .. } | Piece::Look { inner, .. } | Piece::Repeat { inner, .. } => {
            mentions(inner, anchor)
        }
        piece => std::mem::discriminant(piece) == std::mem::discriminant(anchor),
    }
}

fn takes_everything(pieces: &[&Piece], lead: Option<char>) -> bool {
    let (from_start, pieces) = match pieces {
        [Piece::Start, rest @ ..] => (true, rest),
        _ => (false, pieces),
    };
    let (to_end, pieces) = match pieces {
        [rest @ .., Piece::End] => (true, rest),
        _ => (false, pieces),
    };
    // The match that begins where the text does will do, whether it must begin there or not.
    let (spare, from_start, pieces) = match (lead, pieces.split_first()) {
        (Some(lead), Some((first, rest))) if is_character(first, lead) => (0, true, rest),
        _ => (1, from_start, pieces),
    };
    let demanded: u32 = match pieces.iter().map(|piece| demanded(piece)).sum() {
        Some(demanded) => demanded,
        None => return false,
    };
    let reaches_the_end = pieces.iter().any(|piece| any_repeated(piece).is_some());
    demanded <= spare && (!(from_start && to_end) || reaches_the_end)
}

/// How many characters a piece asks for, where it does not care which.
fn demanded(piece: &Piece) -> Option<u32> {
    if is_nullable(piece) {
        return Some(0);
    }
    match piece {
        piece if is_anything(piece) => Some(1),
        _ => any_repeated(piece),
    }
}

/// Whether it matches the empty text, wherever that stands.
fn is_nullable(piece: &Piece) -> bool {
    match piece {
        Piece::Concat(pieces) => pieces.iter().all(is_nullable),
        Piece::Either(branches) => branches.iter().any(is_nullable),
        Piece::Group { inner, .. } => is_nullable(inner),
        Piece::Repeat { inner, times, .. } => times.min == 0 || is_nullable(inner),
        Piece::Set(_)
        | Piece::AnyInLine
        | Piece::Start
        | Piece::End
        | Piece::WordBoundary { .. }
        | Piece::Backreference(_)
        | Piece::Look { .. } => false,
    }
}

/// How many times at least, for any character without end: `.*`, `(.+)`, `[^]*`.
fn any_repeated(piece: &Piece) -> Option<u32> {
    match piece {
        Piece::Group { inner, .. } => any_repeated(inner),
        Piece::Concat(pieces) => match pieces.as_slice() {
            [piece] => any_repeated(piece),
            _ => None,
        },
        Piece::Repeat { inner, times, .. } => {
            (times.max.is_none() && is_anything(inner)).then_some(times.min)
        }
        _ => None,
    }
}

/// Whether it is one character, whichever (of one line).
fn is_anything(piece: &Piece) -> bool {
    match piece {
        Piece::AnyInLine => true,
        Piece::Group { inner, .. } => is_anything(inner),
        Piece::Concat(pieces) => matches!(pieces.as_slice(), [piece] if is_anything(piece)),
        Piece::Set(set) => covers_all(set),
        _ => false,
    }
}

/// `[^]`, and the likes of `[\s\S]`.
fn covers_all(set: &Set) -> bool {
    if set.negated {
        return set.members.is_empty();
    }
    let has = |wanted: fn(&Member) -> bool| set.members.iter().any(wanted);
    has(|member| matches!(member, Member::Digit { negated: true }))
        && has(|member| matches!(member, Member::Digit { negated: false }))
        || has(|member| matches!(member, Member::Space { negated: true }))
            && has(|member| matches!(member, Member::Space { negated: false }))
        || has(|member| matches!(member, Member::Word { negated: true }))
            && has(|member| matches!(member, Member::Word { negated: false }))
}

fn is_character(piece: &Piece, wanted: char) -> bool {
    language::character(piece) == Some(wanted)
}

fn common(one: &str, other: &str) -> String {
    one.chars()
        .zip(other.chars())
        .take_while(|(one, other)| one == other)
        .map(|(c, _)| c)
        .collect()
}
