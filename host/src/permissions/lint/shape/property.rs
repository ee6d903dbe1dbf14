//! The properties of a request: which there always are, and what their values are like.

use serde_json::Value;
use url::Url;

use crate::permissions::request::PROPERTY_NAMES;

/// One of the properties that a request can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::permissions::lint) struct Property(&'static str);

/// The kind of value that a property has in every request that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::permissions::lint) enum Kind {
    Text,
    Number,
    Object,
    Whichever,
}

impl Property {
    pub(in crate::permissions::lint) const DOMAIN: Self = Self("domain");
    pub(in crate::permissions::lint) const METHOD: Self = Self("method");
    pub(in crate::permissions::lint) const PATH: Self = Self("path");
    pub(in crate::permissions::lint) const PROTOCOL: Self = Self("protocol");

    /// `None` where no request has one of that name.
    pub(in crate::permissions::lint) fn named(name: &str) -> Option<Self> {
        PROPERTY_NAMES
            .into_iter()
            .find(|known| *known == name)
            .map(Self)
    }

    pub(in crate::permissions::lint) fn name(self) -> &'static str {
        self.0
    }

    /// Whether every request has it.
    pub(in crate::permissions::lint) fn is_constant(self) -> bool {
        !matches!(self.0, "body" | "parsedBody" | "customMetadata")
    }

    pub(in crate::permissions::lint) fn kind(self) -> Kind {
        match self.0 {
            "port" => Kind::Number,
            "headers" | "queryParams" | "customMetadata" => Kind::Object,
            "parsedBody" => Kind::Whichever,
            _ => Kind::Text,
        }
    }

    /// Why no request has this value there, if that is certain: the end of a sentence that begins with the property.
    pub(in crate::permissions::lint) fn objection(self, value: &Value) -> Option<String> {
        let wrong_kind = match self.kind() {
            Kind::Text if !value.is_string() => "is always a string",
            Kind::Number if !value.is_number() => "is always a number",
            Kind::Object if !value.is_object() => "is always an object",
            _ => "",
        };
        if !wrong_kind.is_empty() {
            return Some(wrong_kind.to_owned());
        }
        let text = value.as_str().unwrap_or_default();
        let reason = match self.0 {
            "protocol" => protocol(text)?,
            "domain" => domain(text)?,
            "method" => method(text)?,
            "path" => return path(text),
            "body" if text.is_empty() => "is never empty: a request without a body has none",
            _ => return None,
        };
        Some(reason.to_owned())
    }

    /// Whether no request has this value there for certain. A host may be called `*.example.com`, however odd.
    pub(in crate::permissions::lint) fn rules_out(self, value: &Value) -> bool {
        match value.as_str() {
            Some(text) if self == Self::DOMAIN => domain(&text.replace('*', "x")).is_some(),
            _ => self.objection(value).is_some(),
        }
    }

    /// Why no request has a value there that begins so, if that is certain: the end of a sentence as above.
    pub(in crate::permissions::lint) fn objection_to_lead(self, lead: &str) -> Option<String> {
        let reason = match self {
            Self::PROTOCOL => protocol(lead)?,
            Self::METHOD => method(lead)?,
            Self::DOMAIN if lead.chars().any(char::is_uppercase) => "is always lower-case",
            Self::PATH if !lead.is_empty() && !lead.starts_with('/') => "always begins with /",
            Self::PATH => {
                let refused = lead.chars().find(|c| !can_be_in_path(*c))?;
                return Some(format!(
                    "has no {refused:?}: it is compared as it is sent, without the query and percent-encoded"
                ));
            }
            _ => return None,
        };
        Some(reason.to_owned())
    }
}

/// Whether the character stays as it is when a path is sent.
fn can_be_in_path(c: char) -> bool {
    let url = Url::parse(&format!("https://host.invalid/x{c}x"));
    url.is_ok_and(|url| url.path().contains(c))
}

