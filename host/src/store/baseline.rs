//! What a fresh agent may do, and how an agent is let through to its own part of the API behind the proxy.
//!
//! The baseline's first rule catches every request for a per-agent path and allows nothing; registering an agent exempts
//! that agent's paths from it. A file whose exemptions have another shape was edited by hand and is not touched.

use serde_json::{Map, Value, json};

use super::ids::AgentId;

const UNAUTHORIZED: &str = "minds-api-proxy-per-agent-unauthorized";
const PATTERN_START: &str = "^/minds-api-proxy/api/v1/agents/";
const PATTERN_END: &str = "/(.*)$";

/// Why an agent is not registered.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    #[error(
        "schemas.{UNAUTHORIZED}.{0} is missing or of another shape, so the list of allowed agents cannot be extended; restore the schema as a fresh agent's file has it"
    )]
    Shape(&'static str),
    #[error(
        "the list of allowed agents has an entry of another shape, {0}; the file was edited by hand: remove that entry or put it elsewhere"
    )]
    Entry(String),
}

/// The content of a fresh handle.
pub fn agent_baseline() -> Map<String, Value> {
    let mut config = Map::new();
    config.insert(
        "rules".to_owned(),
        json!([
            {"minds-api-proxy-per-agent-unauthorized": []},
            {"latchkey-self": [
                "latchkey-self-create-permission-request",
                "latchkey-self-read-self-permissions",
                "latchkey-self-read-available-permissions",
                "minds-api-proxy-per-agent",
            ]},
        ]),
    );
    config.insert(
        "schemas".to_owned(),
        json!({
            "minds-api-proxy-per-agent-unauthorized": {
                "properties": {
                    "domain": {"const": "latchkey-self.invalid"},
                    "path": {
                        "type": "string",
                        "pattern": "^/minds-api-proxy/api/v1/agents/[^/]+(/.*)?$",
                        "not": {"anyOf": []},
                    },
                },
                "required": ["domain", "path"],
            },
            "minds-api-proxy-per-agent": {
                "properties": {
                    "path": {
                        "type": "string",
                        "pattern": "^/minds-api-proxy/api/v1/agents/[^/]+(/.*)?$",
                    },
                },
                "required": ["path"],
            },
            "latchkey-self": {
                "properties": {"domain": {"const": "latchkey-self.invalid"}},
                "required": ["domain"],
            },
            "latchkey-self-create-permission-request": {
                "properties": {
                    "method": {"const": "POST"},
                    "path": {"const": "/permission-requests"},
                },
                "required": ["method", "path"],
            },
            "latchkey-self-read-self-permissions": {
                "properties": {
                    "method": {"const": "GET"},
                    "path": {"const": "/permissions/self"},
                },
                "required": ["method", "path"],
            },
            "latchkey-self-read-available-permissions": {
                "properties": {
                    "method": {"const": "GET"},
                    "path": {
                        "type": "string",
                        "pattern": "^/permissions/available/[a-z0-9][a-z0-9-]*$",
                    },
                },
                "required": ["method", "path"],
            },
        }),
    );
    config
}

/// `config`, or the baseline when there is none, with `agent` in its list of allowed agents. Changes nothing else.
pub fn register(
    config: Option<Map<String, Value>>,
    agent: &AgentId,
) -> Result<Map<String, Value>, RegisterError> {
    let mut config = config.unwrap_or_else(agent_baseline);
    let allowed = allowed_agents(&mut config)?;
    for entry in allowed.iter() {
        if registered_agent(entry).is_none() {
            return Err(RegisterError::Entry(entry.to_string()));
        }
    }
    if !allowed
        .iter()
        .any(|entry| registered_agent(entry) == Some(agent.as_str()))
    {
        allowed.push(json!({"pattern": format!("{PATTERN_START}{agent}{PATTERN_END}")}));
    }
    Ok(config)
}

