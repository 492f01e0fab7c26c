//! Random rules, and rules so many that jumps do not reach.

use super::corpus::{broad, call, general};
use super::verdict;
use crate::seccomp::bpf::{Action, Flaw, INSTRUCTIONS_MAX, op};
use crate::seccomp::emit::{ArgCond, Case, Clause, Cond, EmitError, Table, emit};
use crate::seccomp::interp::SeccompData;
use casemate_protocol::syscalls::Arch;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeMap;

/// A table's verdict, clause by clause.
fn read(table: &Table, call: &SeccompData) -> Action {
    let x32 = table.arch == Arch::X86_64 && call.nr >= 0x4000_0000;
    if call.arch != table.arch.audit() || x32 {
        return Action::KillProcess;
    }
    let Some(case) = table.cases.iter().find(|case| case.nr == call.nr) else { return table.default };
    let matches = |condition: &ArgCond| {
        let actual = u128::from(call.args[usize::from(condition.arg)]);
        match &condition.cond {
            Cond::Eq(value) => actual == u128::from(*value),
            Cond::MaskedEq { mask, value } => actual & u128::from(*mask) == u128::from(*value),
            Cond::OneOf(values) => values.iter().any(|value| actual == u128::from(*value)),
        }
    };
    case.clauses
        .iter()
        .find(|clause| clause.conds.iter().all(matches))
        .map_or(case.otherwise, |clause| clause.action)
}

/// Few values, so that rules and calls meet, in all combinations of halves.
fn any_value() -> impl Strategy<Value = u64> {
    let half = || select(vec![0_u32, 1, 2, 3, 0x7fff_ffff, 0x8000_0000, u32::MAX]);
    prop_oneof![
        9 => (half(), half()).prop_map(|(low, high)| u64::from(low) | u64::from(high) << 32),
        1 => any::<u64>(),
    ]
}

fn any_action() -> impl Strategy<Value = Action> {
    select(Action::ALL.to_vec())
}

fn any_cond() -> impl Strategy<Value = Cond> {
    prop_oneof![
        any_value().prop_map(Cond::Eq),
        (any_value(), any_value()).prop_map(|(mask, value)| {
            let mask = mask | 0xffff_ffff_0000_0000;
            Cond::MaskedEq { mask, value: value & mask }
        }),
        prop::collection::vec(any_value(), 1..6).prop_map(Cond::OneOf),
    ]
}

fn any_clause() -> impl Strategy<Value = Clause> {
    let cond = (0..6_u8, any_cond()).prop_map(|(arg, cond)| ArgCond { arg, cond });
    (prop::collection::vec(cond, 0..4), any_action()).prop_map(|(conds, action)| Clause { conds, action })
}

fn any_table(cases: std::ops::Range<usize>) -> impl Strategy<Value = Table> {
    let nr = prop_oneof![0..64_u32, 0..500_u32, select(vec![0x3fff_ffff_u32, 0x1000_0000])];
    let body = (prop::collection::vec(any_clause(), 0..4), any_action());
    (select(Arch::ALL.to_vec()), any_action(), prop::collection::btree_map(nr, body, cases)).prop_map(
        |(arch, default, bodies): (_, _, BTreeMap<u32, _>)| {
            let case = |(nr, (clauses, otherwise))| Case { nr, clauses, otherwise };
            // The order that cases are given in must not matter.
            let cases = bodies.into_iter().rev().map(case).collect();
            Table { arch, default, cases }
        },
    )
}

