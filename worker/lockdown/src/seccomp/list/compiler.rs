//! A compiler's own calls: descriptor 0 is its input, 1 its output, and there are no others.

use crate::seccomp::list::{ONE, Syscall, ZERO, is, value};

/// The one job.
pub(super) const JOB: &[Syscall] = &[
    Syscall {
        name: "read",
        x86_64: Some(0),
        aarch64: Some(63),
        rules: &[&[is(0, "fd", ZERO)]],
        reason: "the module's bytes, where the file's position is at their start",
    },
    Syscall {
        name: "pread64",
        x86_64: Some(17),
        aarch64: Some(67),
        rules: &[&[is(0, "fd", ZERO)]],
        reason: "the module's bytes; the position of a file that was handed over is wherever its writer left it",
    },
    Syscall {
        name: "write",
        x86_64: Some(1),
        aarch64: Some(64),
        rules: &[&[is(0, "fd", ONE)]],
        reason: "report and compiled code",
    },
    Syscall {
        name: "pwrite64",
        x86_64: Some(18),
        aarch64: Some(68),
        rules: &[&[is(0, "fd", ONE)]],
        reason: "the report's length, once it is known, in front of what was written",
    },
    Syscall {
        name: "clock_gettime",
        x86_64: Some(228),
        aarch64: Some(113),
        rules: &[&[is(0, "clock", value("CLOCK_MONOTONIC", 1))]],
        reason: "Cranelift times its passes; on machines whose clock is not the CPU's own counter that takes a call",
    },
];

/// The end of it. There are no locks to wait for and no handlers to come back from: one thread, no guest code run.
pub(super) const END: &[Syscall] =
    &[Syscall { name: "exit_group", x86_64: Some(231), aarch64: Some(94), rules: &[], reason: "the end" }];
