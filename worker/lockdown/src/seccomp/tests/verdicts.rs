//! Verdicts of the filters as they are, on every number and around every rule.

use super::corpus::{around, broad, call};
use super::naive::{self, ALLOW, KILL, NOTIFY};
use super::{program, verdict};
use crate::seccomp::bpf::{Program, op};
use crate::seccomp::filters::{self, entries};
use crate::seccomp::interp::{SeccompData, strictest};
use crate::seccomp::list::{self, Syscall};
use crate::seccomp::{self, Default};
use casemate_protocol::certificate::Profile;
use casemate_protocol::syscalls::Arch;

fn everything(arch: Arch) -> Vec<SeccompData> {
    let lists = [list::CORE, list::ZYGOTE_EXTRA, list::COMPILER, list::STUB];
    let narrow = entries(&lists).into_iter().flat_map(|syscall| around(&syscall, arch));
    broad(arch).chain(narrow).collect()
}

/// Calls of one machine judged by a filter and by reading.
fn compare(arch: Arch, calls: &[SeccompData], program: &Program, read: impl Fn(&SeccompData) -> u32) {
    for call in calls {
        assert_eq!(verdict(program, call), read(call), "{arch} {call:x?}");
    }
}

#[test]
fn a_b_and_both_together_say_what_the_lists_say() {
    for arch in Arch::ALL {
        let (core, extra) = (entries(&[list::CORE]), entries(&[list::ZYGOTE_EXTRA]));
        let both = entries(&[list::CORE, list::ZYGOTE_EXTRA]);
        let calls = everything(arch);
        let b = program(filters::b(arch, Profile::Core));
        compare(arch, &calls, &b, |call| naive::take_away(&extra, &core, arch, call));
        for (default, word) in [(Default::Notify, NOTIFY), (Default::Kill, KILL)] {
            let a = program(filters::a(arch, default, Profile::Core));
            compare(arch, &calls, &a, |call| naive::allow(&both, word, arch, call));
            for call in &calls {
                let together = strictest([verdict(&a, call), verdict(&b, call)]);
                // Said once more, without A and B: what is left runs, what was taken away dies, the rest is reported.
                let expected = match naive::allow(&core, word, arch, call) {
                    ALLOW => ALLOW,
                    _ if naive::take_away(&extra, &core, arch, call) == KILL => KILL,
                    other => other,
                };
                assert_eq!(together, expected, "{arch} {call:x?}");
            }
        }
    }
}

#[test]
fn a_worker_is_left_with_its_list_and_the_table_says_so() {
    for arch in Arch::ALL {
        let filters = [
            program(filters::a(arch, Default::Notify, Profile::Core)),
            program(filters::b(arch, Profile::Core)),
        ];
        let mut left: Vec<&str> = everything(arch)
            .iter()
            .filter(|call| strictest(filters.iter().map(|filter| verdict(filter, call))) == ALLOW)
            .filter_map(|call| casemate_protocol::syscalls::syscall_name(arch, call.nr))
            .collect();
        left.sort_unstable();
        left.dedup();
        let table = seccomp::effective_worker_on(arch, Profile::Core);
        let mut told: Vec<_> = table.0.iter().map(|row| row.name).collect();
        told.sort_unstable();
        assert_eq!(left, told);
        assert_eq!(
            told,
            ["brk", "exit_group", "mmap", "mprotect", "mremap", "munmap", "read", "rt_sigreturn", "write",]
        );
        println!("{arch}\n{table}");
    }
}

