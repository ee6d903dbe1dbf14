//! Adding an effect to a permissions file. Nothing that the file has is taken away, and its order stays.

use serde_json::{Map, Value, json};

use crate::effect::Effect;

/// Why a permissions file cannot be added to.
#[derive(Debug, thiserror::Error)]
pub enum Unmergeable {
    /// It is no JSON.
    #[error("is not valid JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// It is JSON, but no object.
    #[error("must be a JSON object")]
    NotAnObject,
    /// `rules` is there and cannot hold a rule.
    #[error("has 'rules' that are not an array")]
    Rules,
    /// The rule of this scope is neither of the two forms.
    #[error(
        "has a rule for '{0}' that is neither an array nor an object with an array of 'schemas'"
    )]
    Rule(String),
    /// `schemas` is there and cannot hold a schema.
    #[error("has 'schemas' that are not an object")]
    Schemas,
}

/// A permissions file's content.
pub type Members = Map<String, Value>;

/// The content of a file that does not exist yet.
pub fn empty() -> Members {
    Map::from_iter([("rules".to_owned(), json!([]))])
}

/// Takes in a file's content.
pub fn parse(content: &[u8]) -> Result<Members, Unmergeable> {
    match serde_json::from_slice(content)? {
        Value::Object(members) => Ok(members),
        _ => Err(Unmergeable::NotAnObject),
    }
}

/// Adds the effect: rules are united by scope, schemas of the same name replaced.
pub fn merge(file: &mut Members, effect: &Effect) -> Result<(), Unmergeable> {
    let rules = file
        .entry("rules")
        .or_insert_with(|| json!([]))
        .as_array_mut()
        .ok_or(Unmergeable::Rules)?;
    for (scope, permissions) in &effect.rules {
        match rules.iter_mut().find_map(|rule| body_of(rule, scope)) {
            Some(body) => {
                unite(body, permissions).ok_or_else(|| Unmergeable::Rule(scope.clone()))?
            }
            None => rules.push(json!({ scope: permissions })),
        }
    }
    if !effect.schemas.is_empty() {
        let schemas = file.entry("schemas").or_insert_with(|| json!({}));
        let schemas = schemas.as_object_mut().ok_or(Unmergeable::Schemas)?;
        schemas.extend(
            effect
                .schemas
                .iter()
                .map(|(name, schema)| (name.clone(), schema.clone())),
        );
    }
    if file
        .get("schemas")
        .and_then(Value::as_object)
        .is_some_and(Map::is_empty)
    {
        file.shift_remove("schemas");
    }
    Ok(())
}

/// The body of the rule, if `scope` is its only key.
fn body_of<'a>(rule: &'a mut Value, scope: &str) -> Option<&'a mut Value> {
    let members = rule.as_object_mut().filter(|members| members.len() == 1)?;
    members.get_mut(scope)
}

fn unite(body: &mut Value, permissions: &[String]) -> Option<()> {
    let listed = match body {
        Value::Array(listed) => listed,
        Value::Object(members) => match members.get_mut("schemas") {
            // No schema to match means that the hooks alone decide: adding one would take away.
            None => return Some(()),
            Some(Value::Array(listed)) if listed.is_empty() => return Some(()),
            Some(schemas) => schemas.as_array_mut()?,
        },
        _ => return None,
    };
    for name in permissions {
        if !listed.iter().any(|known| known.as_str() == Some(name)) {
            listed.push(json!(name));
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(file: &Value, effect: &Value) -> Result<Value, String> {
        let mut members = parse(file.to_string().as_bytes()).expect("a permissions file");
        let effect = Effect::parse(effect.as_object().expect("an object")).expect("an effect");
        merge(&mut members, &effect).map_err(|error| error.to_string())?;
        Ok(Value::Object(members))
    }

    fn rules(file: &Value, rules: &Value) -> Result<String, String> {
        merged(&json!({ "rules": file }), &json!({ "rules": rules }))
            .map(|file| file["rules"].to_string())
    }

    #[test]
    fn lists_are_united_in_order_and_new_scopes_appended() {
        assert_eq!(
            rules(
                &json!([{"b": ["2", "1"]}, {"a": []}, {"b": ["x"]}]),
                &json!([{"b": ["3", "1", "3"]}, {"c": ["p"]}])
            ),
            Ok(r#"[{"b":["2","1","3"]},{"a":[]},{"b":["x"]},{"c":["p"]}]"#.to_owned())
        );
    }

    #[test]
    fn hooks_stay_and_a_rule_of_hooks_alone_is_left_as_it_is() {
        let asked = json!([{"a": ["p"]}]);
        assert_eq!(
            rules(&json!([{"a": {"hooks": ["h"], "schemas": ["o"]}}]), &asked),
            Ok(r#"[{"a":{"hooks":["h"],"schemas":["o","p"]}}]"#.to_owned())
        );
        for untouched in [
            json!([{"a": {"hooks": ["h"]}}]),
            json!([{"a": {"hooks": ["h"], "schemas": []}}]),
        ] {
            assert_eq!(rules(&untouched, &asked), Ok(untouched.to_string()));
        }
    }

    #[test]
    fn schemas_are_replaced_by_name_and_everything_else_stays() {
        let file = json!({"include": ["x"], "schemas": {"b": {"a": 1}, "c": {}}, "rules": [], "zebra": null});
        assert_eq!(
            merged(&file, &json!({"schemas": {"c": {"n": 1}, "a": {}}})).map(|file| file.to_string()),
            Ok(r#"{"include":["x"],"schemas":{"b":{"a":1},"c":{"n":1},"a":{}},"rules":[],"zebra":null}"#.to_owned())
        );
    }

    #[test]
    fn an_empty_file_gets_rules_and_no_empty_schemas() {
        assert_eq!(
            merged(&json!({}), &json!({"rules": [{"a": []}]})),
            Ok(json!({"rules": [{"a": []}]}))
        );
        assert_eq!(
            merged(&json!({"schemas": {}}), &json!({})),
            Ok(json!({"rules": []}))
        );
    }

    #[test]
    fn what_cannot_be_added_to_is_refused() {
        let effect = json!({"rules": [{"a": ["p"]}], "schemas": {"s": {}}});
        assert!(merged(&json!({"rules": {}}), &effect).is_err());
        assert!(merged(&json!({"rules": [{"a": "any"}]}), &effect).is_err());
        assert!(merged(&json!({"rules": [{"a": {"schemas": "any"}}]}), &effect).is_err());
        assert!(merged(&json!({"schemas": []}), &effect).is_err());
        assert!(matches!(parse(b"[]"), Err(Unmergeable::NotAnObject)));
        assert!(matches!(parse(b""), Err(Unmergeable::NotJson(_))));
    }

    #[test]
    fn merging_twice_is_merging_once() {
        let effect =
            json!({"rules": [{"a": ["p"]}, {"b": ["q"]}], "schemas": {"p": {"required": []}}});
        let once = merged(&json!({"rules": [{"a": ["o"]}]}), &effect).expect("merged");
        assert_eq!(merged(&once, &effect), Ok(once));
    }
}
