//! From a table of rules to a program.
//!
//! ```text
//! arch ≠ ours ─────────────► kill
//! number ≥ x32 ────────────► kill
//! binary search over numbers ─► none of ours: the default
//!                            └► the call's clauses in their order: the first that matches decides; none: its `otherwise`
//! ```
//! Instructions are made from the last to the first, so the target of every jump exists, and its distance is known, before
//! the jump does. Where eight bits do not reach, a copy of the return or a wide jump is put in between.

use crate::seccomp::bpf::{Action, Flaw, Insn, Program, op};
use crate::seccomp::interp::halves;
use casemate_protocol::syscalls::Arch;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// Arguments that a system call has at most.
pub const ARGUMENTS: u8 = 6;

/// What one argument must be. All 64 bits are compared, always: of a register whose low half is what the call reads, the
/// high half must still be as said here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cond {
    /// This value.
    Eq(u64),
    /// `argument & mask == value`. The mask holds the whole high half.
    MaskedEq {
        /// The bits that are looked at.
        mask: u64,
        /// What they must be.
        value: u64,
    },
    /// One of these values.
    OneOf(Vec<u64>),
}

/// A condition on one argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgCond {
    /// Which argument, from 0.
    pub arg: u8,
    /// What it must be.
    pub cond: Cond,
}

/// Conditions that must hold together, and what then happens. Without conditions it always holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// All of these.
    pub conds: Vec<ArgCond>,
    /// The verdict.
    pub action: Action,
}

/// The rules of one system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its number.
    pub nr: u32,
    /// Asked in this order.
    pub clauses: Vec<Clause>,
    /// The verdict when no clause matches.
    pub otherwise: Action,
}

/// The rules of one filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The machine; calls of any other table kill.
    pub arch: Arch,
    /// The verdict on numbers without rules.
    pub default: Action,
    /// In any order, a number once.
    pub cases: Vec<Case>,
}

/// Why a table cannot become a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EmitError {
    /// Two cases for one number: which holds?
    #[error("system call {0} has two sets of rules")]
    Duplicate(u32),
    /// A number that is killed before the search (x32).
    #[error("system call {0} is not of this machine's own table")]
    Foreign(u32),
    /// There is no such argument.
    #[error("a system call has no argument {0}")]
    Argument(u8),
    /// A choice of nothing matches nothing.
    #[error("a choice without values")]
    EmptyChoice,
    /// A mask that leaves a part of the high half unlooked at.
    #[error("mask {0:#x} leaves bits of the high half open")]
    OpenHalf(u64),
    /// A value with bits outside its mask matches nothing.
    #[error("value {0:#x} has bits outside its mask")]
    Unmatchable(u64),
    /// The program is not one the kernel takes.
    #[error(transparent)]
    Flaw(#[from] Flaw),
}

/// Makes the program of a table.
pub fn emit(table: &Table) -> Result<Program, EmitError> {
    let mut cases: Vec<&Case> = table.cases.iter().collect();
    cases.sort_by_key(|case| case.nr);
    check(&cases, table.arch)?;

    let mut builder = Builder::default();
    let mut start = builder.search(&cases, table.default)?;
    if let Some(foreign) = table.arch.foreign_from() {
        start = builder.branch(op::IF_NOT_LESS, foreign, KILL, start)?;
    }
    builder.enter(start);
    let number = builder.push(op::LOAD, NUMBER_OFFSET);
    builder.branch(op::IF_EQUAL, table.arch.audit(), Target::At(number), KILL)?;
    builder.push(op::LOAD, ARCH_OFFSET);
    Ok(Program::new(builder.finish())?)
}

const NUMBER_OFFSET: u32 = 0;
const ARCH_OFFSET: u32 = 4;
const KILL: Target = Target::Return(Action::KillProcess);

fn check(sorted: &[&Case], arch: Arch) -> Result<(), EmitError> {
    for pair in sorted.windows(2) {
        if let [a, b] = pair
            && a.nr == b.nr
        {
            return Err(EmitError::Duplicate(a.nr));
        }
    }
    for case in sorted {
        if arch.foreign_from().is_some_and(|first| case.nr >= first) {
            return Err(EmitError::Foreign(case.nr));
        }
        case.clauses.iter().flat_map(|clause| &clause.conds).try_for_each(check_cond)?;
    }
    Ok(())
}

fn check_cond(condition: &ArgCond) -> Result<(), EmitError> {
    if condition.arg >= ARGUMENTS {
        return Err(EmitError::Argument(condition.arg));
    }
    match &condition.cond {
        Cond::OneOf(values) if values.is_empty() => Err(EmitError::EmptyChoice),
        Cond::MaskedEq { mask, .. } if halves(*mask).1 != u32::MAX => Err(EmitError::OpenHalf(*mask)),
        Cond::MaskedEq { mask, value } if value & !mask != 0 => Err(EmitError::Unmatchable(*value)),
        _ => Ok(()),
    }
}

/// Where execution goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    At(Label),
    Return(Action),
}

/// An instruction, counted from the program's end.
type Label = usize;

/// A program that grows at its front.
#[derive(Default)]
struct Builder {
    /// The last instruction first.
    reversed: Vec<Insn>,
    /// The return nearest to the front, of each action.
    returns: BTreeMap<Action, Label>,
}

impl Builder {
    fn push(&mut self, code: u16, k: u32) -> Label {
        self.push_insn(Insn { code, jt: 0, jf: 0, k })
    }

    fn push_insn(&mut self, insn: Insn) -> Label {
        self.reversed.push(insn);
        self.reversed.len() - 1
    }

    /// Instructions between the next one put in front and a label.
    fn distance(&self, label: Label) -> usize {
        self.reversed.len().saturating_sub(label + 1)
    }

