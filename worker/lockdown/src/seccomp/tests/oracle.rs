//! Another compiler of filters, Firecracker's, given the same lists: its programs and ours agree.
//!
//! It has no notifications, no x32 check and one action for all its rules; everything else it can say.

use super::corpus::{around, broad};
use super::{program, verdict};
use crate::seccomp::bpf::{Insn, Program};
use crate::seccomp::filters::{self, entries};
use crate::seccomp::list::{self, Arg, Syscall, Want};
use crate::seccomp::{Default, interp};
use casemate_protocol::certificate::Profile;
use casemate_protocol::syscalls::Arch;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};
use std::collections::BTreeMap;

/// The conditions that one demand comes to, one of which must hold.
fn alternatives(arg: &Arg) -> Vec<SeccompCondition> {
    let condition =
        |operator, value| SeccompCondition::new(arg.index, SeccompCmpArgLen::Qword, operator, value).unwrap();
    match arg.want {
        Want::Is(value) => vec![condition(SeccompCmpOp::Eq, value.bits)],
        Want::OneOf(values) => values.iter().map(|value| condition(SeccompCmpOp::Eq, value.bits)).collect(),
        Want::Bits { all, may } => {
            vec![condition(SeccompCmpOp::MaskedEq(!Want::union(may)), Want::union(all))]
        }
    }
}

/// Its rules are conjunctions: one for each way to choose among alternatives.
fn rules(syscall: &Syscall) -> Vec<SeccompRule> {
    let mut rules = Vec::new();
    for rule in syscall.rules {
        let mut conjunctions = vec![Vec::new()];
        for arg in *rule {
            let mut longer = Vec::new();
            for conjunction in conjunctions {
                for condition in alternatives(arg) {
                    let mut conjunction = conjunction.clone();
                    conjunction.push(condition);
                    longer.push(conjunction);
                }
            }
            conjunctions = longer;
        }
        rules.extend(conjunctions.into_iter().map(|conjunction| SeccompRule::new(conjunction).unwrap()));
    }
    rules
}

fn oracle(
    arch: Arch,
    rules: impl Iterator<Item = (u32, Vec<SeccompRule>)>,
    mismatch: SeccompAction,
    matched: SeccompAction,
) -> Program {
    let mut by_number: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for (nr, mut rules) in rules {
        by_number.entry(nr.into()).or_default().append(&mut rules);
    }
    let target = match arch {
        Arch::X86_64 => TargetArch::x86_64,
        Arch::Aarch64 => TargetArch::aarch64,
    };
    let filter = SeccompFilter::new(by_number, mismatch, matched, target).unwrap();
    let instructions: BpfProgram = filter.try_into().unwrap();
    let insn = |i: &seccompiler::sock_filter| Insn { code: i.code, jt: i.jt, jf: i.jf, k: i.k };
    Program::new(instructions.iter().map(insn).collect()).unwrap()
}

fn compare(arch: Arch, syscalls: &[Syscall], ours: &Program, theirs: &Program) {
    let narrow = syscalls.iter().flat_map(|syscall| around(syscall, arch));
    for call in broad(arch).chain(narrow).filter(|call| call.nr < 0x4000_0000) {
        assert_eq!(verdict(ours, &call), verdict(theirs, &call), "{arch} {call:x?}");
        let foreign = interp::SeccompData { arch: 0x4000_0003, ..call };
        assert_eq!(verdict(ours, &foreign), verdict(theirs, &foreign));
    }
}

#[test]
fn allow_lists_agree_with_another_compiler() {
    for arch in Arch::ALL {
        let filters = [
            (entries(&[list::CORE, list::ZYGOTE_EXTRA]), filters::a(arch, Default::Kill, Profile::Core)),
            (entries(&[list::COMPILER, list::COMPILER_EXTRA]), filters::compiler(arch, Default::Kill)),
            (entries(&[list::STUB]), filters::stub(arch)),
        ];
        for (syscalls, table) in filters {
            let numbered =
                syscalls.iter().filter_map(|syscall| Some((syscall.number(arch)?, rules(syscall))));
            let theirs = oracle(arch, numbered, SeccompAction::KillProcess, SeccompAction::Allow);
            let ours = program(table);
            println!(
                "{arch}: {} instructions, theirs {}",
                ours.instructions().len(),
                theirs.instructions().len()
            );
            compare(arch, &syscalls, &ours, &theirs);
        }
    }
}

#[test]
fn filter_b_agrees_with_another_compiler() {
    for arch in Arch::ALL {
        let syscalls = entries(&[list::ZYGOTE_EXTRA]);
        let numbered = syscalls.iter().filter_map(|syscall| Some((syscall.number(arch)?, Vec::new())));
        let theirs = oracle(arch, numbered, SeccompAction::Allow, SeccompAction::KillProcess);
        compare(arch, &syscalls, &program(filters::b(arch, Profile::Core)), &theirs);
    }
}
