//! The compiling process from within: it limits itself, reads one component, compiles it, and ends.
//!
//! It ends with its input: whoever asked for the code keeps that open, and is gone when it closes.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::{MEMORY_MIB, PROCESSOR_TIME, cache};
use crate::extensions::engine;

/// What the command line calls it.
pub(super) const NAME: &str = "compile-component";

/// A tenth of what others get where all want the processor: what serves goes first, and a busy machine still gets it done.
const LITTLE_PRIORITY: i32 = 10;
/// Compilers recurse into what they compile.
const STACK: usize = 16 * 1024 * 1024;

/// What one compiling process is to do.
#[derive(Debug)]
pub struct Request {
    /// The component's, which comes from standard input.
    pub length: u64,
    /// Where the code is left; without it, compiling is only tried.
    pub code: Option<PathBuf>,
    pub has_priority: bool,
}

/// Compiles the component on standard input, within limits that hold for the whole process from then on.
///
/// # Errors
/// Says in one line what is wrong with the component, or what went wrong otherwise.
pub fn compile(request: &Request) -> Result<(), String> {
    limit(request).map_err(|error| format!("the limits cannot be set: {error}"))?;
    let mut component = Vec::new();
    io::stdin()
        .take(request.length)
        .read_to_end(&mut component)
        .map_err(|error| format!("the component cannot be read: {error}"))?;
    let (tell, told) = sync_channel(2);
    watch(tell.clone()).map_err(|error| error.to_string())?;
    let code = request.code.clone();
    thread::Builder::new()
        .name("compile".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            // Nobody waits only after the input has ended.
            let _ = tell.send(translate(&component, code.as_deref()));
        })
        .map_err(|error| error.to_string())?;
    told.recv()
        .unwrap_or_else(|_| Err("the compiler gave up".to_owned()))
}

fn limit(request: &Request) -> io::Result<()> {
    if !request.has_priority {
        nice(LITTLE_PRIORITY)?;
    }
    let bytes = MEMORY_MIB * 1024 * 1024;
    at_most(Resource::Core, 0, 0)?;
    // A second more until nothing else helps.
    let seconds = PROCESSOR_TIME.as_secs();
    at_most(Resource::Cpu, seconds, seconds + 1)?;
    at_most(Resource::Data, bytes, bytes)?;
    // Counts what is only reserved, and this program's own file, too.
    at_most(Resource::As, 2 * bytes, 2 * bytes)
}

/// Limits a resource, if it is not limited more already.
fn at_most(resource: Resource, current: u64, maximum: u64) -> io::Result<()> {
    let before = getrlimit(resource);
    let least = |limit: u64, before: Option<u64>| before.map_or(limit, |before| before.min(limit));
    let limits = Rlimit {
        current: Some(least(current, before.current)),
        maximum: Some(least(maximum, before.maximum)),
    };
    Ok(setrlimit(resource, limits)?)
}

/// Tells when the input ends.
fn watch(tell: SyncSender<Result<(), String>>) -> io::Result<()> {
    thread::Builder::new()
        .name("watch".to_owned())
        .spawn(move || {
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            let _ = tell.send(Err("whoever asked for the code has gone".to_owned()));
        })?;
    Ok(())
}

fn translate(component: &[u8], code: Option<&Path>) -> Result<(), String> {
    let say = |error: wasmtime::Error| error.root_cause().to_string();
    let mut config = engine::configuration();
    // One processor is enough to take from the others; what is compiled is the same.
    config.parallel_compilation(false);
    let cache = code.map(cache::code_in).transpose().map_err(say)?;
    config.cache(cache);
    let engine = Engine::new(&config).map_err(say)?;
    Component::from_binary(&engine, component)
        .map(drop)
        .map_err(say)
}
