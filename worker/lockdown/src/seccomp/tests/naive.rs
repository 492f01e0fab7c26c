//! What the lists say, read call by call and bit by bit, with nothing in common with the programs' making.

use crate::seccomp::interp::SeccompData;
use crate::seccomp::list::{Arg, Syscall, Value, Want};
use casemate_protocol::syscalls::Arch;

pub(super) const KILL: u32 = 0x8000_0000;
pub(super) const NOTIFY: u32 = 0x7fc0_0000;
pub(super) const ALLOW: u32 = 0x7fff_0000;

fn holds(arg: &Arg, call: &SeccompData) -> bool {
    let actual = call.args[usize::from(arg.index)];
    match arg.want {
        Want::Is(value) => actual == value.bits,
        Want::OneOf(values) => values.iter().any(|value| value.bits == actual),
        Want::Bits { all, may } => {
            let has = |values: &[Value], bit: u64| values.iter().any(|value| value.bits & bit != 0);
            (0..64).map(|position| 1_u64 << position).all(|bit| {
                let there = actual & bit != 0;
                if has(all, bit) { there } else { !there || has(may, bit) }
            })
        }
    }
}

fn number(syscall: &Syscall, arch: Arch) -> Option<u32> {
    if arch == Arch::X86_64 { syscall.x86_64 } else { syscall.aarch64 }
}

/// Whether some entry of the list lets this call through.
pub(super) fn permits(list: &[Syscall], arch: Arch, call: &SeccompData) -> bool {
    list.iter().filter(|entry| number(entry, arch) == Some(call.nr)).any(|entry| {
        entry.rules.is_empty() || entry.rules.iter().any(|rule| rule.iter().all(|arg| holds(arg, call)))
    })
}

fn foreign(arch: Arch, call: &SeccompData) -> bool {
    let audit = if arch == Arch::X86_64 { 0xc000_003e } else { 0xc000_00b7 };
    call.arch != audit || (arch == Arch::X86_64 && call.nr & 0xc000_0000 != 0)
}

/// An allow-list's verdict.
pub(super) fn allow(list: &[Syscall], default: u32, arch: Arch, call: &SeccompData) -> u32 {
    if foreign(arch, call) {
        KILL
    } else if permits(list, arch, call) {
        ALLOW
    } else {
        default
    }
}

/// The verdict of a filter that takes `from` away, but for what `keep` has.
pub(super) fn take_away(from: &[Syscall], keep: &[Syscall], arch: Arch, call: &SeccompData) -> u32 {
    let has = |list: &[Syscall]| list.iter().any(|entry| number(entry, arch) == Some(call.nr));
    let killed = match (has(from), has(keep)) {
        (false, _) => false,
        (true, false) => true,
        (true, true) => permits(from, arch, call) && !permits(keep, arch, call),
    };
    if foreign(arch, call) || killed { KILL } else { ALLOW }
}
