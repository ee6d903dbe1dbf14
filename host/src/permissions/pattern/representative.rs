//! One character for a set of them, to show or to try what a pattern matches.

use super::tree::{Member, Set};

/// What most sets have one of, the most readable first.
const CANDIDATES: &str = "a1/-_.A~%=?& ";

impl Set {
    /// A character of the set, a readable one where there is one; none for a set that only has Unicode properties.
    pub(super) fn representative(&self) -> Option<char> {
        let firsts = self.members.iter().filter_map(|member| match member {
            Member::Range(low, _) => char::from_u32(*low),
            _ => None,
        });
        CANDIDATES
            .chars()
            .chain(firsts)
            .find(|c| self.members.iter().any(|member| member.has(*c)) != self.negated)
    }
}

impl Member {
    fn has(&self, c: char) -> bool {
        match self {
            Self::Range(low, high) => (*low..=*high).contains(&u32::from(c)),
            Self::Digit { negated } => c.is_ascii_digit() != *negated,
            Self::Space { negated } => c.is_whitespace() != *negated,
            Self::Word { negated } => (c.is_ascii_alphanumeric() || c == '_') != *negated,
            Self::Property { .. } => false,
        }
    }
}
