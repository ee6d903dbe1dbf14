//! A pending request as it is stored and shown. Fields that this version does not know are kept and shown.

use mngr_extension::{parse_json, pretty_json};
use permission_grants::{Effect, InvalidEffect};
use serde_json::{Map, Value, json};

use crate::identifier::RequestId;
use crate::proposal::{Proposal, Wish};

/// A pending request.
#[derive(Debug, Clone, PartialEq)]
pub struct Record(Map<String, Value>);

impl Record {
    /// The record of a new request, which would change the permissions file `target`.
    pub fn new(id: &RequestId, proposal: &Proposal, target: &str) -> Self {
        let payload = match &proposal.wish {
            Wish::Predefined { scope, permissions } => {
                json!({ "scope": scope, "permissions": permissions })
            }
            Wish::FileSharing { path, access } => {
                json!({ "path": path.given(), "access": access.name() })
            }
        };
        let members = [
            ("request_id", json!(id.as_str())),
            ("agent_id", json!(proposal.agent_id)),
            ("rationale", json!(proposal.rationale)),
            ("request_type", json!(proposal.wish.type_name())),
            ("payload", payload),
            ("target", json!(target)),
            ("effect", proposal.wish.effect().to_json()),
        ];
        Self(
            members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    /// Takes in a stored document; none when it is no pending request.
    pub fn parse(content: &[u8]) -> Option<Self> {
        let Value::Object(members) = parse_json(content).ok()? else {
            return None;
        };
        let text = |name: &str| members.get(name)?.as_str().filter(|text| !text.is_empty());
        let is_object = |name: &str| members.get(name).is_some_and(Value::is_object);
        ["request_id", "agent_id", "rationale", "target"]
            .into_iter()
            .map(text)
            .collect::<Option<Vec<_>>>()?;
        let is_known_type = matches!(text("request_type"), Some("predefined" | "file-sharing"));
        (is_known_type && is_object("payload") && is_object("effect")).then_some(Self(members))
    }

    /// The name that the record gives itself.
    pub fn request_id(&self) -> &str {
        self.0
            .get("request_id")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Who asks.
    pub fn agent_id(&self) -> &str {
        self.0
            .get("agent_id")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The permissions file that approving would change.
    pub fn target(&self) -> &str {
        self.0
            .get("target")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// What approving would add.
    pub fn effect(&self) -> Result<Effect, InvalidEffect> {
        self.0
            .get("effect")
            .and_then(Value::as_object)
            .map_or_else(|| Effect::parse(&Map::new()), Effect::parse)
    }

    /// As it is stored and answered.
    pub fn to_document(&self) -> Result<Vec<u8>, serde_json::Error> {
        pretty_json(&self.0)
    }

    /// As one line of a list.
    pub fn to_line(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut line = serde_json::to_vec(&self.0)?;
        line.push(b'\n');
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let body = br#"{"agent_id": "agent-0123456789abcdef0123456789abcdef", "rationale": "r", "type": "predefined",
                        "payload": {"scope": "s", "permissions": ["p"]}}"#;
        let proposal = Proposal::parse(body).expect("accepted");
        Record::new(
            &RequestId::parse("0123").expect("an id"),
            &proposal,
            "/t.json",
        )
    }

    #[test]
    fn a_record_has_its_fields_in_order() {
        assert_eq!(
            String::from_utf8(record().to_line().expect("JSON")).expect("text"),
            concat!(
                r#"{"request_id":"0123","agent_id":"agent-0123456789abcdef0123456789abcdef","rationale":"r","#,
                r#""request_type":"predefined","payload":{"scope":"s","permissions":["p"]},"target":"/t.json","#,
                r#""effect":{"rules":[{"s":["p"]}]}}"#,
                "\n"
            )
        );
    }

    #[test]
    fn a_record_survives_its_storage() {
        let record = record();
        let document = record.to_document().expect("JSON");
        assert!(
            document.starts_with(b"{\n  \"request_id\": \"0123\",\n")
                && document.ends_with(b"\n}\n")
        );
        assert_eq!(Record::parse(&document), Some(record));
    }

    #[test]
    fn a_text_that_was_cut_within_a_character_does_not_hide_its_record() {
        let document = record().to_document().expect("JSON");
        let cut = String::from_utf8(document)
            .expect("text")
            .replace("\"r\"", r#""r\ud83d""#);
        let record = Record::parse(cut.as_bytes()).expect("a record");
        assert_eq!(record.0["rationale"], json!("r\u{fffd}"));
    }

    #[test]
    fn what_lacks_a_field_is_no_record() {
        for name in [
            "request_id",
            "agent_id",
            "rationale",
            "request_type",
            "payload",
            "target",
            "effect",
        ] {
            for broken in [None, Some(json!(1)), Some(json!(""))] {
                let mut members = record().0;
                members.shift_remove(name);
                members.extend(broken.map(|value| (name.to_owned(), value)));
                assert_eq!(
                    Record::parse(Value::Object(members).to_string().as_bytes()),
                    None,
                    "{name}"
                );
            }
        }
        assert_eq!(Record::parse(b"[]"), None);
        assert_eq!(Record::parse(b"{"), None);
    }
}
