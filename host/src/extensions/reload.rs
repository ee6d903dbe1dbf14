//! Bringing what serves in line with what stands in the extensions directory.
//!
//! What has changed is loaded and started beside what serves; then one step changes who gets requests; then what was replaced
//! drains. Whatever goes wrong before that step leaves things as they were, and one line in the log says what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use super::directory::{Directory, Source};
use super::extension::{Extension, Rejected};
use super::generation::Displaced;
use super::output::{LONGEST_LINE, printable};
use super::report::{ExtensionReport, Origin, Outcome, Reloaded, State};
use super::watch::Changes;
use super::{Extensions, LoadError, bundled};

/// How long the open streams of an extension that is replaced go on before they are ended, so that its clients do not all come
/// back at once with the requests that were in progress.
const STREAM_GRACE: Duration = Duration::from_secs(2);

/// What was last seen of one extension.
#[derive(Clone, Debug)]
pub(super) struct Known {
    source: Source,
    /// Why the component that stands there does not serve.
    problem: Option<String>,
    /// Others have its routes; when they leave, it is tried again.
    is_displaced: bool,
}

/// What is to happen to an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Keep,
    Start,
    Disable,
    Remove,
}

impl Extensions {
    /// Serves what stands in the extensions directory now; says what became of each extension, by name. With `name`, of that one
    /// alone, and it is started anew even if nothing has changed.
    ///
    /// # Errors
    /// When the directory cannot be read; everything stays as it is.
    pub async fn reload(&self, name: Option<&str>) -> Result<Vec<Reloaded>, LoadError> {
        let mut directory = self.directory.lock().await;
        if self.stopping.is_cancelled() {
            return Ok(Vec::new());
        }
        let found = scan(&mut directory).await?;
        let steps = self.steps(&found, name);
        if let Some(name) = name
            && steps.is_empty()
        {
            let unknown = Rejected::Unknown {
                name: name.to_owned(),
                directory: directory.path().to_owned(),
            };
            return Ok(vec![Reloaded {
                name: name.to_owned(),
                outcome: Outcome::Refused(unknown.to_string()),
            }]);
        }
        let started = futures::future::join_all(
            steps
                .iter()
                .filter(|(_, step)| **step == Step::Start)
                .filter_map(|(name, _)| Some((name, found.get(name)?)))
                .map(async |(name, source)| {
                    (name.clone(), self.loader.start(&source.component).await)
                }),
        )
        .await;
        let (outcomes, displaced) = self.switch(&steps, started);
        self.remember(&found, &steps, &outcomes, &displaced);
        Ok(outcomes
            .into_iter()
            .map(|(name, outcome)| Reloaded { name, outcome })
            .collect())
    }

    /// Reloads whatever changes in the extensions directory. Never ends.
    pub async fn watch(&self) {
        let path = self.directory.lock().await.path().to_owned();
        let mut changes = match Changes::of(&path) {
            Ok(changes) => changes,
            Err(error) => {
                tracing::warn!("{error}");
                return std::future::pending().await;
            }
        };
        // What changed before anybody watched.
        loop {
            if let Err(error) = self.reload(None).await {
                tracing::error!("{error}");
            }
            changes.next().await;
        }
    }

    /// What is to be done, by name.
    fn steps(
        &self,
        found: &BTreeMap<String, Source>,
        forced: Option<&str>,
    ) -> BTreeMap<String, Step> {
        let known = self.known();
        let names: BTreeSet<_> = known.keys().chain(found.keys()).collect();
        let mut steps: BTreeMap<_, _> = names
            .into_iter()
            .filter(|name| forced.is_none_or(|forced| forced == **name))
            .map(|name| {
                let step = match (known.get(name), found.get(name)) {
                    (_, None) => Step::Remove,
                    (Some(known), Some(found)) if known.source == *found && forced.is_none() => {
                        Step::Keep
                    }
                    (_, Some(found)) if found.is_disabled => Step::Disable,
                    (_, Some(_)) => Step::Start,
                };
                (name.clone(), step)
            })
            .collect();
        if steps.values().any(|step| *step != Step::Keep) {
            let displaced = known.iter().filter(|(_, known)| known.is_displaced);
            for (name, _) in displaced.filter(|(name, _)| found.contains_key(*name)) {
                let step = steps.entry(name.clone()).or_insert(Step::Start);
                if *step == Step::Keep {
                    *step = Step::Start;
                }
            }
        }
        steps
    }

