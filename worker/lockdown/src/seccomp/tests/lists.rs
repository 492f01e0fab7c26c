//! The lists as data: right numbers, reasons, and nothing in them that changes no verdict.

use super::corpus::around;
use super::{program, verdict};
use crate::seccomp::Default;
use crate::seccomp::bpf::Action;
use crate::seccomp::emit::{Table, emit};
use crate::seccomp::filters::{self, entries};
use crate::seccomp::list::{self, List, Syscall, Want};
use casemate_protocol::certificate::Profile;
use casemate_protocol::syscalls::Arch;
use casemate_protocol::syscalls::syscall_name;

const LISTS: [List; 8] = [
    list::CORE,
    list::WASI,
    list::PROGRAM,
    list::BRIDGE,
    list::ZYGOTE_EXTRA,
    list::COMPILER,
    list::COMPILER_EXTRA,
    list::STUB,
];

#[test]
fn numbers_are_those_of_the_kernels_tables() {
    for syscall in entries(&LISTS) {
        assert!(Arch::ALL.into_iter().any(|arch| syscall.number(arch).is_some()), "{}", syscall.name);
        for arch in Arch::ALL {
            if let Some(nr) = syscall.number(arch) {
                assert_eq!(syscall_name(arch, nr), Some(syscall.name), "{arch} {nr}");
            }
        }
    }
}

