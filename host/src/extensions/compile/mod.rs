//! Compiling components in a short-lived process of its own, this program's `compile-component`.
//!
//! What compiling costs, the component chooses: so the process has little priority, and limits of processor time, memory and
//! time on the clock, and ends with whoever asked for it. It leaves the code in the [`cache`], from where the gateway loads it;
//! none of the compiler's memory stays in the gateway. What the cache has costs no process.
//!
//! [`Compiler::prepare`] promises that loading the same bytes is cheap, or at least bounded: where the cache cannot keep the
//! code, the gateway compiles again what the process has compiled within the limits. Only bundled components, which are
//! trusted, are compiled in the gateway without having been tried.

mod cache;
mod process;
mod subcommand;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

pub(super) use self::cache::CodeCache;
use self::cache::Entry;
pub use self::process::CompilerProgram;
use self::process::Task;
pub use self::subcommand::{Request as CompileRequest, compile};
use super::report::Origin;
use crate::store::durable::StorageError;

/// Processor time; what a person writes by hand or a tool makes of one takes a second or two.
const PROCESSOR_TIME: Duration = Duration::from_secs(30);
/// With little priority on a busy machine, those seconds come slowly. Less than a supervisor waits for its gateway, which waits for
/// what comes with it.
const CLOCK_TIME: Duration = Duration::from_secs(90);
const MEMORY_MIB: u64 = 1024;

/// Why there is no code of a component.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    #[error(
        "it took longer than {} s to compile, the longest that a component may take: build it smaller",
        .0.as_secs()
    )]
    TooLong(Duration),
    #[error(
        "it took more than {0} MiB to compile, the most that a component may take: build it smaller"
    )]
    TooMuch(u64),
    #[error("it is no WebAssembly component that this gateway can compile: {0}")]
    Invalid(String),
    #[error("the compiler broke down over it: {0}")]
    BrokeDown(String),
    #[error("the process that compiles it cannot be run: {0}")]
    NotRun(#[from] io::Error),
}

/// Third parties' components at once: one that takes as long as it may does not hold up another.
const AT_ONCE: usize = 2;

/// Has components compiled, few of third parties at a time.
pub(super) struct Compiler {
    /// Without one, everything is compiled in this process and without limits.
    program: Option<CompilerProgram>,
    cache: Option<Arc<CodeCache>>,
    third_party: Semaphore,
    /// Whether there is anybody whom compiling could slow down.
    gives_way: AtomicBool,
}

impl Compiler {
    /// `cache` is none when it cannot be used, which whoever found out has said.
    pub(super) fn new(program: Option<CompilerProgram>, cache: Option<CodeCache>) -> Self {
        Self {
            program,
            cache: cache.map(Arc::new),
            third_party: Semaphore::new(AT_ONCE),
            gives_way: AtomicBool::new(false),
        }
    }

    /// From now on requests are served: third parties' components are compiled with little priority.
    pub(super) fn give_way(&self) {
        self.gives_way.store(true, Ordering::Relaxed);
    }

    /// Sees to it that `Component::from_binary` of these bytes takes bounded time and memory, mostly by filling the cache.
    /// Dropping the future ends the process.
    pub(super) async fn prepare(
        &self,
        name: &str,
        bytes: &Arc<[u8]>,
        sha256: &str,
        origin: Origin,
    ) -> Result<(), CompileError> {
        let Some(program) = &self.program else {
            tracing::warn!(
                extension = name,
                "compiled in the gateway itself and without limits, since there is no program for it"
            );
            return Ok(());
        };
        match self.look_up(sha256).await {
            Some(Entry::Code(_)) => return Ok(()),
            Some(Entry::TooLong) => return Err(CompileError::TooLong(PROCESSOR_TIME)),
            Some(Entry::TooMuch) => return Err(CompileError::TooMuch(MEMORY_MIB)),
            None => {}
        }
        let _turn = match origin {
            // Nothing closes it.
            Origin::Installed => self.third_party.acquire().await.ok(),
            Origin::Bundled if self.cache.is_none() => return Ok(()),
            Origin::Bundled => None,
        };
        let start = Instant::now();
        match self.run(program, bytes, sha256, origin).await {
            Ok(()) => {
                let milliseconds = start.elapsed().as_millis();
                tracing::info!(
                    extension = name,
                    milliseconds,
                    "compiled in a process of its own"
                );
                Ok(())
            }
            // It is not to blame, and nothing is served without it.
            Err(error) if origin == Origin::Bundled => {
                tracing::warn!(
                    extension = name,
                    "compiled in the gateway itself, since the process for that has failed: {error}"
                );
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn run(
        &self,
        program: &CompilerProgram,
        bytes: &Arc<[u8]>,
        sha256: &str,
        origin: Origin,
    ) -> Result<(), CompileError> {
        let cache = self.cache.clone();
        let room = off_the_path(move || cache.map(|cache| cache.room()).transpose());
        let room = room.await.unwrap_or_else(|error| {
            not_cached(&error);
            None
        });
        let task = Task {
            component: Arc::clone(bytes),
            code: room.as_ref().map(|room| room.path().to_owned()),
            has_priority: origin == Origin::Bundled || !self.gives_way.load(Ordering::Relaxed),
        };
        let compiled = task.run(program).await;
        let Some(cache) = self.cache.clone() else {
            return compiled;
        };
        let sha256 = sha256.to_owned();
        off_the_path(move || {
            let noted = match (&compiled, room) {
                // It is known to be compiled within the limits: without the code there, the gateway does it again.
                (Ok(()), Some(room)) => cache.keep(&room, &sha256),
                (Ok(()), None) => Ok(()),
                (Err(error), _) => cache.refuse(&sha256, error),
            };
            noted.unwrap_or_else(|error| not_cached(&error));
            compiled
        })
        .await
    }

    async fn look_up(&self, sha256: &str) -> Option<Entry> {
        let (cache, sha256) = (self.cache.clone()?, sha256.to_owned());
        off_the_path(move || cache.look_up(&sha256)).await
    }
}

fn not_cached(error: &StorageError) {
    tracing::warn!("the compiled component is not cached: {error}");
}

async fn off_the_path<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