#[test]
fn compiler_and_stub_filters_say_what_their_lists_say() {
    for arch in Arch::ALL {
        let calls = everything(arch);
        let job = entries(&[list::COMPILER, list::COMPILER_EXTRA]);
        for (default, word) in [(Default::Notify, NOTIFY), (Default::Kill, KILL)] {
            let compiler = program(filters::compiler(arch, default));
            compare(arch, &calls, &compiler, |call| naive::allow(&job, word, arch, call));
        }
        let stub = program(filters::stub(arch));
        compare(arch, &calls, &stub, |call| naive::allow(&entries(&[list::STUB]), KILL, arch, call));

        // With the same filter B a compiler is left with its job and nothing of the steps before it.
        let filters =
            [program(filters::compiler(arch, Default::Notify)), program(filters::b(arch, Profile::Core))];
        let job = entries(&[list::COMPILER]);
        for call in &calls {
            let runs = strictest(filters.iter().map(|filter| verdict(filter, call))) == ALLOW;
            assert_eq!(runs, naive::allow(&job, NOTIFY, arch, call) == ALLOW, "{arch} {call:x?}");
        }
    }
}

#[test]
fn the_public_filters_are_those_of_this_machine() {
    assert_eq!(
        seccomp::filter_a(Default::Kill, Profile::Core),
        program(filters::a(Arch::NATIVE, Default::Kill, Profile::Core))
    );
    assert_eq!(
        seccomp::filter_a(Default::Notify, Profile::Core),
        program(filters::a(Arch::NATIVE, Default::Notify, Profile::Core))
    );
    assert_eq!(seccomp::filter_b(Profile::Core), program(filters::b(Arch::NATIVE, Profile::Core)));
    assert_eq!(
        seccomp::compiler_filter(Default::Kill),
        program(filters::compiler(Arch::NATIVE, Default::Kill))
    );
    assert_eq!(seccomp::stub_filter(), program(filters::stub(Arch::NATIVE)));
}

#[test]
fn a_canary_outside_notifies_and_one_of_the_delta_is_killed() {
    let filters = [seccomp::filter_a(Default::Notify, Profile::Core), seccomp::filter_b(Profile::Core)];
    let words = |nr: i64| {
        let call = call(Arch::NATIVE, u32::try_from(nr).unwrap(), [0; 6]);
        filters.each_ref().map(|filter| verdict(filter, &call))
    };
    assert_eq!(words(seccomp::CANARY_OUTSIDE), [NOTIFY, ALLOW]);
    assert_eq!(words(seccomp::CANARY_DELTA), [ALLOW, KILL]);
    for (nr, name) in [(seccomp::CANARY_OUTSIDE, "getpid"), (seccomp::CANARY_DELTA, "getppid")] {
        assert_eq!(
            casemate_protocol::syscalls::syscall_name(Arch::NATIVE, u32::try_from(nr).unwrap()),
            Some(name)
        );
    }
}

#[test]
fn calls_of_another_machines_table_are_killed() {
    // i386 (`int 0x80`), 32-bit Arm, RISC-V, x86-64 without its 64-bit mark, and the other one of ours.
    for arch in Arch::ALL {
        let programs = [
            program(filters::a(arch, Default::Notify, Profile::Core)),
            program(filters::b(arch, Profile::Core)),
            program(filters::compiler(arch, Default::Notify)),
            program(filters::stub(arch)),
        ];
        let others = [0x4000_0003, 0x4000_0028, 0xc000_00f3, 0x4000_003e, 0, u32::MAX];
        let ours = Arch::ALL.into_iter().filter(|other| *other != arch).map(Arch::audit);
        for audit in others.into_iter().chain(ours) {
            for nr in 0..512 {
                for program in &programs {
                    let call = SeccompData { arch: audit, ..call(arch, nr, [0; 6]) };
                    assert_eq!(verdict(program, &call), KILL, "{arch} {call:x?}");
                }
            }
        }
    }
}

#[test]
fn every_number_that_runs_is_killed_as_an_x32_call() {
    let arch = Arch::X86_64;
    let programs = [
        program(filters::a(arch, Default::Notify, Profile::Core)),
        program(filters::b(arch, Profile::Core)),
        program(filters::stub(arch)),
    ];
    for nr in (0..1024).map(|nr| nr | 0x4000_0000).chain([0x4000_0000, 0x7fff_ffff, 0x8000_0000, u32::MAX]) {
        for program in &programs {
            assert_eq!(verdict(program, &call(arch, nr, [0; 6])), KILL);
        }
    }
}

