//! A stub's own calls. It allocates nothing any more.

use crate::seccomp::list::{Syscall, ZERO, is, value};

/// Waiting for the host's or the zygote's end.
pub(super) const WATCH: &[Syscall] = &[
    Syscall {
        name: "munmap",
        x86_64: Some(11),
        aarch64: Some(215),
        rules: &[],
        reason: "the filter's own bytes are given back once it stands",
    },
    Syscall {
        name: "poll",
        x86_64: Some(7),
        aarch64: None,
        rules: &[],
        reason: "waits for either end, as libc makes the call on x86-64",
    },
    Syscall {
        name: "ppoll",
        x86_64: None,
        aarch64: Some(73),
        rules: &[],
        reason: "waits for either end, as libc makes the call on aarch64",
    },
    Syscall {
        name: "restart_syscall",
        x86_64: Some(219),
        aarch64: Some(128),
        rules: &[],
        reason: "made by the kernel, in the stub's name, when a stopped stub goes on waiting",
    },
    Syscall {
        name: "pidfd_send_signal",
        x86_64: Some(424),
        aarch64: Some(424),
        rules: &[&[is(1, "signal", value("SIGKILL", 9)), is(3, "flags", ZERO)]],
        reason: "the host is gone: the zygote, and with it every worker, must be too",
    },
    Syscall {
        name: "waitid",
        x86_64: Some(247),
        aarch64: Some(95),
        rules: &[&[is(0, "idtype", value("P_ALL", 0)), is(3, "options", value("WEXITED", 4))]],
        reason: "reaps the zygote and the workers it leaves, so that their ends are over when the stub ends",
    },
    Syscall { name: "exit_group", x86_64: Some(231), aarch64: Some(94), rules: &[], reason: "the end" },
];
