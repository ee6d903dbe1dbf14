//! Values and names that no request has, and restrictions that a request passes by leaving something out.

use serde_json::Value;

use super::keywords::{is_annotation, pointer_step};
use super::policy::{Policy, Used};
use super::shape::Property;
use super::walk::{Spot, walk};
use super::{Code, Finding};

pub(super) fn look(policy: &Policy, findings: &mut Vec<Finding>) {
    for used in policy.used() {
        walk(used.schema, &mut |spot| {
            look_at_values(&used, spot, findings);
            look_at_header_names(&used, spot, findings);
            look_at_optional(&used, spot, findings);
        });
    }
}

fn look_at_values(used: &Used<'_>, spot: &Spot<'_>, findings: &mut Vec<Finding>) {
    let [name] = spot.about.as_slice() else {
        return;
    };
    let Some(property) = Property::named(name) else {
        return;
    };
    let mut look_at = |below: String, value: &Value| {
        if let Some(objection) = property.objection(value) {
            findings.push(used.finding(
                &format!("{}/{below}", spot.place),
                Code::ImpossibleValue,
                format!("no request's {name} is {value}: it {objection}"),
                "write it as requests have it",
            ));
        }
    };
    if let Some(value) = spot.keywords.get("const") {
        look_at("const".to_owned(), value);
    }
    if let Some(Value::Array(values)) = spot.keywords.get("enum") {
        for (index, value) in values.iter().enumerate() {
            look_at(format!("enum/{index}"), value);
        }
    }
}

fn look_at_header_names(used: &Used<'_>, spot: &Spot<'_>, findings: &mut Vec<Finding>) {
    if spot.about != ["headers"] {
        return;
    }
    let Some(Value::Object(members)) = spot.keywords.get("properties") else {
        return;
    };
    for name in members.keys() {
        let lower = name.to_ascii_lowercase();
        if lower != *name {
            findings.push(used.finding(
                &format!("{}/properties/{}", spot.place, pointer_step(name)),
                Code::ImpossibleValue,
                format!("no request has a header {name}: their names are lower-case"),
                format!("write {lower}"),
            ));
        }
    }
}

fn look_at_optional(used: &Used<'_>, spot: &Spot<'_>, findings: &mut Vec<Finding>) {
    let (true, Some(required)) = (spot.is_positive, &spot.required) else {
        return;
    };
    let Some(Value::Object(members)) = spot.keywords.get("properties") else {
        return;
    };
    for (name, member) in members {
        let is_always_there =
            spot.about.is_empty() && Property::named(name).is_none_or(Property::is_constant);
        if is_always_there || required.contains(name.as_str()) || !demands(member) {
            continue;
        }
        let mut whole = spot.about.clone();
        whole.push(name);
        findings.push(used.finding(
            &format!("{}/properties/{}", spot.place, pointer_step(name)),
            Code::OptionalProperty,
            format!(
                "a request without {} passes this restriction",
                whole.join(".")
            ),
            format!("add \"required\": [{name:?}] beside these \"properties\""),
        ));
    }
}

/// Whether a schema asks for something, rather than rule something out.
fn demands(schema: &Value) -> bool {
    match schema {
        Value::Object(keywords) => keywords
            .keys()
            .any(|key| key != "not" && !is_annotation(key)),
        _ => false,
    }
}