#[test]
fn programs_are_short_and_every_instruction_can_be_reached() {
    for arch in Arch::ALL {
        let programs = [
            ("a, notify", program(filters::a(arch, Default::Notify, Profile::Core)), 140),
            ("a, kill", program(filters::a(arch, Default::Kill, Profile::Core)), 140),
            ("b", program(filters::b(arch, Profile::Core)), 40),
            ("compiler", program(filters::compiler(arch, Default::Notify)), 130),
            ("stub", program(filters::stub(arch)), 40),
        ];
        for (name, program, most) in programs {
            let count = program.instructions().len();
            println!(
                "{arch} {name}: {count} instructions, {} at most for a number without rules",
                depth(&program, arch)
            );
            assert!(count <= most, "{arch} {name}: {count} instructions");
            assert_eq!(unreachable(&program), Vec::<usize>::new(), "{arch} {name}");
        }
    }
}

/// Instructions that a run for an unlisted number walks at most.
fn depth(program: &Program, arch: Arch) -> usize {
    let walked = |nr: u32| {
        let (mut at, mut steps, mut word) = (0, 0, 0);
        loop {
            let insn = program.instructions()[at];
            steps += 1;
            at += 1 + match insn.code {
                op::RETURN => return steps,
                op::LOAD if insn.k >= 16 => return 0,
                op::LOAD => {
                    word = if insn.k == 0 { nr } else { arch.audit() };
                    0
                }
                op::JUMP => usize::try_from(insn.k).unwrap(),
                op::IF_EQUAL => usize::from(if word == insn.k { insn.jt } else { insn.jf }),
                _ => usize::from(if word >= insn.k { insn.jt } else { insn.jf }),
            };
        }
    };
    (0..512).map(walked).max().unwrap()
}

fn unreachable(program: &Program) -> Vec<usize> {
    let instructions = program.instructions();
    let mut reached = vec![false; instructions.len()];
    reached[0] = true;
    for (at, insn) in instructions.iter().enumerate() {
        if !reached[at] {
            continue;
        }
        match insn.code {
            op::RETURN => {}
            op::LOAD | op::AND => reached[at + 1] = true,
            op::JUMP => reached[at + 1 + usize::try_from(insn.k).unwrap()] = true,
            _ => {
                reached[at + 1 + usize::from(insn.jt)] = true;
                reached[at + 1 + usize::from(insn.jf)] = true;
            }
        }
    }
    (0..reached.len()).filter(|at| !reached[*at]).collect()
}

