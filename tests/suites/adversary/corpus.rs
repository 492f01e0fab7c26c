//! The calls that are made for real: every number, and what nearly keeps a rule.

use crate::cell::End;
use casemate_lockdown::seccomp::{Arch, list, list::Want};
use casemate_protocol::syscalls::syscall_name;
use std::hash::{BuildHasher, RandomState};

/// Whether a call ended as the kernel's two calls for probes do, which it shows to no filter (6.14, 6.18): SIGILL or ENXIO
/// for whoever makes them from elsewhere than the kernel's own trampoline.
pub(crate) fn past_seccomp(number: u32, end: &End) -> bool {
    match syscall_name(Arch::NATIVE, number) {
        Some("uretprobe") => *end == End::Crashed,
        Some("uprobe") => *end == End::Answered("error 6".to_owned()),
        _ => false,
    }
}

/// A number by name.
pub(crate) fn number(name: &str) -> u32 {
    (0..1024).find(|number| syscall_name(Arch::NATIVE, *number) == Some(name)).unwrap()
}

/// 0 to 1023, eight of anything above, and the calls of the worker's list as x32 ones.
pub(crate) fn numbers() -> Vec<u32> {
    let random = RandomState::new();
    let high: Vec<u32> =
        (0..8_u32).map(|n| u32::try_from(random.hash_one(n) >> 32).unwrap().max(1024)).collect();
    println!("random numbers: {high:x?}");
    let listed = list::CORE.iter().filter_map(|syscall| syscall.number(Arch::NATIVE));
    let foreign = Arch::NATIVE.foreign_from();
    let x32 = listed.filter_map(|number| foreign.map(|first| number | first));
    (0..1024).chain(high).chain(x32).collect()
}

/// Around each rule of the worker's list: every bit of every argument that it names turned, its halves exchanged, its
/// neighbours, and -1.
pub(crate) fn around_rules() -> Vec<(u32, [u64; 6])> {
    let mut calls = Vec::new();
    for syscall in list::CORE.iter() {
        let Some(number) = syscall.number(Arch::NATIVE) else { continue };
        for rule in syscall.rules {
            let mut kept = [0; 6];
            for arg in *rule {
                kept[usize::from(arg.index)] = match arg.want {
                    Want::Is(value) => value.bits,
                    Want::OneOf(values) => values[0].bits,
                    Want::Bits { all, .. } => all.iter().fold(0, |bits, value| bits | value.bits),
                };
            }
            calls.push((number, kept));
            for arg in *rule {
                let index = usize::from(arg.index);
                for value in near(kept[index]) {
                    let mut args = kept;
                    args[index] = value;
                    calls.push((number, args));
                }
            }
        }
    }
    calls
}

fn near(value: u64) -> impl Iterator<Item = u64> {
    let others = [
        value.wrapping_add(1),
        value.wrapping_sub(1),
        value | 0xffff_ffff_0000_0000,
        value.rotate_left(32),
        !value,
        u64::MAX,
        0xffff_ffff,
    ];
    (0..64).map(move |bit| value ^ (1 << bit)).chain(others)
}
