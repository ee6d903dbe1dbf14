//! What a grant adds to a permissions file: rules and schemas, as `{"schemas"?: {...}, "rules"?: [...]}`.

use serde_json::{Map, Value, json};

use crate::file_sharing::{Access, SharedPath};

/// The scope that the agent baseline defines for requests to the gateway itself.
const GATEWAY_SCOPE: &str = "latchkey-self";

/// Why a stored effect cannot be applied.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidEffect {
    /// `rules` is no list.
    #[error("its effect's 'rules' is not an array")]
    Rules,
    /// A rule is no rule; the index counts from zero.
    #[error("rule {0} of its effect is not an object of one scope to an array of strings")]
    Rule(usize),
    /// `schemas` is no object.
    #[error("its effect's 'schemas' is not an object")]
    Schemas,
    /// A schema is none.
    #[error("the schema '{0}' of its effect is not an object")]
    Schema(String),
}

/// What a grant adds.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// Permission names by scope, in order.
    pub rules: Vec<(String, Vec<String>)>,
    /// Definitions by name.
    pub schemas: Map<String, Value>,
}

impl Effect {
    /// What granting permissions of a scope adds.
    pub fn predefined(scope: &str, permissions: &[String]) -> Self {
        Self {
            rules: vec![(scope.to_owned(), permissions.to_vec())],
            schemas: Map::new(),
        }
    }

    /// What sharing a path adds: a schema that matches the requests for it, and a rule that allows them.
    pub fn file_sharing(path: &SharedPath, access: Access) -> Self {
        let name = path.schema_name(access);
        let schema = json!({
            "properties": {
                "method": {"enum": access.methods()},
                "path": {"type": "string", "pattern": path.pattern()},
            },
            "required": ["method", "path"],
        });
        Self {
            rules: vec![(GATEWAY_SCOPE.to_owned(), vec![name.clone()])],
            schemas: Map::from_iter([(name, schema)]),
        }
    }

    /// As it is stored.
    pub fn to_json(&self) -> Value {
        let rules: Vec<_> = self
            .rules
            .iter()
            .map(|(scope, permissions)| json!({ scope: permissions }))
            .collect();
        match self.schemas.is_empty() {
            true => json!({ "rules": rules }),
            false => json!({ "schemas": self.schemas, "rules": rules }),
        }
    }

    /// Takes in a stored effect.
    pub fn parse(stored: &Map<String, Value>) -> Result<Self, InvalidEffect> {
        let rules = match stored.get("rules") {
            None => Vec::new(),
            Some(Value::Array(rules)) => {
                let rules = rules.iter().enumerate();
                rules
                    .map(|(index, rule)| parse_rule(rule).ok_or(InvalidEffect::Rule(index)))
                    .collect::<Result<_, _>>()?
            }
            Some(_) => return Err(InvalidEffect::Rules),
        };
        let schemas = match stored.get("schemas") {
            None => Map::new(),
            Some(Value::Object(schemas)) => schemas.clone(),
            Some(_) => return Err(InvalidEffect::Schemas),
        };
        match schemas.iter().find(|(_, schema)| !schema.is_object()) {
            Some((name, _)) => Err(InvalidEffect::Schema(name.clone())),
            None => Ok(Self { rules, schemas }),
        }
    }
}

fn parse_rule(rule: &Value) -> Option<(String, Vec<String>)> {
    let mut members = rule.as_object()?.iter();
    let (scope, permissions) = members.next().filter(|_| members.next().is_none())?;
    let permissions = permissions
        .as_array()?
        .iter()
        .map(|name| name.as_str().map(str::to_owned));
    Some((scope.clone(), permissions.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(stored: &Value) -> Result<Effect, InvalidEffect> {
        Effect::parse(stored.as_object().expect("an object"))
    }

    #[test]
    fn permissions_of_a_scope_add_one_rule() {
        let effect = Effect::predefined("slack-api", &["a".to_owned(), "b".to_owned()]);
        assert_eq!(
            effect.to_json(),
            json!({"rules": [{"slack-api": ["a", "b"]}]})
        );
    }

    #[test]
    fn a_shared_file_adds_a_schema_and_its_rule() {
        let path = SharedPath::parse("/d/x/").expect("a path");
        let effect = Effect::file_sharing(&path, Access::Read);
        assert_eq!(
            effect.to_json().to_string(),
            concat!(
                r#"{"schemas":{"minds-file-server-read-/d/x":{"properties":{"#,
                r#""method":{"enum":["GET","HEAD","OPTIONS","PROPFIND"]},"#,
                r#""path":{"type":"string","pattern":"^/minds-api-proxy/api/v1/files/d/x(/.*)?$"}},"#,
                r#""required":["method","path"]}},"rules":[{"latchkey-self":["minds-file-server-read-/d/x"]}]}"#
            )
        );
        assert_eq!(parse(&effect.to_json()), Ok(effect));
    }

    #[test]
    fn an_effect_changed_by_hand_is_not_trusted() {
        assert_eq!(parse(&json!({"rules": {}})), Err(InvalidEffect::Rules));
        assert_eq!(
            parse(&json!({"rules": [{"a": []}, {"a": [], "b": []}]})),
            Err(InvalidEffect::Rule(1))
        );
        assert_eq!(
            parse(&json!({"rules": [{"a": [1]}]})),
            Err(InvalidEffect::Rule(0))
        );
        assert_eq!(parse(&json!({"rules": [{}]})), Err(InvalidEffect::Rule(0)));
        assert_eq!(parse(&json!({"schemas": []})), Err(InvalidEffect::Schemas));
        assert_eq!(
            parse(&json!({"schemas": {"s": 1}})),
            Err(InvalidEffect::Schema("s".to_owned()))
        );
        assert_eq!(
            parse(&json!({})),
            Ok(Effect {
                rules: Vec::new(),
                schemas: Map::new()
            })
        );
    }
}
