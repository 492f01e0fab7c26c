//! Calls that nearly keep a rule of the worker's list.

use casemate_lockdown::seccomp::{Arch, list, list::Want};
use casemate_protocol::certificate::Profile;

/// Around each rule of the worker's list: every bit of every argument that it names turned, its halves exchanged, its
/// neighbours, and -1.
pub(crate) fn around_rules(profile: Profile) -> Vec<(u32, [u64; 6])> {
    let mut calls = Vec::new();
    for syscall in list::of_profile(profile).iter() {
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
