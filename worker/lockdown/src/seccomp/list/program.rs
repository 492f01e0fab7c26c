//! What a native program does, beside its one exec: its streams, files below the mounts that it was given, memory, threads
//! of its own, time.
//!
//! The list is what C libraries and an interpreter (CPython is the measure) need to start and to work on files, and no more:
//! no process, no socket of any kind, no mount, namespace, key, tracer, performance counter or ring. `execve` is in no list:
//! the supervisor lets each program's first one through, and kills for the second. What a path names no filter can see; the
//! root of a program has only what it was given, its mounts say what may be written or executed, and Landlock says both again.

use crate::seccomp::list::{Arg, Rule, Syscall, Value, Want, ZERO, is, one_of, value};

const NONE: Value = value("NONE", 0);
const READ: Value = value("READ", 1);
const READ_WRITE: Value = value("READ|WRITE", 3);
const READ_EXEC: Value = value("READ|EXEC", 5);

const ANONYMOUS_FLAGS: Arg = Arg {
    index: 3,
    name: "flags",
    want: Want::Bits {
        all: &[value("PRIVATE", 0x02), value("ANONYMOUS", 0x20)],
        may: &[
            value("FIXED", 0x10),
            value("NORESERVE", 0x4000),
            value("STACK", 0x2_0000),
            value("FIXED_NOREPLACE", 0x10_0000),
        ],
    },
};
const FILE_FLAGS: Arg = Arg {
    index: 3,
    name: "flags",
    want: Want::Bits {
        all: &[value("PRIVATE", 0x02)],
        may: &[
            value("FIXED", 0x10),
            value("DENYWRITE", 0x800),
            value("NORESERVE", 0x4000),
            value("FIXED_NOREPLACE", 0x10_0000),
        ],
    },
};

/// Whole pages of its own, never executable.
const ANONYMOUS: Rule = &[one_of(2, "prot", &[NONE, READ, READ_WRITE]), ANONYMOUS_FLAGS];
/// A file's, of its own once written to; executable only where it never was writable.
const FILE: Rule = &[one_of(2, "prot", &[NONE, READ, READ_WRITE, READ_EXEC]), FILE_FLAGS];
/// A file's, to be read: what is not private is not counted, and so is not writable.
const SHARED: Rule = &[is(2, "prot", READ), is(3, "flags", value("SHARED", 0x01))];

/// What could not be told from thin air: give back, or name.
const ADVICE: &[Value] = &[
    value("DONTNEED", 4),
    value("FREE", 8),
    value("HUGEPAGE", 14),
    value("NOHUGEPAGE", 15),
    value("DONTDUMP", 16),
];

/// Read, write and execute, for whomever.
const fn mode(index: u8) -> Arg {
    Arg { index, name: "mode", want: Want::Bits { all: &[], may: PERMISSIONS } }
}

const PERMISSIONS: &[Value] = &[value("0777", 0o777)];

/// As glibc and musl have them: everything shared, and nothing of a process.
const THREAD_FLAGS: Arg = Arg {
    index: 0,
    name: "flags",
    want: Want::Bits {
        all: &[
            value("VM", 0x100),
            value("FS", 0x200),
            value("FILES", 0x400),
            value("SIGHAND", 0x800),
            value("THREAD", 0x1_0000),
            value("SYSVSEM", 0x4_0000),
            value("SETTLS", 0x8_0000),
            value("PARENT_SETTID", 0x10_0000),
            value("CHILD_CLEARTID", 0x20_0000),
        ],
        may: &[value("DETACHED", 0x40_0000)],
    },
};

const TCGETS: Value = value("TCGETS", 0x5401);
const FIOCLEX: Value = value("FIOCLEX", 0x5451);
const FIONREAD: Value = value("FIONREAD", 0x541b);
const FIONBIO: Value = value("FIONBIO", 0x5421);
const TIOCGWINSZ: Value = value("TIOCGWINSZ", 0x5413);

const DESCRIPTOR_COMMANDS: &[Value] = &[
    value("F_DUPFD", 0),
    value("F_GETFD", 1),
    value("F_SETFD", 2),
    value("F_GETFL", 3),
    value("F_SETFL", 4),
    value("F_GETLK", 5),
    value("F_SETLK", 6),
    value("F_SETLKW", 7),
    value("F_DUPFD_CLOEXEC", 1030),
];