#[test]
fn every_entry_has_a_reason_and_stands_in_a_list_once() {
    for list in LISTS {
        let mut names: Vec<_> = list.iter().map(|syscall| syscall.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for syscall in list.iter() {
            assert!(syscall.reason.len() >= "the end".len(), "{}", syscall.name);
            assert!(syscall.rules.iter().all(|rule| !rule.is_empty()), "{}", syscall.name);
        }
    }
}

#[test]
fn values_are_those_of_libc() {
    let named = |name: &str, argument: &str, value: &str| {
        let syscalls = entries(&LISTS);
        let args = syscalls.iter().filter(|syscall| syscall.name == name).flat_map(|syscall| syscall.rules);
        let found = args.flat_map(|rule| rule.iter()).filter(|arg| arg.name == argument).find_map(|arg| {
            let values: Vec<_> = match arg.want {
                Want::Is(value) => vec![value],
                Want::OneOf(values) => values.to_vec(),
                Want::Bits { all, may } => [all, may].concat(),
            };
            values.into_iter().find(|candidate| candidate.name == value)
        });
        found.unwrap().bits
    };
    let same = |bits: u64, libc: i32| assert_eq!(bits, u64::try_from(libc).unwrap());
    same(named("mmap", "prot", "NONE"), libc::PROT_NONE);
    same(named("mmap", "prot", "READ|WRITE"), libc::PROT_READ | libc::PROT_WRITE);
    same(named("mmap", "flags", "PRIVATE"), libc::MAP_PRIVATE);
    same(named("mmap", "flags", "ANONYMOUS"), libc::MAP_ANONYMOUS);
    same(named("mmap", "flags", "NORESERVE"), libc::MAP_NORESERVE);
    same(named("mremap", "flags", "MAYMOVE"), libc::MREMAP_MAYMOVE);
    same(named("fcntl", "cmd", "F_GETFD"), libc::F_GETFD);
    same(named("prctl", "option", "PR_SET_PDEATHSIG"), libc::PR_SET_PDEATHSIG);
    same(named("prctl", "signal", "SIGKILL"), libc::SIGKILL);
    same(named("clone", "flags", "CLONE_PIDFD"), libc::CLONE_PIDFD);
    same(named("clone", "flags", "SIGCHLD"), libc::SIGCHLD);
    same(named("pidfd_send_signal", "signal", "SIGKILL"), libc::SIGKILL);
    assert_eq!(named("seccomp", "operation", "SET_MODE_FILTER"), u64::from(libc::SECCOMP_SET_MODE_FILTER));
    assert_eq!(named("waitid", "idtype", "P_ALL"), u64::from(libc::P_ALL));
    same(named("waitid", "options", "WEXITED"), libc::WEXITED);
}

/// Whether two filters differ on some call around these entries.
fn differ(a: &Table, b: &Table, around_these: &[Syscall]) -> bool {
    let (one, other) = (emit(a).unwrap(), emit(b).unwrap());
    around_these
        .iter()
        .flat_map(|syscall| around(syscall, a.arch))
        .any(|call| verdict(&one, &call) != verdict(&other, &call))
}

#[test]
fn every_entry_decides_something() {
    for arch in Arch::ALL {
        for lists in [
            vec![list::CORE, list::ZYGOTE_EXTRA],
            vec![list::COMPILER, list::COMPILER_EXTRA],
            vec![list::STUB],
            vec![list::WASI],
            vec![list::PROGRAM],
            vec![list::BRIDGE],
        ] {
            let all = entries(&lists);
            let whole = filters::allow(arch, Action::Notify, all.clone()).unwrap();
            for (index, entry) in all.iter().enumerate() {
                let mut fewer = all.clone();
                fewer.remove(index);
                let without = filters::allow(arch, Action::Notify, fewer).unwrap();
                assert_eq!(
                    differ(&whole, &without, &[*entry]),
                    entry.number(arch).is_some(),
                    "{}",
                    entry.name
                );
            }
        }
        let (extra, core) = (entries(&[list::ZYGOTE_EXTRA]), entries(&[list::CORE]));
        let whole = filters::b(arch, Profile::Core).unwrap();
        for index in 0..extra.len() {
            let mut fewer = extra.clone();
            let entry = fewer.remove(index);
            let without = filters::take_away(arch, fewer, core.clone()).unwrap();
            assert!(differ(&whole, &without, &[entry]), "{}", entry.name);
        }
    }
}

#[test]
fn every_condition_decides_something() {
    for arch in Arch::ALL {
        let tables = [
            filters::a(arch, Default::Notify, Profile::Core).unwrap(),
            filters::compiler(arch, Default::Notify).unwrap(),
            filters::stub(arch).unwrap(),
        ];
        for table in tables {
            for (at, case) in table.cases.iter().enumerate() {
                let syscalls: Vec<_> = entries(&LISTS)
                    .into_iter()
                    .filter(|syscall| syscall.number(arch) == Some(case.nr))
                    .collect();
                for (clause_at, clause) in case.clauses.iter().enumerate() {
                    for cond_at in 0..clause.conds.len() {
                        let mut looser = table.clone();
                        looser.cases[at].clauses[clause_at].conds.remove(cond_at);
                        assert!(differ(&table, &looser, &syscalls), "{arch} {} condition {cond_at}", case.nr);
                    }
                }
            }
        }
    }
}

#[test]
fn rules_read_as_they_are() {
    let text = |name: &str| list::CORE.iter().find(|syscall| syscall.name == name).unwrap().rule_text();
    assert_eq!(text("exit_group"), "any");
    assert_eq!(text("read"), "fd = 0");
    assert_eq!(
        text("mmap"),
        "addr = 0, prot in {NONE, READ|WRITE}, flags = PRIVATE|ANONYMOUS, optionally NORESERVE, \
         fd in {-1, -1 in 32 bits}"
    );
}

#[test]
fn a_wider_rule_of_the_zygote_is_taken_away_and_the_rest_still_notifies() {
    const WRITABLE: &[&[list::Arg]] = &[&[list::Arg {
        index: 2,
        name: "prot",
        want: Want::Is(list::Value { name: "READ|WRITE", bits: 3 }),
    }]];
    // It overlaps the worker's rule: what both allow must stay.
    let window =
        Syscall { name: "mmap", x86_64: Some(9), aarch64: Some(222), rules: WRITABLE, reason: "a window" };
    let core = entries(&[list::CORE]);
    let arch = Arch::X86_64;
    let a = program(filters::allow(arch, Action::Notify, [core.clone(), vec![window]].concat()));
    let b = program(filters::take_away(arch, vec![window], core));
    let words = |args: [u64; 6]| {
        let call = super::corpus::call(arch, 9, args);
        [&a, &b].map(|program| Action::from_verdict(verdict(program, &call)).unwrap())
    };
    assert_eq!(words([0, 4096, 3, 0x22, u64::MAX, 0]), [Action::Allow, Action::Allow]);
    assert_eq!(words([0, 4096, 3, 1, 5, 0]), [Action::Allow, Action::KillProcess]);
    assert_eq!(words([0, 4096, 7, 0x22, u64::MAX, 0]), [Action::Notify, Action::Allow]);
}
