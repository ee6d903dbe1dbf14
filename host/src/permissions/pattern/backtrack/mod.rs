//! A backtracking matcher for the patterns that need one: lookaround and backreferences, with ECMAScript's meaning.
//!
//! A pattern becomes a small program; the matcher keeps its own stack and counts its steps, so neither a long text nor a
//! hostile pattern exhausts the stack or the time: past the limit it answers [`Exhausted`], never a match.

mod program;
mod state;

use program::{Instruction, Step};
use state::{Rounds, State, Undo};

pub(super) use program::Program;

/// A few milliseconds of work.
pub(super) const MAX_STEPS: u32 = 400_000;
/// How many bytes of a backreference are compared at the price of a step.
const BYTES_PER_STEP: usize = 32;

/// The text took more steps than a permission check may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exhausted;

impl Program {
    /// Whether the pattern occurs anywhere in `text`, and how many steps it took to find that out or to give up.
    pub(super) fn counted(&self, text: &str) -> (Result<bool, Exhausted>, u32) {
        let mut state = State {
            slots: vec![None; self.slots],
            rounds: vec![Rounds::default(); self.registers],
            undo: Vec::new(),
            steps: 0,
        };
        (self.search(text, &mut state), state.steps)
    }

    fn search(&self, text: &str, state: &mut State) -> Result<bool, Exhausted> {
        for start in text
            .char_indices()
            .map(|(start, _)| start)
            .chain([text.len()])
        {
            if self.run(0, start, text, state)? {
                return Ok(true);
            }
            state.backtrack(0);
        }
        Ok(false)
    }

    /// Runs from `at` to the next [`Step::Done`]. On a match its choices are still on the stack.
    fn run(
        &self,
        mut at: usize,
        mut position: usize,
        text: &str,
        state: &mut State,
    ) -> Result<bool, Exhausted> {
        let floor = state.undo.len();
        loop {
            state.spend(1)?;
            let Some(Instruction { step, backward }) = self.instructions.get(at) else {
                return Ok(false);
            };
            let onward = match step {
                Step::Done => return Ok(true),
                Step::Jump(target) => Some((*target, position)),
                Step::Try(first, second) => {
                    state.undo.push(Undo::Choice {
                        at: *second,
                        position,
                    });
                    Some((*first, position))
                }
                Step::Save(slot) => {
                    state.save(*slot, Some(position));
                    Some((at + 1, position))
                }
                Step::Start => (position == 0).then_some((at + 1, position)),
                Step::End => (position == text.len()).then_some((at + 1, position)),
                Step::WordBoundary { negated } => {
                    (is_word_boundary(text, position) != *negated).then_some((at + 1, position))
                }
                Step::AnyInLine => next_char(text, position, *backward)
                    .filter(|(c, _)| !matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}'))
                    .map(|(_, position)| (at + 1, position)),
                Step::Set(set) => next_char(text, position, *backward)
                    .filter(|(c, _)| {
                        self.sets
                            .get(*set)
                            .is_some_and(|ranges| contains(ranges, *c))
                    })
                    .map(|(_, position)| (at + 1, position)),
                Step::Backreference(group) => {
                    state.spend(state.captured(*group) / BYTES_PER_STEP)?;
                    state
                        .after_reference(*group, text, position, *backward)
                        .map(|position| (at + 1, position))
                }
                Step::Look {
                    body,
                    next,
                    negated,
                } => {
                    let depth = state.undo.len();
                    let found = self.run(*body, position, text, state)?;
                    if found && !negated {
                        state.commit(depth);
                    } else {
                        state.backtrack(depth);
                    }
                    (found != *negated).then_some((*next, position))
                }
                Step::LoopStart(register) => {
                    state.set_rounds(
                        *register,
                        Rounds {
                            count: 0,
                            from: position,
                        },
                    );
                    Some((at + 1, position))
                }
                Step::Round { register, captures } => {
                    state.spend(captures.len())?;
                    state.begin_round(*register, captures, position);
                    Some((at + 1, position))
                }
                Step::Loop(step) => state
                    .go_round(step, position)
                    .map(|target| (target, position)),
            };
            match onward.or_else(|| state.resume(floor)) {
                Some((next, new_position)) => (at, position) = (next, new_position),
                None => return Ok(false),
            }
        }
    }
}

fn next_char(text: &str, position: usize, backward: bool) -> Option<(char, usize)> {
    if backward {
        let c = text.get(..position)?.chars().next_back()?;
        Some((c, position - c.len_utf8()))
    } else {
        let c = text.get(position..)?.chars().next()?;
        Some((c, position + c.len_utf8()))
    }
}

fn is_word_boundary(text: &str, position: usize) -> bool {
    let is_word = |next: Option<(char, usize)>| {
        next.is_some_and(|(c, _)| c.is_ascii_alphanumeric() || c == '_')
    };
    is_word(next_char(text, position, true)) != is_word(next_char(text, position, false))
}

fn contains(ranges: &[(char, char)], c: char) -> bool {
    let after = ranges.partition_point(|(low, _)| *low <= c);
    after
        .checked_sub(1)
        .and_then(|index| ranges.get(index))
        .is_some_and(|(_, high)| c <= *high)
}