/// Its streams, and whatever files it opens.
pub(super) const STREAMS: &[Syscall] = &[
    Syscall {
        name: "read",
        x86_64: Some(0),
        aarch64: Some(63),
        rules: &[],
        reason: "standard input, where its requests come from, and files",
    },
    Syscall {
        name: "write",
        x86_64: Some(1),
        aarch64: Some(64),
        rules: &[],
        reason: "standard output, where its answers go, standard error, and files",
    },
    Syscall {
        name: "readv",
        x86_64: Some(19),
        aarch64: Some(65),
        rules: &[],
        reason: "the same in pieces, as C libraries read their files",
    },
    Syscall {
        name: "writev",
        x86_64: Some(20),
        aarch64: Some(66),
        rules: &[],
        reason: "the same in pieces, as C libraries write their streams",
    },
    Syscall {
        name: "pread64",
        x86_64: Some(17),
        aarch64: Some(67),
        rules: &[],
        reason: "reads at a position: headers of libraries, archives of modules",
    },
    Syscall {
        name: "pwrite64",
        x86_64: Some(18),
        aarch64: Some(68),
        rules: &[],
        reason: "writes at a position: databases",
    },
    Syscall {
        name: "lseek",
        x86_64: Some(8),
        aarch64: Some(62),
        rules: &[],
        reason: "where in a file it is; an interpreter asks of each of its streams",
    },
    Syscall {
        name: "close",
        x86_64: Some(3),
        aarch64: Some(57),
        rules: &[],
        reason: "files that it is done with",
    },
    Syscall {
        name: "ioctl",
        x86_64: Some(16),
        aarch64: Some(29),
        rules: &[&[one_of(1, "request", &[TCGETS, FIOCLEX, FIONREAD, FIONBIO, TIOCGWINSZ])]],
        reason: "whether a stream is a terminal, which none is, and flags of descriptors",
    },
    Syscall {
        name: "fcntl",
        x86_64: Some(72),
        aarch64: Some(25),
        rules: &[&[one_of(1, "cmd", DESCRIPTOR_COMMANDS)]],
        reason: "flags of descriptors, a second one of a file, and locks of databases",
    },
    Syscall {
        name: "dup",
        x86_64: Some(32),
        aarch64: Some(23),
        rules: &[],
        reason: "a second descriptor of a file",
    },
    Syscall {
        name: "dup2",
        x86_64: Some(33),
        aarch64: None,
        rules: &[],
        reason: "the same at a number, as libraries for x86-64 make it",
    },
    Syscall { name: "dup3", x86_64: Some(292), aarch64: Some(24), rules: &[], reason: "the same with flags" },
    Syscall {
        name: "pipe",
        x86_64: Some(22),
        aarch64: None,
        rules: &[],
        reason: "wakes a thread of its own that waits for files",
    },
    Syscall {
        name: "pipe2",
        x86_64: Some(293),
        aarch64: Some(59),
        rules: &[],
        reason: "the same with flags",
    },
    Syscall {
        name: "poll",
        x86_64: Some(7),
        aarch64: None,
        rules: &[],
        reason: "waits for its streams, as libraries for x86-64 make it",
    },
    Syscall {
        name: "ppoll",
        x86_64: Some(271),
        aarch64: Some(73),
        rules: &[],
        reason: "waits for its streams",
    },
    Syscall { name: "select", x86_64: Some(23), aarch64: None, rules: &[], reason: "the same, the old way" },
    Syscall {
        name: "pselect6",
        x86_64: Some(270),
        aarch64: Some(72),
        rules: &[],
        reason: "the same with a time in nanoseconds",
    },
    Syscall {
        name: "epoll_create1",
        x86_64: Some(291),
        aarch64: Some(20),
        rules: &[],
        reason: "the same by a descriptor: importing Python's sockets tries whether there is one",
    },
    Syscall {
        name: "epoll_ctl",
        x86_64: Some(233),
        aarch64: Some(21),
        rules: &[],
        reason: "what it waits for by that",
    },
    Syscall {
        name: "epoll_wait",
        x86_64: Some(232),
        aarch64: None,
        rules: &[],
        reason: "waits by that, as libraries for x86-64 make it",
    },
    Syscall {
        name: "epoll_pwait",
        x86_64: Some(281),
        aarch64: Some(22),
        rules: &[],
        reason: "waits by that",
    },
];

