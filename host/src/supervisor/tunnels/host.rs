//! The task of one host: does what its [`Machine`] says, and tells it what came of that.
//!
//! Nothing it waits for keeps it from hearing that something else is wanted. It ends when the host is not wanted any more,
//! and leaves no connection behind. It shares nothing with other hosts' tasks but the slots for connecting.

mod files;
mod machine;
pub(super) mod report;
mod session;
mod slots;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::link::{Connector, Forward, ForwardFailure, Link, OpenFailure, Verdict};
use super::predecessor::{Ending, Reason};
use super::sessions::PredecessorStore;
use super::wanted::Wanted;
use crate::store::ids::HostId;
use crate::supervisor::backoff;
use crate::supervisor::ssh_info::SshInfo;
use files::Files;
use machine::{Freed, Machine, Moment, Step};
use report::Reporter;
use slots::Slots;

/// As many hosts are connected to at a time.
const SLOTS: usize = 64;
/// A host that takes longer gives its slot up and goes on without one: the dead must not keep the living waiting.
const SLOT_LIMIT: Duration = Duration::from_secs(3);
/// A connection that takes longer to say goodbye is dropped.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// What the tasks of all hosts work with.
pub(super) struct Means<C> {
    connector: C,
    predecessors: Arc<dyn PredecessorStore>,
    slots: Slots,
}

/// What a task is to do, and whom it tells.
pub(super) struct Assignment {
    pub(super) host: HostId,
    pub(super) wanted: watch::Receiver<Wanted>,
    pub(super) reporter: Reporter,
    /// Takes the host off the manager's list; false, and nothing done, when it is wanted again.
    pub(super) retire: Box<dyn Fn() -> bool + Send>,
}

/// What came of a step.
enum Outcome<L> {
    Opened {
        result: Result<L, OpenFailure>,
        /// As they were before the attempt read them.
        files: Files,
    },
    Looked(Files),
    Forwarded(Forward, Result<(), ForwardFailure>),
    Freed(u16, Freed),
    Probed(Verdict),
    /// Nothing that the machine has to know.
    Done,
}

/// What ends a wait.
enum Happening<L> {
    Wanted,
    /// The manager is gone.
    Abandoned,
    Lost(String),
    Outcome(Outcome<L>),
    Time,
}

struct Task<C: Connector> {
    means: Arc<Means<C>>,
    host: HostId,
    wanted: watch::Receiver<Wanted>,
    reporter: Reporter,
    retire: Box<dyn Fn() -> bool + Send>,
    machine: Machine,
    /// How the host is reached by the present connection or attempt.
    ssh: SshInfo,
    /// What the last attempt read.
    files: Files,
    /// There while the machine is connected.
    link: Option<Arc<C::Link>>,
    /// The step under way.
    job: Option<BoxFuture<'static, Outcome<C::Link>>>,
    abandoned: bool,
}

impl<C: Connector> Means<C> {
    pub(super) fn new(connector: C, predecessors: Arc<dyn PredecessorStore>) -> Self {
        Self {
            connector,
            predecessors,
            slots: Slots::new(SLOTS, SLOT_LIMIT),
        }
    }

    /// Runs what may block on the file system.
    async fn with_predecessors<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn PredecessorStore) -> T + Send + 'static,
    ) -> Option<T> {
        let predecessors = Arc::clone(&self.predecessors);
        tokio::task::spawn_blocking(move || work(&*predecessors))
            .await
            .ok()
    }
}

/// Works until the host is not wanted any more.
pub(super) async fn run<C: Connector>(means: Arc<Means<C>>, assignment: Assignment) {
    let ssh = assignment.wanted.borrow().ssh.clone();
    let task = Task {
        means,
        host: assignment.host,
        wanted: assignment.wanted,
        reporter: assignment.reporter,
        retire: assignment.retire,
        machine: Machine::new(Moment::now(), backoff::random),
        ssh,
        files: Files::default(),
        link: None,
        job: None,
        abandoned: false,
    };
    task.run().await;
}

