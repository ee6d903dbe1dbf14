//! `mngr:gateway/catalog`: the service catalog as it stands in its file, so that an edit shows without a restart.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::component::{Accessor, HasSelf};

use crate::extensions::state::InstanceState;
use crate::extensions::v0_1::{catalog, types};
use crate::permissions::catalog::validate;
use crate::store::durable;
use crate::store::stamp::Stamp;

/// Far above any catalog, in bytes; keeps a mistake from filling the memory.
const LARGEST: u64 = 64 * 1024 * 1024;

/// What was read, and what it is known as; an unusable file is remembered with what is wrong with it.
#[derive(Clone)]
struct Reading {
    stamp: Stamp,
    version: u64,
    content: Result<Arc<[u8]>, String>,
}

/// `services.json`, read again when it has changed.
pub(in crate::extensions) struct CatalogFile {
    path: PathBuf,
    reading: Mutex<Option<Reading>>,
    versions: AtomicU64,
}

impl CatalogFile {
    pub(in crate::extensions) fn new(path: PathBuf) -> Self {
        Self {
            path,
            reading: Mutex::new(None),
            versions: AtomicU64::new(1),
        }
    }

    fn cached(&self) -> Option<Reading> {
        let reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        reading
            .as_ref()
            .filter(|reading| reading.stamp.is_current(&self.path))
            .cloned()
    }

    /// Blocking.
    fn read(&self) -> Reading {
        let unusable = |what: &str, error: &dyn std::fmt::Display| {
            format!(
                "the service catalog {} {what}: {error}; mend it, or restart the gateway to have its own catalog back",
                self.path.display()
            )
        };
        let read = || {
            let stamp = Stamp::of(&self.path).map_err(|error| error.to_string())?;
            let found = durable::read(&self.path, LARGEST).map_err(|error| error.to_string())?;
            let (content, _) = found.ok_or("it is missing")?;
            Ok::<_, String>((stamp, content))
        };
        let (stamp, content) = match read() {
            Ok((stamp, content)) => match validate(&content) {
                Ok(()) => (Some(stamp), Ok(content.into())),
                Err(error) => (Some(stamp), Err(unusable("is broken", &error))),
            },
            Err(error) => (None, Err(unusable("cannot be read", &error))),
        };
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let version = match reading.as_ref() {
            Some(previous) if previous.content == content => previous.version,
            _ => self.versions.fetch_add(1, Ordering::Relaxed),
        };
        let read = Reading {
            stamp: stamp.unwrap_or_else(Stamp::never),
            version,
            content,
        };
        *reading = Some(read.clone());
        read
    }
}

impl catalog::Host for InstanceState {}

impl catalog::HostWithStore<InstanceState> for HasSelf<InstanceState> {
    async fn read(
        accessor: &Accessor<InstanceState, Self>,
        known: Option<u64>,
    ) -> wasmtime::Result<Result<Option<types::Document>, String>> {
        let granted = accessor.with(|mut access| {
            let capabilities = &access.get().capabilities;
            if capabilities.grants.catalog {
                return Some((
                    Arc::clone(&capabilities.services),
                    Arc::clone(&capabilities.disk),
                ));
            }
            capabilities.refused("catalog", "read");
            None
        });
        let Some((services, disk)) = granted else {
            return Ok(Err(
                "the service catalog is not granted to this extension".to_owned()
            ));
        };
        let reading = match services.catalog.cached() {
            Some(reading) => reading,
            None => disk.run(0, move || services.catalog.read()).await?,
        };
        Ok(reading.content.map(|content| {
            (known != Some(reading.version)).then(|| types::Document {
                content: content.to_vec(),
                version: reading.version,
            })
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CATALOG: &str =
        r#"{"s": [{"scope": "s-api", "display_name": "S", "permissions": [{"name": "s-read"}]}]}"#;

    #[test]
    fn an_edited_catalog_is_read_again_under_a_new_version() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("services.json");
        std::fs::write(&path, CATALOG).unwrap();
        let file = CatalogFile::new(path.clone());
        let first = file.read();
        assert_eq!(file.read().version, first.version, "nothing has changed");
        std::fs::write(&path, CATALOG.replace("s-read", "s-write")).unwrap();
        let second = file.cached().unwrap_or_else(|| file.read());
        assert_ne!(second.version, first.version);
        assert!(String::from_utf8_lossy(&second.content.unwrap()).contains("s-write"));
    }

    #[test]
    fn a_broken_or_missing_catalog_is_an_error_that_names_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("services.json");
        let file = CatalogFile::new(path.clone());
        let missing = file.read().content.unwrap_err();
        assert!(missing.contains(&*path.to_string_lossy()), "{missing}");
        std::fs::write(&path, "{").unwrap();
        let broken = file.read().content.unwrap_err();
        assert!(
            broken.contains(&*path.to_string_lossy()) && broken.contains("broken"),
            "{broken}"
        );
        std::fs::write(&path, CATALOG).unwrap();
        assert!(file.read().content.is_ok(), "a mended catalog serves again");
    }
}