/// Files: which there are is for its root and Landlock to say.
pub(super) const FILES: &[Syscall] = &[
    Syscall {
        name: "open",
        x86_64: Some(2),
        aarch64: None,
        rules: &[],
        reason: "opens a file, as static programs for x86-64 make it",
    },
    Syscall {
        name: "openat",
        x86_64: Some(257),
        aarch64: Some(56),
        rules: &[],
        reason: "opens a file: libraries, modules, its own",
    },
    Syscall {
        name: "stat",
        x86_64: Some(4),
        aarch64: None,
        rules: &[],
        reason: "size, kind and times of a file, as old libraries make it",
    },
    Syscall { name: "lstat", x86_64: Some(6), aarch64: None, rules: &[], reason: "the same of a link" },
    Syscall {
        name: "fstat",
        x86_64: Some(5),
        aarch64: Some(80),
        rules: &[],
        reason: "the same of an open file",
    },
    Syscall {
        name: "newfstatat",
        x86_64: Some(262),
        aarch64: Some(79),
        rules: &[],
        reason: "the same below a folder",
    },
    Syscall {
        name: "statx",
        x86_64: Some(332),
        aarch64: Some(291),
        rules: &[],
        reason: "the same, as new libraries make it",
    },
    Syscall {
        name: "access",
        x86_64: Some(21),
        aarch64: None,
        rules: &[],
        reason: "whether there is a file: the dynamic linker asks for one",
    },
    Syscall {
        name: "faccessat",
        x86_64: Some(269),
        aarch64: Some(48),
        rules: &[],
        reason: "the same below a folder",
    },
    Syscall {
        name: "faccessat2",
        x86_64: Some(439),
        aarch64: Some(439),
        rules: &[],
        reason: "the same with flags",
    },
    Syscall {
        name: "readlink",
        x86_64: Some(89),
        aarch64: None,
        rules: &[],
        reason: "where a link points: interpreters find their own place so",
    },
    Syscall {
        name: "readlinkat",
        x86_64: Some(267),
        aarch64: Some(78),
        rules: &[],
        reason: "the same below a folder",
    },
    Syscall {
        name: "getdents64",
        x86_64: Some(217),
        aarch64: Some(61),
        rules: &[],
        reason: "lists a folder: interpreters look for modules so",
    },
    Syscall {
        name: "getcwd",
        x86_64: Some(79),
        aarch64: Some(17),
        rules: &[],
        reason: "the folder it works in",
    },
    Syscall {
        name: "chdir",
        x86_64: Some(80),
        aarch64: Some(49),
        rules: &[],
        reason: "works in another of its folders",
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
        name: "fdatasync",
        x86_64: Some(75),
        aarch64: Some(83),
        rules: &[],
        reason: "the same without its times",
    },
    Syscall {
        name: "unlink",
        x86_64: Some(87),
        aarch64: None,
        rules: &[],
        reason: "removes a file of a folder that it may write to",
    },
    Syscall {
        name: "unlinkat",
        x86_64: Some(263),
        aarch64: Some(35),
        rules: &[],
        reason: "the same below a folder",
    },
    Syscall {
        name: "mkdir",
        x86_64: Some(83),
        aarch64: None,
        rules: &[],
        reason: "makes a folder in one that it may write to",
    },
    Syscall {
        name: "mkdirat",
        x86_64: Some(258),
        aarch64: Some(34),
        rules: &[],
        reason: "the same below a folder",
    },
    Syscall { name: "rmdir", x86_64: Some(84), aarch64: None, rules: &[], reason: "removes an empty folder" },
    Syscall {
        name: "rename",
        x86_64: Some(82),
        aarch64: None,
        rules: &[],
        reason: "renames what it may write to",
    },
    Syscall {
        name: "renameat",
        x86_64: Some(264),
        aarch64: Some(38),
        rules: &[],
        reason: "the same below folders",
    },
    Syscall {
        name: "renameat2",
        x86_64: Some(316),
        aarch64: Some(276),
        rules: &[],
        reason: "the same with flags",
    },
    Syscall {
        name: "chmod",
        x86_64: Some(90),
        aarch64: None,
        rules: &[&[mode(1)]],
        reason: "who may do what with a file of its own, but no set-user-id: outside of its mounts that would mean something",
    },
    Syscall {
        name: "fchmod",
        x86_64: Some(91),
        aarch64: Some(52),
        rules: &[&[mode(1)]],
        reason: "the same of an open file",
    },
    Syscall {
        name: "fchmodat",
        x86_64: Some(268),
        aarch64: Some(53),
        rules: &[&[mode(2)]],
        reason: "the same below a folder",
    },
    Syscall {
        name: "utimensat",
        x86_64: Some(280),
        aarch64: Some(88),
        rules: &[],
        reason: "sets the times of a file",
    },
    Syscall {
        name: "umask",
        x86_64: Some(95),
        aarch64: Some(166),
        rules: &[],
        reason: "which rights new files do not get",
    },
    Syscall {
        name: "flock",
        x86_64: Some(73),
        aarch64: Some(32),
        rules: &[],
        reason: "keeps another of its instances from a file",
    },
];