impl<C: Connector> Task<C> {
    async fn run(mut self) {
        loop {
            if self.is_over() {
                if self.wind_up().await {
                    return;
                }
                continue;
            }
            self.follow_address();
            if !self.machine.is_connected() {
                self.hang_up().await;
            }
            let rest = self.advance();
            self.report();
            let happening = self.wait(rest).await;
            self.take(happening);
        }
    }

    fn is_over(&self) -> bool {
        self.abandoned || self.wanted.borrow().is_over()
    }

    /// Leaves the connection or attempt for another when the host has moved.
    fn follow_address(&mut self) {
        let wanted = self.wanted.borrow_and_update();
        if wanted.ssh == self.ssh {
            return;
        }
        tracing::info!(host = %self.host, address = %wanted.ssh, before = %self.ssh, "the host is reached in another way now");
        self.ssh = wanted.ssh.clone();
        drop(wanted);
        self.job = None;
        self.machine.restart(Moment::now());
    }

    /// Starts the next step, if none is under way. Until when there is nothing to do.
    fn advance(&mut self) -> Option<Instant> {
        if self.job.is_some() {
            return None;
        }
        let step = self.machine.next(Moment::now(), &self.wanted.borrow());
        match step {
            Step::Rest(until) => return until,
            Step::Open => self.job = Some(self.open()),
            Step::Look => self.job = Some(self.look()),
            step => match &self.link {
                Some(link) => self.job = Some(self.step_on(Arc::clone(link), step)),
                // Cannot be: but then a new connection is what helps.
                None => self.machine.restart(Moment::now()),
            },
        }
        None
    }

    fn open(&self) -> BoxFuture<'static, Outcome<C::Link>> {
        let (means, ssh) = (Arc::clone(&self.means), self.ssh.clone());
        async move {
            let files = Files::of(&ssh).await;
            let result = means.slots.run(means.connector.open(&ssh)).await;
            Outcome::Opened { result, files }
        }
        .boxed()
    }

    fn look(&self) -> BoxFuture<'static, Outcome<C::Link>> {
        let ssh = self.ssh.clone();
        async move { Outcome::Looked(Files::of(&ssh).await) }.boxed()
    }

    fn step_on(&self, link: Arc<C::Link>, step: Step) -> BoxFuture<'static, Outcome<C::Link>> {
        let (means, host) = (Arc::clone(&self.means), self.host.clone());
        async move {
            match step {
                Step::Forward(forward) => Outcome::Forwarded(forward, link.forward(forward).await),
                Step::Cancel(remote_port) => {
                    if let Err(error) = link.cancel(remote_port).await {
                        tracing::debug!(%host, remote_port, "a port was not given back: {error}");
                    }
                    Outcome::Done
                }
                Step::Free(remote_port) => {
                    Outcome::Freed(remote_port, free(&means, &host, &*link, remote_port).await)
                }
                Step::Identify => {
                    record(&means, host, &*link).await;
                    Outcome::Done
                }
                Step::Probe(remote_ports) => Outcome::Probed(probe(&*link, &remote_ports).await),
                Step::Open | Step::Look | Step::Rest(_) => Outcome::Done,
            }
        }
        .boxed()
    }

    async fn wait(&mut self, rest: Option<Instant>) -> Happening<C::Link> {
        let (link, job) = (self.link.as_deref(), self.job.as_mut());
        tokio::select! {
            changed = self.wanted.changed() => match changed {
                Ok(()) => Happening::Wanted,
                Err(_) => Happening::Abandoned,
            },
            Some(reason) = async { Some(link?.closed().await) } => Happening::Lost(reason),
            Some(outcome) = async { Some(job?.await) } => Happening::Outcome(outcome),
            Some(()) = async {
                sleep_until(rest?).await;
                Some(())
            } => Happening::Time,
        }
    }

    fn take(&mut self, happening: Happening<C::Link>) {
        let now = Moment::now();
        match happening {
            Happening::Wanted | Happening::Time => {}
            Happening::Abandoned => self.abandoned = true,
            Happening::Lost(reason) => {
                self.job = None;
                self.link = None;
                self.machine.lost(now, reason);
            }
            Happening::Outcome(outcome) => {
                self.job = None;
                self.conclude(now, outcome);
            }
        }
    }

    fn conclude(&mut self, now: Moment, outcome: Outcome<C::Link>) {
        match outcome {
            Outcome::Opened { result, files } => {
                self.files = files;
                match result {
                    Ok(link) => {
                        self.link = Some(Arc::new(link));
                        self.machine.opened(now);
                    }
                    Err(failure) => self.machine.open_failed(now, failure),
                }
            }
            Outcome::Looked(files) => {
                if files.differ_from(&self.files) {
                    self.machine.files_changed(now);
                }
            }
            Outcome::Forwarded(forward, answer) => self.machine.forwarded(now, forward, answer),
            Outcome::Freed(remote_port, freed) => self.machine.freed(now, remote_port, &freed),
            Outcome::Probed(verdict) => self.machine.probed(now, verdict),
            Outcome::Done => {}
        }
    }

    /// Ends the connection. Whether the host heard of it.
    async fn hang_up(&mut self) -> bool {
        let Some(link) = self.link.take() else {
            return true;
        };
        // The step under way was the only other holder.
        let Some(link) = Arc::into_inner(link) else {
            return false;
        };
        timeout(CLOSE_LIMIT, link.close()).await.is_ok()
    }

    /// Ends everything. Whether the host is still unwanted after that.
    async fn wind_up(&mut self) -> bool {
        self.job = None;
        self.machine.close(Moment::now());
        self.report();
        let parted = self.hang_up().await;
        let removed = !self.abandoned && !self.wanted.borrow_and_update().closing;
        if removed && parted {
            let host = self.host.clone();
            self.means
                .with_predecessors(move |predecessors| predecessors.forget(&host))
                .await;
        }
        if (self.retire)() || !removed {
            return true;
        }
        self.machine.restart(Moment::now());
        false
    }

    fn report(&mut self) {
        let wanted = self.wanted.borrow();
        self.reporter.publish(self.machine.progress(), &wanted);
    }
}

