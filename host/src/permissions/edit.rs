//! What an extension may change of a permissions file: the rules and the schemas. Not what would have the gateway run a program
//! or read another file, and nothing of a file that is none.
//!
//! Who may edit rules may give agents whatever there is to allow. A hook is a program that the gateway runs, and an included file
//! may name hooks: with those, an edit would reach as far as the gateway's own user. They are for people to write, by hand; an
//! edit keeps them or takes them out.

use serde_json::{Map, Value};

/// What makes a permissions file: at least one of these, unless it is empty.
const MEMBERS: [&str; 4] = ["include", "schemas", "patterns", "rules"];

/// Why an edit is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("what stands there is no permissions file: edit or move it by hand")]
    NoPermissionsFile,
    #[error("the new content is no JSON object: {0}")]
    NotJson(String),
    #[error(
        "the edit would bring in `{0}`, which no permissions file has; known are include, schemas, patterns and rules"
    )]
    Member(String),
    #[error("the edit would change what the file includes: only a person does that, by hand")]
    Include,
    #[error("the edit would have the gateway run '{0}' as a hook: only a person adds one, by hand")]
    Hook(String),
}

/// Whether an extension may replace `before` by `after`; before there is a file there is nothing.
///
/// # Errors
/// See [`EditError`].
pub fn check_edit(before: Option<&[u8]>, after: &[u8]) -> Result<(), EditError> {
    let before = match before {
        Some(content) => object(content)
            .ok()
            .filter(is_permissions_file)
            .ok_or(EditError::NoPermissionsFile)?,
        None => Map::new(),
    };
    let after = object(after).map_err(EditError::NotJson)?;
    let is_new = |(name, value): &(&String, &Value)| {
        !MEMBERS.contains(&name.as_str()) && before.get(*name) != Some(*value)
    };
    if let Some((name, _)) = after.iter().find(is_new) {
        return Err(EditError::Member(name.clone()));
    }
    if after.get("include").is_some() && after.get("include") != before.get("include") {
        return Err(EditError::Include);
    }
    match hooks(&after).find(|hook| !hooks(&before).any(|known| known == *hook)) {
        Some(hook) => Err(EditError::Hook(shown(hook))),
        None => Ok(()),
    }
}

/// As the engine reads a file, so that both see the same members where one is there twice.
fn object(content: &[u8]) -> Result<Map<String, Value>, String> {
    serde_json::from_str(&String::from_utf8_lossy(content)).map_err(|error| error.to_string())
}

fn is_permissions_file(file: &Map<String, Value>) -> bool {
    file.is_empty() || MEMBERS.iter().any(|member| file.contains_key(*member))
}

/// Everything that stands where the engine looks for a hook.
fn hooks(file: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let rules = file.get("rules").and_then(Value::as_array);
    rules
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .flat_map(Map::values)
        .filter_map(|body| body.get("hooks"))
        .flat_map(|hooks| match hooks {
            Value::Array(hooks) => hooks.iter().collect(),
            other => vec![other],
        })
}

fn shown(hook: &Value) -> String {
    hook.as_str()
        .map_or_else(|| hook.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOOKED: &str =
        r#"{"include": ["base.json"], "rules": [{"slack-api": {"hooks": ["./a", "./b"]}}]}"#;

    fn check(before: Option<&str>, after: &str) -> Result<(), EditError> {
        check_edit(before.map(str::as_bytes), after.as_bytes())
    }

    #[test]
    fn rules_and_schemas_may_change_and_what_is_kept_is_kept() {
        for (before, after) in [
            (None, r#"{"rules": []}"#),
            (None, "{}"),
            (Some("{}"), r#"{"rules": [{"any": ["any"]}]}"#),
            (
                Some(r#"{"rules": [{"a": ["b"]}], "zebra": 1}"#),
                r#"{"schemas": {"b": {}}, "rules": [{"a": ["b"]}], "zebra": 1}"#,
            ),
            (Some(HOOKED), HOOKED),
            (
                Some(HOOKED),
                r#"{"include": ["base.json"], "rules": [{"slack-api": {"hooks": ["./b"], "schemas": ["x"]}}, {"c": []}]}"#,
            ),
            (Some(HOOKED), r#"{"rules": []}"#),
            // A scope of this name is no hook.
            (None, r#"{"rules": [{"hooks": ["any"]}]}"#),
        ] {
            assert_eq!(check(before, after), Ok(()), "{before:?} {after}");
        }
    }

    #[test]
    fn no_edit_brings_in_a_hook() {
        for (before, hooks) in [
            (None, r#"["/bin/sh"]"#),
            (Some("{}"), r#"["/bin/sh"]"#),
            (Some(HOOKED), r#"["./a", "/bin/sh"]"#),
            (Some(HOOKED), r#""/bin/sh""#),
        ] {
            let included = match before {
                Some(HOOKED) => r#""include": ["base.json"], "#,
                _ => "",
            };
            let after = format!(r#"{{{included}"rules": [{{"any": {{"hooks": {hooks}}}}}]}}"#);
            let hook = EditError::Hook("/bin/sh".to_owned());
            assert_eq!(check(before, &after), Err(hook), "{before:?} {after}");
            let twice = after.replacen('{', r#"{"rules": [], "#, 1);
            assert!(check(before, &twice).is_err(), "{twice}");
        }
    }

    #[test]
    fn no_edit_brings_in_another_file() {
        for before in [None, Some("{}"), Some(HOOKED)] {
            let after = r#"{"include": ["elsewhere.json"], "rules": []}"#;
            assert_eq!(check(before, after), Err(EditError::Include), "{before:?}");
        }
    }

    #[test]
    fn what_is_no_permissions_file_is_neither_replaced_nor_written() {
        for before in [
            "",
            "#!/bin/sh\nexit 0\n",
            "[]",
            r#"{"since": 1, "until": 2}"#,
            r#"{"pid": 1, "started_at": "x", "gateway_port": 1}"#,
        ] {
            let refused = check(Some(before), r#"{"rules": []}"#);
            assert_eq!(refused, Err(EditError::NoPermissionsFile), "{before}");
        }
        for after in ["", "#!/bin/sh", "[]", "{"] {
            let refused = check(None, after);
            assert!(matches!(refused, Err(EditError::NotJson(_))), "{after}");
        }
        let observing = r#"{"since": 1, "until": 2}"#;
        assert_eq!(
            check(None, observing),
            Err(EditError::Member("since".to_owned()))
        );
    }
}
