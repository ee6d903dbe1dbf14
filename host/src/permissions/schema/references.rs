//! What `$ref` can name inside one schema: places by JSON pointer, `$anchor` and `$id`.

use std::collections::HashMap;

use serde_json::Value;
use url::Url;

/// Stands for the schema itself; never fetched.
const BASE: &str = "https://schema.invalid/";

/// Keywords whose value is data and holds no schema.
const DATA: [&str; 28] = [
    "id",
    "$id",
    "$ref",
    "$schema",
    "$anchor",
    "$vocabulary",
    "$comment",
    "default",
    "enum",
    "const",
    "required",
    "type",
    "maximum",
    "minimum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "multipleOf",
    "maxLength",
    "minLength",
    "pattern",
    "format",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxProperties",
    "minProperties",
    "examples",
    "$dynamicAnchor",
];
/// Keywords whose value maps names to schemas.
const MAPS: [&str; 5] = [
    "$defs",
    "definitions",
    "properties",
    "patternProperties",
    "dependentSchemas",
];
/// Keywords whose value is a list of schemas.
const LISTS: [&str; 5] = ["prefixItems", "items", "allOf", "anyOf", "oneOf"];

/// The places of one schema by absolute address.
pub(super) struct Places<'a> {
    by_address: HashMap<String, &'a Value>,
    /// What every `$ref` means, by the schema that it stands in (its place in memory).
    references: HashMap<usize, String>,
}

struct Visit<'a> {
    schema: &'a Value,
    base: Url,
    pointer: String,
}

impl<'a> Places<'a> {
    pub(super) fn of(root: &'a Value) -> Result<Self, String> {
        let base = Url::parse(BASE).map_err(|error| error.to_string())?;
        let mut places = Self {
            by_address: HashMap::new(),
            references: HashMap::new(),
        };
        let mut pending = vec![Visit {
            schema: root,
            base,
            pointer: String::new(),
        }];
        while let Some(visit) = pending.pop() {
            places.visit(visit, &mut pending)?;
        }
        Ok(places)
    }

    /// What the `$ref` of `schema` leads to, within the same document.
    pub(super) fn target(&self, schema: &Value) -> Option<&'a Value> {
        self.references
            .get(&std::ptr::from_ref(schema).addr())
            .and_then(|address| self.by_address.get(address))
            .copied()
    }

    /// The place at a pointer, in the notation of a URL's fragment (`/properties/domain`), counted from the root.
    pub(super) fn at(&self, pointer: &str) -> Option<&'a Value> {
        let address = if pointer.is_empty() {
            BASE.to_owned()
        } else {
            resolve(&format!("#{pointer}"), &Url::parse(BASE).ok()?)?.to_string()
        };
        self.by_address.get(&address).copied()
    }

    fn visit(&mut self, visit: Visit<'a>, pending: &mut Vec<Visit<'a>>) -> Result<(), String> {
        let Visit {
            schema,
            mut base,
            mut pointer,
        } = visit;
        if !schema.is_object() && !schema.is_boolean() {
            return Ok(());
        }
        let text = |key: &str| schema.get(key).and_then(Value::as_str);
        let id = text("$id").or_else(|| text("id"));
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            let mut address =
                resolve(id, &base).ok_or_else(|| format!("'$id' {id:?} is not a URL"))?;
            if address
                .fragment()
                .is_some_and(|fragment| !fragment.is_empty())
            {
                self.by_address.insert(address.to_string(), schema);
            } else {
                address.set_fragment(None);
                if !pointer.is_empty() {
                    // Reachable from the enclosing document by pointer and by its own name.
                    self.name(location(&base, &pointer), schema)?;
                    pointer.clear();
                }
                base = address;
            }
        }
        self.name(location(&base, &pointer), schema)?;
        if let Some(reference) = text("$ref") {
            let address = resolve(reference, &base)
                .ok_or_else(|| format!("'$ref' {reference:?} is not a URL"))?;
            self.references.insert(
                std::ptr::from_ref(schema).addr(),
                without_empty_fragment(address),
            );
        }
        if let Some(anchor) = text("$anchor")
            && let Some(address) = resolve(&format!("#{anchor}"), &base)
        {
            self.by_address.insert(address.to_string(), schema);
        }
        for (key, value) in schema.as_object().into_iter().flatten() {
            if DATA.contains(&key.as_str()) {
                continue;
            }
            let pointer = format!("{pointer}/{}", encode(key));
            let mut push = |schema, pointer| {
                pending.push(Visit {
                    schema,
                    base: base.clone(),
                    pointer,
                });
            };
            match value {
                Value::Array(items) if LISTS.contains(&key.as_str()) => {
                    for (index, item) in items.iter().enumerate() {
                        push(item, format!("{pointer}/{index}"));
                    }
                }
                Value::Object(members) if MAPS.contains(&key.as_str()) => {
                    for (name, member) in members {
                        push(member, format!("{pointer}/{}", encode(name)));
                    }
                }
                Value::Object(_) | Value::Bool(_) => push(value, pointer),
                _ => {}
            }
        }
        Ok(())
    }

    fn name(&mut self, address: String, schema: &'a Value) -> Result<(), String> {
        match self.by_address.insert(address, schema) {
            Some(other) if !std::ptr::eq(other, schema) => {
                Err("two of its parts have the same '$id'".to_owned())
            }
            _ => Ok(()),
        }
    }
}

fn resolve(reference: &str, base: &Url) -> Option<Url> {
    base.join(reference).ok()
}

fn without_empty_fragment(mut address: Url) -> String {
    if address.fragment() == Some("") {
        address.set_fragment(None);
    }
    address.to_string()
}

fn location(base: &Url, pointer: &str) -> String {
    let mut address = base.clone();
    address.set_fragment((!pointer.is_empty()).then_some(pointer));
    address.to_string()
}

/// A key as a pointer in a fragment has it: `~` and `/` escaped, then `%` (the rest is up to the URL parser).
fn encode(key: &str) -> String {
    key.replace('~', "~0")
        .replace('/', "~1")
        .replace('%', "%25")
}
