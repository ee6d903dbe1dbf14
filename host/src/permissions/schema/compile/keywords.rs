//! The keywords of one schema.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::super::Fault;
use super::super::format::Format;
use super::super::node::{
    ArrayKeywords, Condition, Contains, Keywords, NodeId, NumberKeywords, ObjectKeywords,
    OwnedPattern, StringKeywords, Type,
};
use super::Compiler;
use crate::permissions::pattern::Pattern;

/// Reads the keywords of one schema.
pub(super) struct Reader<'r, 'a> {
    pub(super) owner: Arc<str>,
    pub(super) schema: &'a Value,
    pub(super) keywords: &'a Map<String, Value>,
    pub(super) compiler: &'r mut Compiler<'a>,
    /// The first keyword of the group being read that cannot be evaluated.
    pub(super) fault: Option<Fault>,
}

impl<'a> Reader<'_, 'a> {
    pub(super) fn read(&mut self) -> Result<Keywords, Fault> {
        let mut node = Keywords {
            owner: Arc::clone(&self.owner),
            reference: self.reference()?,
            types: self.get("type").map(types),
            constant: self.get("const").cloned(),
            one_of_values: self
                .get("enum")
                .and_then(|value| self.list("enum", value))
                .cloned(),
            not: self.schema("not"),
            any_of: self.branches("anyOf"),
            all_of: self.branches("allOf"),
            one_of: self.branches("oneOf"),
            condition: self.condition(),
            ..Keywords::default()
        };
        for key in ["$dynamicRef", "$recursiveRef"] {
            if self.keywords.contains_key(key) {
                self.broken(key, "is not supported; use '$ref'");
            }
        }
        node.faults.any = self.fault.take();
        node.object = self.object();
        node.faults.object = self.fault.take();
        node.array = self.array();
        node.faults.array = self.fault.take();
        node.number = self.number();
        node.string = self.string();
        node.faults.string = self.fault.take();
        Ok(node)
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.keywords.get(key)
    }

    fn has_any(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.keywords.contains_key(*key))
    }

    fn broken(&mut self, key: &str, problem: &str) {
        let fault = Fault {
            schema: self.owner.to_string(),
            detail: format!("'{key}' {problem}"),
        };
        self.fault.get_or_insert(fault);
    }

    fn reference(&mut self) -> Result<Option<NodeId>, Fault> {
        let Some(value) = self.get("$ref") else {
            return Ok(None);
        };
        let Some(reference) = value.as_str() else {
            return Err(Fault {
                schema: self.owner.to_string(),
                detail: "'$ref' must be a string".to_owned(),
            });
        };
        let target = self
            .compiler
            .reference(&self.owner, self.schema, reference)?;
        if target.is_none() {
            self.broken("$ref", &format!("{reference:?} leads nowhere"));
        }
        Ok(target)
    }

    fn schema(&mut self, key: &str) -> Option<NodeId> {
        let value = self.get(key)?;
        Some(self.compiler.part(&self.owner, value))
    }

    fn list(&mut self, key: &str, value: &'a Value) -> Option<&'a Vec<Value>> {
        let list = value.as_array();
        if list.is_none() {
            self.broken(key, "must be a list");
        }
        list
    }

    fn branches(&mut self, key: &str) -> Option<Vec<NodeId>> {
        let value = self.get(key)?;
        let list = self.list(key, value)?;
        Some(
            list.iter()
                .map(|item| self.compiler.part(&self.owner, item))
                .collect(),
        )
    }

    fn condition(&mut self) -> Option<Condition> {
        Some(Condition {
            test: self.schema("if")?,
            then: self.schema("then"),
            otherwise: self.schema("else"),
        })
    }

    fn limit(&self, key: &str) -> Option<f64> {
        self.get(key).map(number)
    }

    /// The members of a keyword that maps names to something.
    fn members(&mut self, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        let members = match self.get(key) {
            None => None,
            Some(Value::Object(members)) => Some(members),
            Some(_) => {
                self.broken(key, "must be an object");
                None
            }
        };
        members.into_iter().flatten()
    }

    fn schemas(&mut self, key: &str) -> Vec<(String, NodeId)> {
        self.members(key)
            .map(|(name, value)| (name.clone(), self.compiler.part(&self.owner, value)))
            .collect()
    }

    fn names(&mut self, key: &str, value: &'a Value) -> Vec<String> {
        let Some(list) = self.list(key, value) else {
            return Vec::new();
        };
        list.iter()
            .map(|name| {
                name.as_str()
                    .map_or_else(|| name.to_string(), str::to_owned)
            })
            .collect()
    }

    fn pattern(&mut self, key: &str, source: &str) -> Result<OwnedPattern, Fault> {
        let pattern = Pattern::new(source).map_err(|problem| Fault {
            schema: self.owner.to_string(),
            detail: format!(
                "'{key}' holds {source:?}, which is no regular expression (ECMAScript, flag u): {problem}"
            ),
        })?;
        Ok(OwnedPattern {
            owner: Arc::clone(&self.owner),
            pattern,
        })
    }

    fn object(&mut self) -> Option<Box<ObjectKeywords>> {
        const KEYS: [&str; 11] = [
            "required",
            "minProperties",
            "maxProperties",
            "propertyNames",
            "dependentRequired",
            "dependentSchemas",
            "dependencies",
            "properties",
            "patternProperties",
            "additionalProperties",
            "unevaluatedProperties",
        ];
        if !self.has_any(&KEYS) {
            return None;
        }
        let mut object = ObjectKeywords {
            required: self
                .get("required")
                .map(|value| self.names("required", value))
                .unwrap_or_default(),
            min_properties: self.limit("minProperties"),
            max_properties: self.limit("maxProperties"),
            property_names: self.schema("propertyNames"),
            dependent_schemas: self.schemas("dependentSchemas"),
            properties: self.schemas("properties"),
            additional: self.schema("additionalProperties"),
            unevaluated: self.schema("unevaluatedProperties"),
            ..ObjectKeywords::default()
        };
        for (name, value) in self.members("dependentRequired") {
            let names = self.names("dependentRequired", value);
            object.dependent_required.push((name.clone(), names));
        }
        for (name, value) in self.members("dependencies") {
            if value.is_array() {
                let names = self.names("dependencies", value);
                object.dependent_required.push((name.clone(), names));
            } else {
                let id = self.compiler.part(&self.owner, value);
                object.dependent_schemas.push((name.clone(), id));
            }
        }
        for (source, value) in self.members("patternProperties") {
            let id = self.compiler.part(&self.owner, value);
            let pattern = self.pattern("patternProperties", source);
            object.pattern_properties.push((pattern, id));
        }
        self.compiler.schemas.tracks_evaluated |= object.unevaluated.is_some();
        Some(Box::new(object))
    }

    fn array(&mut self) -> Option<Box<ArrayKeywords>> {
        const KEYS: [&str; 8] = [
            "minItems",
            "maxItems",
            "prefixItems",
            "items",
            "additionalItems",
            "contains",
            "unevaluatedItems",
            "uniqueItems",
        ];
        if !self.has_any(&KEYS) {
            return None;
        }
        let mut array = ArrayKeywords {
            min_items: self.limit("minItems"),
            max_items: self.limit("maxItems"),
            prefix: self.branches("prefixItems").unwrap_or_default(),
            unevaluated: self.schema("unevaluatedItems"),
            unique: self
                .get("uniqueItems")
                .is_some_and(|value| value != &Value::Bool(false)),
            ..ArrayKeywords::default()
        };
        // The older form: a list, and `additionalItems` for the rest.
        if self.get("items").is_some_and(Value::is_array) {
            let listed = self.branches("items").unwrap_or_default();
            let covered = array.prefix.len();
            array.prefix.extend(listed.into_iter().skip(covered));
            array.items = self.schema("additionalItems");
        } else {
            array.items = self.schema("items");
        }
        if let Some(schema) = self.schema("contains") {
            array.contains = Some(Contains {
                schema,
                min: self.limit("minContains"),
                max: self.limit("maxContains"),
            });
        }
        self.compiler.schemas.tracks_evaluated |= array.unevaluated.is_some();
        Some(Box::new(array))
    }

    fn number(&mut self) -> Option<Box<NumberKeywords>> {
        const KEYS: [&str; 5] = [
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "multipleOf",
        ];
        self.has_any(&KEYS).then(|| {
            Box::new(NumberKeywords {
                minimum: self.limit("minimum"),
                maximum: self.limit("maximum"),
                exclusive_minimum: self.limit("exclusiveMinimum"),
                exclusive_maximum: self.limit("exclusiveMaximum"),
                multiple_of: self.limit("multipleOf"),
            })
        })
    }

    fn string(&mut self) -> Option<Box<StringKeywords>> {
        if !self.has_any(&["minLength", "maxLength", "pattern", "format"]) {
            return None;
        }
        let pattern = match self.get("pattern") {
            None => None,
            Some(Value::String(source)) => match self.pattern("pattern", source) {
                Ok(pattern) => Some(pattern),
                Err(fault) => {
                    self.fault.get_or_insert(fault);
                    None
                }
            },
            Some(_) => {
                self.broken("pattern", "must be a string");
                None
            }
        };
        Some(Box::new(StringKeywords {
            min_length: self.limit("minLength"),
            max_length: self.limit("maxLength"),
            pattern,
            format: self
                .get("format")
                .and_then(Value::as_str)
                .and_then(Format::named),
        }))
    }
}

/// What is no name of a type matches no value.
fn types(value: &Value) -> Vec<Type> {
    let names = match value {
        Value::Array(names) => names.as_slice(),
        name => std::slice::from_ref(name),
    };
    names
        .iter()
        .filter_map(|name| {
            Some(match name.as_str()? {
                "null" => Type::Null,
                "boolean" => Type::Boolean,
                "integer" => Type::Integer,
                "number" => Type::Number,
                "string" => Type::String,
                "array" => Type::Array,
                "object" => Type::Object,
                _ => return None,
            })
        })
        .collect()
}

/// A limit as ECMAScript's comparisons take it; what is no number compares with nothing.
fn number(value: &Value) -> f64 {
    match value {
        Value::Null => 0.0,
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::Number(number) => number.as_f64().unwrap_or(f64::NAN),
        Value::String(text) => text.trim().parse().unwrap_or(f64::NAN),
        Value::Array(_) | Value::Object(_) => f64::NAN,
    }
}