fn protocol(text: &str) -> Option<&'static str> {
    if text.chars().any(|c| c.is_ascii_uppercase()) {
        Some("is always lower-case")
    } else if text.contains([':', '/']) {
        Some("is the scheme alone, without ://")
    } else {
        None
    }
}

fn domain(text: &str) -> Option<&'static str> {
    if text.contains("://") || text.contains(['/', '?', '#', '@']) {
        Some("is the host's name alone, without scheme, user or path")
    } else if text.contains(':') && !text.starts_with('[') {
        Some("is the host's name alone; the port has a property of its own")
    } else if text.chars().any(char::is_uppercase) {
        Some("is always lower-case")
    } else if text.contains('*') {
        Some("is compared literally; a wildcard is written as a pattern, ^[^.]+\\.example\\.com$")
    } else {
        None
    }
}

fn method(text: &str) -> Option<&'static str> {
    (text.to_uppercase() != text).then_some("is always upper-case")
}

fn path(text: &str) -> Option<String> {
    if !text.starts_with('/') {
        return Some("always begins with /".to_owned());
    }
    if text.contains('?') {
        return Some("ends before the ?; what follows it is in queryParams".to_owned());
    }
    if text.contains('#') {
        return Some("ends before the #, which no request carries".to_owned());
    }
    let url = Url::parse(&format!("https://host.invalid{text}")).ok()?;
    (url.path() != text).then(|| {
        format!(
            "is compared as it is sent, normalised and percent-encoded: write {:?}",
            url.path()
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_that_no_request_has_are_objected_to() {
        for (property, value, word) in [
            ("domain", json!("GitHub.com"), "lower-case"),
            ("domain", json!("https://github.com"), "scheme"),
            ("domain", json!("github.com:443"), "port"),
            ("domain", json!("*.github.com"), "wildcard"),
            ("domain", json!(1), "string"),
            ("method", json!("get"), "upper-case"),
            ("protocol", json!("https:"), "scheme"),
            ("protocol", json!("HTTPS"), "lower-case"),
            ("path", json!("v1"), "begins"),
            ("path", json!("/a?b"), "queryParams"),
            ("path", json!("/a b"), "/a%20b"),
            ("path", json!("/a/../b"), "\"/b\""),
            ("port", json!("443"), "number"),
            ("headers", json!("x"), "object"),
            ("body", json!(""), "empty"),
        ] {
            let objection = Property::named(property).unwrap().objection(&value);
            let objection = objection.unwrap_or_else(|| panic!("{property} {value}"));
            assert!(objection.contains(word), "{objection}");
        }
    }

    #[test]
    fn beginnings_that_no_value_has_are_objected_to() {
        for (property, lead, is_possible) in [
            ("path", "/a b", false),
            ("path", "/é", false),
            ("path", "/a?b", false),
            ("path", "a", false),
            ("path", "/a%20b|[x]~", true),
            ("path", "", true),
            ("domain", "API.", false),
            ("domain", "api.", true),
            ("method", "get", false),
            ("protocol", "https:", false),
            ("body", "é b", true),
        ] {
            let objection = Property::named(property).unwrap().objection_to_lead(lead);
            assert_eq!(
                objection.is_none(),
                is_possible,
                "{property} {lead}: {objection:?}"
            );
        }
    }

    #[test]
    fn values_that_a_request_may_have_are_not() {
        for (property, value) in [
            ("domain", json!("github.com")),
            ("domain", json!("[::1]")),
            ("domain", json!("localhost")),
            ("method", json!("M-SEARCH")),
            ("protocol", json!("https")),
            ("path", json!("/")),
            ("path", json!("/a//b/%2F%2e%C3%A9/")),
            ("port", json!(1)),
            ("parsedBody", json!("GET")),
            ("body", json!("x")),
        ] {
            let objection = Property::named(property).unwrap().objection(&value);
            assert_eq!(objection, None, "{property} {value}");
        }
    }
}