#[test]
fn named_attacks_are_refused() {
    let (arch, huge) = (Arch::X86_64, 1_u64 << 32);
    let filters =
        [program(filters::a(arch, Default::Notify, Profile::Core)), program(filters::b(arch, Profile::Core))];
    let minus_one = u64::MAX;
    let runs = |name: &str, args: [u64; 6]| {
        let nr =
            (0..1024).find(|nr| casemate_protocol::syscalls::syscall_name(arch, *nr) == Some(name)).unwrap();
        strictest(filters.iter().map(|filter| verdict(filter, &call(arch, nr, args)))) == ALLOW
    };
    assert!(runs("mmap", [0, 4096, 3, 0x22, minus_one, 0]));
    assert!(runs("mmap", [0, 4096, 0, 0x4022, 0xffff_ffff, 0]));
    assert!(runs("mprotect", [0x1000, 4096, 3, 0, 0, 0]));
    assert!(runs("read", [0, 0x1000, 10, 9, 9, 9]));
    let refused = [
        ("mmap", [0, 4096, 7, 0x22, minus_one, 0]), // writable and executable
        ("mmap", [0x1000, 4096, 3, 0x22, minus_one, 0]), // in a place of its choice
        ("mmap", [0, 4096, 0, 0x32, minus_one, 0]), // over what is at the start
        ("mmap", [0, 4096, 5, 0x22, minus_one, 0]), // executable
        ("mmap", [0, 4096, 1, 0x22, minus_one, 0]), // page tables without data
        ("mmap", [0, 4096, 3, 0x21, minus_one, 0]), // shared
        ("mmap", [0, 4096, 3, 0x23, minus_one, 0]), // MAP_SHARED_VALIDATE
        ("mmap", [0, 4096, 3, 0x122, minus_one, 0]), // grows down
        ("mmap", [0, 4096, 3, 0x2022, minus_one, 0]), // locked
        ("mmap", [0, 4096, 3, 0x8022, minus_one, 0]), // populated
        ("mmap", [0, 4096, 3, 0x4_0022, minus_one, 0]), // huge pages
        ("mmap", [0, 4096, 3, 0x02, 0, 0]),         // of a file
        ("mmap", [0, 4096, 3, 0x22, 0, 0]),         // with a descriptor
        ("mmap", [0, 4096, 3 | huge, 0x22, minus_one, 0]), // prot above 32 bits
        ("mmap", [0, 4096, 3, 0x22 | huge, minus_one, 0]), // flags above 32 bits
        ("mmap", [0, 4096, 3, 0x22, 0x1_ffff_ffff, 0]), // half a -1
        ("mprotect", [0x1000, 4096, 0, 0, 0, 0]),   // dirty pages out of the limit's sight
        ("mprotect", [0x1000, 4096, 1, 0, 0, 0]),
        ("mprotect", [0x1000, 4096, 5, 0, 0, 0]),
        ("mprotect", [0x1000, 4096, 3 | huge, 0, 0, 0]),
        ("mprotect", [0x1000, 4096, 3 | 0x0100_0000, 0, 0, 0]), // PROT_GROWSDOWN
        ("mremap", [0x1000, 4096, 4096, 3, 0x5000, 0]),         // onto another mapping
        ("mremap", [0x1000, 4096, 4096, 5, 0, 0]),              // MREMAP_DONTUNMAP
        ("read", [1, 0x1000, 10, 0, 0, 0]),
        ("read", [huge, 0x1000, 10, 0, 0, 0]),
        ("write", [2, 0x1000, 10, 0, 0, 0]),
        ("futex", [0x1000, 128, 0, 0, 0, 0]),
        ("madvise", [0x1000, 4096, 4, 0, 0, 0]),
        ("madvise", [0x1000, 4096, 100, 0, 0, 0]), // MADV_HWPOISON
        ("madvise", [0x1000, 4096, 12, 0, 0, 0]),  // MADV_MERGEABLE: reads memory of others by time
    ];
    for (name, args) in refused {
        assert!(!runs(name, args), "{name} {args:x?}");
    }
    let forbidden = "socket connect openat open execve execveat clone clone3 fork vfork ptrace process_vm_readv \
        process_vm_writev kill tgkill pidfd_send_signal pidfd_getfd userfaultfd io_uring_setup bpf perf_event_open keyctl \
        add_key memfd_create ioctl prctl dup dup2 dup3 sendmsg recvmsg seccomp unshare setns mount shmget \
        rt_sigaction sigaltstack personality pkey_mprotect remap_file_pages arch_prctl modify_ldt close mseal getpid";
    for name in forbidden.split_ascii_whitespace() {
        assert!(!runs(name, [0; 6]), "{name}");
    }
}

#[test]
fn the_lists_of_the_worker_and_of_what_it_gives_up_are_apart() {
    let numbers = |list: &[Syscall], arch: Arch| -> Vec<u32> {
        list.iter().filter_map(|syscall| syscall.number(arch)).collect()
    };
    for arch in Arch::ALL {
        let extra = numbers(&entries(&[list::ZYGOTE_EXTRA]), arch);
        for kept in [list::CORE, list::COMPILER] {
            assert!(numbers(&entries(&[kept]), arch).iter().all(|nr| !extra.contains(nr)));
        }
        let settle = numbers(&entries(&[list::COMPILER_EXTRA]), arch);
        assert!(settle.iter().all(|nr| extra.contains(nr)), "filter B takes all of it away");
    }
}