fn any_args() -> impl Strategy<Value = [u64; 6]> {
    [any_value(), any_value(), any_value(), any_value(), any_value(), any_value()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn programs_of_random_rules_say_what_the_rules_say(
        table in any_table(0..40),
        vectors in prop::collection::vec(any_args(), 12),
        strangers in prop::collection::vec(any::<(u32, u32)>(), 4),
    ) {
        let program = emit(&table).unwrap();
        let numbers = table.cases.iter().flat_map(|case| [case.nr, case.nr.wrapping_sub(1), case.nr + 1]);
        let x32 = table.cases.iter().map(|case| case.nr | 0x4000_0000);
        let numbers: Vec<_> = numbers.chain(x32).chain([0, 511, u32::MAX]).collect();
        for args in vectors {
            for nr in &numbers {
                let call = call(table.arch, *nr, args);
                prop_assert_eq!(verdict(&program, &call), read(&table, &call).verdict(), "{:x?}", call);
            }
            for (nr, arch) in &strangers {
                let call = SeccompData { arch: *arch, ..call(table.arch, *nr, args) };
                prop_assert_eq!(verdict(&program, &call), read(&table, &call).verdict(), "{:x?}", call);
            }
        }
    }
}

/// As many calls as said, each with rules of several kinds.
fn large(arch: Arch, cases: u32, clauses: u64) -> Table {
    let clause = |nr: u32, index: u64| Clause {
        conds: vec![
            ArgCond { arg: 0, cond: Cond::Eq(u64::from(nr) << 32 | index) },
            ArgCond { arg: 5, cond: Cond::OneOf(vec![1, 2, 3, u64::MAX]) },
        ],
        action: if index.is_multiple_of(2) { Action::Allow } else { Action::Notify },
    };
    let case = |nr: u32| Case {
        nr: nr * 3,
        clauses: (0..clauses).map(|index| clause(nr, index)).collect(),
        otherwise: if nr.is_multiple_of(2) { Action::KillProcess } else { Action::Notify },
    };
    Table { arch, default: Action::KillProcess, cases: (0..cases).map(case).collect() }
}

#[test]
fn jumps_of_any_length_lead_where_they_should() {
    // Many short rules, some long ones, one that is longer than a jump by itself.
    for (arch, cases, clauses) in
        [(Arch::X86_64, 90, 3), (Arch::Aarch64, 40, 7), (Arch::X86_64, 2, 150), (Arch::Aarch64, 300, 0)]
    {
        let table = large(arch, cases, clauses);
        let program = emit(&table).unwrap();
        let wide = program.instructions().iter().filter(|insn| insn.code == op::JUMP).count();
        println!(
            "{cases} calls, {clauses} clauses each: {} instructions, {wide} wide jumps",
            program.instructions().len()
        );
        assert_eq!(wide > 0, clauses > 0);
        for nr in 0..cases * 3 + 2 {
            for index in 0..=clauses {
                for last in [0, 1, 3, 4, 1 << 32, u64::MAX] {
                    let call = call(arch, nr, [u64::from(nr / 3) << 32 | index, 0, 0, 0, 0, last]);
                    assert_eq!(verdict(&program, &call), read(&table, &call).verdict(), "{call:x?}");
                }
            }
        }
        let vectors = general();
        for call in broad(arch).step_by(vectors.len() / 3) {
            assert_eq!(verdict(&program, &call), read(&table, &call).verdict(), "{call:x?}");
        }
    }
}

#[test]
fn an_empty_table_is_its_default() {
    for default in Action::ALL {
        let table = Table { arch: Arch::X86_64, default, cases: Vec::new() };
        let program = emit(&table).unwrap();
        for nr in [0, 1, 0x3fff_ffff, 0x4000_0000] {
            let call = call(Arch::X86_64, nr, [0; 6]);
            assert_eq!(verdict(&program, &call), read(&table, &call).verdict());
        }
    }
}

#[test]
fn rules_that_cannot_be_meant_are_refused() {
    let refused = |cond: Cond, arg: u8| {
        let clause = Clause { conds: vec![ArgCond { arg, cond }], action: Action::Allow };
        let case = Case { nr: 1, clauses: vec![clause], otherwise: Action::KillProcess };
        emit(&Table { arch: Arch::X86_64, default: Action::KillProcess, cases: vec![case] }).unwrap_err()
    };
    assert_eq!(refused(Cond::Eq(0), 6), EmitError::Argument(6));
    assert_eq!(refused(Cond::OneOf(Vec::new()), 0), EmitError::EmptyChoice);
    assert_eq!(refused(Cond::MaskedEq { mask: 0xffff_ffff, value: 0 }, 0), EmitError::OpenHalf(0xffff_ffff));
    let open = 0x7fff_ffff_ffff_ffff;
    assert_eq!(refused(Cond::MaskedEq { mask: open, value: 0 }, 0), EmitError::OpenHalf(open));
    assert_eq!(refused(Cond::MaskedEq { mask: !3, value: 1 }, 0), EmitError::Unmatchable(1));

    let case = |nr| Case { nr, clauses: Vec::new(), otherwise: Action::Allow };
    let table = |arch, cases| Table { arch, default: Action::KillProcess, cases };
    assert_eq!(emit(&table(Arch::Aarch64, vec![case(5), case(1), case(5)])), Err(EmitError::Duplicate(5)));
    assert_eq!(emit(&table(Arch::X86_64, vec![case(0x4000_0001)])), Err(EmitError::Foreign(0x4000_0001)));
    assert!(
        matches!(emit(&large(Arch::X86_64, 1000, 4)), Err(EmitError::Flaw(Flaw::TooLong(n))) if n > INSTRUCTIONS_MAX)
    );
}
