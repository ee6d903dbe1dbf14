//! Rust source of an enum with a name, a place and versions for each variant.

use std::collections::BTreeMap;
use std::fmt;

/// One enum, its variants sorted by place and name.
pub struct Enumeration {
    name: &'static str,
    doc: &'static str,
    /// By place and name: the versions that have it.
    variants: BTreeMap<(String, String), Vec<String>>,
}

impl Enumeration {
    pub fn new(name: &'static str, doc: &'static str) -> Self {
        Self {
            name,
            doc,
            variants: BTreeMap::new(),
        }
    }

    /// Takes in what `version` has.
    pub fn add(&mut self, place: &str, name: &str, version: &str) {
        let versions = self
            .variants
            .entry((place.to_owned(), name.to_owned()))
            .or_default();
        versions.push(version.to_owned());
    }

    /// A method that has an answer for each variant.
    fn method(
        &self,
        formatter: &mut fmt::Formatter<'_>,
        doc: &str,
        signature: &str,
        answer: impl Fn(&str, &str, &[String]) -> String,
    ) -> fmt::Result {
        writeln!(
            formatter,
            "/// {doc}\npub const fn {signature} {{ match self {{"
        )?;
        for ((place, name), versions) in &self.variants {
            let variant = variant(place, name);
            writeln!(
                formatter,
                "Self::{variant} => {},",
                answer(place, name, versions)
            )?;
        }
        writeln!(formatter, "}} }}")
    }
}

impl fmt::Display for Enumeration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, doc, .. } = self;
        writeln!(
            formatter,
            "/// {doc}\n#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]\npub enum {name} {{"
        )?;
        for (place, name) in self.variants.keys() {
            writeln!(
                formatter,
                "/// `{name}` of `{place}`.\n{},",
                variant(place, name)
            )?;
        }
        writeln!(
            formatter,
            "}}\nimpl {name} {{\n/// All there are.\npub const ALL: &[Self] = &["
        )?;
        for (place, name) in self.variants.keys() {
            writeln!(formatter, "Self::{},", variant(place, name))?;
        }
        writeln!(formatter, "];")?;
        self.method(
            formatter,
            "Where it stands: an interface or package; one of another package with its package.",
            "place(self) -> &'static str",
            |place, _, _| format!("{place:?}"),
        )?;
        self.method(
            formatter,
            "Its name in the WIT.",
            "name(self) -> &'static str",
            |_, name, _| format!("{name:?}"),
        )?;
        self.method(
            formatter,
            "The versions of the package that have it, the oldest first.",
            "versions(self) -> &'static [&'static str]",
            |_, _, versions| format!("&{versions:?}"),
        )?;
        writeln!(formatter, "}}")
    }
}

/// `documents`, `put-new` is `DocumentsPutNew`; `wasi:http/client`, `send` is `HttpClientSend`; a field is its name alone.
fn variant(place: &str, name: &str) -> String {
    let place = match place.split_once(':') {
        Some((_, place)) => place,
        None if place == "manifest" => "",
        None => place,
    };
    format!("{place}-{name}")
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_ascii_uppercase() + rest
        })
        .collect()
}