    /// A label for the target that is still within eight bits after `more` further instructions.
    fn near(&mut self, target: Target, more: usize) -> Label {
        let reachable = |builder: &Self, label| builder.distance(label) + more <= usize::from(u8::MAX);
        match target {
            Target::At(label) if reachable(self, label) => label,
            Target::At(label) => {
                let distance = u32::try_from(self.distance(label)).unwrap_or(u32::MAX);
                self.push(op::JUMP, distance)
            }
            Target::Return(action) => match self.returns.get(&action) {
                Some(label) if reachable(self, *label) => *label,
                _ => {
                    let label = self.push(op::RETURN, action.verdict());
                    self.returns.insert(action, label);
                    label
                }
            },
        }
    }

    /// Puts a comparison of the accumulator in front.
    fn branch(&mut self, code: u16, k: u32, yes: Target, no: Target) -> Result<Target, EmitError> {
        // Making `no` near may put one more instruction between here and `yes`.
        let yes = self.near(yes, 1);
        let no = self.near(no, 0);
        let skip = |label| u8::try_from(self.distance(label)).or(Err(Flaw::Jump(self.reversed.len())));
        let insn = Insn { code, jt: skip(yes)?, jf: skip(no)?, k };
        Ok(Target::At(self.push_insn(insn)))
    }

    /// Makes sure that what is put in front next falls through to the target.
    fn enter(&mut self, target: Target) {
        let label = self.near(target, 0);
        let distance = self.distance(label);
        if distance != 0 {
            self.push(op::JUMP, u32::try_from(distance).unwrap_or(u32::MAX));
        }
    }

    /// Finds the accumulator's number among sorted cases.
    fn search(&mut self, cases: &[&Case], default: Action) -> Result<Target, EmitError> {
        match cases {
            [] => Ok(Target::Return(default)),
            [case] => {
                let body = self.body(case)?;
                self.either(op::IF_EQUAL, case.nr, body, Target::Return(default))
            }
            _ => {
                let (below, above) = cases.split_at(cases.len() / 2);
                let above_target = self.search(above, default)?;
                let below_target = self.search(below, default)?;
                let first_above = above.first().map_or(u32::MAX, |case| case.nr);
                self.either(op::IF_NOT_LESS, first_above, above_target, below_target)
            }
        }
    }

    /// A comparison, unless both answers lead to the same place.
    fn either(&mut self, code: u16, k: u32, yes: Target, no: Target) -> Result<Target, EmitError> {
        if yes == no { Ok(yes) } else { self.branch(code, k, yes, no) }
    }

    /// A call's clauses; they reload what they need and never go back to the search.
    fn body(&mut self, case: &Case) -> Result<Target, EmitError> {
        let asked = case.clauses.iter().position(|clause| clause.conds.is_empty());
        let asked = asked.map_or(case.clauses.len(), |unconditional| unconditional + 1);
        let mut next = Target::Return(case.otherwise);
        for clause in case.clauses.iter().take(asked).rev() {
            let mut target = Target::Return(clause.action);
            for condition in clause.conds.iter().rev() {
                target = self.condition(condition, target, next)?;
            }
            next = target;
        }
        Ok(next)
    }

    fn condition(&mut self, condition: &ArgCond, yes: Target, no: Target) -> Result<Target, EmitError> {
        let low_offset = 16 + 8 * u32::from(condition.arg);
        let high_offset = low_offset + 4;
        match &condition.cond {
            Cond::Eq(value) => {
                let (low, high) = halves(*value);
                self.branch(op::IF_EQUAL, low, yes, no)?;
                let low = Target::At(self.push(op::LOAD, low_offset));
                self.branch(op::IF_EQUAL, high, low, no)?;
            }
            Cond::MaskedEq { mask, value } => {
                let (low, high) = halves(*value);
                self.branch(op::IF_EQUAL, low, yes, no)?;
                self.push(op::AND, halves(*mask).0);
                let low = Target::At(self.push(op::LOAD, low_offset));
                // The mask holds the whole high half: see `check_cond`.
                self.branch(op::IF_EQUAL, high, low, no)?;
            }
            Cond::OneOf(values) => {
                let highs = self.low_halves(values, low_offset, yes, no)?;
                self.chain(highs.into_iter().rev(), no)?;
            }
        }
        Ok(Target::At(self.push(op::LOAD, high_offset)))
    }

    /// For each high half, comparisons of the low halves that go with it.
    fn low_halves(
        &mut self,
        values: &[u64],
        low_offset: u32,
        yes: Target,
        no: Target,
    ) -> Result<Vec<(u32, Target)>, EmitError> {
        let mut lows_of: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for value in values {
            let (low, high) = halves(*value);
            lows_of.entry(high).or_default().insert(low);
        }
        // -1 as a 32-bit and as a 64-bit number have the same low half: one comparison serves both.
        let mut made: BTreeMap<BTreeSet<u32>, Target> = BTreeMap::new();
        let mut highs = Vec::new();
        for (high, lows) in lows_of {
            let target = match made.get(&lows) {
                Some(target) => *target,
                None => {
                    self.chain(lows.iter().rev().map(|low| (*low, yes)), no)?;
                    let target = Target::At(self.push(op::LOAD, low_offset));
                    made.insert(lows, target);
                    target
                }
            };
            highs.push((high, target));
        }
        Ok(highs)
    }

    /// Compares the accumulator with each value, the last one given being asked first; what is put in front next falls
    /// through to the first comparison.
    fn chain(&mut self, values: impl Iterator<Item = (u32, Target)>, no: Target) -> Result<(), EmitError> {
        let mut next = no;
        for (value, target) in values {
            next = self.branch(op::IF_EQUAL, value, target, next)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Vec<Insn> {
        self.reversed.reverse();
        self.reversed
    }
}
