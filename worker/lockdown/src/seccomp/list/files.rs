//! What a worker with WASI does beside its link: files below its folders, waiting, random numbers.
//!
//! No filter can look at a path, and `openat2` keeps its flags in memory. What may be opened, made, moved or removed is
//! Landlock's to say, which knows the folders and nothing else; by an absolute path there is nothing, the root being empty.
//! Landlock has no right for metadata: with a folder's descriptor and `..`, `statx`, `readlinkat` and `utimensat` reach
//! whatever the worker's user reaches. SECURITY.md says so.

use crate::seccomp::list::{Syscall, ZERO, is, one_of, value};

/// The link, and open files.
pub(super) const LINK_AND_FILES: &[Syscall] = &[
    Syscall {
        name: "read",
        x86_64: Some(0),
        aarch64: Some(63),
        rules: &[],
        reason: "what arrives on the link, and open files at their position",
    },
    Syscall {
        name: "write",
        x86_64: Some(1),
        aarch64: Some(64),
        rules: &[],
        reason: "what leaves on the link, and open files that are appended to",
    },
];

/// Files below the folders.
pub(super) const FOLDERS: &[Syscall] = &[
    Syscall {
        name: "openat2",
        x86_64: Some(437),
        aarch64: Some(437),
        rules: &[],
        reason: "opens beneath a folder; the kernel itself refuses a path that leads out of it",
    },
    Syscall {
        name: "openat",
        x86_64: Some(257),
        aarch64: Some(56),
        rules: &[],
        reason: "the same step by step, where a rename outside keeps the kernel from finding its way in one",
    },
    Syscall {
        name: "close",
        x86_64: Some(3),
        aarch64: Some(57),
        rules: &[],
        reason: "files that the program closes",
    },
    Syscall {
        name: "pread64",
        x86_64: Some(17),
        aarch64: Some(67),
        rules: &[],
        reason: "reads at a position",
    },
    Syscall {
        name: "pwrite64",
        x86_64: Some(18),
        aarch64: Some(68),
        rules: &[],
        reason: "writes at a position",
    },
    Syscall {
        name: "pwritev2",
        x86_64: Some(328),
        aarch64: Some(287),
        rules: &[],
        reason: "appends, whatever the file's position is",
    },
    Syscall {
        name: "statx",
        x86_64: Some(332),
        aarch64: Some(291),
        rules: &[],
        reason: "size, kind and times of a file",
    },
    Syscall {
        name: "fstat",
        x86_64: Some(5),
        aarch64: Some(80),
        rules: &[],
        reason: "what kind of file an open one is",
    },
    Syscall {
        name: "getdents64",
        x86_64: Some(217),
        aarch64: Some(61),
        rules: &[],
        reason: "lists a folder",
    },
    Syscall {
        name: "fcntl",
        x86_64: Some(72),
        aarch64: Some(25),
        rules: &[&[one_of(1, "cmd", &[value("F_GETFL", 3), value("F_DUPFD_CLOEXEC", 1030)])]],
        reason: "how a file was opened, and a second descriptor of it",
    },
    Syscall {
        name: "readlinkat",
        x86_64: Some(267),
        aarch64: Some(78),
        rules: &[],
        reason: "where a symbolic link below a folder points, to follow it beneath the folder only",
    },
    Syscall { name: "mkdirat", x86_64: Some(258), aarch64: Some(34), rules: &[], reason: "makes a folder" },
    Syscall {
        name: "unlinkat",
        x86_64: Some(263),
        aarch64: Some(35),
        rules: &[],
        reason: "removes a file or an empty folder",
    },
    Syscall {
        name: "renameat",
        x86_64: Some(264),
        aarch64: Some(38),
        rules: &[],
        reason: "renames, within one folder of the policy",
    },
    Syscall {
        name: "linkat",
        x86_64: Some(265),
        aarch64: Some(37),
        rules: &[&[is(4, "flags", ZERO)]],
        reason: "a second name for a file, within one folder of the policy",
    },
    Syscall {
        name: "symlinkat",
        x86_64: Some(266),
        aarch64: Some(36),
        rules: &[],
        reason: "a symbolic link, which leads out of no folder",
    },
    Syscall { name: "ftruncate", x86_64: Some(77), aarch64: Some(46), rules: &[], reason: "cuts a file" },
    Syscall {
        name: "fsync",
        x86_64: Some(74),
        aarch64: Some(82),
        rules: &[],
        reason: "has a file written to the disk",
    },
    Syscall {
        name: "utimensat",
        x86_64: Some(280),
        aarch64: Some(88),
        rules: &[],
        reason: "sets the times of a file",
    },
    Syscall {
        name: "fadvise64",
        x86_64: Some(221),
        aarch64: Some(223),
        rules: &[],
        reason: "how a file will be read",
    },
];

/// Time, and what chance there is.
pub(super) const WAITING: &[Syscall] = &[
    Syscall {
        name: "futex",
        x86_64: Some(202),
        aarch64: Some(98),
        rules: &[],
        reason: "waits until a time, in `poll_oneoff` and `wasi:io/poll`; there is no other thread to wake",
    },
    Syscall {
        name: "clock_gettime",
        x86_64: Some(228),
        aarch64: Some(113),
        rules: &[&[is(0, "clock", value("CLOCK_MONOTONIC", 1))]],
        reason: "the time, on machines whose clock is not the CPU's own counter",
    },
    Syscall {
        name: "clock_getres",
        x86_64: Some(229),
        aarch64: Some(114),
        rules: &[],
        reason: "how fine the clocks are",
    },
    Syscall {
        name: "getrandom",
        x86_64: Some(318),
        aarch64: Some(278),
        rules: &[],
        reason: "random numbers, drawn after the fork: no two instances share any",
    },
];
