//! A backtracking matcher for the patterns that need one: lookaround and backreferences, with ECMAScript's meaning.
//!
//! A pattern becomes a small program; the matcher keeps its own stack and counts its steps, so neither a long text nor a
//! hostile pattern exhausts the stack or the time: past the limit it answers [`Exhausted`], never a match.

use super::linear;
use super::syntax::{Piece, Set, Tree};

/// A few milliseconds of work.
const MAX_STEPS: u32 = 400_000;
/// Bounds what a pattern may compile to.
const MAX_PROGRAM: usize = 100_000;

/// The text took more steps than a permission check may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exhausted;

#[derive(Debug)]
enum Step {
    Set(usize),
    AnyInLine,
    Start,
    End,
    WordBoundary(bool),
    /// Goes on at the first; at the second when that fails.
    Try(usize, usize),
    Jump(usize),
    /// Writes the position to a slot of a capture.
    Save(usize),
    Backreference(usize),
    /// Runs the program at `body` up to its [`Step::Done`], then goes on at `next`.
    Look {
        body: usize,
        next: usize,
        negated: bool,
    },
    LoopStart(usize),
    /// Decides whether another round is due; the instruction after it begins that round.
    Loop(Loop),
    Round {
        register: usize,
        captures: (usize, usize),
    },
    Done,
}

#[derive(Debug)]
struct Loop {
    register: usize,
    min: u32,
    max: Option<u32>,
    lazy: bool,
    round: usize,
    exit: usize,
}

#[derive(Debug)]
struct Instruction {
    step: Step,
    backward: bool,
}

#[derive(Debug)]
pub(super) struct Program {
    instructions: Vec<Instruction>,
    sets: Vec<Vec<(char, char)>>,
    slots: usize,
    registers: usize,
}

/// How often a loop has gone round, and where its current round began.
#[derive(Clone, Copy, Default)]
struct Rounds {
    count: u32,
    from: usize,
}

enum Undo {
    Choice { at: usize, position: usize },
    Slot(usize, Option<usize>),
    Rounds(usize, Rounds),
}

struct State {
    slots: Vec<Option<usize>>,
    rounds: Vec<Rounds>,
    undo: Vec<Undo>,
    steps: u32,
}

impl Program {
    pub(super) fn compile(tree: &Tree) -> Result<Self, String> {
        let mut program = Self {
            instructions: Vec::new(),
            sets: Vec::new(),
            slots: (tree.groups + 1) * 2,
            registers: 0,
        };
        program.emit(&tree.root, false)?;
        program.push(Step::Done, false)?;
        Ok(program)
    }

    fn push(&mut self, step: Step, backward: bool) -> Result<usize, String> {
        if self.instructions.len() >= MAX_PROGRAM {
            return Err("the pattern is too large".to_owned());
        }
        self.instructions.push(Instruction { step, backward });
        Ok(self.instructions.len() - 1)
    }

    fn patch(&mut self, at: usize, step: Step) {
        if let Some(instruction) = self.instructions.get_mut(at) {
            instruction.step = step;
        }
    }

    fn emit(&mut self, piece: &Piece, backward: bool) -> Result<(), String> {
        match piece {
            Piece::Concat(pieces) => {
                if backward {
                    pieces
                        .iter()
                        .rev()
                        .try_for_each(|piece| self.emit(piece, true))?;
                } else {
                    pieces
                        .iter()
                        .try_for_each(|piece| self.emit(piece, false))?;
                }
            }
            Piece::Either(branches) => self.emit_either(branches, backward)?,
            Piece::Set(set) => {
                let ranges = ranges(set)?;
                self.sets.push(ranges);
                self.push(Step::Set(self.sets.len() - 1), backward)?;
            }
            Piece::AnyInLine => {
                self.push(Step::AnyInLine, backward)?;
            }
            Piece::Start => {
                self.push(Step::Start, backward)?;
            }
            Piece::End => {
                self.push(Step::End, backward)?;
            }
            Piece::WordBoundary { negated } => {
                self.push(Step::WordBoundary(*negated), backward)?;
            }
            Piece::Group { index: 0, inner } => self.emit(inner, backward)?,
            Piece::Group { index, inner } => {
                let (first, second) = (
                    index * 2 + usize::from(backward),
                    index * 2 + usize::from(!backward),
                );
                self.push(Step::Save(first), backward)?;
                self.emit(inner, backward)?;
                self.push(Step::Save(second), backward)?;
            }
            Piece::Backreference(index) => {
                self.push(Step::Backreference(*index), backward)?;
            }
            Piece::Look {
                behind,
                negated,
                inner,
            } => {
                let at = self.push(Step::Done, backward)?;
                self.emit(inner, *behind)?;
                self.push(Step::Done, backward)?;
                let look = Step::Look {
                    body: at + 1,
                    next: self.instructions.len(),
                    negated: *negated,
                };
                self.patch(at, look);
            }
            Piece::Repeat {
                inner,
                min,
                max,
                lazy,
                captures,
            } => {
                let register = self.registers;
                self.registers += 1;
                self.push(Step::LoopStart(register), backward)?;
                let at = self.push(Step::Done, backward)?;
                let captures = *captures;
                self.push(Step::Round { register, captures }, backward)?;
                self.emit(inner, backward)?;
                self.push(Step::Jump(at), backward)?;
                let step = Step::Loop(Loop {
                    register,
                    min: *min,
                    max: *max,
                    lazy: *lazy,
                    round: at + 1,
                    exit: self.instructions.len(),
                });
                self.patch(at, step);
            }
        }
        Ok(())
    }

