//! Checks a `services.json` that an operator may have edited.
//!
//! Accepts exactly what the extensions rely on: an object of service name to an array of scope entries, each with the
//! names that a request may ask for. Keys that nobody reads are left alone, so that a file of a newer version passes.
//! The first thing that is wrong is reported with its place in the file.

use serde_json::Value;

const REMEDY: &str =
    "correct it, or delete the file and restart the gateway to get the built-in catalog back";

/// Why a catalog file cannot be used. The caller names the file.
#[derive(Debug, thiserror::Error)]
#[error("{0}; {REMEDY}")]
pub struct CatalogError(#[from] Problem);

/// What is wrong with it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    /// Not JSON at all, for instance cut short.
    #[error("not valid JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// A value of the wrong type, an empty or a missing one.
    #[error("{place} must be {expected}, found {found}")]
    WrongShape {
        /// Service, indices and keys, for instance `slack[0].scope`.
        place: String,
        expected: &'static str,
        found: &'static str,
    },
    /// A service that no client could ask for by its name.
    #[error("service name {name:?} must consist of a-z, 0-9 and '-' and not start with '-'")]
    ServiceName { name: String },
}

/// Checks the content of a catalog file.
///
/// # Errors
/// Names the first thing that is wrong and where it stands, for instance `slack[0].permissions[2].name`.
pub fn validate(content: &[u8]) -> Result<(), CatalogError> {
    let root = serde_json::from_slice(content).map_err(Problem::from)?;
    Ok(check(&root)?)
}

/// The same for one that has been parsed.
pub(super) fn check(root: &Value) -> Result<(), Problem> {
    let Value::Object(services) = root else {
        return Err(wrong(
            "the catalog",
            "an object of service names",
            Some(root),
        ));
    };
    for (service, entries) in services {
        if !is_service_name(service) {
            return Err(Problem::ServiceName {
                name: service.clone(),
            });
        }
        for (place, entry) in elements(service, Some(entries))? {
            check_scope(&place, entry)?;
        }
    }
    Ok(())
}

fn check_scope(place: &str, entry: &Value) -> Result<(), Problem> {
    check_object(place, entry)?;
    check_name(place, entry, "scope")?;
    check_name(place, entry, "display_name")?;
    check_description(place, entry)?;
    for (place, permission) in elements(&format!("{place}.permissions"), entry.get("permissions"))?
    {
        check_object(&place, permission)?;
        check_name(&place, permission, "name")?;
        check_description(&place, permission)?;
    }
    Ok(())
}

fn check_object(place: &str, value: &Value) -> Result<(), Problem> {
    if value.is_object() {
        Ok(())
    } else {
        Err(wrong(place, "an object", Some(value)))
    }
}

fn check_name(place: &str, owner: &Value, key: &str) -> Result<(), Problem> {
    match owner.get(key) {
        Some(Value::String(name)) if !name.is_empty() => Ok(()),
        other => Err(wrong(
            &format!("{place}.{key}"),
            "a non-empty string",
            other,
        )),
    }
}

fn check_description(place: &str, owner: &Value) -> Result<(), Problem> {
    match owner.get("description") {
        None | Some(Value::String(_)) => Ok(()),
        other => Err(wrong(&format!("{place}.description"), "a string", other)),
    }
}

/// The elements of an array, each with its place.
fn elements<'a>(
    place: &str,
    value: Option<&'a Value>,
) -> Result<impl Iterator<Item = (String, &'a Value)>, Problem> {
    let Some(Value::Array(elements)) = value else {
        return Err(wrong(place, "an array", value));
    };
    Ok(elements
        .iter()
        .enumerate()
        .map(move |(index, element)| (format!("{place}[{index}]"), element)))
}

fn wrong(place: &str, expected: &'static str, value: Option<&Value>) -> Problem {
    let found = match value {
        None => "nothing",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "a boolean",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(text)) if text.is_empty() => "an empty string",
        Some(Value::String(_)) => "a string",
        Some(Value::Array(_)) => "an array",
        Some(Value::Object(_)) => "an object",
    };
    Problem::WrongShape {
        place: place.to_owned(),
        expected,
        found,
    }
}

/// `^[a-z0-9][a-z0-9-]*$`, which requests for one service's entry are held to.
fn is_service_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('-')
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}
