//! `mngr:gateway/documents`: collections of JSON documents below the latchkey directory, granted by name.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::component::{Accessor, HasSelf};

use super::disk::Disk;
use crate::extensions::state::InstanceState;
use crate::extensions::v0_1::documents;
use crate::store::collection::{Collection, CollectionError, Listing};

/// The collections in use, by name; a name is a relative path that a grant spelt out.
pub(in crate::extensions) struct Collections {
    root: PathBuf,
    open: Mutex<HashMap<String, Arc<Collection>>>,
}

impl Collections {
    pub(in crate::extensions) fn new(root: PathBuf) -> Self {
        Self {
            root,
            open: Mutex::new(HashMap::new()),
        }
    }

    fn open(&self, name: &str) -> Arc<Collection> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(collection) = open.get(name) {
            return Arc::clone(collection);
        }
        let collection = Arc::new(Collection::new(self.root.join(name)));
        open.insert(name.to_owned(), Arc::clone(&collection));
        collection
    }
}

/// A collection that is granted.
struct Granted {
    collection: Arc<Collection>,
    disk: Arc<Disk>,
}

fn granted(
    accessor: &Accessor<InstanceState, HasSelf<InstanceState>>,
    collection: &str,
) -> Result<Granted, documents::Error> {
    accessor.with(|mut access| {
        let capabilities = &access.get().capabilities;
        if !capabilities.grants.collections.contains(collection) {
            capabilities.refused("documents", collection);
            return Err(documents::Error::NotGranted);
        }
        Ok(Granted {
            collection: capabilities.services.collections.open(collection),
            disk: Arc::clone(&capabilities.disk),
        })
    })
}

/// Has `work`, which holds `bytes` of the guest's, done with the collection, if it is granted.
async fn with_granted<T: Send + 'static>(
    accessor: &Accessor<InstanceState, HasSelf<InstanceState>>,
    collection: &str,
    bytes: usize,
    work: impl FnOnce(&Collection) -> Result<T, CollectionError> + Send + 'static,
) -> wasmtime::Result<Result<T, documents::Error>> {
    match granted(accessor, collection) {
        Ok(Granted { collection, disk }) => {
            let done = disk.run(bytes, move || work(&collection)).await?;
            Ok(done.map_err(Into::into))
        }
        Err(refused) => Ok(Err(refused)),
    }
}

impl From<CollectionError> for documents::Error {
    fn from(error: CollectionError) -> Self {
        match error {
            CollectionError::InvalidName => Self::InvalidName,
            CollectionError::Exists => Self::Exists,
            full @ CollectionError::Full { .. } => Self::Storage(full.to_string()),
            CollectionError::Storage(error) => Self::Storage(error.to_string()),
        }
    }
}

fn unless_known(listing: &Listing, known: Option<u64>) -> Option<documents::Listing> {
    (known != Some(listing.version)).then(|| documents::Listing {
        version: listing.version,
        entries: listing
            .documents
            .iter()
            .map(|document| documents::Entry {
                name: document.name.clone(),
                content: document.content.to_vec(),
            })
            .collect(),
    })
}

impl documents::Host for InstanceState {}

impl documents::HostWithStore<InstanceState> for HasSelf<InstanceState> {
    async fn list(
        accessor: &Accessor<InstanceState, Self>,
        collection: String,
        known: Option<u64>,
    ) -> wasmtime::Result<Result<Option<documents::Listing>, documents::Error>> {
        let Granted { collection, disk } = match granted(accessor, &collection) {
            Ok(granted) => granted,
            Err(refused) => return Ok(Err(refused)),
        };
        let listing = match collection.cached() {
            Some(listing) => Ok(listing),
            None => disk.run(0, move || collection.list()).await?,
        };
        Ok(listing
            .map(|listing| unless_known(&listing, known))
            .map_err(|error| documents::Error::Storage(error.to_string())))
    }

    async fn get(
        accessor: &Accessor<InstanceState, Self>,
        collection: String,
        name: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, documents::Error>> {
        let length = name.len();
        let work = move |collection: &Collection| collection.get(&name);
        with_granted(accessor, &collection, length, work).await
    }

    async fn put_new(
        accessor: &Accessor<InstanceState, Self>,
        collection: String,
        name: String,
        content: Vec<u8>,
    ) -> wasmtime::Result<Result<(), documents::Error>> {
        let length = name.len() + content.len();
        let work = move |collection: &Collection| collection.put_new(&name, &content);
        with_granted(accessor, &collection, length, work).await
    }

    async fn delete(
        accessor: &Accessor<InstanceState, Self>,
        collection: String,
        name: String,
    ) -> wasmtime::Result<Result<bool, documents::Error>> {
        let length = name.len();
        let work = move |collection: &Collection| collection.delete(&name);
        with_granted(accessor, &collection, length, work).await
    }
}
