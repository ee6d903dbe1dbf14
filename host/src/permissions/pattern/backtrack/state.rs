//! What a run of the matcher remembers, and how it takes it back.

use std::ops::Range;

use super::program::{Loop, slots};
use super::{Exhausted, MAX_STEPS};

/// How often a loop has gone round, and where its current round began.
#[derive(Clone, Copy, Default)]
pub(super) struct Rounds {
    pub(super) count: u32,
    pub(super) from: usize,
}

/// One thing to take back, or a choice that is still open.
pub(super) enum Undo {
    Choice { at: usize, position: usize },
    Slot(usize, Option<usize>),
    Rounds(usize, Rounds),
}

pub(super) struct State {
    pub(super) slots: Vec<Option<usize>>,
    pub(super) rounds: Vec<Rounds>,
    pub(super) undo: Vec<Undo>,
    pub(super) steps: u32,
}

impl State {
    /// Counts what is about to be done.
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), Exhausted> {
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        self.steps = self.steps.saturating_add(steps).min(MAX_STEPS + 1);
        if self.steps > MAX_STEPS {
            return Err(Exhausted);
        }
        Ok(())
    }

    pub(super) fn save(&mut self, slot: usize, value: Option<usize>) {
        if let Some(place) = self.slots.get_mut(slot)
            && *place != value
        {
            self.undo
                .push(Undo::Slot(slot, std::mem::replace(place, value)));
        }
    }

    pub(super) fn set_rounds(&mut self, register: usize, value: Rounds) {
        if let Some(place) = self.rounds.get_mut(register) {
            self.undo
                .push(Undo::Rounds(register, std::mem::replace(place, value)));
        }
    }

    /// Where a loop goes on that has just been entered or gone round.
    pub(super) fn go_round(&mut self, step: &Loop, position: usize) -> Option<usize> {
        let Rounds { count, from } = self.rounds.get(step.register).copied().unwrap_or_default();
        // A round past the minimum that consumed nothing is no progress, as ECMAScript has it.
        if count > step.times.min && position == from {
            return None;
        }
        let may_leave = count >= step.times.min;
        let may_go_on = step.times.max.is_none_or(|max| count < max);
        if !may_go_on {
            return Some(step.exit);
        }
        if !may_leave {
            return Some(step.round);
        }
        let (first, second) = if step.times.lazy {
            (step.exit, step.round)
        } else {
            (step.round, step.exit)
        };
        self.undo.push(Undo::Choice {
            at: second,
            position,
        });
        Some(first)
    }

    /// Begins a round: what the body captured in the last one is forgotten.
    pub(super) fn begin_round(
        &mut self,
        register: usize,
        captures: &Range<usize>,
        position: usize,
    ) {
        let count = self.rounds.get(register).map_or(0, |rounds| rounds.count);
        let rounds = Rounds {
            count: count.saturating_add(1),
            from: position,
        };
        self.set_rounds(register, rounds);
        for group in captures.clone() {
            let (start, end) = slots(group);
            self.save(start, None);
            self.save(end, None);
        }
    }

    /// Undoes everything down to `depth`.
    pub(super) fn backtrack(&mut self, depth: usize) {
        while self.undo.len() > depth {
            self.undo_one();
        }
    }

    /// Undoes down to the latest choice above `floor`, and takes it.
    pub(super) fn resume(&mut self, floor: usize) -> Option<(usize, usize)> {
        while self.undo.len() > floor {
            if let Some(choice) = self.undo_one() {
                return Some(choice);
            }
        }
        None
    }

    fn undo_one(&mut self) -> Option<(usize, usize)> {
        match self.undo.pop()? {
            Undo::Choice { at, position } => return Some((at, position)),
            Undo::Slot(slot, value) => {
                if let Some(place) = self.slots.get_mut(slot) {
                    *place = value;
                }
            }
            Undo::Rounds(register, value) => {
                if let Some(place) = self.rounds.get_mut(register) {
                    *place = value;
                }
            }
        }
        None
    }

    /// Forgets the choices above `depth` but not what they changed: a lookaround is not entered twice.
    pub(super) fn commit(&mut self, depth: usize) {
        let kept = self
            .undo
            .drain(depth..)
            .filter(|undo| !matches!(undo, Undo::Choice { .. }))
            .collect::<Vec<_>>();
        self.undo.extend(kept);
    }

    /// The length of what `group` captured.
    pub(super) fn captured(&self, group: usize) -> usize {
        let (start, end) = slots(group);
        let saved = |slot: usize| self.slots.get(slot).copied().flatten();
        saved(end)
            .zip(saved(start))
            .map_or(0, |(end, start)| end.saturating_sub(start))
    }

    /// The position behind a repetition of what `group` captured; a group that captured nothing is empty.
    pub(super) fn after_reference(
        &self,
        group: usize,
        text: &str,
        position: usize,
        backward: bool,
    ) -> Option<usize> {
        let (start, end) = slots(group);
        let saved = |slot: usize| self.slots.get(slot).copied().flatten();
        let (Some(start), Some(end)) = (saved(start), saved(end)) else {
            return Some(position);
        };
        let captured = text.get(start..end)?;
        if backward {
            let before = text.get(..position)?;
            before
                .ends_with(captured)
                .then(|| position - captured.len())
        } else {
            let after = text.get(position..)?;
            after
                .starts_with(captured)
                .then(|| position + captured.len())
        }
    }
}
