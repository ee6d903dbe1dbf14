//! Why a request does not match a schema.
//!
//! [`Diagnostics::mismatches`] gives no reason exactly when evaluation says that the request matches, and fails exactly when
//! evaluation does. It follows the keywords in the order in which they are evaluated and asks the evaluator itself about
//! every part; unlike the evaluator it goes on after the first reason. How much it looks at is bounded; what lies beyond
//! the bound is one reason without particulars.
//!
//! What a reason shows of the request is taken from a second copy of it, in which the caller has hidden the secrets.

mod array;
mod object;
mod scalar;
mod sentence;
#[cfg(test)]
mod tests;
mod walk;

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::Fault;
use super::evaluate::Evaluated;
use super::node::{NodeId, Schemas};
use super::origins::Origins;
use walk::{Part, Walk};

/// One thing that keeps a request from matching. Displayed, it is a sentence without its schema's name and place.
#[derive(Clone, PartialEq, Serialize)]
pub struct Mismatch {
    /// Where in the request, as a JSON pointer; empty for the request itself.
    pub at: String,
    /// The named schema that holds the keyword.
    pub schema: String,
    /// Where in that schema, as a JSON pointer after `#`.
    pub place: String,
    /// What is not fulfilled; `false` for a schema that matches nothing.
    pub keyword: &'static str,
    /// What the keyword asks for; how many branches there are for `anyOf` and `oneOf`.
    pub expected: Value,
    /// What the request has there, shortened, or how much of it where the keyword counts; nothing where it has nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<Value>,
    /// For `anyOf` and `oneOf`: why each of the branches does not match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Vec<Mismatch>>,
}

/// What the request holds is not for logs.
impl fmt::Debug for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mismatch")
            .field("at", &self.at)
            .field("schema", &self.schema)
            .field("place", &self.place)
            .field("keyword", &self.keyword)
            .field("alternatives", &self.alternatives)
            .finish_non_exhaustive()
    }
}

/// Compiled schemas, with what is needed to explain their answers.
pub(in crate::permissions) struct Diagnostics<'a> {
    pub(in crate::permissions) schemas: &'a Schemas,
    pub(in crate::permissions) origins: &'a Origins,
}

impl Diagnostics<'_> {
    /// Why `request` does not match the schema at `id`. `shown` is the request as it may be shown.
    pub(in crate::permissions) fn mismatches(
        &self,
        id: NodeId,
        request: &Value,
        shown: &Value,
    ) -> Result<Vec<Mismatch>, Fault> {
        if self.schemas.matches(id, request)? {
            return Ok(Vec::new());
        }
        let whole = Part {
            value: request,
            at: "",
        };
        Ok(Walk::new(self, shown).node(id, whole, Evaluated::default()))
    }
}