fn allowed_agents(config: &mut Map<String, Value>) -> Result<&mut Vec<Value>, RegisterError> {
    let steps = [
        ("schemas", ""),
        (UNAUTHORIZED, "properties"),
        ("properties", "properties.path"),
        ("path", "properties.path.not"),
        ("not", "properties.path.not.anyOf"),
    ];
    let mut object = config;
    for (member, inside) in steps {
        object = object
            .get_mut(member)
            .and_then(Value::as_object_mut)
            .ok_or(RegisterError::Shape(inside))?;
    }
    object
        .get_mut("anyOf")
        .and_then(Value::as_array_mut)
        .ok_or(RegisterError::Shape("properties.path.not.anyOf"))
}

/// The agents that a file lets through to their own part, each with the JSON pointer of its entry.
pub fn registered_agents(config: &Map<String, Value>) -> Vec<(String, &str)> {
    let path = format!("/{UNAUTHORIZED}/properties/path/not/anyOf");
    let allowed = config
        .get("schemas")
        .and_then(|schemas| schemas.pointer(&path)?.as_array());
    let entries = allowed.into_iter().flatten().enumerate();
    entries
        .filter_map(|(index, entry)| {
            Some((format!("/schemas{path}/{index}"), registered_agent(entry)?))
        })
        .collect()
}

/// The agent that an entry exempts; none for an entry that registering never wrote.
fn registered_agent(entry: &Value) -> Option<&str> {
    let entry = entry.as_object().filter(|entry| entry.len() == 1)?;
    entry
        .get("pattern")?
        .as_str()?
        .strip_prefix(PATTERN_START)?
        .strip_suffix(PATTERN_END)
        .filter(|agent| {
            !agent.is_empty()
                && agent
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(digit: char) -> AgentId {
        AgentId::parse(&format!("agent-{}", digit.to_string().repeat(32))).unwrap()
    }

    fn allowed(config: &Map<String, Value>) -> &Value {
        config["schemas"]
            .pointer("/minds-api-proxy-per-agent-unauthorized/properties/path/not/anyOf")
            .unwrap()
    }

    #[test]
    fn agents_are_added_once_each_in_order() {
        let config = register(None, &agent('1')).unwrap();
        let config = register(Some(config), &agent('2')).unwrap();
        let config = register(Some(config), &agent('1')).unwrap();
        let pattern = |digit: &str| {
            format!(
                "^/minds-api-proxy/api/v1/agents/agent-{}/(.*)$",
                digit.repeat(32)
            )
        };
        assert_eq!(
            *allowed(&config),
            json!([{"pattern": pattern("1")}, {"pattern": pattern("2")}])
        );
        let registered = registered_agents(&config).into_iter();
        let registered: Vec<_> = registered.map(|(_, agent)| agent).collect();
        assert_eq!(registered, [agent('1').as_str(), agent('2').as_str()]);
    }

    #[test]
    fn whatever_else_the_file_holds_stays() {
        let mut config = agent_baseline();
        config.insert("include".to_owned(), json!(["shared.json"]));
        let registered = register(Some(config.clone()), &agent('1')).unwrap();
        assert_eq!(registered["include"], config["include"]);
        assert_eq!(registered["rules"], config["rules"]);
    }

    #[test]
    fn a_hand_edited_list_is_refused() {
        for entry in [
            json!("x"),
            json!({"const": "/x"}),
            json!({"pattern": "^/x$"}),
            json!({"pattern": "^/minds-api-proxy/api/v1/agents/.*/(.*)$"}),
            json!({"pattern": "^/minds-api-proxy/api/v1/agents/a/(.*)$", "minLength": 1}),
        ] {
            let mut config = agent_baseline();
            allowed_agents(&mut config).unwrap().push(entry.clone());
            assert_eq!(
                register(Some(config), &agent('1')),
                Err(RegisterError::Entry(entry.to_string()))
            );
        }
    }

    #[test]
    fn a_missing_schema_is_named() {
        let message = register(Some(Map::new()), &agent('1'))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("minds-api-proxy-per-agent-unauthorized"),
            "{message}"
        );
    }
}
