//! A connector without a network.

use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::DEADLINE;
use crate::supervisor::ssh_info::SshInfo;
use crate::supervisor::tunnels::link::{
    Connector, Forward, ForwardFailure, Link, OpenFailure, Verdict,
};
use crate::supervisor::tunnels::predecessor::{Ending, SessionIdentity};

/// How a host behaves, which is known here by its SSH port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Conduct {
    Willing,
    Fails,
    HangsOpening,
    HangsClosing,
    /// Denies every port while this session exists.
    HoldsPortFor(SessionIdentity),
}

/// All hosts.
pub(super) struct Script {
    stage: Mutex<Stage>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Stage {
    conduct: HashMap<u16, Conduct>,
    attempts: Vec<u16>,
    links: Vec<Played>,
}

/// A connection, as the test sees it.
#[derive(Clone)]
pub(super) struct Played {
    pub(super) port: u16,
    number: u32,
    script: Arc<Script>,
    notes: Arc<Mutex<Notes>>,
    ended: watch::Sender<Option<String>>,
}

#[derive(Default)]
struct Notes {
    requests: Vec<Forward>,
    standing: BTreeMap<u16, SocketAddr>,
    freed: Vec<SessionIdentity>,
    identified: bool,
    closed: bool,
}

/// The same, as the task has it: closed when dropped.
pub(super) struct PlayedLink(Played);

pub(super) fn session(pid: u32) -> SessionIdentity {
    const BOOT: &str = "6a8f1a3e-0000-4000-8000-000000000000";
    SessionIdentity::parse(&format!("mngr-latchkey: session {pid} 100 {BOOT}\n")).unwrap()
}

impl Script {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            stage: Mutex::default(),
            changed: watch::Sender::new(()),
        })
    }

    /// What hosts at this port do from now on; without a word they are willing.
    pub(super) fn conduct(&self, port: u16, conduct: Conduct) {
        self.stage.lock().unwrap().conduct.insert(port, conduct);
    }

    pub(super) fn attempts(&self) -> Vec<u16> {
        self.stage.lock().unwrap().attempts.clone()
    }

    pub(super) fn links(&self) -> Vec<Played> {
        self.stage.lock().unwrap().links.clone()
    }

    pub(super) fn link(&self, index: usize) -> Played {
        self.links().swap_remove(index)
    }

    pub(super) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let mut changed = self.changed.subscribe();
        let waiting = async {
            while !holds(self) {
                changed.changed().await.unwrap();
            }
        };
        if tokio::time::timeout(DEADLINE, waiting).await.is_err() {
            panic!("not seen: {what}; attempts: {:?}", self.attempts());
        }
    }

    fn conduct_of(&self, port: u16) -> Conduct {
        let stage = self.stage.lock().unwrap();
        stage
            .conduct
            .get(&port)
            .cloned()
            .unwrap_or(Conduct::Willing)
    }
}

impl Played {
    pub(super) fn requests(&self) -> Vec<Forward> {
        self.notes.lock().unwrap().requests.clone()
    }

    pub(super) fn standing(&self) -> Vec<Forward> {
        let notes = self.notes.lock().unwrap();
        let forward = |(&remote_port, &target)| Forward {
            remote_port,
            target,
        };
        notes.standing.iter().map(forward).collect()
    }

    pub(super) fn freed(&self) -> Vec<SessionIdentity> {
        self.notes.lock().unwrap().freed.clone()
    }

    pub(super) fn was_identified(&self) -> bool {
        self.notes.lock().unwrap().identified
    }

    pub(super) fn is_closed(&self) -> bool {
        self.notes.lock().unwrap().closed
    }

    pub(super) fn session(&self) -> SessionIdentity {
        session(1000 + self.number)
    }

    pub(super) fn lose(&self, reason: &str) {
        self.ended.send_replace(Some(reason.to_owned()));
    }

    pub(super) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        self.script.until(what, |_| holds(self)).await;
    }

    fn note(&self, note: impl FnOnce(&mut Notes)) {
        note(&mut self.notes.lock().unwrap());
        self.script.changed.send_replace(());
    }
}

impl Connector for Arc<Script> {
    type Link = PlayedLink;

    async fn open(&self, ssh: &SshInfo) -> Result<PlayedLink, OpenFailure> {
        self.stage.lock().unwrap().attempts.push(ssh.port);
        self.changed.send_replace(());
        match self.conduct_of(ssh.port) {
            Conduct::Fails => {
                return Err(OpenFailure {
                    text: "cannot be reached".to_owned(),
                    refused: false,
                });
            }
            Conduct::HangsOpening => pending().await,
            Conduct::Willing | Conduct::HangsClosing | Conduct::HoldsPortFor(_) => {}
        }
        let mut stage = self.stage.lock().unwrap();
        let link = Played {
            port: ssh.port,
            number: u32::try_from(stage.links.len()).unwrap(),
            script: Arc::clone(self),
            notes: Arc::default(),
            ended: watch::Sender::new(None),
        };
        stage.links.push(link.clone());
        drop(stage);
        self.changed.send_replace(());
        Ok(PlayedLink(link))
    }
}

impl Link for PlayedLink {
    async fn forward(&self, forward: Forward) -> Result<(), ForwardFailure> {
        let held = matches!(
            self.0.script.conduct_of(self.0.port),
            Conduct::HoldsPortFor(_)
        );
        self.0.note(|notes| {
            notes.requests.push(forward);
            if !held {
                notes.standing.insert(forward.remote_port, forward.target);
            }
        });
        if held {
            return Err(ForwardFailure::Held("denied".to_owned()));
        }
        Ok(())
    }

    async fn cancel(&self, remote_port: u16) -> Result<(), String> {
        self.0.note(|notes| {
            notes.standing.remove(&remote_port);
        });
        Ok(())
    }

    async fn closed(&self) -> String {
        let mut ended = self.0.ended.subscribe();
        let reason = ended.wait_for(Option::is_some).await.unwrap().clone();
        reason.unwrap()
    }

    async fn probe(&self, remote_port: u16) -> Verdict {
        let standing = self.0.standing();
        if standing
            .iter()
            .any(|forward| forward.remote_port == remote_port)
        {
            Verdict::Passed
        } else {
            Verdict::Failed("nobody listens".to_owned())
        }
    }

    async fn identify(&self) -> Result<SessionIdentity, String> {
        self.0.note(|notes| notes.identified = true);
        Ok(self.0.session())
    }

    async fn free(&self, predecessor: &SessionIdentity, _: u16) -> Result<Ending, String> {
        let holds = Conduct::HoldsPortFor(predecessor.clone());
        if self.0.script.conduct_of(self.0.port) != holds {
            return Ok(Ending::Absent);
        }
        self.0.script.conduct(self.0.port, Conduct::Willing);
        self.0.note(|notes| notes.freed.push(predecessor.clone()));
        Ok(Ending::Ended)
    }

    async fn close(self) {
        if self.0.script.conduct_of(self.0.port) == Conduct::HangsClosing {
            pending::<()>().await;
        }
    }
}

impl Drop for PlayedLink {
    fn drop(&mut self) {
        self.0.note(|notes| notes.closed = true);
    }
}
