//! Bringing what serves in line with what stands in the extensions directory.
//!
//! What has changed is loaded and started beside what serves; then one step changes who gets requests; then what was replaced
//! drains. Whatever goes wrong before that step leaves things as they were, and one line in the log says what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};

use super::directory::{Directory, Source};
use super::extension::{Extension, Rejected};
use super::generation::{Displaced, Generation};
use super::output::{LONGEST_LINE, printable};
use super::report::{ExtensionReport, Origin, Outcome, Reloaded, State};
use super::watch::Changes;
use super::{Extensions, LoadError};

/// How long the open streams of an extension that is replaced go on before they are ended, so that its clients do not all come
/// back at once with the requests that were in progress.
const STREAM_GRACE: Duration = Duration::from_secs(2);

/// How long those that change at once wait for each other, so that one that takes minutes to compile holds up nobody. What came
/// with the gateway is always waited for.
const LONGEST_TOGETHER: Duration = Duration::from_secs(15);

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

/// What becomes of an extension that takes longer to load than the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stragglers {
    /// It serves as soon as it can, by itself.
    Awaited,
    /// It is as if it had not been seen.
    Left,
}

impl Extensions {
    /// Serves what stands in the extensions directory now; says what became of each extension, by name. With `name`, of that one
    /// alone, and it is started anew even if nothing has changed.
    ///
    /// # Errors
    /// When the directory cannot be read; everything stays as it is.
    pub async fn reload(&self, name: Option<&str>) -> Result<Vec<Reloaded>, LoadError> {
        self.bring_in_line(name, Stragglers::Awaited).await
    }

    /// The same for a gateway that starts: what takes long to load, and did not come with it, is left to [`Self::watch`].
    pub(super) async fn begin(&self) -> Result<(), LoadError> {
        self.bring_in_line(None, Stragglers::Left).await.map(drop)
    }

    async fn bring_in_line(
        &self,
        name: Option<&str>,
        stragglers: Stragglers,
    ) -> Result<Vec<Reloaded>, LoadError> {
        let mut directory = self.directory.lock().await;
        if self.stopping.is_cancelled() {
            return Ok(Vec::new());
        }
        let found = scan(&mut directory).await?;
        let mut steps = self.steps(&found, name);
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
        let to_start: Vec<_> = steps
            .iter()
            .filter(|(_, step)| **step == Step::Start)
            .filter_map(|(name, _)| Some((name.clone(), found.get(name)?)))
            .collect();
        let mut bundled: BTreeSet<_> = to_start
            .iter()
            .filter(|(name, source)| source.is_bundled(name))
            .map(|(name, _)| name.clone())
            .collect();
        let mut starting: FuturesUnordered<_> = to_start
            .into_iter()
            .map(async |(name, source)| {
                let started = self.loader.start(&name, source).await;
                (name, started)
            })
            .collect();
        let mut started = Vec::new();
        let mut together = pin!(tokio::time::sleep(LONGEST_TOGETHER));
        while !starting.is_empty() {
            tokio::select! {
                () = self.stopping.cancelled() => {
                    started.into_iter().for_each(|(_, extension)| self.discard(extension));
                    return Ok(Vec::new());
                }
                Some((name, extension)) = starting.next() => {
                    bundled.remove(&name);
                    started.push((name, extension));
                }
                () = &mut together, if bundled.is_empty() => break,
            }
        }
        steps.retain(|name, step| {
            *step != Step::Start || started.iter().any(|(started, _)| started == name)
        });
        let mut outcomes = self.switch(&found, &steps, started);
        while stragglers == Stragglers::Awaited && !starting.is_empty() {
            tokio::select! {
                () = self.stopping.cancelled() => break,
                Some((name, extension)) = starting.next() => {
                    let now = scan(&mut directory).await;
                    if !now.is_ok_and(|now| now.get(&name) == found.get(&name)) {
                        // It has changed again, which whoever watches sees next.
                        self.discard(extension);
                        continue;
                    }
                    let step = BTreeMap::from([(name.clone(), Step::Start)]);
                    outcomes.extend(self.switch(&found, &step, vec![(name, extension)]));
                }
            }
        }
        Ok(outcomes
            .into_iter()
            .map(|(name, outcome)| Reloaded { name, outcome })
            .collect())
    }

