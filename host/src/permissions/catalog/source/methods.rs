//! Which methods a schema lets through, as far as that is written in it.

use std::collections::BTreeSet;

use serde_json::Value;

/// A set of methods; every method where nothing limits it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Methods<'a> {
    Any,
    Only(BTreeSet<&'a str>),
}

/// What a permission's name promises: it changes nothing.
pub fn is_read(name: &str) -> bool {
    name.contains("-read") || name.ends_with("-search")
}

/// What a permission's name promises: it is for calls that change something.
pub fn is_write(name: &str) -> bool {
    name.contains("-write")
}

impl<'a> Methods<'a> {
    /// The methods that can match `schema`; too many where it limits them by other means than `const` and `enum`.
    pub(super) fn of(schema: &'a Value) -> Self {
        let own = schema
            .pointer("/properties/method")
            .map_or(Self::Any, Self::named);
        let all = branches(schema, "allOf").map(Self::of);
        let narrowed = all.fold(own, Self::and);
        ["anyOf", "oneOf"].into_iter().fold(narrowed, |met, key| {
            match branches(schema, key).map(Self::of).reduce(Self::or) {
                Some(either) => met.and(either),
                None => met,
            }
        })
    }

    fn named(method: &'a Value) -> Self {
        let listed = method.get("enum").and_then(Value::as_array);
        let named: Option<BTreeSet<_>> = match (method.get("const"), listed) {
            (Some(only), _) => only.as_str().map(|only| BTreeSet::from([only])),
            (None, Some(listed)) => listed.iter().map(Value::as_str).collect(),
            (None, None) => None,
        };
        named.map_or(Self::Any, Self::Only)
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, limited) | (limited, Self::Any) => limited,
            (Self::Only(one), Self::Only(other)) => Self::Only(&one & &other),
        }
    }

    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Only(one), Self::Only(other)) => Self::Only(&one | &other),
            _ => Self::Any,
        }
    }
}

fn branches<'a>(schema: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    schema
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}
