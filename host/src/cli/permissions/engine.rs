//! The engine of these commands: it decides as the gateway does.

use super::super::environment::Environment;
use super::super::failure::Failure;
use super::super::gateway::NO_BUILTIN_SCHEMAS;
use super::super::options::Options;
use super::super::settings::Settings;
use crate::permissions::catalog::Catalog;
use crate::permissions::{BuiltinSchemas, Engine};
use crate::store::paths::LatchkeyDirectory;

/// An engine with the built-in schemas that the gateway would have here: those of the imported catalog where there is one.
pub(super) fn engine(options: &Options, environment: &Environment) -> Result<Engine, Failure> {
    builtin_schemas(options, environment).map(Engine::new)
}

/// The schemas that a permissions file may use without defining them.
pub(super) fn builtin_schemas(
    options: &Options,
    environment: &Environment,
) -> Result<BuiltinSchemas, Failure> {
    if environment.variable(NO_BUILTIN_SCHEMAS).is_some() {
        return Ok(BuiltinSchemas::none());
    }
    let settings = Settings::resolve(options, environment)?;
    let directory = LatchkeyDirectory::new(&settings.directory).map_err(Failure::failed)?;
    let catalog = Catalog::in_use(&directory).map_err(Failure::failed)?;
    Ok(BuiltinSchemas::of(catalog))
}

/// Runs `work` to its end; hooks are processes, whose end is waited for.
pub(super) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format_args!("cannot start: {error}")))?;
    Ok(runtime.block_on(work))
}
