//! Between filter A and filter B: whoever is filtered hands out its listener, puts its descriptors in place, lowers
//! its limits, and asks for the second filter. Filter B takes all of it away.

use crate::seccomp::list::{ONE, Syscall, ZERO, is, one_of, value};

/// Zygote, worker to be, and compiler.
pub(super) const SETTLE: &[Syscall] = &[
    Syscall {
        name: "sendmsg",
        x86_64: Some(46),
        aarch64: Some(211),
        rules: &[&[is(0, "fd", ZERO)]],
        reason: "reports to the supervisor on the control socket: the filter's listener, a worker's pidfd, a failure",
    },
    Syscall {
        name: "close",
        x86_64: Some(3),
        aarch64: Some(57),
        rules: &[],
        reason: "no process behind the walls keeps a listener; the zygote keeps no link and no pidfd",
    },
    Syscall {
        name: "close_range",
        x86_64: Some(436),
        aarch64: Some(436),
        rules: &[],
        reason: "a worker keeps its link and a compiler its two files; every other descriptor goes",
    },
    Syscall {
        name: "dup3",
        x86_64: Some(292),
        aarch64: Some(24),
        rules: &[&[one_of(1, "newfd", &[ZERO, ONE]), is(2, "flags", ZERO)]],
        reason: "a worker's link becomes descriptor 0, a compiler's input and output become 0 and 1",
    },
    Syscall {
        name: "fcntl",
        x86_64: Some(72),
        aarch64: Some(25),
        rules: &[&[one_of(0, "fd", &[ZERO, ONE]), is(1, "cmd", value("F_GETFD", 1))]],
        reason: "that the descriptor put in place is open is checked before it is owned",
    },
    Syscall {
        name: "prlimit64",
        x86_64: Some(302),
        aarch64: Some(261),
        rules: &[&[is(0, "pid", ZERO)]],
        reason: "whoever goes behind filter B first lowers its own limits for good",
    },
    Syscall {
        name: "seccomp",
        x86_64: Some(317),
        aarch64: Some(277),
        rules: &[&[is(0, "operation", value("SET_MODE_FILTER", 1)), is(1, "flags", ZERO)]],
        reason: "filter B; without flags it can neither have a listener nor touch another thread",
    },
];