    fn emit_either(&mut self, branches: &[Piece], backward: bool) -> Result<(), String> {
        let mut ends = Vec::new();
        for (position, branch) in branches.iter().enumerate() {
            if position + 1 == branches.len() {
                self.emit(branch, backward)?;
            } else {
                let choice = self.push(Step::Done, backward)?;
                self.emit(branch, backward)?;
                ends.push(self.push(Step::Done, backward)?);
                self.patch(choice, Step::Try(choice + 1, self.instructions.len()));
            }
        }
        for end in ends {
            self.patch(end, Step::Jump(self.instructions.len()));
        }
        Ok(())
    }

    /// Whether the pattern occurs anywhere in `text`.
    pub(super) fn is_match(&self, text: &str) -> Result<bool, Exhausted> {
        let mut state = State {
            slots: vec![None; self.slots],
            rounds: vec![Rounds::default(); self.registers],
            undo: Vec::new(),
            steps: 0,
        };
        for start in text
            .char_indices()
            .map(|(start, _)| start)
            .chain([text.len()])
        {
            if self.run(0, start, text, &mut state)? {
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
            state.steps += 1;
            if state.steps > MAX_STEPS {
                return Err(Exhausted);
            }
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
                Step::WordBoundary(negated) => {
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
                Step::Backreference(group) => state
                    .after_reference(*group, text, position, *backward)
                    .map(|position| (at + 1, position)),
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
                    state.begin_round(*register, *captures, position);
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

impl State {
    fn save(&mut self, slot: usize, value: Option<usize>) {
        if let Some(place) = self.slots.get_mut(slot)
            && *place != value
        {
            self.undo
                .push(Undo::Slot(slot, std::mem::replace(place, value)));
        }
    }

    fn set_rounds(&mut self, register: usize, value: Rounds) {
        if let Some(place) = self.rounds.get_mut(register) {
            self.undo
                .push(Undo::Rounds(register, std::mem::replace(place, value)));
        }
    }

    /// Where a loop goes on that has just been entered or gone round.
    fn go_round(&mut self, step: &Loop, position: usize) -> Option<usize> {
        let Rounds { count, from } = self.rounds.get(step.register).copied().unwrap_or_default();
        // A round past the minimum that consumed nothing is no progress, as ECMAScript has it.
        if count > step.min && position == from {
            return None;
        }
        let may_leave = count >= step.min;
        let may_go_on = step.max.is_none_or(|max| count < max);
        if !may_go_on {
            return Some(step.exit);
        }
        if !may_leave {
            return Some(step.round);
        }
        let (first, second) = if step.lazy {
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
    fn begin_round(&mut self, register: usize, captures: (usize, usize), position: usize) {
        let count = self.rounds.get(register).map_or(0, |rounds| rounds.count);
        let rounds = Rounds {
            count: count.saturating_add(1),
            from: position,
        };
        self.set_rounds(register, rounds);
        for group in captures.0..captures.1 {
            self.save(group * 2, None);
            self.save(group * 2 + 1, None);
        }
    }

    /// Undoes everything down to `depth`.
    fn backtrack(&mut self, depth: usize) {
        while self.undo.len() > depth {
            self.undo_one();
        }
    }

    /// Undoes down to the latest choice above `floor`, and takes it.
    fn resume(&mut self, floor: usize) -> Option<(usize, usize)> {
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
    fn commit(&mut self, depth: usize) {
        let kept = self
            .undo
            .drain(depth..)
            .filter(|undo| !matches!(undo, Undo::Choice { .. }))
            .collect::<Vec<_>>();
        self.undo.extend(kept);
    }

    /// The position behind a repetition of what `group` captured; a group that captured nothing is empty.
    fn after_reference(
        &self,
        group: usize,
        text: &str,
        position: usize,
        backward: bool,
    ) -> Option<usize> {
        let slot = |offset| self.slots.get(group * 2 + offset).copied().flatten();
        let (Some(start), Some(end)) = (slot(0), slot(1)) else {
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

/// The characters of a set as sorted ranges.
fn ranges(set: &Set) -> Result<Vec<(char, char)>, String> {
    use regex_syntax::hir::{Class, HirKind};
    let hir = regex_syntax::parse(&linear::class(set))
        .map_err(|_| "a character class cannot be used".to_owned())?;
    Ok(match hir.into_kind() {
        HirKind::Class(Class::Unicode(class)) => class
            .iter()
            .map(|range| (range.start(), range.end()))
            .collect(),
        HirKind::Class(Class::Bytes(class)) => class
            .iter()
            .map(|range| (char::from(range.start()), char::from(range.end())))
            .collect(),
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0)
            .unwrap_or_default()
            .chars()
            .map(|c| (c, c))
            .collect(),
        _ => Vec::new(),
    })
}
