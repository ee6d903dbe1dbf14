//! Notices changes in the extensions directory: writes and renames, not reads, and not the gateway's own temporary files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::directory;

/// A copy in progress writes again within this time.
const QUIET: Duration = Duration::from_millis(200);
/// What never becomes quiet is looked at nevertheless.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Why changes are not noticed.
#[derive(Debug, thiserror::Error)]
#[error(
    "changes in {} are not noticed by themselves ({source}): run `mngr-latchkey extension reload` after each",
    path.display()
)]
pub(super) struct WatchError {
    path: PathBuf,
    source: notify::Error,
}

/// Watches one directory while it lives.
pub(super) struct Changes {
    noticed: mpsc::Receiver<()>,
    _watcher: RecommendedWatcher,
}

impl Changes {
    /// # Errors
    /// When the system has no more watches to give, or the directory is not there.
    pub(super) fn of(path: &Path) -> Result<Self, WatchError> {
        let (tell, noticed) = mpsc::channel(1);
        let watch = || {
            let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
                // Events that were lost may have been any.
                if event.is_ok_and(|event| !is_change(&event)) {
                    return;
                }
                // One that waits already says it all.
                let _ = tell.try_send(());
            })?;
            watcher.watch(path, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        };
        let watcher = watch().map_err(|source| WatchError {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            noticed,
            _watcher: watcher,
        })
    }

    /// Completes when something has changed and is quiet again.
    pub(super) async fn next(&mut self) {
        if self.noticed.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        let latest = Instant::now() + LONGEST_WAIT;
        loop {
            let quiet = (Instant::now() + QUIET).min(latest);
            match timeout_at(quiet, self.noticed.recv()).await {
                Ok(Some(())) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }
}

fn is_change(event: &Event) -> bool {
    let is_of_kind = match event.kind {
        EventKind::Create(_) | EventKind::Remove(_) | EventKind::Any | EventKind::Other => true,
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        EventKind::Modify(kind) => !matches!(kind, ModifyKind::Metadata(_)),
    };
    event.need_rescan()
        || (is_of_kind
            && event
                .paths
                .iter()
                .any(|path| directory::is_of_interest(path)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::durable;

    async fn is_noticed(changes: &mut Changes) -> bool {
        tokio::time::timeout(Duration::from_secs(30), changes.next())
            .await
            .is_ok()
    }

    #[tokio::test]
    async fn writes_renames_and_removals_are_noticed() {
        let root = tempfile::tempdir().unwrap();
        let mut changes = Changes::of(root.path()).unwrap();
        let component = root.path().join("a.wasm");
        fs::write(&component, "in place").unwrap();
        assert!(is_noticed(&mut changes).await, "written");
        durable::write(&component, b"renamed over it", 0o600).unwrap();
        assert!(is_noticed(&mut changes).await, "replaced");
        fs::remove_file(&component).unwrap();
        assert!(is_noticed(&mut changes).await, "removed");
    }

    #[tokio::test]
    async fn reads_and_what_is_nobodys_component_are_not_noticed() {
        let root = tempfile::tempdir().unwrap();
        let component = root.path().join("a.wasm");
        fs::write(&component, "1").unwrap();
        let mut changes = Changes::of(root.path()).unwrap();
        fs::read(&component).unwrap();
        durable::write(&root.path().join("services.json"), b"{}", 0o600).unwrap();
        fs::create_dir(root.path().join("logs")).unwrap();
        fs::write(root.path().join(".a.wasm.1.2.tmp"), "half").unwrap();
        // The system reports in order: what is noticed first is this.
        let removal = component.clone();
        fs::remove_file(&component).unwrap();
        changes.next().await;
        assert!(!removal.exists());
        assert!(changes.noticed.try_recv().is_err());
    }

    #[test]
    fn reads_are_no_change() {
        let event = |kind| Event::new(kind).add_path("/x/a.wasm".into());
        for (kind, expected) in [
            (EventKind::Access(AccessKind::Read), false),
            (
                EventKind::Access(AccessKind::Close(AccessMode::Read)),
                false,
            ),
            (
                EventKind::Access(AccessKind::Close(AccessMode::Write)),
                true,
            ),
            (EventKind::Modify(ModifyKind::Any), true),
            (
                EventKind::Modify(ModifyKind::Metadata(notify::event::MetadataKind::Any)),
                false,
            ),
            (EventKind::Remove(notify::event::RemoveKind::File), true),
        ] {
            assert_eq!(is_change(&event(kind)), expected, "{kind:?}");
        }
    }

    #[test]
    fn a_directory_that_cannot_be_watched_says_what_to_do() {
        let Err(error) = Changes::of(Path::new("/nowhere/at/all")) else {
            panic!("there is nothing to watch");
        };
        let error = error.to_string();
        assert!(
            error.contains("/nowhere/at/all") && error.contains("extension reload"),
            "{error}"
        );
    }
}
