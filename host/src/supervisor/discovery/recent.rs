//! When something last happened to an agent or a host itself.
//!
//! mngr takes its time to look at everything, and a snapshot shows the beginning of that time. What happened to an item
//! meanwhile came by an event of its own and must not be undone by the snapshot. Entries are kept for [`LONGEST_LOOK`] and
//! at most [`LIMIT`] of them, so that memory stays flat however long this runs and whatever the clocks say.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::store::ids::{AgentId, HostId};

/// No snapshot takes longer.
pub(super) const LONGEST_LOOK: Duration = Duration::from_secs(60 * 60);
pub(super) const LIMIT: usize = 4_096;

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Item {
    Agent(AgentId, HostId),
    Host(HostId),
}

/// What the last event of an item said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Present,
    Destroyed,
}

#[derive(Debug)]
struct Entry {
    at: Timestamp,
    state: State,
    noted: Instant,
}

/// The last event of each item.
#[derive(Debug, Default)]
pub(super) struct Recent {
    entries: HashMap<Item, Entry>,
    /// In the order of noting; an item that was noted again stands in it twice.
    order: VecDeque<(Instant, Item)>,
}

impl Recent {
    /// Something happened to `item` at the time `at`.
    pub(super) fn note(&mut self, item: Item, at: Timestamp, state: State, now: Instant) {
        self.order.push_back((now, item.clone()));
        let entry = Entry {
            at,
            state,
            noted: now,
        };
        self.entries.insert(item, entry);
        self.forget(now);
    }

    /// What happened to `item` at the time `began` or later.
    pub(super) fn since(&self, item: &Item, began: Timestamp, now: Instant) -> Option<State> {
        let entry = self.entries.get(item)?;
        let is_recent = now.saturating_duration_since(entry.noted) < LONGEST_LOOK;
        (is_recent && entry.at >= began).then_some(entry.state)
    }

    /// Drops what is too old or too much.
    fn forget(&mut self, now: Instant) {
        while let Some((noted, _)) = self.order.front()
            && (self.order.len() > LIMIT || now.saturating_duration_since(*noted) >= LONGEST_LOOK)
        {
            let Some((noted, item)) = self.order.pop_front() else {
                return;
            };
            // A later entry of the same item has its own place in the order.
            if self
                .entries
                .get(&item)
                .is_some_and(|entry| entry.noted == noted)
            {
                self.entries.remove(&item);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(number: usize) -> Item {
        Item::Host(HostId::parse(&format!("host-{number:032x}")).unwrap())
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_happened_at_the_beginning_of_a_look_or_later_counts() {
        let (mut recent, now) = (Recent::default(), Instant::now());
        recent.note(host(1), second(10), State::Destroyed, now);
        assert_eq!(
            recent.since(&host(1), second(10), now),
            Some(State::Destroyed)
        );
        assert_eq!(recent.since(&host(1), second(11), now), None);
        assert_eq!(recent.since(&host(2), second(0), now), None);
        recent.note(host(1), second(12), State::Present, now);
        assert_eq!(
            recent.since(&host(1), second(11), now),
            Some(State::Present)
        );
    }

    #[test]
    fn a_time_far_ahead_counts_no_longer_than_any_other() {
        let (mut recent, now) = (Recent::default(), Instant::now());
        recent.note(host(1), Timestamp::MAX, State::Present, now);
        assert!(recent.since(&host(1), second(0), now).is_some());
        assert_eq!(recent.since(&host(1), second(0), now + LONGEST_LOOK), None);
    }

    #[test]
    fn the_number_of_entries_is_bounded_and_old_ones_go_first() {
        let (mut recent, now) = (Recent::default(), Instant::now());
        for number in 0..LIMIT * 3 {
            let noted = now + Duration::from_micros(number as u64);
            recent.note(host(number), second(0), State::Destroyed, noted);
            // The same item again and again makes nothing grow either.
            recent.note(host(0), second(0), State::Destroyed, noted);
        }
        assert!(recent.order.len() <= LIMIT, "{}", recent.order.len());
        assert!(recent.entries.len() <= LIMIT, "{}", recent.entries.len());
        let later = now + Duration::from_secs(1);
        let state = |number| recent.since(&host(number), second(0), later);
        assert_eq!(state(LIMIT * 3 - 1), Some(State::Destroyed));
        assert_eq!(state(0), Some(State::Destroyed));
        assert_eq!(state(1), None);
    }
}
