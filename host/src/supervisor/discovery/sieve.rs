//! Reading JSON without keeping what nobody asks for.
//!
//! A snapshot carries the whole data of every agent, and a few names of it are needed. The sieve builds a value of those
//! members alone, at whatever depth; the rest is checked to be JSON and skipped. The type of a member is not judged here, so
//! that one member of a wrong type does not spoil what stands beside it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Its members are named after providers: all are kept.
const NAMED_BY_PROVIDER: &str = "error_by_provider_name";

/// The value in `json`, without the members that nobody reads. Of two members of one name the later counts.
pub(super) fn sift(json: &[u8]) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = Sieve { every_name: false }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Sieve {
    every_name: bool,
}

impl<'de> DeserializeSeed<'de> for Sieve {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Sieve {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut kept = Vec::new();
        while let Some(element) = elements.next_element_seed(Self { every_name: false })? {
            kept.push(element);
        }
        Ok(Value::Array(kept))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut kept = Map::new();
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            if self.every_name || is_read(&name) {
                let sieve = Self {
                    every_name: name == NAMED_BY_PROVIDER,
                };
                let value = members.next_value_seed(sieve)?;
                kept.insert(name.into_owned(), value);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Value::Object(kept))
    }
}

/// Whether somebody reads the members of this name.
fn is_read(name: &str) -> bool {
    matches!(
        name,
        "agent"
            | "agent_id"
            | "agent_ids"
            | "agent_name"
            | "agents"
            | "discovery_started_at"
            | "error"
            | "error_by_provider_name"
            | "error_message"
            | "error_type"
            | "host"
            | "host_id"
            | "hosts"
            | "key_path"
            | "known_hosts_path"
            | "message"
            | "port"
            | "provider_name"
            | "source_name"
            | "ssh"
            | "timestamp"
            | "type"
            | "type_name"
            | "unknown_agent_ids"
            | "unknown_host_ids"
            | "user"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_that_nobody_reads_are_left_out_at_every_depth() {
        let sifted = sift(
            br#"{"type":"X","more":{"type":1},"agents":[{"agent_id":"a","certified_data":{"host":[1,2]}},7,null,-1,0.5,true],
                "error_by_provider_name":{"any name":{"message":"m","traceback_text":"t"}}}"#,
        )
        .unwrap();
        assert_eq!(
            sifted,
            json!({"type": "X", "agents": [{"agent_id": "a"}, 7, null, -1, 0.5, true],
                "error_by_provider_name": {"any name": {"message": "m"}}})
        );
    }

    #[test]
    fn what_is_not_one_json_value_is_an_error() {
        for text in ["", "{", "{}{}", "{} x", r#"{"more":}"#, "nul", "{'a':1}"] {
            assert!(sift(text.as_bytes()).is_err(), "{text}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(sift(deep.as_bytes()).is_err());
    }

    #[test]
    fn of_two_members_of_one_name_the_later_counts() {
        assert_eq!(
            sift(br#"{"type":"A","type":"B"}"#).unwrap(),
            json!({"type": "B"})
        );
    }
}
