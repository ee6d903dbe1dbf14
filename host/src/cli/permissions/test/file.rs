//! The file with the cases, read strictly: what is not understood is refused and its place named, so that no case is passed
//! over for a slip of the pen. What requests carry is never shown.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::super::super::failure::Failure;
use super::super::requests::Described;
use crate::permissions::cases::{Answer, Case, Expected, ExpectedRule};

/// Far more than anybody writes by hand.
const MAX_SIZE: u64 = 64 * 1024 * 1024;

/// What is shown of a request: neither headers nor body.
#[derive(Debug)]
pub(super) struct Shown {
    pub method: String,
    pub url: String,
}

#[derive(Debug)]
pub(super) struct CaseFile {
    /// As the file names it.
    pub permissions: Option<PathBuf>,
    pub cases: Vec<(Case, Shown)>,
}

/// What is wrong, and where.
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    place: String,
    problem: String,
}

fn wrong<T>(place: impl Into<String>, problem: impl Into<String>) -> Result<T, Problem> {
    Err(Problem {
        place: place.into(),
        problem: problem.into(),
    })
}

impl CaseFile {
    pub(super) fn load(path: &Path) -> Result<Self, Failure> {
        let content = read(path).map_err(|error| {
            Failure::failed(format_args!(
                "cannot read the cases of {}: {error}",
                path.display()
            ))
        })?;
        let value = serde_json::from_slice(&content).map_err(|error| {
            Failure::failed(format_args!(
                "{} is not valid JSON: {error}",
                path.display()
            ))
        })?;
        Self::parse(value).map_err(|Problem { place, problem }| {
            Failure::failed(format_args!(
                "{} is not a file of cases: {place} {problem}",
                path.display()
            ))
        })
    }

