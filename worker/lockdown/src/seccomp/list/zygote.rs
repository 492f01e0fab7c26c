//! What only a zygote, and a worker in its first moments, does.

use crate::seccomp::list::{Arg, Syscall, Want, ZERO, is, value};

/// As the C library's `fork` has it, but for the descriptor: no thread, no shared memory, no namespace.
const FORK_FLAGS: Arg = Arg {
    index: 0,
    name: "flags",
    want: Want::Bits { all: &[value("CLONE_PIDFD", 0x1000), value("SIGCHLD", 17)], may: &[] },
};

/// Forking workers.
pub(super) const FORK: &[Syscall] = &[
    Syscall {
        name: "recvmsg",
        x86_64: Some(47),
        aarch64: Some(212),
        rules: &[&[is(0, "fd", ZERO)]],
        reason: "the supervisor's order for a worker, with the worker's link, on the control socket",
    },
    Syscall {
        name: "clone",
        x86_64: Some(56),
        aarch64: Some(220),
        rules: &[&[FORK_FLAGS, is(1, "stack", ZERO)]],
        reason: "makes a worker and its pidfd; the flags of clone3 would lie in memory, where a filter cannot look",
    },
    Syscall {
        name: "prctl",
        x86_64: Some(157),
        aarch64: Some(167),
        rules: &[&[is(0, "option", value("PR_SET_PDEATHSIG", 1)), is(1, "signal", value("SIGKILL", 9))]],
        reason: "without a pid namespace a worker must die with its zygote",
    },
    Syscall {
        name: "getppid",
        x86_64: Some(110),
        aarch64: Some(173),
        rules: &[],
        reason: "tells such a worker whether its zygote died before it could ask for that",
    },
];
