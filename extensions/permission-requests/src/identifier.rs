//! Names of pending requests. A [`RequestId`] is safe as a file name.

use std::fmt;

use mngr_extension::random;

/// The longest file name that file systems take is 255 bytes, `.json` included.
const LONGEST: usize = 250;

/// Why a text names no request.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidRequestId {
    /// It has no characters.
    #[error("must be a non-empty string.")]
    Empty,
    /// It has characters that a file name should not have.
    #[error("must match /^[A-Za-z0-9._-]+$/ to be safe to use as a filename.")]
    UnsafeCharacters,
    /// It names a directory.
    #[error("must not be '.' or '..'.")]
    Directory,
}

/// The name of a pending request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// A new, random one: a version 4 UUID in hexadecimal.
    pub fn random() -> Self {
        Self::from_random_bits(u128::from_be_bytes(random::bytes()))
    }

    fn from_random_bits(bits: u128) -> Self {
        const VERSION: u128 = 0xf << 76;
        const VARIANT: u128 = 0b11 << 62;
        let bits = bits & !VERSION & !VARIANT | 0x4 << 76 | 0b10 << 62;
        Self(format!("{bits:032x}"))
    }

    /// One that a client names.
    pub fn parse(text: &str) -> Result<Self, InvalidRequestId> {
        let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        match text {
            "" => Err(InvalidRequestId::Empty),
            "." | ".." => Err(InvalidRequestId::Directory),
            text if text.bytes().all(is_safe) => Ok(Self(text.to_owned())),
            _ => Err(InvalidRequestId::UnsafeCharacters),
        }
    }

    /// Whether a request can have this name: a longer one does not fit into a file name with `.json`.
    pub fn is_possible(&self) -> bool {
        self.0.len() <= LONGEST
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_random_id_is_a_version_4_uuid() {
        assert_eq!(
            RequestId::from_random_bits(0).as_str(),
            "00000000000040008000000000000000"
        );
        assert_eq!(
            RequestId::from_random_bits(u128::MAX).as_str(),
            "ffffffffffff4fffbfffffffffffffff"
        );
    }

    #[test]
    fn each_refusal_says_what_is_wrong() {
        assert_eq!(RequestId::parse(""), Err(InvalidRequestId::Empty));
        assert_eq!(
            RequestId::parse("a/b"),
            Err(InvalidRequestId::UnsafeCharacters)
        );
        assert_eq!(
            RequestId::parse("a\n"),
            Err(InvalidRequestId::UnsafeCharacters)
        );
        assert_eq!(RequestId::parse(".."), Err(InvalidRequestId::Directory));
        assert_eq!(RequestId::parse("..."), Ok(RequestId("...".to_owned())));
    }

    #[test]
    fn a_name_that_fits_no_file_names_no_request() {
        let id = |length: usize| RequestId::parse(&"a".repeat(length)).expect("an id");
        assert!(id(250).is_possible() && !id(251).is_possible());
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_one_file_name(text in any::<String>()) {
            if let Ok(id) = RequestId::parse(&text) {
                prop_assert!(!text.is_empty() && text != "." && text != "..");
                prop_assert!(!text.contains(['/', '\\', '\0']) && text.is_ascii());
                prop_assert_eq!(id.as_str(), text);
            }
        }
    }
}
