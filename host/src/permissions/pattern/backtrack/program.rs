//! The program that a pattern is compiled to.

use std::collections::HashMap;
use std::ops::Range;

use regex_syntax::hir::{Class, HirKind};

use super::super::linear;
use super::super::tree::{Piece, Set, Times, Tree};

/// Bounds what a pattern may compile to.
const MAX_PROGRAM: usize = 100_000;

#[derive(Debug)]
pub(super) enum Step {
    Set(usize),
    AnyInLine,
    Start,
    End,
    WordBoundary {
        negated: bool,
    },
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
        captures: Range<usize>,
    },
    Done,
}

#[derive(Debug)]
pub(super) struct Loop {
    pub(super) register: usize,
    pub(super) times: Times,
    pub(super) round: usize,
    pub(super) exit: usize,
}

#[derive(Debug)]
pub(super) struct Instruction {
    pub(super) step: Step,
    pub(super) backward: bool,
}

#[derive(Debug)]
pub(in crate::permissions::pattern) struct Program {
    pub(super) instructions: Vec<Instruction>,
    pub(super) sets: Vec<Vec<(char, char)>>,
    /// Of the sets, as classes in brackets, while they are collected.
    set_numbers: HashMap<String, usize>,
    pub(super) slots: usize,
    pub(super) registers: usize,
}

impl Program {
    pub(in crate::permissions::pattern) fn compile(tree: &Tree) -> Result<Self, String> {
        let mut program = Self {
            instructions: Vec::new(),
            sets: Vec::new(),
            set_numbers: HashMap::new(),
            slots: (tree.groups + 1) * 2,
            registers: 0,
        };
        program.emit(&tree.root, false)?;
        program.push(Step::Done, false)?;
        program.set_numbers = HashMap::new();
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
                let set = self.set(set)?;
                self.push(Step::Set(set), backward)?;
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
                let negated = *negated;
                self.push(Step::WordBoundary { negated }, backward)?;
            }
            Piece::Group {
                capture: None,
                inner,
            } => self.emit(inner, backward)?,
            Piece::Group {
                capture: Some(group),
                inner,
            } => {
                let (start, end) = slots(*group);
                let (first, second) = if backward { (end, start) } else { (start, end) };
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
                times,
                captures,
            } => {
                let register = self.registers;
                self.registers += 1;
                self.push(Step::LoopStart(register), backward)?;
                let at = self.push(Step::Done, backward)?;
                let captures = captures.clone();
                self.push(Step::Round { register, captures }, backward)?;
                self.emit(inner, backward)?;
                self.push(Step::Jump(at), backward)?;
                let step = Step::Loop(Loop {
                    register,
                    times: *times,
                    round: at + 1,
                    exit: self.instructions.len(),
                });
                self.patch(at, step);
            }
        }
        Ok(())
    }

    /// The number of a set. Equal ones share theirs: there are large ones.
    fn set(&mut self, set: &Set) -> Result<usize, String> {
        let class = linear::class(set);
        if let Some(known) = self.set_numbers.get(&class) {
            return Ok(*known);
        }
        self.sets.push(ranges(&class)?);
        let number = self.sets.len() - 1;
        self.set_numbers.insert(class, number);
        Ok(number)
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
}

/// Where the start and the end of a capture are kept.
pub(super) fn slots(group: usize) -> (usize, usize) {
    (group * 2, group * 2 + 1)
}

/// The characters of a class as sorted ranges.
fn ranges(class: &str) -> Result<Vec<(char, char)>, String> {
    let hir =
        regex_syntax::parse(class).map_err(|_| "a character class cannot be used".to_owned())?;
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