    /// Changes who gets requests, in one step, and has what is replaced drain. Returns what became of each extension, and who is
    /// out because others have its routes.
    fn switch(
        &self,
        steps: &BTreeMap<String, Step>,
        started: Vec<(String, Result<Extension, Rejected>)>,
    ) -> (BTreeMap<String, Outcome>, BTreeSet<String>) {
        let current = self.current.load_full();
        let mut outcomes = BTreeMap::new();
        let (mut leaving, mut newcomers) = (Vec::new(), Vec::new());
        for (name, step) in steps {
            let is_served = current.extensions.contains_key(name);
            let outcome = match step {
                Step::Keep | Step::Start => Outcome::Unchanged,
                Step::Disable => Outcome::Disabled,
                Step::Remove => Outcome::Removed,
            };
            if matches!(step, Step::Disable | Step::Remove) && is_served {
                leaving.push(name.clone());
                tracing::info!(
                    extension = name,
                    "the extension is {}, and its routes answer 404",
                    match step {
                        Step::Disable => "disabled",
                        _ => "removed",
                    }
                );
            }
            outcomes.insert(name.clone(), outcome);
        }
        let mut refuse = |name: &str, reason: Rejected| {
            let what_now = match current.extensions.contains_key(name) {
                true => "the extension is not replaced, and what served goes on",
                false => "the extension is not served",
            };
            let component = self.component_path(name);
            // Much of it may be the component's own words.
            let reason = printable(&reason.to_string(), LONGEST_LINE);
            tracing::error!(component = %component.display(), "{what_now}: {reason}");
            outcomes.insert(name.to_owned(), Outcome::Refused(reason));
        };
        for (name, extension) in started {
            match extension {
                Ok(extension) => newcomers.push(Arc::new(extension)),
                Err(reason) => refuse(&name, reason),
            }
        }
        let arrived: Vec<_> = newcomers.clone();
        let (next, displaced) = current.next(&leaving, newcomers);
        let mut names = BTreeSet::new();
        for Displaced { extension, reason } in displaced {
            refuse(&extension.name, reason.into());
            names.insert(extension.name.clone());
        }
        for newcomer in &arrived {
            let is_in = next
                .extensions
                .get(&newcomer.name)
                .is_some_and(|extension| Arc::ptr_eq(extension, newcomer));
            if is_in {
                let replaced = current.extensions.get(&newcomer.name);
                newcomer.announce(replaced.map(Arc::as_ref));
                let outcome = match replaced {
                    Some(_) => Outcome::Replaced,
                    None => Outcome::Added,
                };
                outcomes.insert(newcomer.name.clone(), outcome);
            } else {
                self.drain(Arc::clone(newcomer));
            }
        }
        let next = Arc::new(next);
        self.current.store(Arc::clone(&next));
        for (name, extension) in &current.extensions {
            let stays = next.extensions.get(name);
            if !stays.is_some_and(|stays| Arc::ptr_eq(stays, extension)) {
                self.drain(Arc::clone(extension));
            }
        }
        (outcomes, names)
    }

    /// Lets an extension that gets no more requests answer those that it has, and end.
    fn drain(&self, extension: Arc<Extension>) {
        let (ending_streams, stopping) = (self.ending_streams.clone(), self.stopping.clone());
        self.draining.spawn(async move {
            tokio::select! {
                () = extension.workers.drain(STREAM_GRACE) => return,
                () = ending_streams.cancelled() => extension.workers.end_streams(),
                () = stopping.cancelled() => {}
            }
            tokio::select! {
                () = extension.workers.drain(Duration::ZERO) => {}
                () = stopping.cancelled() => extension.workers.stop().await,
            }
        });
    }

    fn remember(
        &self,
        found: &BTreeMap<String, Source>,
        steps: &BTreeMap<String, Step>,
        outcomes: &BTreeMap<String, Outcome>,
        displaced: &BTreeSet<String>,
    ) {
        let mut known = self.known();
        for (name, step) in steps {
            match (step, found.get(name)) {
                (Step::Remove, _) | (_, None) => {
                    known.remove(name);
                }
                (Step::Keep, Some(_)) => {}
                (Step::Start | Step::Disable, Some(source)) => {
                    let source = source.clone();
                    known.insert(
                        name.clone(),
                        Known {
                            source,
                            problem: None,
                            is_displaced: false,
                        },
                    );
                }
            }
        }
        for (name, outcome) in outcomes {
            if let (Outcome::Refused(reason), Some(known)) = (outcome, known.get_mut(name)) {
                known.problem = Some(reason.clone());
                known.is_displaced = displaced.contains(name);
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn component_path(&self, name: &str) -> PathBuf {
        let directory = self.loader.settings.latchkey_directory.join("extensions");
        directory.join(format!("{name}.wasm"))
    }
}

impl Known {
    pub(super) fn report(&self, name: &str, serving: Option<&Arc<Extension>>) -> ExtensionReport {
        let serving = serving.map(|extension| (extension.origin, extension.report()));
        let state = match &serving {
            Some((_, serving)) if serving.activity.out_of_service_until.is_some() => {
                State::OutOfService
            }
            Some(_) => State::Serving,
            None if self.source.is_disabled => State::Disabled,
            None => State::Refused,
        };
        let origin = match &serving {
            Some((origin, _)) => *origin,
            None if self.is_bundled(name) => Origin::Bundled,
            None => Origin::Installed,
        };
        ExtensionReport {
            name: name.to_owned(),
            state,
            origin,
            component: self.source.component.clone(),
            error: self.problem.clone(),
            serving: serving.map(|(_, serving)| serving),
        }
    }

    fn is_bundled(&self, name: &str) -> bool {
        self.source
            .sha256()
            .is_some_and(|sha256| bundled::is_bundled(name, &sha256))
    }
}

/// What stands in the directory, read where it holds nobody up.
async fn scan(directory: &mut Directory) -> Result<BTreeMap<String, Source>, LoadError> {
    let mut reading = directory.clone();
    let scanned = tokio::task::spawn_blocking(move || {
        let found = reading.scan();
        (reading, found)
    });
    match scanned.await {
        Ok((read, found)) => {
            *directory = read;
            found
        }
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