    /// Reloads whatever changes in the extensions directory. Never ends.
    pub async fn watch(&self) {
        let path = self.directory.lock().await.path().to_owned();
        let mut changes = match Changes::of(&path) {
            Ok(changes) => Some(changes),
            Err(error) => {
                tracing::warn!("{error}");
                None
            }
        };
        // What changed before anybody watched, and what the start has left.
        loop {
            if let Err(error) = self.reload(None).await {
                tracing::error!("{error}");
            }
            match &mut changes {
                Some(changes) => changes.next().await,
                None => std::future::pending().await,
            }
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
            // One that has been switched off meanwhile stays off, whatever else is reloaded.
            let is_wanted = |name: &str| found.get(name).is_some_and(|source| !source.is_disabled);
            let displaced = known
                .iter()
                .filter(|(name, known)| known.is_displaced && is_wanted(name));
            for (name, _) in displaced {
                let step = steps.entry(name.clone()).or_insert(Step::Start);
                if *step == Step::Keep {
                    *step = Step::Start;
                }
            }
        }
        steps
    }

    /// What there is to say of those that are kept.
    fn unchanged(&self, steps: &BTreeMap<String, Step>) -> BTreeMap<String, Outcome> {
        let known = self.known();
        let kept = steps.iter().filter(|(_, step)| **step == Step::Keep);
        kept.map(|(name, _)| {
            let problem = known.get(name).and_then(|known| known.problem.clone());
            (
                name.clone(),
                problem.map_or(Outcome::Unchanged, Outcome::Refused),
            )
        })
        .collect()
    }

    /// Changes who gets requests, in one step, and has what is replaced drain. Returns what became of each extension.
    fn switch(
        &self,
        found: &BTreeMap<String, Source>,
        steps: &BTreeMap<String, Step>,
        started: Vec<(String, Result<Extension, Rejected>)>,
    ) -> BTreeMap<String, Outcome> {
        let current = self.current.load_full();
        let mut outcomes = self.unchanged(steps);
        let (mut leaving, mut newcomers) = (Vec::new(), Vec::new());
        for (name, step) in steps {
            let (outcome, done) = match step {
                Step::Keep | Step::Start => continue,
                Step::Disable => (Outcome::Disabled, "disabled"),
                Step::Remove => (Outcome::Removed, "removed"),
            };
            if current.extensions.contains_key(name) {
                leaving.push(name.clone());
                tracing::info!(
                    extension = name,
                    "the extension is {done}, and its routes answer 404"
                );
            }
            outcomes.insert(name.clone(), outcome);
        }
        let mut refuse = |name: &str, reason: Rejected, serving: &Generation| {
            let what_now = match serving.extensions.contains_key(name) {
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
                Err(reason) => refuse(&name, reason, &current),
            }
        }
        let arrived: Vec<_> = newcomers.clone();
        let (next, displaced) = current.next(&leaving, newcomers);
        let mut without_routes = BTreeSet::new();
        for Displaced { extension, reason } in displaced {
            refuse(&extension.name, reason.into(), &next);
            without_routes.insert(extension.name.clone());
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
        self.remember(found, steps, &outcomes, &without_routes);
        outcomes
    }

    /// Ends an extension that has not served.
    fn discard(&self, started: Result<Extension, Rejected>) {
        if let Ok(extension) = started {
            self.drain(Arc::new(extension));
        }
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
                known.is_displaced |= displaced.contains(name);
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
            None if self.source.is_bundled(name) => Origin::Bundled,
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
