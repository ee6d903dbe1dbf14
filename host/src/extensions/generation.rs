//! Who serves what at one moment. Never changed, only replaced as a whole.
//!
//! A route belongs to one extension. Where two claim it, a bundled extension goes before any other, and who serves already goes
//! before who comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::extension::Extension;
use super::report::Origin;
use super::routes::{RouteError, RouteTable};

/// The extensions that run, and the table of their routes.
pub(super) struct Generation {
    pub(super) routes: RouteTable<Arc<Extension>>,
    /// By name.
    pub(super) extensions: BTreeMap<String, Arc<Extension>>,
}

/// An extension that is not in a generation for which it was meant.
pub(super) struct Displaced {
    pub(super) extension: Arc<Extension>,
    pub(super) reason: RouteError,
}

impl Generation {
    pub(super) fn empty() -> Self {
        Self {
            routes: RouteTable::new(),
            extensions: BTreeMap::new(),
        }
    }

    /// The generation after this one: without `leaving`, with `newcomers` in place of those of the same name. A newcomer whose
    /// routes are taken stays out, and what it was to replace stays in.
    pub(super) fn next(
        &self,
        leaving: &[String],
        newcomers: Vec<Arc<Extension>>,
    ) -> (Self, Vec<Displaced>) {
        let mut newcomers: BTreeMap<_, _> = newcomers
            .into_iter()
            .map(|extension| (extension.name.clone(), extension))
            .collect();
        let mut staying: BTreeMap<_, _> = self
            .extensions
            .iter()
            .filter(|(name, _)| !leaving.contains(name))
            .map(|(name, extension)| (name.clone(), Arc::clone(extension)))
            .collect();
        let mut displaced = Vec::new();
        loop {
            let (generation, refused) = Self::of(&staying, &newcomers);
            if refused.is_empty() {
                return (generation, displaced);
            }
            for refused in refused {
                // Once more without them, since what they were to replace may want its routes back.
                let name = &refused.extension.name;
                if newcomers.remove(name).is_none() {
                    staying.remove(name);
                }
                displaced.push(refused);
            }
        }
    }

    fn of(
        staying: &BTreeMap<String, Arc<Extension>>,
        newcomers: &BTreeMap<String, Arc<Extension>>,
    ) -> (Self, Vec<Displaced>) {
        let staying = staying
            .iter()
            .filter(|(name, _)| !newcomers.contains_key(*name));
        let mut by_precedence: Vec<_> = staying.chain(newcomers).map(|(_, each)| each).collect();
        // A stable sort: among equals, who stays is before who comes.
        by_precedence.sort_by_key(|extension| extension.origin != Origin::Bundled);
        let (mut generation, mut refused) = (Self::empty(), Vec::new());
        for extension in by_precedence {
            if let Err(reason) = generation.add(extension) {
                refused.push(Displaced {
                    extension: Arc::clone(extension),
                    reason,
                });
            }
        }
        (generation, refused)
    }

    /// Takes the extension's routes in, all or none.
    fn add(&mut self, extension: &Arc<Extension>) -> Result<(), RouteError> {
        for route in extension.routes() {
            let inserted = self.routes.insert(
                &extension.name,
                extension.origin,
                route,
                Arc::clone(extension),
            );
            if let Err(error) = inserted {
                self.routes.remove_owner(&extension.name);
                return Err(error);
            }
        }
        self.extensions
            .insert(extension.name.clone(), Arc::clone(extension));
        Ok(())
    }
}