/// Memory: new code comes from files only, of mounts that it cannot write to.
pub(super) const MEMORY: &[Syscall] = &[
    Syscall {
        name: "mmap",
        x86_64: Some(9),
        aarch64: Some(222),
        rules: &[ANONYMOUS, FILE, SHARED],
        reason: "heap, stacks of threads, libraries, and caches that are read only",
    },
    Syscall {
        name: "mprotect",
        x86_64: Some(10),
        aarch64: Some(226),
        rules: &[&[one_of(2, "prot", &[NONE, READ, READ_WRITE])]],
        reason: "guard pages, and what the dynamic linker makes read-only; never executable",
    },
    Syscall { name: "munmap", x86_64: Some(11), aarch64: Some(215), rules: &[], reason: "gives memory back" },
    Syscall {
        name: "mremap",
        x86_64: Some(25),
        aarch64: Some(216),
        rules: &[&[is(3, "flags", value("MAYMOVE", 1))]],
        reason: "realloc of a large block moves its pages instead of copying them",
    },
    Syscall {
        name: "madvise",
        x86_64: Some(28),
        aarch64: Some(233),
        rules: &[&[one_of(2, "advice", ADVICE)]],
        reason: "gives pages back without their addresses",
    },
    Syscall {
        name: "brk",
        x86_64: Some(12),
        aarch64: Some(214),
        rules: &[],
        reason: "the heap; RLIMIT_DATA counts it",
    },
];

/// Threads of its own, and no process.
pub(super) const THREADS: &[Syscall] = &[
    Syscall {
        name: "clone",
        x86_64: Some(56),
        aarch64: Some(220),
        rules: &[&[THREAD_FLAGS]],
        reason: "a thread, exactly as C libraries make one; the flags of clone3 would lie in memory, where a filter cannot look",
    },
    Syscall {
        name: "set_tid_address",
        x86_64: Some(218),
        aarch64: Some(96),
        rules: &[],
        reason: "C libraries ask for it at the start of a program",
    },
    Syscall {
        name: "set_robust_list",
        x86_64: Some(273),
        aarch64: Some(99),
        rules: &[],
        reason: "locks that a dead thread held are told of",
    },
    Syscall {
        name: "rseq",
        x86_64: Some(334),
        aarch64: Some(293),
        rules: &[],
        reason: "the C library's number of the processor it runs on",
    },
    Syscall {
        name: "futex",
        x86_64: Some(202),
        aarch64: Some(98),
        rules: &[],
        reason: "waits for a lock or a thread",
    },
    Syscall { name: "exit", x86_64: Some(60), aarch64: Some(93), rules: &[], reason: "the end of a thread" },
    Syscall {
        name: "gettid",
        x86_64: Some(186),
        aarch64: Some(178),
        rules: &[],
        reason: "a thread's number",
    },
    Syscall {
        name: "sched_yield",
        x86_64: Some(24),
        aarch64: Some(124),
        rules: &[],
        reason: "gives way to another thread",
    },
    Syscall {
        name: "sched_getaffinity",
        x86_64: Some(204),
        aarch64: Some(123),
        rules: &[],
        reason: "how many processors there are",
    },
    Syscall {
        name: "arch_prctl",
        x86_64: Some(158),
        aarch64: None,
        rules: &[&[one_of(0, "code", &[value("ARCH_SET_FS", 0x1002), value("ARCH_CET_STATUS", 0x3001)])]],
        reason: "where a thread's own variables lie, on x86-64",
    },
    Syscall {
        name: "prctl",
        x86_64: Some(157),
        aarch64: Some(167),
        rules: &[
            &[is(0, "option", value("PR_SET_NAME", 15))],
            &[is(0, "option", value("PR_SET_VMA", 0x5356_4d41))],
        ],
        reason: "names of threads and of memory",
    },
];

/// Signals to itself, and the end.
pub(super) const SIGNALS: &[Syscall] = &[
    Syscall {
        name: "rt_sigaction",
        x86_64: Some(13),
        aarch64: Some(134),
        rules: &[],
        reason: "what it does when it is signalled; its deadline asks it by SIGUSR1 to stop",
    },
    Syscall {
        name: "rt_sigprocmask",
        x86_64: Some(14),
        aarch64: Some(135),
        rules: &[],
        reason: "which signals wait",
    },
    Syscall {
        name: "rt_sigreturn",
        x86_64: Some(15),
        aarch64: Some(139),
        rules: &[],
        reason: "the way back from a signal",
    },
    Syscall {
        name: "sigaltstack",
        x86_64: Some(131),
        aarch64: Some(132),
        rules: &[],
        reason: "a stack for handlers, which interpreters have for faults",
    },
    Syscall {
        name: "tgkill",
        x86_64: Some(234),
        aarch64: Some(131),
        rules: &[],
        reason: "a signal to a thread of its own: `abort` makes it. The second filter holds it to the own process",
    },
    Syscall {
        name: "restart_syscall",
        x86_64: Some(219),
        aarch64: Some(128),
        rules: &[],
        reason: "made by the kernel, when a stopped program goes on waiting",
    },
    Syscall { name: "exit_group", x86_64: Some(231), aarch64: Some(94), rules: &[], reason: "the end" },
];

