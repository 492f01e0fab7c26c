//! Which lists make up which filter.

use crate::seccomp::Default;
use crate::seccomp::bpf::Action;
use crate::seccomp::emit::{ArgCond, Case, Clause, Cond, EmitError, Table};
use crate::seccomp::list::{self, Arg, List, Syscall, Value, Want};
use casemate_protocol::certificate::Profile;
use casemate_protocol::syscalls::Arch;

/// The zygote's filter.
pub(crate) fn a(arch: Arch, default: Default, profile: Profile) -> Result<Table, EmitError> {
    allow(arch, default.into(), entries(&[*list::of_profile(profile), list::ZYGOTE_EXTRA]))
}

/// The worker's second filter: the zygote's list without the worker's.
pub(crate) fn b(arch: Arch, profile: Profile) -> Result<Table, EmitError> {
    take_away(arch, entries(&[list::ZYGOTE_EXTRA]), entries(&[*list::of_profile(profile)]))
}

/// The same for a worker's list that is one call shorter.
#[cfg(feature = "experiment")]
pub(crate) fn b_without(arch: Arch, profile: Profile, name: &str) -> Result<Table, EmitError> {
    let (gone, core): (Vec<Syscall>, Vec<Syscall>) =
        entries(&[*list::of_profile(profile)]).into_iter().partition(|syscall| syscall.name == name);
    take_away(arch, [entries(&[list::ZYGOTE_EXTRA]), gone].concat(), core)
}

/// A native program's second filter: that of its profile, and signals for its own threads only.
pub(crate) fn program(arch: Arch, own_pid: u64) -> Result<Table, EmitError> {
    let mut table = b(arch, Profile::External)?;
    for (nr, _) in numbered(arch, entries(&[list::PROGRAM])).filter(|(_, syscall)| syscall.name == "tgkill") {
        let own = ArgCond { arg: 0, cond: Cond::Eq(own_pid) };
        let clauses = vec![Clause { conds: vec![own], action: Action::Allow }];
        table.cases.push(Case { nr, clauses, otherwise: Action::KillProcess });
    }
    Ok(table)
}

/// The bridge's second filter: what its program and its zygote may do, and it may not.
pub(crate) fn bridge(arch: Arch) -> Result<Table, EmitError> {
    take_away(arch, entries(&[list::PROGRAM, list::ZYGOTE_EXTRA]), entries(&[list::BRIDGE]))
}

/// The same for a bridge that has no filter A below it: nothing but what it may.
pub(crate) fn bridge_alone(arch: Arch) -> Result<Table, EmitError> {
    allow(arch, Action::KillProcess, entries(&[list::BRIDGE]))
}

/// The compiler's filter.
pub(crate) fn compiler(arch: Arch, default: Default) -> Result<Table, EmitError> {
    allow(arch, default.into(), entries(&[list::COMPILER, list::COMPILER_EXTRA]))
}

/// The stub's filter.
pub(crate) fn stub(arch: Arch) -> Result<Table, EmitError> {
    allow(arch, Action::KillProcess, entries(&[list::STUB]))
}

pub(crate) fn entries(lists: &[List]) -> Vec<Syscall> {
    lists.iter().flat_map(List::iter).copied().collect()
}

/// A filter that allows these calls and meets any other with `default`. Entries of one number add up.
pub(crate) fn allow(arch: Arch, default: Action, entries: Vec<Syscall>) -> Result<Table, EmitError> {
    let mut table = Table { arch, default, cases: Vec::new() };
    for (nr, syscall) in numbered(arch, entries) {
        let mut clauses = clauses(&syscall, Action::Allow)?;
        match table.cases.iter_mut().find(|case| case.nr == nr) {
            Some(case) => case.clauses.append(&mut clauses),
            None => table.cases.push(Case { nr, clauses, otherwise: default }),
        }
    }
    Ok(table)
}

/// A filter that kills what `from` allows and `keep` does not, and allows everything else.
///
/// A number that `keep` does not have is killed whatever its arguments are: so the wall holds even if a rule of `from`
/// were wrong. For one that both have, what neither allows is let through, to the listener of the filter before.
pub(crate) fn take_away(arch: Arch, from: Vec<Syscall>, keep: Vec<Syscall>) -> Result<Table, EmitError> {
    let kept: Vec<(u32, Syscall)> = numbered(arch, keep).collect();
    let mut table = Table { arch, default: Action::Allow, cases: Vec::new() };
    for (nr, syscall) in numbered(arch, from) {
        let mut own = Vec::new();
        for (_, keeper) in kept.iter().filter(|(kept_nr, _)| *kept_nr == nr) {
            own.append(&mut clauses(keeper, Action::Allow)?);
        }
        let mut taken = clauses(&syscall, Action::KillProcess)?;
        match table.cases.iter_mut().find(|case| case.nr == nr) {
            Some(case) => case.clauses.append(&mut taken),
            None if own.is_empty() => {
                table.cases.push(Case { nr, clauses: Vec::new(), otherwise: Action::KillProcess });
            }
            None => {
                own.append(&mut taken);
                table.cases.push(Case { nr, clauses: own, otherwise: Action::Allow });
            }
        }
    }
    Ok(table)
}

fn numbered(arch: Arch, entries: Vec<Syscall>) -> impl Iterator<Item = (u32, Syscall)> {
    entries.into_iter().filter_map(move |syscall| Some((syscall.number(arch)?, syscall)))
}

/// A rule is a clause; no rules are one clause that always holds.
fn clauses(syscall: &Syscall, action: Action) -> Result<Vec<Clause>, EmitError> {
    if syscall.rules.is_empty() {
        return Ok(vec![Clause { conds: Vec::new(), action }]);
    }
    let clause = |rule: &&[Arg]| {
        // An empty rule would allow everything, which is said by having no rules.
        if rule.is_empty() {
            return Err(EmitError::EmptyChoice);
        }
        Ok(Clause { conds: rule.iter().map(condition).collect(), action })
    };
    syscall.rules.iter().map(clause).collect()
}

fn condition(arg: &Arg) -> ArgCond {
    let cond = match arg.want {
        Want::Is(value) => Cond::Eq(value.bits),
        Want::OneOf(values) => Cond::OneOf(values.iter().map(|value: &Value| value.bits).collect()),
        Want::Bits { all, may } => Cond::MaskedEq { mask: !Want::union(may), value: Want::union(all) },
    };
    ArgCond { arg: arg.index, cond }
}
