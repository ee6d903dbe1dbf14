//! The body of a new request, checked in a fixed order: the first thing that is wrong is the one that is answered.

use mngr_extension::{is_blank, parse_json};
use permission_grants::{Access, Effect, InvalidPath, SharedPath};
use serde_json::{Map, Value};

use crate::scopes::Scopes;

const AGENT_PREFIX: &str = "agent-";
const AGENT_DIGITS: usize = 32;

/// Why a body was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum InvalidProposal {
    /// Nothing, or nothing but white space.
    #[error("expected a JSON object, got empty body.")]
    Empty,
    /// No JSON.
    #[error("not valid JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// JSON, but no object.
    #[error("expected a JSON object.")]
    NotAnObject,
    /// A text is missing, empty or none. The field is named with its parent.
    #[error("{0} is required and must be a non-empty string.")]
    Text(&'static str),
    /// The agent id is none.
    #[error("'agent_id' must be 'agent-' followed by 32 hexadecimal characters; got '{0}'.")]
    AgentId(String),
    /// No request of this type can be made.
    #[error("field 'type' must be one of 'predefined', 'file-sharing'; got '{0}'.")]
    Type(String),
    /// The payload is missing.
    #[error("field 'payload' is required.")]
    NoPayload,
    /// The payload is no object.
    #[error("'payload' must be a JSON object for type '{0}'.")]
    PayloadNotAnObject(&'static str),
    /// Keys that are not known, quoted and listed, after where they are.
    #[error("unknown {0}field(s): {1}.")]
    UnknownFields(&'static str, String),
    /// The permissions are missing or no texts.
    #[error("payload.'permissions' is required and must be an array of strings.")]
    Permissions,
    /// The catalog does not have the scope.
    #[error("payload.'scope' '{0}' is not a known service scope in the catalog.")]
    UnknownScope(String),
    /// The catalog does not have these permissions, quoted and listed, under the scope.
    #[error("payload.'permissions' contains entries not valid for scope '{scope}': {names}.")]
    UnknownPermissions {
        /// The scope.
        scope: String,
        /// The permissions.
        names: String,
    },
    /// The path cannot be shared.
    #[error("payload.'path' {0}.")]
    Path(#[from] InvalidPath),
    /// The access is none.
    #[error("payload.'access' must be one of 'READ', 'WRITE'; got '{0}'.")]
    Access(String),
}

/// What an agent asks for.
#[derive(Debug, PartialEq)]
pub struct Proposal {
    /// `agent-` and 32 hexadecimal characters.
    pub agent_id: String,
    /// Why, in the agent's words.
    pub rationale: String,
    /// What.
    pub wish: Wish,
}

/// What is asked for, by type.
#[derive(Debug, PartialEq)]
pub enum Wish {
    /// Permissions of the service catalog.
    Predefined {
        /// The catalog's scope.
        scope: String,
        /// Names that the catalog has under it.
        permissions: Vec<String>,
    },
    /// A file or directory of the person's machine.
    FileSharing {
        /// What to share.
        path: SharedPath,
        /// What may be done with it.
        access: Access,
    },
}

impl Wish {
    /// The type's name.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Predefined { .. } => "predefined",
            Self::FileSharing { .. } => "file-sharing",
        }
    }

    /// What granting it adds to a permissions file.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Predefined { scope, permissions } => Effect::predefined(scope, permissions),
            Self::FileSharing { path, access } => Effect::file_sharing(path, *access),
        }
    }
}

