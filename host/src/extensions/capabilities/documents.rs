//! `mngr:gateway/documents`: collections of JSON documents below the latchkey directory, granted by name.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::component::{Accessor, HasSelf};

use super::on_blocking_thread;
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

/// The collection, if it is granted.
fn granted(
    accessor: &Accessor<InstanceState, HasSelf<InstanceState>>,
    collection: &str,
) -> Result<Arc<Collection>, documents::Error> {
    accessor.with(|mut access| {
        let capabilities = &access.get().capabilities;
        if !capabilities.grants.collections.contains(collection) {
            capabilities.refused("documents", collection);
            return Err(documents::Error::NotGranted);
        }
        Ok(capabilities.services.collections.open(collection))
    })
}

impl From<CollectionError> for documents::Error {
    fn from(error: CollectionError) -> Self {
        match error {
            CollectionError::InvalidName => Self::InvalidName,
            CollectionError::Exists => Self::Exists,
            full @ CollectionError::Full(_) => Self::Storage(full.to_string()),
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
        let collection = match granted(accessor, &collection) {
            Ok(collection) => collection,
            Err(refused) => return Ok(Err(refused)),
        };
        let listing = match collection.cached() {
            Some(listing) => Ok(listing),
            None => on_blocking_thread(move || collection.list()).await?,
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
        match granted(accessor, &collection) {
            Ok(collection) => Ok(on_blocking_thread(move || collection.get(&name))
                .await?
                .map_err(Into::into)),
            Err(refused) => Ok(Err(refused)),
        }
    }

    async fn put_new(
        accessor: &Accessor<InstanceState, Self>,
        collection: String,
        name: String,
        content: Vec<u8>,
    ) -> wasmtime::Result<Result<(), documents::Error>> {
        match granted(accessor, &collection) {
            Ok(collection) => Ok(
                on_blocking_thread(move || collection.put_new(&name, &content))
                    .await?
                    .map_err(Into::into),
            ),
            Err(refused) => Ok(Err(refused)),
        }
    }

    async fn delete(
        accessor: &Accessor<InstanceState, Self>,
        collection: String,
        name: String,
    ) -> wasmtime::Result<Result<bool, documents::Error>> {
        match granted(accessor, &collection) {
            Ok(collection) => Ok(on_blocking_thread(move || collection.delete(&name))
                .await?
                .map_err(Into::into)),
            Err(refused) => Ok(Err(refused)),
        }
    }
}