async fn free<C: Connector>(
    means: &Means<C>,
    host: &HostId,
    link: &C::Link,
    remote_port: u16,
) -> Freed {
    let id = host.clone();
    let predecessor = means
        .with_predecessors(move |predecessors| predecessors.load(&id))
        .await
        .flatten();
    let Some(predecessor) = predecessor else {
        return Freed::No;
    };
    match link.free(&predecessor, remote_port).await {
        Ok(Ending::Ended) => {
            tracing::info!(%host, remote_port, "a dead session of ours still held the port: it was ended");
            Freed::Yes
        }
        Ok(Ending::Absent) => Freed::No,
        Ok(Ending::Kept(reason)) => {
            tracing::debug!(%host, remote_port, "our last session on the host was not ended: {reason}");
            if reason == Reason::Survives {
                Freed::Unknown
            } else {
                Freed::No
            }
        }
        Err(error) => {
            tracing::debug!(%host, remote_port, "it is unknown who holds the port: {error}");
            Freed::Unknown
        }
    }
}

/// Records which process holds our ports: whoever comes after us may have to end it.
async fn record<C: Connector>(means: &Means<C>, host: HostId, link: &C::Link) {
    match link.identify().await {
        Ok(session) => {
            means
                .with_predecessors(move |predecessors| predecessors.store(&host, &session))
                .await;
        }
        Err(error) => {
            tracing::debug!(%host, "it is unknown which process serves the tunnel: {error}");
        }
    }
}

/// The first verdict that is not good, or a good one.
async fn probe<L: Link>(link: &L, remote_ports: &[u16]) -> Verdict {
    for &remote_port in remote_ports {
        match link.probe(remote_port).await {
            Verdict::Passed => {}
            verdict => return verdict,
        }
    }
    Verdict::Passed
}
