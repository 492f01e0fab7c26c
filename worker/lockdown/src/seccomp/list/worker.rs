//! A worker's own calls: one socket, the way back from a signal, the end.

use crate::seccomp::list::{Syscall, ZERO, is};

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

/// Signals, the end. There is nothing to wait for but the link: one thread, no timer, and no lock that anybody else holds.
pub(super) const EVENTS: &[Syscall] = &[
    Syscall {
        name: "rt_sigreturn",
        x86_64: Some(15),
        aarch64: Some(139),
        rules: &[],
        reason: "the way back from a trap of the guest (SIGSEGV, SIGILL, SIGFPE) and from the deadline's SIGUSR1",
    },
    Syscall {
        name: "exit_group",
        x86_64: Some(231),
        aarch64: Some(94),
        rules: &[],
        reason: "the host is gone, and nobody may be left to kill a worker",
    },
];
