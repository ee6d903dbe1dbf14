//! The WebAssembly engine: compiler settings, compile cache, and the clock that interrupts guests.
//!
//! One engine serves every extension of a gateway. Its epoch advances every [`TICK`] while the engine lives; what an
//! instance does at a tick is decided in `instance`. Compiled code is cached below the latchkey directory, which only its
//! owner can write: whoever can write there can run code as the gateway.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use wasmtime::component::Linker;
use wasmtime::{Config, Engine};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::random::WasiRandom;

use super::compile::{CodeCache, Compiler, CompilerProgram};
use super::state::InstanceState;
use super::worlds;

/// How often a running guest is interrupted so that it can yield or be ended.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// An engine with everything that a component may import. Dropping it stops the epoch clock.
pub(super) struct Runtime {
    pub(super) engine: Engine,
    pub(super) linker: Linker<InstanceState>,
    pub(super) compiler: Compiler,
    _clock: SyncSender<()>,
}

impl Runtime {
    /// Builds the engine; `cache_directory` is created when it is missing, and without one nothing is cached. Components are
    /// compiled by `program`; without one, in this process.
    ///
    /// An unusable cache directory is no reason not to serve: it is reported in the log and nothing is cached.
    pub(super) fn new(
        cache_directory: Option<&Path>,
        program: Option<CompilerProgram>,
    ) -> wasmtime::Result<Self> {
        let mut config = configuration();
        let code = cache_directory.and_then(|directory| {
            open_cache(directory, &mut config)
                .inspect_err(|error| {
                    tracing::warn!(
                        directory = %directory.display(),
                        "compiled components are not cached, so every start compiles them again: {error:#}"
                    );
                })
                .ok()
        });
        let engine = Engine::new(&config)?;
        let linker = linker(&engine)?;
        let compiler = Compiler::new(program, code.map(|code| code.of_engine(&engine)));
        let (clock, stop) = std::sync::mpsc::sync_channel(0);
        let weak = engine.weak();
        std::thread::Builder::new()
            .name("epoch".to_owned())
            .spawn(move || advance_epoch(&weak, &stop))?;
        Ok(Self {
            engine,
            linker,
            compiler,
            _clock: clock,
        })
    }
}

fn open_cache(directory: &Path, config: &mut Config) -> wasmtime::Result<CodeCache> {
    let code = CodeCache::open(directory)?;
    config.cache(Some(code.of_wasmtime()?));
    Ok(code)
}

/// What code is compiled for. Whoever compiles with anything else compiles in vain.
pub(super) fn configuration() -> Config {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    config.epoch_interruption(true);
    config
}

fn advance_epoch(engine: &wasmtime::EngineWeak, stop: &Receiver<()>) {
    while stop.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
        let Some(engine) = engine.upgrade() else {
            return;
        };
        engine.increment_epoch();
    }
}

/// Every interface that may be imported. Whether a call is allowed is decided by the capability, per instance.
/// `wasi:filesystem` and `wasi:sockets` are not among them.
fn linker(engine: &Engine) -> wasmtime::Result<Linker<InstanceState>> {
    let mut linker = Linker::new(engine);
    // Rust's and C's standard libraries still import 0.2; clocks, random numbers, standard streams and no more.
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(&mut linker)?;
    wasmtime_wasi::p2::bindings::random::insecure_seed::add_to_linker::<InstanceState, WasiRandom>(
        &mut linker,
        |state| state.ctx().ctx.random(),
    )?;
    wasmtime_wasi::p3::clocks::add_to_linker(&mut linker)?;
    wasmtime_wasi::p3::random::add_to_linker(&mut linker)?;
    wasmtime_wasi::p3::cli::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    worlds::add_to_linker(&mut linker)?;
    Ok(linker)
}
