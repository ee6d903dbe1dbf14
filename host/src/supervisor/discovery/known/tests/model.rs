//! The known set against a model that looks at each agent on its own.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Key = (usize, usize);

/// What is known, told for each agent on its own and without regard to cost.
#[derive(Default)]
struct Model {
    alive: BTreeMap<Key, &'static str>,
    ways: BTreeMap<usize, u16>,
    agent_events: BTreeMap<Key, i64>,
    host_ends: BTreeMap<usize, i64>,
}

/// Something that mngr may say, about agents 0 to 2 on hosts 0 and 1 of providers p and q.
#[derive(Clone, Debug)]
enum Step {
    Discovered(i64, Key, &'static str),
    Destroyed(i64, Key),
    Reached(i64, usize, u16),
    HostDestroyed(i64, usize),
    Full(Vec<(Key, &'static str)>, Option<&'static str>),
    Provider {
        began: i64,
        name: &'static str,
        listed: Vec<Key>,
        is_failed: bool,
        unknown_agent: usize,
        unknown_host: usize,
    },
}

const KEYS: [Key; 6] = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)];

fn step() -> impl Strategy<Value = Step> {
    let time = || 0_i64..12;
    let key = || prop::sample::select(&KEYS[..]);
    let name = || prop::sample::select(&["p", "q"][..]);
    let keys = || prop::sample::subsequence(&KEYS[..], 0..=6);
    prop_oneof![
        (time(), key(), name()).prop_map(|(at, key, name)| Step::Discovered(at, key, name)),
        (time(), key()).prop_map(|(at, key)| Step::Destroyed(at, key)),
        (time(), 0_usize..2, 1_u16..3).prop_map(|(at, host, port)| Step::Reached(at, host, port)),
        (time(), 0_usize..2).prop_map(|(at, host)| Step::HostDestroyed(at, host)),
        (
            keys(),
            prop::collection::vec(name(), 6),
            prop::option::of(name())
        )
            .prop_map(|(keys, names, failed)| Step::Full(
                keys.into_iter().zip(names).collect(),
                failed
            )),
        // 3 and 2 are none of the agents and hosts.
        (
            time(),
            name(),
            keys(),
            any::<bool>(),
            0_usize..4,
            0_usize..3
        )
            .prop_map(
                |(began, name, listed, is_failed, unknown_agent, unknown_host)| Step::Provider {
                    began,
                    name,
                    listed,
                    is_failed,
                    unknown_agent,
                    unknown_host,
                }
            ),
    ]
}

impl Step {
    fn event(&self, fingerprint: u64) -> Event {
        match self.clone() {
            Self::Discovered(at, (id, host), name) => discovered(at, agent(id, host, name)),
            Self::Destroyed(at, (id, host)) => destroyed(at, id, host),
            Self::Reached(at, host, port) => reached(at, host, port),
            Self::HostDestroyed(at, host) => host_destroyed(at, host, &[2]),
            Self::Full(listed, failed) => {
                let listed = listed.into_iter();
                let agents = listed.map(|((id, host), name)| agent(id, host, name));
                full(fingerprint, failed.as_slice(), agents.collect())
            }
            Self::Provider {
                began,
                name,
                listed,
                is_failed,
                unknown_agent,
                unknown_host,
            } => {
                let agents = listed.iter().map(|(id, host)| agent(*id, *host, name));
                let mut found = provider(began, name, agents.collect());
                found.unknown_agents = vec![agent_id(unknown_agent)];
                found.unknown_hosts = vec![host_id(unknown_host)];
                if let Scope::Provider { failed, .. } = &mut found.scope {
                    *failed = is_failed.then(|| failure(name));
                }
                Event::Snapshot(found)
            }
        }
    }
}