impl Proposal {
    /// Takes in a request's body. Whether the catalog has what is asked for is another check: [`Proposal::check`].
    pub fn parse(body: &[u8]) -> Result<Self, InvalidProposal> {
        if is_blank(body) {
            return Err(InvalidProposal::Empty);
        }
        let Value::Object(members) = parse_json(body)? else {
            return Err(InvalidProposal::NotAnObject);
        };
        let agent_id = self::text(&members, "agent_id", "'agent_id'")?;
        if !is_agent_id(agent_id) {
            return Err(InvalidProposal::AgentId(agent_id.to_owned()));
        }
        let rationale = self::text(&members, "rationale", "'rationale'")?;
        let parse_wish = match self::text(&members, "type", "'type'")? {
            "predefined" => predefined,
            "file-sharing" => file_sharing,
            other => return Err(InvalidProposal::Type(other.to_owned())),
        };
        let payload = members.get("payload").ok_or(InvalidProposal::NoPayload)?;
        only("", &["agent_id", "rationale", "type", "payload"], &members)?;
        Ok(Self {
            agent_id: agent_id.to_owned(),
            rationale: rationale.to_owned(),
            wish: parse_wish(payload)?,
        })
    }

    /// Whether [`Proposal::check`] looks anything up.
    pub fn needs_catalog(&self) -> bool {
        matches!(self.wish, Wish::Predefined { .. })
    }

    /// Whether the catalog has what is asked for.
    pub fn check(&self, scopes: &Scopes) -> Result<(), InvalidProposal> {
        let Wish::Predefined { scope, permissions } = &self.wish else {
            return Ok(());
        };
        match scopes.unknown(scope, permissions) {
            None => Err(InvalidProposal::UnknownScope(scope.clone())),
            Some(unknown) if unknown.is_empty() => Ok(()),
            Some(unknown) => Err(InvalidProposal::UnknownPermissions {
                scope: scope.clone(),
                names: quoted(unknown),
            }),
        }
    }
}

fn predefined(payload: &Value) -> Result<Wish, InvalidProposal> {
    let payload = payload
        .as_object()
        .ok_or(InvalidProposal::PayloadNotAnObject("predefined"))?;
    let scope = text(payload, "scope", "payload.'scope'")?;
    let permissions = payload
        .get("permissions")
        .and_then(Value::as_array)
        .ok_or(InvalidProposal::Permissions)?;
    let permissions = permissions
        .iter()
        .map(|name| {
            name.as_str()
                .map(str::to_owned)
                .ok_or(InvalidProposal::Permissions)
        })
        .collect::<Result<_, _>>()?;
    only("payload ", &["scope", "permissions"], payload)?;
    Ok(Wish::Predefined {
        scope: scope.to_owned(),
        permissions,
    })
}

fn file_sharing(payload: &Value) -> Result<Wish, InvalidProposal> {
    let payload = payload
        .as_object()
        .ok_or(InvalidProposal::PayloadNotAnObject("file-sharing"))?;
    let path = SharedPath::parse(text(payload, "path", "payload.'path'")?)?;
    let access = match text(payload, "access", "payload.'access'")? {
        "READ" => Access::Read,
        "WRITE" => Access::Write,
        other => return Err(InvalidProposal::Access(other.to_owned())),
    };
    only("payload ", &["path", "access"], payload)?;
    Ok(Wish::FileSharing { path, access })
}

fn text<'a>(
    members: &'a Map<String, Value>,
    name: &str,
    shown: &'static str,
) -> Result<&'a str, InvalidProposal> {
    members
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .ok_or(InvalidProposal::Text(shown))
}

fn only(
    place: &'static str,
    allowed: &[&str],
    members: &Map<String, Value>,
) -> Result<(), InvalidProposal> {
    let mut unknown = members
        .keys()
        .map(String::as_str)
        .filter(|name| !allowed.contains(name))
        .peekable();
    match unknown.peek() {
        None => Ok(()),
        Some(_) => Err(InvalidProposal::UnknownFields(place, quoted(unknown))),
    }
}

fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names
        .into_iter()
        .map(|name| format!("'{name}'"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn is_agent_id(text: &str) -> bool {
    text.strip_prefix(AGENT_PREFIX).is_some_and(|digits| {
        digits.len() == AGENT_DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

#[cfg(test)]
#[path = "proposal_tests.rs"]
mod tests;