    fn parse(value: Value) -> Result<Self, Problem> {
        let mut members = object(value, "#", &["permissions", "cases"])?;
        let permissions = match members.swap_remove("permissions") {
            None => None,
            Some(Value::String(path)) if !path.is_empty() => Some(PathBuf::from(path)),
            Some(_) => return wrong("#/permissions", "must be the path of a permissions file"),
        };
        let list = match members.swap_remove("cases") {
            None => return wrong("#", "has no \"cases\""),
            Some(Value::Array(list)) if !list.is_empty() => list,
            Some(Value::Array(_)) => return wrong("#/cases", "is empty, so nothing is tested"),
            Some(_) => return wrong("#/cases", "must be a list"),
        };
        let mut cases = Vec::with_capacity(list.len());
        let mut places: HashMap<String, usize> = HashMap::new();
        for (index, value) in list.into_iter().enumerate() {
            let (case, shown) = parse_case(value, &format!("#/cases/{index}"))?;
            if let Some(earlier) = places.insert(case.name.clone(), index) {
                return wrong(
                    format!("#/cases/{index}/name"),
                    format!("is the name of #/cases/{earlier} too; give each case its own"),
                );
            }
            cases.push((case, shown));
        }
        Ok(Self { permissions, cases })
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let size = path.metadata()?.len();
    if size > MAX_SIZE {
        return Err(std::io::Error::other(format!(
            "it is larger than {MAX_SIZE} bytes"
        )));
    }
    std::fs::read(path)
}

fn parse_case(value: Value, place: &str) -> Result<(Case, Shown), Problem> {
    let mut members = object(value, place, &["name", "request", "expect", "rule"])?;
    let name = match members.swap_remove("name") {
        Some(Value::String(name)) if !name.trim().is_empty() => name,
        Some(_) => return wrong(format!("{place}/name"), "must be a text that is not empty"),
        None => return wrong(place, "has no \"name\""),
    };
    let Some(request) = members.swap_remove("request") else {
        return wrong(place, "has no \"request\"");
    };
    let answer = match members.swap_remove("expect") {
        Some(Value::String(word)) => Answer::of_word(&word),
        Some(_) => None,
        None => return wrong(place, "has no \"expect\""),
    };
    let Some(answer) = answer else {
        return wrong(
            format!("{place}/expect"),
            "must be \"allow\", \"deny\" or \"error\"",
        );
    };
    let rule = match members.swap_remove("rule") {
        None => ExpectedRule::Whichever,
        Some(Value::Null) => ExpectedRule::None,
        Some(Value::String(scope)) => ExpectedRule::Scope(scope),
        Some(_) => {
            return wrong(
                format!("{place}/rule"),
                "must be the scope of the rule that must decide, or null when none may",
            );
        }
    };
    let place = format!("{place}/request");
    let request = Value::Object(object(
        request,
        &place,
        &["method", "url", "headers", "body", "account"],
    )?);
    let refused = |error: &dyn std::fmt::Display| Problem {
        place: place.clone(),
        problem: format!("is no request: {error}"),
    };
    let described = Described::deserialize(request).map_err(|error| refused(&error))?;
    let shown = Shown {
        method: described.method().to_owned(),
        url: described.url.clone(),
    };
    let case = Case {
        name,
        request: described.request().map_err(|error| refused(&error))?,
        expected: Expected { answer, rule },
    };
    Ok((case, shown))
}

fn object(value: Value, place: &str, known: &[&str]) -> Result<Map<String, Value>, Problem> {
    let Value::Object(members) = value else {
        return wrong(place, "must be an object");
    };
    match members.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => wrong(
            place,
            format!(
                "has the unknown key {key:?}; known are {}",
                known.join(", ")
            ),
        ),
        None => Ok(members),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problem(value: Value) -> (String, String) {
        match CaseFile::parse(value.clone()) {
            Err(Problem { place, problem }) => (place, problem),
            Ok(file) => panic!("{value} is accepted: {file:?}"),
        }
    }

    #[test]
    fn every_slip_is_refused_at_its_place() {
        let case = |change: &dyn Fn(&mut Value)| {
            let mut case = json!({"name": "a", "request": {"method": "GET", "url": "https://a.test/"}, "expect": "allow"});
            change(&mut case);
            json!({"cases": [case]})
        };
        for (file, place, word) in [
            (json!([]), "#", "object"),
            (json!({}), "#", "cases"),
            (json!({"cases": []}), "#/cases", "empty"),
            (json!({"cases": {}}), "#/cases", "list"),
            (json!({"cases": [1], "case": []}), "#", "\"case\""),
            (
                json!({"cases": [1], "permissions": 1}),
                "#/permissions",
                "path",
            ),
            (json!({"cases": [1]}), "#/cases/0", "object"),
            (
                case(&|case| case["name"] = json!(" ")),
                "#/cases/0/name",
                "empty",
            ),
            (
                case(&|case| case["expects"] = json!("allow")),
                "#/cases/0",
                "\"expects\"",
            ),
            (
                case(&|case| case["expect"] = json!("allowed")),
                "#/cases/0/expect",
                "\"deny\"",
            ),
            (
                case(&|case| case["expect"] = json!(true)),
                "#/cases/0/expect",
                "\"deny\"",
            ),
            (
                case(&|case| case["rule"] = json!(1)),
                "#/cases/0/rule",
                "scope",
            ),
            (
                case(&|case| case["request"] = json!("GET /")),
                "#/cases/0/request",
                "object",
            ),
            (
                case(&|case| case["request"]["uri"] = json!("/")),
                "#/cases/0/request",
                "\"uri\"",
            ),
            (
                case(&|case| case["request"] = json!({"method": "GET"})),
                "#/cases/0/request",
                "url",
            ),
            (
                case(&|case| case["request"]["url"] = json!("a b")),
                "#/cases/0/request",
                "a b",
            ),
            (
                case(&|case| case["request"]["method"] = json!("G T")),
                "#/cases/0/request",
                "method",
            ),
            (
                case(&|case| case["request"]["headers"] = json!({"a b": "c"})),
                "#/cases/0/request",
                "header",
            ),
        ] {
            let (at, said) = problem(file);
            assert_eq!(at, place, "{said}");
            assert!(said.contains(word), "{at}: {said}");
        }
    }

    #[test]
    fn a_name_stands_for_one_case() {
        let case = json!({"name": "a", "request": {"url": "/"}, "expect": "deny", "rule": null});
        let (place, said) = problem(json!({"cases": [case, case]}));
        assert_eq!(place, "#/cases/1/name");
        assert!(said.contains("#/cases/0"), "{said}");
        let file = CaseFile::parse(json!({"cases": [case]})).expect("cases");
        assert_eq!(file.cases[0].0.expected.rule, ExpectedRule::None);
    }

    #[test]
    fn a_secret_of_a_request_is_in_no_message() {
        let request =
            json!({"url": "https://a.test/", "headers": {"authorization": "Bearer s3cret\n"}});
        let (_, said) =
            problem(json!({"cases": [{"name": "a", "request": request, "expect": "deny"}]}));
        assert!(
            said.contains("authorization") && !said.contains("s3cret"),
            "{said}"
        );
    }
}
