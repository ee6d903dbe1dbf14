//! What is answered without looking at another schema: types, equality, and the keywords for numbers and texts.

use serde_json::{Number, Value};

use super::super::Fault;
use super::super::node::{NumberKeywords, OwnedPattern, StringKeywords, Type};

pub(in crate::permissions::schema) fn is_type(instance: &Value, expected: Type) -> bool {
    match (instance, expected) {
        (Value::Null, Type::Null)
        | (Value::Bool(_), Type::Boolean)
        | (Value::Number(_), Type::Number)
        | (Value::String(_), Type::String)
        | (Value::Array(_), Type::Array)
        | (Value::Object(_), Type::Object) => true,
        (Value::Number(number), Type::Integer) => {
            number.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        _ => false,
    }
}

/// Numbers are equal by value (`1` and `1.0`), objects whatever the order of their keys.
pub(in crate::permissions::schema) fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, value)| other.get(key).is_some_and(|other| equal(value, other)))
        }
        _ => one == other,
    }
}

/// The same text for equal values, and another one for every other.
pub(in crate::permissions::schema) fn canonical(value: &Value) -> String {
    match value {
        // Zero has two signs and one value.
        Value::Number(number) => format!(
            "{:x}",
            (number.as_f64().unwrap_or(f64::NAN) + 0.0).to_bits()
        ),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)))
                .collect();
            members.sort_unstable();
            format!("{{{}}}", members.join(","))
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value.to_string(),
    }
}

pub(super) fn within(node: &NumberKeywords, value: &Number) -> bool {
    let value = value.as_f64().unwrap_or(f64::NAN);
    !node.minimum.is_some_and(|limit| value < limit)
        && !node.maximum.is_some_and(|limit| value > limit)
        && !node.exclusive_minimum.is_some_and(|limit| value <= limit)
        && !node.exclusive_maximum.is_some_and(|limit| value >= limit)
        && node
            .multiple_of
            .is_none_or(|factor| is_multiple(value, factor))
}

/// With room for the rounding of decimal fractions.
pub(in crate::permissions::schema) fn is_multiple(value: f64, factor: f64) -> bool {
    const ROUNDING: f64 = 1.192_092_9e-7;
    let remainder = value % factor;
    !(remainder.abs() >= ROUNDING && (factor - remainder).abs() >= ROUNDING)
}

pub(super) fn text_matches(
    node: &StringKeywords,
    text: &str,
    occurs: impl FnOnce(&OwnedPattern) -> Result<bool, Fault>,
) -> Result<bool, Fault> {
    if node.min_length.is_some() || node.max_length.is_some() {
        let length = text.chars().count() as f64;
        if node.min_length.is_some_and(|min| length < min)
            || node.max_length.is_some_and(|max| length > max)
        {
            return Ok(false);
        }
    }
    if let Some(pattern) = &node.pattern
        && !occurs(pattern)?
    {
        return Ok(false);
    }
    Ok(node.format.is_none_or(|format| format.matches(text)))
}
