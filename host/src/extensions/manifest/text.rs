//! The forms that the texts of a manifest have.

use url::Url;

use crate::extensions::policy::WebOrigin;

const LONGEST_NAME: usize = 64;
const MOST_PARTS: usize = 4;

/// `^[a-z0-9][a-z0-9-]*$`
pub(super) fn is_name(text: &str) -> bool {
    is_of(text, LONGEST_NAME, |byte| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
    }) && !text.starts_with('-')
}

/// Printable ASCII without spaces.
pub(super) fn is_word(text: &str, longest: usize) -> bool {
    is_of(text, longest, |byte| byte.is_ascii_graphic())
}

/// Text of any language that fits into a line.
pub(super) fn is_plain(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.len() <= longest && !text.contains(char::is_control)
}

pub(super) fn is_method(text: &str) -> bool {
    text == "*"
        || is_of(text, 32, |byte| byte.is_ascii_uppercase() || byte == b'-')
            && !text.starts_with('-')
}

/// Only what a request's path can have.
pub(super) fn is_path(text: &str) -> bool {
    is_word(text, 512) && !text.contains(['?', '#'])
}

/// A relative path that goes only downwards, spelt in one way on every file system: the same letters are the same directory,
/// and none is hidden or has an extension.
pub(super) fn is_collection(text: &str) -> bool {
    text.split('/').count() <= MOST_PARTS
        && text.split('/').all(|part| {
            is_of(part, LONGEST_NAME, |byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
            })
        })
}

pub(super) fn is_setting(text: &str) -> bool {
    is_of(text, 128, |byte| {
        byte.is_ascii_alphanumeric() || byte == b'_'
    }) && !text.starts_with(|first: char| first.is_ascii_digit())
}

/// Nothing but the origin: what else a URL can have would only mislead whoever reads it.
pub(super) fn is_origin(text: &str) -> bool {
    is_word(text, 300)
        && WebOrigin::of_url(text).is_some()
        && Url::parse(text).is_ok_and(|url| {
            url.path() == "/"
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        })
}

fn is_of(text: &str, longest: usize, is_allowed: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.len() <= longest && text.bytes().all(is_allowed)
}
