//! The words and the order of the refusals are what clients know.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const AGENT: &str = "agent-0123456789abcdef0123456789abcdef";

fn refused(body: &Value) -> String {
    Proposal::parse(body.to_string().as_bytes())
        .expect_err("a refusal")
        .to_string()
}

fn with_payload(kind: &str, payload: &Value) -> Value {
    json!({"agent_id": AGENT, "rationale": "r", "type": kind, "payload": payload})
}

#[test]
fn both_types_are_accepted() {
    let body = with_payload(
        "predefined",
        &json!({"scope": "slack-api", "permissions": ["a", "b"]}),
    );
    let proposal = Proposal::parse(body.to_string().as_bytes()).expect("accepted");
    assert_eq!(proposal.wish.type_name(), "predefined");
    let body = with_payload("file-sharing", &json!({"path": "/d/x", "access": "WRITE"}));
    let proposal = Proposal::parse(body.to_string().as_bytes()).expect("accepted");
    assert!(matches!(
        proposal.wish,
        Wish::FileSharing {
            access: Access::Write,
            ..
        }
    ));
}

#[test]
fn the_body_itself_comes_first() {
    let refused = |body: &[u8]| Proposal::parse(body).expect_err("a refusal").to_string();
    assert_eq!(refused(b" \n"), "expected a JSON object, got empty body.");
    assert!(refused(b"{").starts_with("not valid JSON: "));
    assert!(refused("[".repeat(100_000).as_bytes()).starts_with("not valid JSON: "));
    assert_eq!(refused(b"null"), "expected a JSON object.");
    assert_eq!(refused(b"[]"), "expected a JSON object.");
}

#[test]
fn then_the_fields_in_order() {
    let mut body = json!({"x": 1});
    let mut step = |name: &str, value: Value| {
        let refusal = refused(&body);
        if let Some(members) = body.as_object_mut() {
            members.insert(name.to_owned(), value);
        }
        refusal
    };
    assert_eq!(
        step("agent_id", json!("me")),
        "'agent_id' is required and must be a non-empty string."
    );
    assert_eq!(
        step("agent_id", json!(AGENT)),
        "'agent_id' must be 'agent-' followed by 32 hexadecimal characters; got 'me'."
    );
    assert_eq!(
        step("rationale", json!("")),
        "'rationale' is required and must be a non-empty string."
    );
    assert_eq!(
        step("rationale", json!("r")),
        "'rationale' is required and must be a non-empty string."
    );
    assert_eq!(
        step("type", json!("other")),
        "'type' is required and must be a non-empty string."
    );
    assert_eq!(
        step("type", json!("predefined")),
        "field 'type' must be one of 'predefined', 'file-sharing'; got 'other'."
    );
    assert_eq!(step("y", json!(2)), "field 'payload' is required.");
    assert_eq!(step("payload", json!(null)), "field 'payload' is required.");
    assert_eq!(refused(&body), "unknown field(s): 'x', 'y'.");
}

#[test]
fn then_the_payload_of_each_type() {
    let predefined = |payload: Value| refused(&with_payload("predefined", &payload));
    assert_eq!(
        predefined(json!(null)),
        "'payload' must be a JSON object for type 'predefined'."
    );
    assert_eq!(
        predefined(json!({"x": 1})),
        "payload.'scope' is required and must be a non-empty string."
    );
    let permissions = "payload.'permissions' is required and must be an array of strings.";
    assert_eq!(predefined(json!({"scope": "s", "x": 1})), permissions);
    assert_eq!(
        predefined(json!({"scope": "s", "permissions": [1]})),
        permissions
    );
    assert_eq!(
        predefined(json!({"scope": "s", "permissions": [], "x": 1})),
        "unknown payload field(s): 'x'."
    );

    let shared = |payload: Value| refused(&with_payload("file-sharing", &payload));
    assert_eq!(
        shared(json!([])),
        "'payload' must be a JSON object for type 'file-sharing'."
    );
    assert_eq!(
        shared(json!({"access": "READ"})),
        "payload.'path' is required and must be a non-empty string."
    );
    assert_eq!(
        shared(json!({"path": "a"})),
        "payload.'path' must be absolute (start with '/'): got a."
    );
    assert_eq!(
        shared(json!({"path": "/a"})),
        "payload.'access' is required and must be a non-empty string."
    );
    assert_eq!(
        shared(json!({"path": "/a", "access": "read", "x": 1})),
        "payload.'access' must be one of 'READ', 'WRITE'; got 'read'."
    );
    assert_eq!(
        shared(json!({"path": "/a", "access": "READ", "x": 1})),
        "unknown payload field(s): 'x'."
    );
}

#[test]
fn the_catalog_comes_last() {
    let scopes = Scopes::parse(br#"{"a": [{"scope": "s", "permissions": [{"name": "p"}]}]}"#)
        .expect("a catalog");
    let check = |scope: &str, permissions: &[&str]| {
        let body = with_payload(
            "predefined",
            &json!({"scope": scope, "permissions": permissions}),
        );
        let proposal = Proposal::parse(body.to_string().as_bytes()).expect("accepted");
        proposal
            .check(&scopes)
            .map_err(|refusal| refusal.to_string())
    };
    assert_eq!(check("s", &["p", "any"]), Ok(()));
    assert_eq!(
        check("t", &[]),
        Err("payload.'scope' 't' is not a known service scope in the catalog.".to_owned())
    );
    assert_eq!(
        check("s", &["a", "p", "b"]),
        Err("payload.'permissions' contains entries not valid for scope 's': 'a', 'b'.".to_owned())
    );
}

#[test]
fn an_agent_id_has_exactly_32_digits() {
    assert!(is_agent_id(AGENT) && is_agent_id("agent-0123456789ABCDEF0123456789abcdef"));
    for text in [
        "",
        "agent-",
        "host-0123456789abcdef0123456789abcdef",
        "agent-0123456789abcdef0123456789abcdeg",
    ] {
        assert!(!is_agent_id(text), "{text}");
    }
    assert!(!is_agent_id(&format!("{AGENT}0")) && !is_agent_id(&format!(" {AGENT}")));
}

proptest! {
    #[test]
    fn no_body_brings_the_parser_down(body in proptest::collection::vec(any::<u8>(), 0..512)) {
        drop(Proposal::parse(&body));
    }

    #[test]
    fn what_is_accepted_has_nothing_else(path in any::<String>(), access in any::<String>(), extra in "[a-z]{1,3}") {
        let mut body = with_payload("file-sharing", &json!({"path": path, "access": access}));
        if let Some(members) = body.as_object_mut() {
            members.insert(extra, json!(1));
        }
        prop_assert!(Proposal::parse(body.to_string().as_bytes()).is_err());
    }
}
