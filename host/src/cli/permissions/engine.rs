//! The engine of these commands: it decides as the gateway does.

use super::super::environment::Environment;
use super::super::failure::Failure;
use super::super::gateway::NO_BUILTIN_SCHEMAS;
use crate::permissions::{BuiltinSchemas, Engine};

/// An engine with the built-in schemas that the gateway would have in this environment.
pub(super) fn engine(environment: &Environment) -> Engine {
    Engine::new(match environment.variable(NO_BUILTIN_SCHEMAS) {
        Some(_) => BuiltinSchemas::none(),
        None => BuiltinSchemas::standard(),
    })
}

/// Runs `work` to its end; hooks are processes, whose end is waited for.
pub(super) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format_args!("cannot start: {error}")))?;
    Ok(runtime.block_on(work))
}
