//! Request schemas: JSON Schema 2020-12 as the rules need it.
//!
//! A [`Compiler`] turns named schemas into nodes of one [`Schemas`], on demand: what no rule reaches is never looked at. A
//! schema that does not resolve (an unknown name, a dangling reference, a property that requests do not have) fails the
//! compilation. A keyword that cannot be evaluated (a broken pattern, a list where a number belongs) becomes a
//! [`Fault`] of its node, which is an error when evaluation reaches it and harmless until then; [`Schemas::first_fault`]
//! finds it without evaluating. Evaluation takes bounded time and depth. No schema ever causes a file or network read.

mod bounds;
mod compile;
mod diagnose;
mod evaluate;
mod format;
mod guard;
mod node;
mod origins;
mod properties;
mod references;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::builtin::BuiltinSchemas;

pub(super) use compile::Compiler;
pub(super) use diagnose::Diagnostics;
pub use diagnose::Mismatch;
pub(super) use guard::OneOf;
pub(super) use node::{NodeId, Schemas};
pub(super) use origins::Origins;

/// Why a schema cannot be evaluated, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The name of the schema.
    pub schema: String,
    /// Which keyword, and what is wrong with it.
    pub detail: String,
}

/// Where names are looked up: the file's own and included schemas, then the built-in ones.
pub(super) struct Registry<'a> {
    pub(super) defined: &'a HashMap<String, Arc<Value>>,
    pub(super) builtin: BuiltinSchemas,
}

impl Registry<'_> {
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        let defined = self.defined.get(name).map(Arc::as_ref);
        defined.or_else(|| self.builtin.get(name))
    }
}
