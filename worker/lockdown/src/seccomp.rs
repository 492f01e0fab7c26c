//! The system-call filters: who may call what, as data, and the programs made of it.
//!
//! ```text
//! list (reviewed data) ─► filters (rules of one filter) ─► emit ─► Program ─► kernel
//!                                                                    └─────► interp (tests, fuzzing, doctor)
//! ```
//! Two filters stand over a worker. **A** allows what zygote and worker need, and anything else asks the supervisor
//! (which records it, and kills) or, where there can be no listener, kills. **B**, which a worker adds, kills what only
//! the zygote needed and allows everything else: the kernel takes the strictest verdict, so what A does not allow still
//! reaches A's listener. What is left is A minus B: [`effective_worker`].
//!
//! ```text
//!   a worker's call          A        B        together
//!   in the worker's list     allow    allow    runs
//!   only in ZYGOTE_EXTRA     allow    kill     SIGSYS
//!   in neither               notify   allow    the supervisor is told, and kills
//! ```
//! A compiler stands under a filter of its own, made like A, and the same B.
//!
//! Nothing here calls the kernel.

pub mod bpf;
pub mod emit;
mod filters;
pub mod interp;
pub mod list;
#[cfg(test)]
mod tests;

pub use bpf::{Action, Insn, Program};
use casemate_protocol::certificate::Profile;
pub use casemate_protocol::syscalls::{Arch, CANARY_DELTA, CANARY_OUTSIDE, CANARY_OUTSIDE_PROGRAM};
pub use interp::SeccompData;

use crate::experiment;
use emit::{EmitError, Table};
use std::fmt;

/// What happens to a call that a filter with a listener does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Default {
    /// The supervisor is told, and kills. Only ever with a listener: without one such a call fails with ENOSYS, and a
    /// hostile caller goes on.
    Notify,
    /// The kernel kills, without a word.
    Kill,
}

impl From<Default> for Action {
    fn from(default: Default) -> Self {
        match default {
            Default::Notify => Self::Notify,
            Default::Kill => Self::KillProcess,
        }
    }
}

/// Filter A: for the zygote, inherited by its workers.
#[must_use]
pub fn filter_a(default: Default, profile: Profile) -> Program {
    made(&unless_left_out("filter-a", filters::a(Arch::NATIVE, default, profile)))
}

/// Filter B: what a worker, or a compiler before its job, takes away from itself.
#[must_use]
pub fn filter_b(profile: Profile) -> Program {
    made(&unless_left_out("filter-b", filters::b(Arch::NATIVE, profile)))
}

/// Filter B of a native program that has this number in its own namespace.
#[must_use]
pub fn program_filter(own_pid: u64) -> Program {
    made(&filters::program(Arch::NATIVE, own_pid))
}

/// Filter B of the bridge to a native program.
#[must_use]
pub fn bridge_filter() -> Program {
    made(&filters::bridge(Arch::NATIVE))
}

/// The only filter of the bridge to a native program without walls.
#[must_use]
pub fn bridge_filter_alone() -> Program {
    made(&filters::bridge_alone(Arch::NATIVE))
}

/// Filter B with one call of the worker's list taken away too.
#[cfg(feature = "experiment")]
#[must_use]
pub fn filter_b_without(profile: Profile, syscall: &str) -> Program {
    made(&filters::b_without(Arch::NATIVE, profile, syscall))
}

/// The compiler's first filter: its job, and the steps between this filter and [`filter_b`], which must follow before
/// the first byte of input is looked at.
#[must_use]
pub fn compiler_filter(default: Default) -> Program {
    made(&filters::compiler(Arch::NATIVE, default))
}

/// The stub's filter. It has no listener: a stub is trusted, and what it may not do kills it.
#[must_use]
pub fn stub_filter() -> Program {
    made(&filters::stub(Arch::NATIVE))
}

/// In its place, a filter that allows everything.
fn unless_left_out(wall: &str, table: Result<Table, EmitError>) -> Result<Table, EmitError> {
    match experiment::is_left_out(wall) {
        true => Ok(Table { arch: Arch::NATIVE, default: Action::Allow, cases: Vec::new() }),
        false => table,
    }
}

/// The tables here are constants, and tests make each into a program on each machine. Should one ever fail to be made,
/// whoever installs the result is killed at its next call, which is the safe side and cannot be overlooked.
fn made(table: &Result<Table, EmitError>) -> Program {
    let program = table.as_ref().map_err(|error| *error).and_then(emit::emit);
    program.unwrap_or_else(|_| Program::kill_everything())
}

/// A system call that a worker can make, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveSyscall {
    /// The kernel's name.
    pub name: &'static str,
    /// What its arguments must be.
    pub arguments: String,
    /// What needs it.
    pub reason: &'static str,
}

/// What a worker can still call: A minus B. Printed, it is a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective(pub Vec<EffectiveSyscall>);

/// The system calls that a worker has left on this machine.
#[must_use]
pub fn effective_worker(profile: Profile) -> Effective {
    effective_worker_on(Arch::NATIVE, profile)
}

/// The system calls that a worker has left on a machine.
#[must_use]
pub fn effective_worker_on(arch: Arch, profile: Profile) -> Effective {
    let left = list::of_profile(profile).iter().filter(|syscall| syscall.number(arch).is_some());
    let row = |syscall: &list::Syscall| EffectiveSyscall {
        name: syscall.name,
        arguments: syscall.rule_text(),
        reason: syscall.reason,
    };
    Effective(left.map(row).collect())
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width =
            |of: fn(&EffectiveSyscall) -> &str| self.0.iter().map(|row| of(row).len()).max().unwrap_or(0);
        let (names, arguments) = (width(|row| row.name), width(|row| row.arguments.as_str()));
        for row in &self.0 {
            writeln!(f, "{:names$}  {:arguments$}  {}", row.name, row.arguments, row.reason)?;
        }
        Ok(())
    }
}
