//! The threads that requests are served on, each with an event loop of its own.
//!
//! Everything that a request passes on its way — the client's connection, the instance of a bundled extension, the connection
//! to an upstream — stays on one of them: handing it from thread to thread costs more than the work. Extensions of third
//! parties run apart, on threads that give way to these, so that one that spins holds up nobody's connection.

use std::cell::Cell;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

thread_local! {
    static INDEX: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Threads apart, beyond the processors: where guests that spin hold every processor until their watchdog ends them, these still
/// see to the others, and the kernel shares out the time.
const SPARE_THREADS: usize = 2;

/// By how much the threads apart give way: where both have work, a serving thread gets nine times as much of a processor.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;
#[cfg(target_os = "linux")]
const LEAST_PRIORITY: i32 = 19;

/// The threads, for as long as they are to run. Dropping this ends them with everything that runs on them; it does not wait for
/// one that hangs.
#[derive(Debug)]
pub struct ServingThreads {
    handles: ServingHandles,
    /// Each thread runs until its sender is gone.
    _running: Vec<oneshot::Sender<()>>,
    _apart: Apart,
}

/// The threads of everybody else's extensions.
#[derive(Debug)]
struct Apart(Option<Runtime>);

/// Where to spawn on them. Cheap to clone; the default is no thread, and then everything runs where it is spawned.
#[derive(Clone, Debug, Default)]
pub struct ServingHandles {
    places: Arc<[Place]>,
    apart: Option<Handle>,
}

#[derive(Debug)]
struct Place {
    handle: Handle,
    /// What [`ServingHandles::spawn`] has put there and has not ended.
    load: AtomicUsize,
}

/// Counts for as long as it lives.
struct Load {
    places: ServingHandles,
    index: usize,
}

impl ServingThreads {
    /// Starts `count` serving threads, and those apart.
    ///
    /// # Errors
    /// When the system has no more threads or file descriptors.
    pub fn start(count: NonZeroUsize) -> io::Result<Self> {
        let (mut handles, mut running) = (Vec::new(), Vec::new());
        for index in 0..count.get() {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            handles.push(Place {
                handle: runtime.handle().clone(),
                load: AtomicUsize::new(0),
            });
            let (stop, stopped) = oneshot::channel::<()>();
            std::thread::Builder::new()
                .name(format!("serving-{index}"))
                .spawn(move || {
                    INDEX.set(Some(index));
                    // Nothing is ever sent: this ends when the sender is dropped.
                    let _ = runtime.block_on(stopped);
                    // A write to a disk that hangs shall not keep the process.
                    runtime.shutdown_background();
                })?;
            running.push(stop);
        }
        let apart = Apart::start()?;
        Ok(Self {
            handles: ServingHandles {
                places: handles.into(),
                apart: apart.0.as_ref().map(|runtime| runtime.handle().clone()),
            },
            _running: running,
            _apart: apart,
        })
    }

    pub fn handles(&self) -> ServingHandles {
        self.handles.clone()
    }
}

impl Apart {
    fn start() -> io::Result<Self> {
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let runtime = Builder::new_multi_thread()
            .worker_threads(cores.get() + SPARE_THREADS)
            .thread_name("apart")
            .on_thread_start(give_way())
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // As with the others: what hangs shall not keep the process.
            runtime.shutdown_background();
        }
    }
}

/// What lowers the priority of the thread that it runs on, below that of the one that this is called on. Elsewhere than on Linux
/// that would be the priority of the process.
#[cfg(target_os = "linux")]
fn give_way() -> impl Fn() + Send + Sync {
    use rustix::process::{getpriority_process, setpriority_process};

    let own = getpriority_process(None).unwrap_or_default();
    // Not from what the thread has: it may have it from one that gives way already.
    let niceness = own.saturating_add(NICENESS).min(LEAST_PRIORITY);
    move || {
        if let Err(error) = setpriority_process(None, niceness) {
            tracing::debug!("extensions of third parties run with the gateway's priority: {error}");
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn give_way() -> impl Fn() + Send + Sync {
    || {}
}

impl ServingHandles {
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// Where extensions of third parties run; without threads that is wherever they are spawned.
    pub(super) fn apart(&self) -> Option<&Handle> {
        self.apart.as_ref()
    }

    /// Runs a task on the thread that has the fewest of these: the first, as long as there is little to do, since what was
    /// used there last is at hand. Without threads it runs here.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let places = self.places.iter().enumerate();
        let least = places.min_by_key(|(_, place)| place.load.load(Ordering::Relaxed));
        let Some((index, place)) = least else {
            tokio::spawn(task);
            return;
        };
        place.load.fetch_add(1, Ordering::Relaxed);
        let load = Load {
            places: self.clone(),
            index,
        };
        place.handle.spawn(async move {
            let _load = load;
            task.await;
        });
    }

    /// The thread of this number.
    pub(super) fn get(&self, number: usize) -> Option<&Handle> {
        self.places.get(number).map(|place| &place.handle)
    }

    /// Which of the threads this is, if it is one.
    pub(super) fn current() -> Option<usize> {
        INDEX.get()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if let Some(place) = self.places.places.get(self.index) {
            place.load.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_go_where_the_fewest_are() {
        let threads = ServingThreads::start(NonZeroUsize::MIN.saturating_add(1)).unwrap();
        let handles = threads.handles();
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let (mut release, mut places) = (Vec::new(), Vec::new());
        for _ in 0..4 {
            let (go, wait) = oneshot::channel::<()>();
            release.push(go);
            let tell = tell.clone();
            handles.spawn(async move {
                tell.send(ServingHandles::current()).unwrap();
                let _ = wait.await;
            });
            places.push(told.recv().unwrap());
        }
        assert_eq!(places, [Some(0), Some(1), Some(0), Some(1)]);
        assert_eq!(ServingHandles::current(), None);
    }

    #[test]
    fn what_still_runs_ends_with_the_threads() {
        let threads = ServingThreads::start(NonZeroUsize::MIN).unwrap();
        let (kept, gone) = oneshot::channel::<()>();
        threads.handles().spawn(async move {
            std::future::pending::<()>().await;
            drop(kept);
        });
        drop(threads);
        assert!(gone.blocking_recv().is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_runs_apart_gives_way_to_what_is_served() {
        let threads = ServingThreads::start(NonZeroUsize::MIN).unwrap();
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let (handles, own) = (threads.handles(), niceness());
        let lower = (own + NICENESS).min(LEAST_PRIORITY);
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let apart = handles.apart().unwrap();
        let (task, blocking) = (tell.clone(), tell.clone());
        apart.spawn(async move { task.send(niceness()).unwrap() });
        assert_eq!(told.recv().unwrap(), lower);
        apart.spawn_blocking(move || blocking.send(niceness()).unwrap());
        assert_eq!(told.recv().unwrap(), lower);
        handles.spawn(async move { tell.send(niceness()).unwrap() });
        assert_eq!(told.recv().unwrap(), own);
    }

    #[tokio::test]
    async fn without_threads_everything_runs_here() {
        let (tell, told) = oneshot::channel();
        ServingHandles::default().spawn(async move {
            let _ = tell.send(ServingHandles::current());
        });
        assert_eq!(told.await, Ok(None));
    }
}
