//! A worker's own calls: one socket, and what the kernel makes it call.

use crate::seccomp::list::{Syscall, Value, ZERO, is, one_of, value};

/// The link.
pub(super) const LINK: &[Syscall] = &[
    Syscall {
        name: "read",
        x86_64: Some(0),
        aarch64: Some(63),
        rules: &[&[is(0, "fd", ZERO)]],
        reason: "calls and answers of the host arrive on the link",
    },
    Syscall {
        name: "write",
        x86_64: Some(1),
        aarch64: Some(64),
        rules: &[&[is(0, "fd", ZERO)]],
        reason: "results, log lines and host calls leave on the link",
    },
];

const PRIVATE_WAIT: Value = value("WAIT|PRIVATE", 128);
const PRIVATE_WAKE: Value = value("WAKE|PRIVATE", 129);
const PRIVATE_WAIT_BITSET: Value = value("WAIT_BITSET|PRIVATE", 137);

/// Waiting, signals, the end.
pub(super) const EVENTS: &[Syscall] = &[
    Syscall {
        name: "futex",
        x86_64: Some(202),
        aarch64: Some(98),
        // std waits with WAIT_BITSET, musl with WAIT; neither ever needs one that other processes see.
        rules: &[&[one_of(1, "op", &[PRIVATE_WAIT, PRIVATE_WAKE, PRIVATE_WAIT_BITSET])]],
        reason: "a taken lock of std or musl: with one thread that is a hang, to be met by the deadline, not an attack",
    },
    Syscall {
        name: "rt_sigreturn",
        x86_64: Some(15),
        aarch64: Some(139),
        rules: &[],
        reason: "the way back from a trap of the guest (SIGSEGV, SIGILL, SIGFPE) and from the deadline's SIGUSR1",
    },
    Syscall {
        name: "restart_syscall",
        x86_64: Some(219),
        aarch64: Some(128),
        rules: &[],
        reason: "made by the kernel, in the worker's name, when a stopped worker that waited with a time-out goes on",
    },
    Syscall { name: "exit_group", x86_64: Some(231), aarch64: Some(94), rules: &[], reason: "the end" },
];