impl Model {
    fn apply(&mut self, step: &Step) {
        match step {
            Step::Reached(_, host, port) => {
                self.ways.insert(*host, *port);
                // The host is there again.
                self.host_ends.remove(host);
            }
            Step::HostDestroyed(at, host) => {
                self.ways.remove(host);
                self.host_ends.insert(*host, *at);
            }
            _ => {}
        }
        for key in KEYS {
            self.apply_to(key, step);
        }
    }

    fn apply_to(&mut self, key: Key, step: &Step) {
        match step {
            Step::Discovered(at, found, name) if *found == key => {
                self.alive.insert(key, name);
                self.agent_events.insert(key, *at);
            }
            Step::Destroyed(at, gone) if *gone == key => {
                self.alive.remove(&key);
                self.agent_events.insert(key, *at);
            }
            Step::HostDestroyed(at, host) if *host == key.1 => {
                let was_alive = self.alive.remove(&key).is_some();
                // The event names agent 2.
                let own_event = (was_alive || key.0 == 2).then_some((key, *at));
                self.agent_events.extend(own_event);
            }
            Step::Full(listed, failed) => {
                let found = listed.iter().find(|(found, _)| *found == key);
                match (found, self.alive.get(&key)) {
                    (Some((_, name)), _) => {
                        self.alive.insert(key, name);
                    }
                    (None, Some(name)) if Some(*name) != *failed => {
                        self.alive.remove(&key);
                    }
                    _ => {}
                }
            }
            Step::Provider {
                began,
                name,
                listed,
                is_failed,
                unknown_agent,
                unknown_host,
            } => {
                let has_own_event = self.agent_events.get(&key).is_some_and(|at| at >= began);
                let is_host_gone = self.host_ends.get(&key.1).is_some_and(|at| at >= began);
                let is_unknown = *unknown_agent == key.0 || *unknown_host == key.1;
                if listed.contains(&key) {
                    if !has_own_event && !is_host_gone {
                        self.alive.insert(key, name);
                    }
                } else if self.alive.get(&key) == Some(name)
                    && !is_failed
                    && !is_unknown
                    && !has_own_event
                {
                    self.alive.remove(&key);
                }
            }
            _ => {}
        }
    }

    fn alive(&self) -> BTreeMap<Key, (String, u16)> {
        let describe = |(key, name): (&Key, &&str)| {
            let port = self.ways.get(&key.1).copied().unwrap_or(0);
            (*key, ((*name).to_owned(), port))
        };
        self.alive.iter().map(describe).collect()
    }
}

/// Follows the changes as a handler would. Each must change something.
fn follow(view: &mut BTreeMap<Key, (String, u16)>, changes: Vec<Change>) {
    for change in changes {
        let text = short(&change);
        let (agent, host) = match &change {
            Change::Discovered(found) => (&found.agent, &found.host),
            Change::Destroyed(agent, host) => (agent, host),
        };
        let key = KEYS
            .into_iter()
            .find(|(a, h)| agent_id(*a) == *agent && host_id(*h) == *host)
            .unwrap();
        let new = match change {
            Change::Discovered(found) => {
                let port = found.ssh.map_or(0, |ssh| ssh.port);
                Some((found.provider, port))
            }
            Change::Destroyed(..) => None,
        };
        let old = match new.clone() {
            Some(new) => view.insert(key, new),
            None => view.remove(&key),
        };
        assert_ne!(old, new, "{text}");
    }
}

proptest! {
    #[test]
    fn whatever_mngr_says_the_handler_knows_who_is_alive(steps in prop::collection::vec(step(), 1..40)) {
        let (mut known, mut model, mut view) = (Known::default(), Model::default(), BTreeMap::new());
        let now = Instant::now();
        for (number, step) in (1_u64..).zip(&steps) {
            follow(&mut view, known.apply(step.event(number), now));
            model.apply(step);
            prop_assert_eq!(&view, &model.alive(), "after {:?}", step);
            // Said again, nothing is news.
            prop_assert_eq!(known.apply(step.event(number), now), vec![], "{:?}", step);
        }
        prop_assert_eq!(known.number_of_agents(), view.len());
    }
}
