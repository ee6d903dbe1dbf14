//! The `format` keyword, which is checked here and not merely noted.

mod address;
mod time;

use crate::permissions::pattern::Pattern;

/// A format that is checked; the names of others mean nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format(fn(&str) -> bool);

impl Format {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(Self(match name {
            "date" => time::is_date,
            "time" => time::is_time,
            "date-time" => time::is_date_time,
            "duration" => time::is_duration,
            "uri" => address::is_uri,
            "uri-reference" => address::is_uri_reference,
            "uri-template" => address::is_uri_template,
            "url" => address::is_public_url,
            "email" => address::is_email,
            "hostname" => address::is_hostname,
            "ipv4" => address::is_ipv4,
            "ipv6" => address::is_ipv6,
            "regex" => is_regex,
            "uuid" => is_uuid,
            "json-pointer" => is_json_pointer,
            "json-pointer-uri-fragment" => is_json_pointer_fragment,
            "relative-json-pointer" => is_relative_json_pointer,
            _ => return None,
        }))
    }

    pub(super) fn matches(self, text: &str) -> bool {
        (self.0)(text)
    }
}

/// White space as ECMAScript has it.
fn is_space(c: char) -> bool {
    c == '\u{FEFF}' || (c.is_whitespace() && c != '\u{85}')
}

fn strip_prefix_ignoring_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn is_regex(text: &str) -> bool {
    Pattern::new(text).is_ok()
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = strip_prefix_ignoring_case(text, "urn:uuid:")
        .unwrap_or(text)
        .split('-')
        .collect();
    groups.len() == 5
        && groups.iter().zip([8, 4, 4, 4, 12]).all(|(group, length)| {
            group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

fn is_json_pointer(text: &str) -> bool {
    let escapes_are_known = || {
        text.split('~')
            .skip(1)
            .all(|rest| rest.starts_with(['0', '1']))
    };
    (text.is_empty() || text.starts_with('/')) && escapes_are_known()
}

fn is_json_pointer_fragment(text: &str) -> bool {
    let Some(pointer) = text.strip_prefix('#') else {
        return false;
    };
    let without_escapes = pointer.replace("~0", "").replace("~1", "");
    (pointer.is_empty() || pointer.starts_with('/'))
        && address::consists_of(&without_escapes, "/_-.!$&'()*+,;:=@")
}

fn is_relative_json_pointer(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let Some((steps, rest)) = text.split_at_checked(digits) else {
        return false;
    };
    let counts = steps == "0" || (!steps.is_empty() && !steps.starts_with('0'));
    counts && (rest == "#" || is_json_pointer(rest))
}
