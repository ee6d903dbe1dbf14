//! What a catalog must be like for the program to embed it.

use std::collections::HashMap;
use std::fmt;

use serde_json::Value;

use super::methods::Methods;
use super::{Entry, Service, for_each_object, is_read};
use crate::permissions::pattern::Pattern;

/// Methods by which a request only asks.
const READING: [&str; 3] = ["GET", "HEAD", "OPTIONS"];
/// Some APIs have it for questions too.
const READING_IF_SHOWN: &str = "POST";

/// Something that whoever edits a source file has to mend.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    service: &'static str,
    /// The scope or permission, when it is about one.
    name: Option<String>,
    /// What is wrong and what to do.
    what: String,
}

impl Problem {
    /// About a file as a whole.
    pub fn of_file(service: &'static str, what: String) -> Self {
        Self {
            service,
            name: None,
            what,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "host/catalog/{}.json: ", self.service)?;
        if let Some(name) = &self.name {
            write!(formatter, "{name}: ")?;
        }
        formatter.write_str(&self.what)
    }
}

/// Everything that is wrong with a catalog.
pub fn check(services: &[Service]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut owners = HashMap::new();
    for service in services {
        let mut report = |name: &str, what: String| {
            problems.push(Problem {
                service: service.name,
                name: Some(name.to_owned()),
                what,
            });
        };
        for scope in &service.scopes {
            if let Some(what) = divides_wrongly(scope.undivided.as_deref(), scope.permissions.len())
            {
                report(&scope.scope, what.to_owned());
            }
            if scope.display_name.is_empty() {
                report(
                    &scope.scope,
                    "'display_name' is empty; give the scope a name for people".to_owned(),
                );
            }
            for entry in scope.entries() {
                if let Some(owner) = owners.insert(entry.name.to_owned(), service.name) {
                    report(
                        entry.name,
                        format!(
                            "the name is used twice, also in {owner}.json; names are unique in the whole catalog, choose another"
                        ),
                    );
                }
                check_entry(entry, &mut |what| report(entry.name, what));
            }
            for permission in &scope.permissions {
                let entry = permission.entry();
                if is_read(entry.name)
                    && let Some(what) = changes_something(entry)
                {
                    report(entry.name, what);
                }
            }
        }
    }
    problems
}

fn divides_wrongly(undivided: Option<&str>, permissions: usize) -> Option<&'static str> {
    match (undivided, permissions) {
        (None, 0) => Some(
            "it has no permissions; write some, or say in 'undivided' why the API has none to tell apart",
        ),
        (Some(""), 0) => {
            Some("'undivided' is empty; say why the API has no permissions to tell apart")
        }
        (Some(_), 1..) => Some("it has permissions; remove 'undivided'"),
        _ => None,
    }
}

fn check_entry(entry: Entry<'_>, report: &mut impl FnMut(String)) {
    if !is_name(entry.name) {
        report(
            "a name consists of a-z, 0-9 and '-', starts with a letter, and is not 'any'; choose another".to_owned(),
        );
    }
    if entry.description.is_none_or(str::is_empty) {
        report("'description' is missing; say what it covers".to_owned());
    }
    for (key, examples) in [
        ("allow", &entry.examples.allow),
        ("deny", &entry.examples.deny),
    ] {
        if examples.is_empty() {
            report(format!(
                "'examples.{key}' is empty; write at least one request that it must {key}, as \"GET https://...\""
            ));
        }
        for example in examples {
            if example.parts().is_none() {
                report(format!(
                    "the example {:?} is no request; write it as \"GET https://...\"",
                    example.request
                ));
            }
        }
    }
    match entry.schema {
        Some(schema @ Value::Object(_)) => check_patterns(schema, report),
        Some(_) => report("'schema' is not an object; write what it matches".to_owned()),
        None => report("'schema' is missing; write what it matches".to_owned()),
    }
}

fn check_patterns(schema: &Value, report: &mut impl FnMut(String)) {
    for_each_object(schema, &mut |object| {
        if let Some(Value::String(pattern)) = object.get("pattern")
            && let Some(what) = unusable(pattern)
        {
            report(format!("the pattern {pattern:?} {what}"));
        }
        let keys = object.get("patternProperties").and_then(Value::as_object);
        for key in keys.into_iter().flat_map(|keys| keys.keys()) {
            if let Some(what) = unusable(key) {
                report(format!("the pattern {key:?} in 'patternProperties' {what}"));
            }
        }
    });
}

fn unusable(pattern: &str) -> Option<String> {
    if let Err(error) = Pattern::new(pattern) {
        return Some(format!(
            "is no ECMAScript regular expression (flag u): {error}; correct it"
        ));
    }
    if !(pattern.starts_with('^') && pattern.ends_with('$')) || has_bare_alternative(pattern) {
        return Some(
            "is not anchored at both ends; write it from ^ to $, alternatives in a group"
                .to_owned(),
        );
    }
    None
}

/// `|` binds weaker than the anchors: outside a group it frees one end.
fn has_bare_alternative(pattern: &str) -> bool {
    let mut depth = 0_usize;
    let mut in_class = false;
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                characters.next();
            }
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => depth += 1,
            ')' if !in_class => depth = depth.saturating_sub(1),
            '|' if !in_class && depth == 0 => return true,
            _ => {}
        }
    }
    false
}

/// Why a permission that is named a read is none, as far as its schema shows.
fn changes_something(entry: Entry<'_>) -> Option<String> {
    let Methods::Only(methods) = Methods::of(entry.schema?) else {
        return Some(
            "a read, but its schema lets any method through; limit 'method' by 'const' or 'enum' in every branch"
                .to_owned(),
        );
    };
    if let Some(method) = methods
        .iter()
        .find(|&&method| !READING.contains(&method) && method != READING_IF_SHOWN)
    {
        return Some(format!(
            "a read, but its schema lets {method} through, which changes things; allow {} alone, or {READING_IF_SHOWN} for a question",
            READING.join(", ")
        ));
    }
    let is_shown = entry
        .examples
        .allow
        .iter()
        .any(|example| example.request.starts_with("POST "));
    (methods.contains(READING_IF_SHOWN) && !is_shown).then(|| {
        format!("a read whose schema lets {READING_IF_SHOWN} through; show in 'examples.allow' which {READING_IF_SHOWN} changes nothing")
    })
}

fn is_name(name: &str) -> bool {
    name != "any"
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}
