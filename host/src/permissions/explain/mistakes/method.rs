//! Other methods are allowed.

use serde_json::{Value, json};

use super::super::super::Request;
use super::super::super::schema::Mismatch;
use super::super::dissection::Dissection;
use super::super::request::text;
use super::{Advice, Change, Grant, Mistake, otherwise, provided, schema_change};

const METHODS: [&str; 7] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];

pub(super) fn find(dissection: &Dissection, request: &Request, grants: &[Grant]) -> Option<Advice> {
    let method = text(request, "method");
    let is_allowed = |other: &&str| {
        otherwise(request, "method", other).is_some_and(|request| dissection.allows(&request))
    };
    let others = METHODS.into_iter().filter(|other| *other != method);
    let allowed: Vec<_> = others.filter(is_allowed).collect();
    let (last, rest) = allowed.split_last()?;
    let provided =
        otherwise(request, "method", last).map_or("", |variant| provided(dissection, &variant));
    let list = match rest {
        [] => format!("{last} is{provided}: send it with {last}"),
        rest => format!(
            "{} and {last} are{provided}: send it with one of these",
            rest.join(", ")
        ),
    };
    let by_schema = schema_change(dissection, request, "method", |obstacle| {
        widened(obstacle, method)
    });
    let other_way = by_schema.or_else(|| Change::grant(grants));
    let alternative = other_way.as_ref().map(Change::as_alternative);
    let by_request = allowed.iter().map(|method| Change::Request {
        property: "method",
        value: (*method).into(),
    });
    Some(Advice {
        mistake: Mistake::Method,
        sentence: format!(
            "{method} is not allowed here, {list}{}",
            alternative.unwrap_or_default()
        ),
        changes: by_request.chain(other_way).collect(),
    })
}

/// The place of a list of methods and the same list with `method`.
fn widened(obstacle: &Mismatch, method: &str) -> Option<(String, Value)> {
    match (obstacle.keyword, &obstacle.expected) {
        ("enum", Value::Array(methods)) => {
            let mut methods = methods.clone();
            methods.push(method.into());
            Some((obstacle.place.clone(), methods.into()))
        }
        ("const", only) => {
            let place = obstacle.place.strip_suffix("/const")?;
            Some((place.to_owned(), json!({"enum": [only, method]})))
        }
        _ => None,
    }
}
