//! The body of a rules POST: an array of permission names, or `{"permissions": [...], "schemas": {...}}`.

use mngr_extension::{is_blank, parse_json};
use serde_json::{Map, Value};

/// Why a body was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum InvalidBody {
    /// Nothing, or nothing but white space.
    #[error("expected a JSON array, got empty body")]
    Empty,
    /// No JSON.
    #[error("not valid JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// Neither an array nor an object.
    #[error("expected a JSON array of permission-schema names")]
    NotAnArray,
    /// An element of the array is no name.
    #[error("every array element must be a string")]
    NotAString,
    /// The object has a key that is not known; the text lists all of them.
    #[error("unknown field(s): {0}")]
    UnknownFields(String),
    /// The object's `permissions` are missing or no names.
    #[error("'permissions' must be given as an array of permission-schema names")]
    Permissions,
    /// The object's `schemas` are no object.
    #[error("'schemas' must be an object of schema name to schema")]
    Schemas,
    /// A schema is none.
    #[error("schema '{0}' must be a JSON object")]
    Schema(String),
}

/// What a rule shall grant, and the schemas to define for it.
#[derive(Debug, PartialEq)]
pub struct RuleBody {
    /// Names of permission schemas, in order.
    pub permissions: Vec<String>,
    /// Definitions by name.
    pub schemas: Map<String, Value>,
}

impl RuleBody {
    /// Takes in a request's body.
    pub fn parse(body: &[u8]) -> Result<Self, InvalidBody> {
        if is_blank(body) {
            return Err(InvalidBody::Empty);
        }
        match parse_json(body)? {
            Value::Array(names) => {
                let permissions = strings(names).ok_or(InvalidBody::NotAString)?;
                Ok(Self {
                    permissions,
                    schemas: Map::new(),
                })
            }
            Value::Object(members) => Self::from_members(members),
            _ => Err(InvalidBody::NotAnArray),
        }
    }

    fn from_members(mut members: Map<String, Value>) -> Result<Self, InvalidBody> {
        let (permissions, schemas) = (
            members.shift_remove("permissions"),
            members.shift_remove("schemas"),
        );
        if !members.is_empty() {
            let names: Vec<_> = members.keys().map(|name| format!("'{name}'")).collect();
            return Err(InvalidBody::UnknownFields(names.join(", ")));
        }
        let permissions = match permissions {
            Some(Value::Array(names)) => strings(names).ok_or(InvalidBody::Permissions)?,
            _ => return Err(InvalidBody::Permissions),
        };
        let schemas = match schemas {
            None => Map::new(),
            Some(Value::Object(schemas)) => schemas,
            Some(_) => return Err(InvalidBody::Schemas),
        };
        match schemas.iter().find(|(_, schema)| !schema.is_object()) {
            Some((name, _)) => Err(InvalidBody::Schema(name.clone())),
            None => Ok(Self {
                permissions,
                schemas,
            }),
        }
    }
}

fn strings(values: Vec<Value>) -> Option<Vec<String>> {
    values
        .into_iter()
        .map(|value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> String {
        RuleBody::parse(body.as_bytes())
            .expect_err("a refusal")
            .to_string()
    }

    #[test]
    fn both_forms_are_accepted() {
        let body = RuleBody::parse(br#" ["a", "b"] "#).expect("accepted");
        assert_eq!(
            (body.permissions.join(","), body.schemas.len()),
            ("a,b".to_owned(), 0)
        );
        let body =
            RuleBody::parse(br#"{"schemas": {"s": {}}, "permissions": []}"#).expect("accepted");
        assert_eq!((body.permissions.len(), body.schemas.len()), (0, 1));
    }

    #[test]
    fn everything_else_is_refused_in_the_words_that_clients_know() {
        assert_eq!(refused(" \n"), "expected a JSON array, got empty body");
        assert!(refused("[").starts_with("not valid JSON: "));
        assert_eq!(
            refused("\"a\""),
            "expected a JSON array of permission-schema names"
        );
        assert_eq!(
            refused("null"),
            "expected a JSON array of permission-schema names"
        );
        assert_eq!(refused("[1]"), "every array element must be a string");
        assert_eq!(
            refused(r#"{"permissions": [], "x": 1, "y": 2}"#),
            "unknown field(s): 'x', 'y'"
        );
        assert_eq!(
            refused("{}"),
            "'permissions' must be given as an array of permission-schema names"
        );
        assert_eq!(
            refused(r#"{"permissions": [], "schemas": []}"#),
            "'schemas' must be an object of schema name to schema"
        );
        assert_eq!(
            refused(r#"{"permissions": [], "schemas": {"s": 1}}"#),
            "schema 's' must be a JSON object"
        );
        assert!(refused(&"[".repeat(100_000)).starts_with("not valid JSON: "));
    }
}