/// What it may know: time, chance, and itself.
pub(super) const FACTS: &[Syscall] = &[
    Syscall {
        name: "clock_gettime",
        x86_64: Some(228),
        aarch64: Some(113),
        rules: &[],
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
        name: "clock_nanosleep",
        x86_64: Some(230),
        aarch64: Some(115),
        rules: &[],
        reason: "sleeps until a time",
    },
    Syscall {
        name: "nanosleep",
        x86_64: Some(35),
        aarch64: Some(101),
        rules: &[],
        reason: "the same, the old way",
    },
    Syscall {
        name: "gettimeofday",
        x86_64: Some(96),
        aarch64: Some(169),
        rules: &[],
        reason: "the time, where it is a system call",
    },
    Syscall { name: "time", x86_64: Some(201), aarch64: None, rules: &[], reason: "the same in seconds" },
    Syscall {
        name: "getrandom",
        x86_64: Some(318),
        aarch64: Some(278),
        rules: &[],
        reason: "random numbers: hash seeds of interpreters",
    },
    Syscall {
        name: "getpid",
        x86_64: Some(39),
        aarch64: Some(172),
        rules: &[],
        reason: "its own number, which is of its own namespace",
    },
    Syscall {
        name: "getuid",
        x86_64: Some(102),
        aarch64: Some(174),
        rules: &[],
        reason: "who it is: interpreters ask whether they are set-user-id",
    },
    Syscall {
        name: "geteuid",
        x86_64: Some(107),
        aarch64: Some(175),
        rules: &[],
        reason: "the same of its effective user",
    },
    Syscall {
        name: "getgid",
        x86_64: Some(104),
        aarch64: Some(176),
        rules: &[],
        reason: "the same of its group",
    },
    Syscall {
        name: "getegid",
        x86_64: Some(108),
        aarch64: Some(177),
        rules: &[],
        reason: "the same of its group",
    },
    Syscall {
        name: "uname",
        x86_64: Some(63),
        aarch64: Some(160),
        rules: &[],
        reason: "the kernel's name; the host's is a namespace's of its own",
    },
    Syscall {
        name: "sysinfo",
        x86_64: Some(99),
        aarch64: Some(179),
        rules: &[],
        reason: "how much memory there is, as sorting and allocators of C libraries ask",
    },
    Syscall { name: "getrlimit", x86_64: Some(97), aarch64: Some(163), rules: &[], reason: "its limits" },
    Syscall {
        name: "prlimit64",
        x86_64: Some(302),
        aarch64: Some(261),
        rules: &[&[is(0, "pid", ZERO), is(2, "new_limit", ZERO)]],
        reason: "its limits, to be read: stacks of threads are as large as they say",
    },
    Syscall {
        name: "getrusage",
        x86_64: Some(98),
        aarch64: Some(165),
        rules: &[],
        reason: "what it has used",
    },
];

/// What stays to the process between a program and its supervisor: two streams, waiting for both, memory of its own, the end.
pub(super) const BRIDGE: &[Syscall] = &[
    Syscall {
        name: "read",
        x86_64: Some(0),
        aarch64: Some(63),
        rules: &[],
        reason: "the link, and the program's output",
    },
    Syscall {
        name: "write",
        x86_64: Some(1),
        aarch64: Some(64),
        rules: &[],
        reason: "the link, and the program's input",
    },
    Syscall {
        name: "poll",
        x86_64: Some(7),
        aarch64: None,
        rules: &[],
        reason: "waits for either, as libc makes the call on x86-64",
    },
    Syscall { name: "ppoll", x86_64: Some(271), aarch64: Some(73), rules: &[], reason: "waits for either" },
    Syscall {
        name: "rt_sigreturn",
        x86_64: Some(15),
        aarch64: Some(139),
        rules: &[],
        reason: "the way back from a signal",
    },
    Syscall { name: "exit_group", x86_64: Some(231), aarch64: Some(94), rules: &[], reason: "the end" },
];
