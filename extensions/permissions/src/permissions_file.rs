//! The content of a permissions file: finding, setting and removing one rule. Everything else in the file, and the order of
//! all of it, stays as it is.

use serde_json::{Map, Value, json};

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// It is no JSON.
    #[error("not valid JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// It is JSON, but no object.
    #[error("top-level value is not an object")]
    NotAnObject,
    /// `rules` is there and cannot hold a rule.
    #[error("'rules' is not an array; correct the file by hand, or remove the key")]
    RulesNotAnArray,
    /// `schemas` is there and cannot hold a schema.
    #[error("'schemas' is not an object; correct the file by hand, or remove the key")]
    SchemasNotAnObject,
}

/// Whether a rule of that key was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// It was added at the end.
    Added,
    /// The first of that key was replaced where it stood.
    Replaced,
}

/// A permissions file's content.
#[derive(Debug, Clone, PartialEq)]
pub struct PermissionsFile(Map<String, Value>);

impl PermissionsFile {
    /// The content of a file that does not exist yet.
    pub fn empty() -> Self {
        Self(Map::from_iter([("rules".to_owned(), json!([]))]))
    }

    /// Takes in a file's content.
    pub fn parse(content: &[u8]) -> Result<Self, Malformed> {
        match serde_json::from_slice(content)? {
            Value::Object(members) => Ok(Self(members)),
            _ => Err(Malformed::NotAnObject),
        }
    }

    /// The file's JSON.
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The first rule of this key.
    pub fn rule(&self, key: &str) -> Option<&Value> {
        self.0
            .get("rules")?
            .as_array()?
            .iter()
            .find(|rule| key_of(rule) == Some(key))
    }

    /// Lets the rule `key` grant `permissions`, and defines `schemas`. A rule in object form keeps its hooks.
    pub fn set_rule(
        &mut self,
        key: &str,
        permissions: &[String],
        schemas: &Map<String, Value>,
    ) -> Result<(Placed, Value), Malformed> {
        if !schemas.is_empty() {
            let defined = self.0.entry("schemas").or_insert_with(|| json!({}));
            let defined = defined
                .as_object_mut()
                .ok_or(Malformed::SchemasNotAnObject)?;
            defined.extend(
                schemas
                    .iter()
                    .map(|(name, schema)| (name.clone(), schema.clone())),
            );
        }
        let rules = self.0.entry("rules").or_insert_with(|| json!([]));
        let rules = rules.as_array_mut().ok_or(Malformed::RulesNotAnArray)?;
        if let Some(rule) = rules.iter_mut().find(|rule| key_of(rule) == Some(key)) {
            match rule.get_mut(key) {
                Some(Value::Object(body)) => {
                    body.insert("schemas".to_owned(), json!(permissions));
                }
                _ => *rule = json!({ key: permissions }),
            }
            return Ok((Placed::Replaced, rule.clone()));
        }
        let rule = json!({ key: permissions });
        rules.push(rule.clone());
        Ok((Placed::Added, rule))
    }

    /// Removes every rule of this key; false when there is none.
    pub fn remove_rule(&mut self, key: &str) -> bool {
        let Some(rules) = self.0.get_mut("rules").and_then(Value::as_array_mut) else {
            return false;
        };
        let before = rules.len();
        rules.retain(|rule| key_of(rule) != Some(key));
        rules.len() < before
    }
}

/// The key of a rule, which has exactly one.
fn key_of(rule: &Value) -> Option<&str> {
    let members = rule.as_object()?;
    let mut keys = members.keys();
    match (keys.next(), keys.next()) {
        (Some(key), None) => Some(key),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(value: &Value) -> PermissionsFile {
        PermissionsFile::parse(value.to_string().as_bytes()).expect("a permissions file")
    }

    fn set(file: &mut PermissionsFile, key: &str, permissions: &[&str]) -> (Placed, Value) {
        let permissions: Vec<_> = permissions.iter().map(|&name| name.to_owned()).collect();
        file.set_rule(key, &permissions, &Map::new())
            .expect("a file that can be edited")
    }

    #[test]
    fn a_new_rule_goes_to_the_end_and_the_rest_stays_in_order() {
        let mut edited = file(
            &json!({"include": ["x"], "rules": [{"b": []}, {"a": ["1"]}], "zebra": 1, "schemas": {}}),
        );
        assert_eq!(
            set(&mut edited, "c", &["p"]),
            (Placed::Added, json!({"c": ["p"]}))
        );
        assert_eq!(
            serde_json::to_string(edited.members()).expect("JSON"),
            r#"{"include":["x"],"rules":[{"b":[]},{"a":["1"]},{"c":["p"]}],"zebra":1,"schemas":{}}"#
        );
    }

    #[test]
    fn a_rule_in_object_form_keeps_its_hooks() {
        let mut edited = file(
            &json!({"rules": [{"a": {"hooks": ["./h"], "schemas": ["old"]}}, {"b": {"hooks": ["./h"]}}]}),
        );
        assert_eq!(
            set(&mut edited, "a", &["new"]),
            (
                Placed::Replaced,
                json!({"a": {"hooks": ["./h"], "schemas": ["new"]}})
            )
        );
        assert_eq!(
            set(&mut edited, "b", &[]),
            (
                Placed::Replaced,
                json!({"b": {"hooks": ["./h"], "schemas": []}})
            )
        );
    }

    #[test]
    fn schemas_are_merged_by_name() {
        let mut edited = file(&json!({"schemas": {"a": {}, "b": {"type": "object"}}}));
        let schemas = Map::from_iter([
            ("b".to_owned(), json!({"required": []})),
            ("c".to_owned(), json!({})),
        ]);
        edited
            .set_rule("k", &[], &schemas)
            .expect("a file that can be edited");
        assert_eq!(
            Value::Object(edited.0),
            json!({"schemas": {"a": {}, "b": {"required": []}, "c": {}}, "rules": [{"k": []}]})
        );
    }

    #[test]
    fn a_rule_with_two_keys_has_none() {
        let mut edited =
            file(&json!({"rules": [{"a": [], "b": []}, 5, {"a": ["x"]}, {"a": ["y"]}]}));
        assert_eq!(edited.rule("a"), Some(&json!({"a": ["x"]})));
        assert_eq!(edited.rule("b"), None);
        assert!(edited.remove_rule("a"));
        assert_eq!(
            Value::Object(edited.0.clone()),
            json!({"rules": [{"a": [], "b": []}, 5]})
        );
        assert!(!edited.remove_rule("a"));
    }

    #[test]
    fn what_cannot_hold_a_rule_is_not_overwritten() {
        let mut edited = file(&json!({"rules": {"a": []}}));
        assert!(matches!(
            edited.set_rule("a", &[], &Map::new()),
            Err(Malformed::RulesNotAnArray)
        ));
        assert_eq!(edited.rule("a"), None);
        assert!(!edited.remove_rule("a"));
        let schemas = Map::from_iter([("s".to_owned(), json!({}))]);
        let mut edited = file(&json!({"schemas": []}));
        assert!(matches!(
            edited.set_rule("a", &[], &schemas),
            Err(Malformed::SchemasNotAnObject)
        ));
    }

    #[test]
    fn only_an_object_is_a_file() {
        assert!(matches!(
            PermissionsFile::parse(b"[]"),
            Err(Malformed::NotAnObject)
        ));
        assert!(matches!(
            PermissionsFile::parse(b"{"),
            Err(Malformed::NotJson(_))
        ));
        assert!(matches!(
            PermissionsFile::parse(b""),
            Err(Malformed::NotJson(_))
        ));
    }
}
