//! Orders by number: every call there could be, the tables of other programs, every descriptor.

use super::attacker::End;
use casemate_protocol::certificate::Profile;
use casemate_protocol::syscalls::{Arch, syscall_name};
use std::hash::{BuildHasher, RandomState};

/// The calls that every worker has left, by name. The lock-down's lists decide; a test holds these to them.
const LEFT: &[&str] =
    &["read", "write", "mmap", "mprotect", "munmap", "mremap", "brk", "rt_sigreturn", "exit_group"];

/// Those that a worker with WASI has left too.
const LEFT_WITH_WASI: &[&str] = &[
    "openat2",
    "openat",
    "close",
    "pread64",
    "pwrite64",
    "pwritev2",
    "statx",
    "fstat",
    "getdents64",
    "fcntl",
    "readlinkat",
    "mkdirat",
    "unlinkat",
    "renameat",
    "linkat",
    "symlinkat",
    "ftruncate",
    "fsync",
    "utimensat",
    "fadvise64",
    "futex",
    "clock_gettime",
    "clock_getres",
    "getrandom",
];

/// The calls that a worker has left, by name.
pub fn left(profile: Profile) -> impl Iterator<Item = &'static str> {
    let more = if profile == Profile::Wasi { LEFT_WITH_WASI } else { &[] };
    LEFT.iter().chain(more).copied()
}

/// Numbers that the kernel's tables may have, now or one day.
const TABLE: u32 = 1024;

/// 0 to 1023, and eight of anything above.
pub fn all() -> Vec<u32> {
    let random = RandomState::new();
    let high = (0..8_u32).map(|n| u32::try_from(random.hash_one(n) >> 32).unwrap_or(u32::MAX).max(TABLE));
    (0..TABLE).chain(high).collect()
}

/// What a worker has left, by the numbers of x32 programs; empty where there are none.
pub fn x32(profile: Profile) -> Vec<u32> {
    let Some(first) = Arch::NATIVE.foreign_from() else { return Vec::new() };
    left(profile).filter_map(of).map(|number| number | first).collect()
}

/// Numbers of the table of 32-bit programs: execve, exit, fork, write, socketcall, and one that a worker may make by its
/// own table's number. Empty where there is no such gate.
pub fn int80() -> &'static [u32] {
    if cfg!(target_arch = "x86_64") { &[11, 1, 2, 4, 102, 231] } else { &[] }
}

/// Descriptors around every power of two; none but 0 is there.
pub fn descriptors() -> impl Iterator<Item = u64> {
    (0..16).flat_map(|bit| [1_u64 << bit, (1 << (bit + 1)) - 1])
}

/// Calls that a descriptor could be tried with.
pub const ON_DESCRIPTORS: &[&str] = &["read", "write", "close", "dup", "fcntl", "fstat"];

/// Those of them that a worker with WASI may make on any descriptor: the kernel says that there is none.
pub fn on_any_descriptor(profile: Profile, name: &str) -> bool {
    profile == Profile::Wasi && ["read", "write", "close", "fstat"].contains(&name)
}

/// A number by name.
pub fn of(name: &str) -> Option<u32> {
    (0..TABLE).find(|number| syscall_name(Arch::NATIVE, *number) == Some(name))
}

/// Whether a worker may make it, with arguments that suit its list.
pub fn is_left(profile: Profile, number: u32) -> bool {
    syscall_name(Arch::NATIVE, number).is_some_and(|name| left(profile).any(|left| left == name))
}

/// Whether a call ended as the kernel's two calls for probes do, which it shows to no filter (6.14, 6.18): SIGILL or ENXIO
/// for whoever makes them from elsewhere than the kernel's own trampoline.
pub fn past_seccomp(number: u32, end: &End) -> bool {
    match syscall_name(Arch::NATIVE, number) {
        Some("uretprobe") => *end == End::Crashed,
        Some("uprobe") => *end == End::Answered("error 6".to_owned()),
        _ => false,
    }
}
