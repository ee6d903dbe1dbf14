//! Names of hosts and agents. Once parsed they are safe as a file name and inside a regular expression.

use std::fmt;

use serde::{Deserialize, Serialize};

const HEX_LENGTH: usize = 32;

/// A host: `host-` and 32 hexadecimal characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct HostId(String);

/// An agent: `agent-` and 32 hexadecimal characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct AgentId(String);

/// Why a text is no id. The messages are matched by scripts.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("{kind} must start with '{prefix}', got '{value}'")]
    Prefix {
        kind: &'static str,
        prefix: &'static str,
        value: String,
    },
    #[error("{kind} hex part must be exactly {HEX_LENGTH} characters, got {length}")]
    Length { kind: &'static str, length: usize },
    #[error("{kind} hex part must contain only hexadecimal characters (0-9, a-f), got '{value}'")]
    Characters { kind: &'static str, value: String },
}

impl HostId {
    /// Accepts upper-case hexadecimal too, and keeps it as it is.
    pub fn parse(value: &str) -> Result<Self, IdError> {
        validate("HostId", "host-", value)?;
        Ok(Self(value.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AgentId {
    /// Accepts upper-case hexadecimal too, and keeps it as it is.
    pub fn parse(value: &str) -> Result<Self, IdError> {
        validate("AgentId", "agent-", value)?;
        Ok(Self(value.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<HostId> for String {
    fn from(id: HostId) -> Self {
        id.0
    }
}

impl TryFrom<String> for HostId {
    type Error = IdError;

    fn try_from(value: String) -> Result<Self, IdError> {
        Self::parse(&value)
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<AgentId> for String {
    fn from(id: AgentId) -> Self {
        id.0
    }
}

impl TryFrom<String> for AgentId {
    type Error = IdError;

    fn try_from(value: String) -> Result<Self, IdError> {
        Self::parse(&value)
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn validate(kind: &'static str, prefix: &'static str, value: &str) -> Result<(), IdError> {
    let Some(hex) = value.strip_prefix(prefix) else {
        return Err(IdError::Prefix {
            kind,
            prefix,
            value: value.to_owned(),
        });
    };
    let length = hex.chars().count();
    if length != HEX_LENGTH {
        return Err(IdError::Length { kind, length });
    }
    if !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(IdError::Characters {
            kind,
            value: hex.to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_cases_of_hexadecimal_are_accepted() {
        let value = "host-0123456789abcdefABCDEF0123456789";
        assert_eq!(HostId::parse(value).unwrap().as_str(), value);
    }

    #[test]
    fn messages_are_the_ones_scripts_match() {
        let message = |value: &str| HostId::parse(value).unwrap_err().to_string();
        assert_eq!(message("x"), "HostId must start with 'host-', got 'x'");
        assert_eq!(
            message("host-é"),
            "HostId hex part must be exactly 32 characters, got 1"
        );
        assert_eq!(
            message(&format!("host-{}", "g".repeat(32))),
            format!(
                "HostId hex part must contain only hexadecimal characters (0-9, a-f), got '{}'",
                "g".repeat(32)
            )
        );
        assert_eq!(
            AgentId::parse("host-1").unwrap_err().to_string(),
            "AgentId must start with 'agent-', got 'host-1'"
        );
    }

    #[test]
    fn nothing_that_python_reads_as_a_number_slips_through() {
        for hex in ["+", "-", " ", "_"] {
            let value = format!("agent-{hex}{}", "0".repeat(31));
            assert!(AgentId::parse(&value).is_err(), "{value}");
        }
    }
}
