//! Calls to judge filters by: every number with arguments of every kind, and around each rule all that nearly keeps it.

use crate::seccomp::interp::SeccompData;
use crate::seccomp::list::{Arg, Syscall, Want};
use casemate_protocol::syscalls::Arch;

/// Numbers no list has: unused ones, huge ones, x32, and the ends of every range.
const STRANGE_NUMBERS: [u32; 18] = [
    1024,
    4095,
    4096,
    0xffff,
    0x1_0000,
    0x0074_3a9c,
    0x1234_5678,
    0x3fff_fffe,
    0x3fff_ffff,
    0x4000_0000,
    0x4000_0001,
    0x4000_0208,
    0x5eed_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xc000_0009,
    0xffff_fffe,
    0xffff_ffff,
];

/// Argument values that filters trip over: signs, halves, single bits, the numbers that rules name.
const VALUES: [u64; 24] = [
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    9,
    0x22,
    0x32,
    0x4022,
    0x4032,
    128,
    129,
    137,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 32,
    (1 << 32) | 3,
    0xffff_ffff_0000_0000,
    0xffff_ffff_0000_0003,
    1 << 63,
    u64::MAX,
];

pub(super) fn call(arch: Arch, nr: u32, args: [u64; 6]) -> SeccompData {
    SeccompData { nr, arch: arch.audit(), instruction_pointer: 0x7f00_1234_5678, args }
}

/// Arguments tried with every number.
pub(super) fn general() -> Vec<[u64; 6]> {
    let mut vectors: Vec<[u64; 6]> = VALUES.iter().map(|value| [*value; 6]).collect();
    for index in 0..6 {
        for value in VALUES {
            let mut args = [0; 6];
            args[index] = value;
            vectors.push(args);
        }
    }
    // An anonymous mapping as libc asks for it, with and without execution, with a 32-bit and a 64-bit -1.
    for (prot, fd) in
        [(3, u64::MAX), (3, 0xffff_ffff), (7, u64::MAX), (5, u64::MAX), (1, u64::MAX), (0, u64::MAX)]
    {
        vectors.push([0, 4096, prot, 0x22, fd, 0]);
        vectors.push([0, 4096, prot | 1 << 32, 0x22, fd, 0]);
        vectors.push([0, 4096, prot, 0x22 | 1 << 33, fd, 0]);
    }
    vectors
}

/// Every number from 0 to 1023 and the strange ones.
pub(super) fn numbers() -> Vec<u32> {
    let x32 = (0..600).map(|nr| nr | 0x4000_0000);
    (0..1024).chain(STRANGE_NUMBERS).chain(x32).collect()
}

/// Every number with every general argument vector.
pub(super) fn broad(arch: Arch) -> impl Iterator<Item = SeccompData> {
    let vectors = general();
    numbers().into_iter().flat_map(move |nr| {
        let calls: Vec<_> = vectors.iter().map(|args| call(arch, nr, *args)).collect();
        calls
    })
}

/// Values that keep a demand.
fn kept_values(arg: &Arg) -> Vec<u64> {
    match arg.want {
        Want::Is(value) => vec![value.bits],
        Want::OneOf(values) => values.iter().map(|value| value.bits).collect(),
        Want::Bits { all, may } => {
            let required = all.iter().fold(0, |bits, value| bits | value.bits);
            let mut sets = vec![required];
            for optional in may {
                let with: Vec<_> = sets.iter().map(|set| set | optional.bits).collect();
                sets.extend(with);
            }
            sets
        }
    }
}

/// Values near one that is kept: other bits, other halves, its neighbours.
fn near(value: u64) -> Vec<u64> {
    let flipped = (0..64).map(|bit| value ^ (1 << bit));
    let others = [
        value.wrapping_add(1),
        value.wrapping_sub(1),
        value | 0xffff_ffff_0000_0000,
        value & 0xffff_ffff,
        value.rotate_left(32),
        !value,
        0,
        u64::MAX,
    ];
    flipped.chain(others).collect()
}

/// All that keeps one of a call's rules, and all that breaks it at one argument.
pub(super) fn around(syscall: &Syscall, arch: Arch) -> Vec<SeccompData> {
    let Some(nr) = syscall.number(arch) else { return Vec::new() };
    let mut kept = vec![[0x5151_0000_0042; 6]];
    for rule in syscall.rules {
        let mut of_rule = vec![[0x5151_0000_0042; 6]];
        for arg in *rule {
            of_rule = of_rule
                .into_iter()
                .flat_map(|args| {
                    kept_values(arg).into_iter().map(move |value| {
                        let mut args = args;
                        args[usize::from(arg.index)] = value;
                        args
                    })
                })
                .collect();
        }
        kept.extend(of_rule);
    }
    let mut calls = Vec::new();
    for args in kept {
        calls.push(call(arch, nr, args));
        for index in 0..6 {
            for value in near(args[index]) {
                let mut args = args;
                args[index] = value;
                calls.push(call(arch, nr, args));
            }
        }
    }
    calls
}
