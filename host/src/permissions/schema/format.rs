//! The `format` keyword.

/// A format that is checked; the names of others mean nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Ipv4,
}

impl Format {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "ipv4" => Self::Ipv4,
            _ => return None,
        })
    }

    pub(super) fn matches(self, text: &str) -> bool {
        match self {
            Self::Ipv4 => text.parse::<std::net::Ipv4Addr>().is_ok(),
        }
    }
}
