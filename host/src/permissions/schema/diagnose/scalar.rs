//! The keywords for numbers and texts.

use serde_json::Number;

use super::super::evaluate::is_multiple;
use super::super::node::{NumberKeywords, StringKeywords};
use super::Mismatch;
use super::walk::{Here, Walk};

impl Walk<'_> {
    pub(super) fn number(
        &self,
        node: &NumberKeywords,
        here: &Here<'_, '_>,
        value: &Number,
    ) -> Vec<Mismatch> {
        let value = value.as_f64().unwrap_or(f64::NAN);
        let broken = |limit: Option<f64>, breaks: fn(f64, f64) -> bool| {
            limit.is_some_and(|limit| breaks(value, limit))
        };
        [
            (
                "minimum",
                broken(node.minimum, |value, limit| value < limit),
            ),
            (
                "maximum",
                broken(node.maximum, |value, limit| value > limit),
            ),
            (
                "exclusiveMinimum",
                broken(node.exclusive_minimum, |value, limit| value <= limit),
            ),
            (
                "exclusiveMaximum",
                broken(node.exclusive_maximum, |value, limit| value >= limit),
            ),
            (
                "multipleOf",
                broken(node.multiple_of, |value, factor| {
                    !is_multiple(value, factor)
                }),
            ),
        ]
        .into_iter()
        .filter(|(_, broken)| *broken)
        .map(|(keyword, _)| self.reason(here, keyword))
        .collect()
    }

    pub(super) fn text(
        &self,
        node: &StringKeywords,
        here: &Here<'_, '_>,
        text: &str,
    ) -> Vec<Mismatch> {
        let length = text.chars().count() as f64;
        let mut reasons = Vec::new();
        let mut note = |keyword, broken: bool| {
            if broken {
                reasons.push(self.reason(here, keyword));
            }
        };
        note("minLength", node.min_length.is_some_and(|min| length < min));
        note("maxLength", node.max_length.is_some_and(|max| length > max));
        let pattern = node.pattern.as_ref();
        note(
            "pattern",
            pattern.is_some_and(|pattern| pattern.is_match(text) == Ok(false)),
        );
        note(
            "format",
            node.format.is_some_and(|format| !format.matches(text)),
        );
        reasons
    }
}
