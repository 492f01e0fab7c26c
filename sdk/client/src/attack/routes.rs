//! Orders with real arguments, and what the kernel must report of each.

/// An attempt that is reported.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// What the attacker does.
    pub order: &'static str,
    /// The call that the kernel stops.
    pub call: &'static str,
    /// Its first arguments; `None` for an address.
    pub args: &'static [Option<u64>],
}

const fn route(order: &'static str, call: &'static str, args: &'static [Option<u64>]) -> Route {
    Route { order, call, args }
}

const MINUS_ONE: u64 = u64::MAX;
const AT_FDCWD: u64 = (-100_i64).cast_unsigned();

/// Files, by every way of naming one; and new ones.
pub const FILES: &[Route] = &[
    route("syscall openat -100 @path:/etc/passwd 0 0", "openat", &[Some(AT_FDCWD), None, Some(0)]),
    route("syscall openat -100 @path:/proc/self/mem 2 0", "openat", &[Some(AT_FDCWD), None, Some(2)]),
    // O_PATH
    route("syscall openat -100 @path:/ 0x200000 0", "openat", &[Some(AT_FDCWD), None, Some(0x20_0000)]),
    route(
        "syscall openat2 -100 @path:/ @hex:000000000000000000000000000000000000000000000000 24",
        "openat2",
        &[Some(AT_FDCWD), None, None, Some(24)],
    ),
    route("syscall faccessat -100 @path:/etc/shadow 4 0", "faccessat", &[Some(AT_FDCWD), None, Some(4)]),
    route(
        "syscall statx -100 @path:/ 0 0xfff @page",
        "statx",
        &[Some(AT_FDCWD), None, Some(0), Some(0xfff), None],
    ),
    route(
        "syscall readlinkat -100 @path:/proc/self/exe @page 4096",
        "readlinkat",
        &[Some(AT_FDCWD), None, None],
    ),
    route("syscall inotify_init1 0", "inotify_init1", &[Some(0)]),
    route("syscall inotify_add_watch 0 @path:/ 0xfff", "inotify_add_watch", &[Some(0), None, Some(0xfff)]),
    route("syscall fanotify_init 0 0", "fanotify_init", &[Some(0), Some(0)]),
    route("syscall chdir @path:/proc/self/fd/0", "chdir", &[None]),
    route("syscall chroot @path:/", "chroot", &[None]),
    route("syscall mount @path:proc @path:/ @path:proc 0 0", "mount", &[None, None, None, Some(0)]),
    route("syscall memfd_create @path:x 0", "memfd_create", &[None, Some(0)]),
];

/// Sockets of every kind, and another use of the link.
pub const NETWORK: &[Route] = &[
    // AF_INET stream and datagram and raw, AF_INET6, AF_UNIX, AF_NETLINK, AF_VSOCK, AF_ALG, AF_PACKET
    route("syscall socket 2 1 0", "socket", &[Some(2), Some(1), Some(0)]),
    route("syscall socket 2 2 0", "socket", &[Some(2), Some(2), Some(0)]),
    route("syscall socket 2 3 255", "socket", &[Some(2), Some(3), Some(255)]),
    route("syscall socket 10 1 0", "socket", &[Some(10), Some(1), Some(0)]),
    route("syscall socket 1 1 0", "socket", &[Some(1), Some(1), Some(0)]),
    route("syscall socket 16 3 0", "socket", &[Some(16), Some(3), Some(0)]),
    route("syscall socket 40 1 0", "socket", &[Some(40), Some(1), Some(0)]),
    route("syscall socket 38 5 0", "socket", &[Some(38), Some(5), Some(0)]),
    route("syscall socket 17 3 768", "socket", &[Some(17), Some(3), Some(768)]),
    route("syscall socketpair 1 1 0 @page", "socketpair", &[Some(1), Some(1), Some(0), None]),
    // The link to an abstract name, and to a path
    route("syscall connect 0 @hex:010000616263 6", "connect", &[Some(0), None, Some(6)]),
    route("syscall connect 0 @hex:01002f746d702f7800 9", "connect", &[Some(0), None, Some(9)]),
    route("syscall sendto 0 @page 1 0 @hex:02000035 16", "sendto", &[Some(0), None, Some(1), Some(0), None]),
    route("syscall setsockopt 0 1 8 @page 4", "setsockopt", &[Some(0), Some(1), Some(8), None, Some(4)]),
];

/// The kernel's large doors.
pub const KERNEL: &[Route] = &[
    route("syscall io_uring_setup 8 @page", "io_uring_setup", &[Some(8), None]),
    route("syscall bpf 5 @page 48", "bpf", &[Some(5), None, Some(48)]),
    route(
        "syscall perf_event_open @page 0 -1 -1 0",
        "perf_event_open",
        &[None, Some(0), Some(MINUS_ONE), Some(MINUS_ONE)],
    ),
    route("syscall userfaultfd 0", "userfaultfd", &[Some(0)]),
    route("syscall keyctl 0 -3", "keyctl", &[Some(0), Some((-3_i64).cast_unsigned())]),
    route("syscall add_key @path:user @path:x @page 1 -3", "add_key", &[None, None, None, Some(1)]),
    // PTRACE_ATTACH and PTRACE_SEIZE on the zygote, which is 1 in here
    route("syscall ptrace 16 1 0 0", "ptrace", &[Some(16), Some(1), Some(0), Some(0)]),
    route("syscall ptrace 0x4206 1 0 0", "ptrace", &[Some(0x4206), Some(1)]),
];

/// Other processes: their memory, their descriptors, their lives.
pub const SIBLINGS: &[Route] = &[
    // Eight bytes at 0x1000 of the zygote, which is 1 in here
    route(
        "syscall process_vm_readv 1 @hex:00100000000000000800000000000000 1 @hex:00100000000000000800000000000000 1 0",
        "process_vm_readv",
        &[Some(1), None, Some(1), None, Some(1), Some(0)],
    ),
    route(
        "syscall process_vm_writev 1 @hex:00100000000000000800000000000000 1 @hex:00100000000000000800000000000000 1 0",
        "process_vm_writev",
        &[Some(1), None, Some(1), None],
    ),
    route("syscall process_madvise 0 @page 1 4 0", "process_madvise", &[Some(0), None, Some(1), Some(4)]),
    route("syscall kill -1 9", "kill", &[Some(MINUS_ONE), Some(9)]),
    route("syscall kill 1 9", "kill", &[Some(1), Some(9)]),
    route("syscall tgkill 1 1 9", "tgkill", &[Some(1), Some(1), Some(9)]),
    route("syscall pidfd_open 1 0", "pidfd_open", &[Some(1), Some(0)]),
    route("syscall pidfd_send_signal 0 9 0 0", "pidfd_send_signal", &[Some(0), Some(9)]),
    route("syscall pidfd_getfd 0 0 0", "pidfd_getfd", &[Some(0), Some(0), Some(0)]),
    route("syscall kcmp 1 2 0 0 0", "kcmp", &[Some(1), Some(2)]),
];

/// A thread, a process, another program, another namespace.
pub const PROCESSES: &[Route] = &[
    route("syscall clone3 @page 88", "clone3", &[None, Some(88)]),
    route("syscall execve @path:/bin/sh 0 0", "execve", &[None, Some(0), Some(0)]),
    route(
        "syscall execveat 0 @path: 0 0 0x1000",
        "execveat",
        &[Some(0), None, Some(0), Some(0), Some(0x1000)],
    ),
    route("syscall unshare 0x10000000", "unshare", &[Some(0x1000_0000)]),
    route("syscall setns 0 0", "setns", &[Some(0), Some(0)]),
];

/// What changes the process itself: user, signals, timers, personality, shared memory, devices.
pub const OTHER: &[Route] = &[
    route("syscall setuid 0", "setuid", &[Some(0)]),
    route("syscall rt_sigaction 11 @page 0 8", "rt_sigaction", &[Some(11), None, Some(0), Some(8)]),
    route("syscall rt_sigprocmask 0 @page 0 8", "rt_sigprocmask", &[Some(0), None, Some(0), Some(8)]),
    route("syscall sigaltstack @page 0", "sigaltstack", &[None, Some(0)]),
    route("syscall setitimer 0 @page 0", "setitimer", &[Some(0), None, Some(0)]),
    route("syscall sched_setaffinity 0 8 @page", "sched_setaffinity", &[Some(0), Some(8), None]),
    route("syscall personality 0x0400000", "personality", &[Some(0x40_0000)]),
    route("syscall shmget 1 4096 0x3b6", "shmget", &[Some(1), Some(4096), Some(0x3b6)]),
    route("syscall ioctl 0 0x5412 @page", "ioctl", &[Some(0), Some(0x5412), None]),
    // FIONREAD with a bit that an `ioctl` of 32 bits does not see
    route("syscall ioctl 0 0x10000541b @page", "ioctl", &[Some(0), Some(0x1_0000_541b), None]),
];

/// Executable memory, by system call.
pub const EXECUTABLE: &[Route] = &[
    route(
        "syscall mmap 0 4096 7 0x22 -1 0",
        "mmap",
        &[Some(0), Some(4096), Some(7), Some(0x22), Some(MINUS_ONE)],
    ),
    route("syscall mmap 0 4096 5 0x22 -1 0", "mmap", &[Some(0), Some(4096), Some(5), Some(0x22)]),
    route("syscall mmap 0 4096 4 0x22 -1 0", "mmap", &[Some(0), Some(4096), Some(4)]),
    route("syscall mmap 0 4096 0x100000007 0x22 -1 0", "mmap", &[Some(0), Some(4096), Some(0x1_0000_0007)]),
    // Shared, growing down, of a file, huge, locked, populated, synchronous
    route("syscall mmap 0 4096 3 0x21 -1 0", "mmap", &[Some(0), Some(4096), Some(3), Some(0x21)]),
    route("syscall mmap 0 4096 3 0x122 -1 0", "mmap", &[Some(0), Some(4096), Some(3), Some(0x122)]),
    route("syscall mmap 0 4096 5 2 0 0", "mmap", &[Some(0), Some(4096), Some(5), Some(2), Some(0)]),
    route("syscall mmap 0 4096 3 0x40022 -1 0", "mmap", &[Some(0), Some(4096), Some(3), Some(0x4_0022)]),
    route("syscall mmap 0 4096 3 0x2022 -1 0", "mmap", &[Some(0), Some(4096), Some(3), Some(0x2022)]),
    route("syscall mmap 0 4096 3 0x8022 -1 0", "mmap", &[Some(0), Some(4096), Some(3), Some(0x8022)]),
    // In a place of one's choice: over code, over touched pages whose tables would stay, far from everything else
    route("syscall mmap @code 4096 0 0x32 -1 0", "mmap", &[None, Some(4096), Some(0), Some(0x32)]),
    route("syscall mmap @page 4096 0 0x32 -1 0", "mmap", &[None, Some(4096), Some(0), Some(0x32)]),
    route("syscall mmap @code 4096 3 0x100022 -1 0", "mmap", &[None, Some(4096), Some(3), Some(0x10_0022)]),
    route(
        "syscall mmap 0x10000000 4096 3 0x22 -1 0",
        "mmap",
        &[Some(0x1000_0000), Some(4096), Some(3), Some(0x22)],
    ),
    route("syscall mprotect @page 4096 5", "mprotect", &[None, Some(4096), Some(5)]),
    route("syscall mprotect @page 4096 7", "mprotect", &[None, Some(4096), Some(7)]),
    route("syscall mprotect @code 4096 7", "mprotect", &[None, Some(4096), Some(7)]),
    route("syscall mprotect @text 4096 7", "mprotect", &[None, Some(4096), Some(7)]),
    // Pages out of the limit's sight: written, then read-only or without rights.
    route("syscall mprotect @page 4096 1", "mprotect", &[None, Some(4096), Some(1)]),
    route("syscall mprotect @page 4096 0", "mprotect", &[None, Some(4096), Some(0)]),
    route("syscall pkey_mprotect @page 4096 5 -1", "pkey_mprotect", &[None, Some(4096), Some(5)]),
    route("syscall remap_file_pages @page 4096 0 0 0", "remap_file_pages", &[None, Some(4096), Some(0)]),
    // A page moved onto code: MREMAP_FIXED, and MREMAP_DONTUNMAP
    route("syscall mremap @page 4096 4096 3 @code", "mremap", &[None, Some(4096), Some(4096), Some(3), None]),
    route("syscall mremap @code 4096 4096 5 0", "mremap", &[None, Some(4096), Some(4096), Some(5)]),
    route("syscall memfd_create @path:code 0x10", "memfd_create", &[None, Some(0x10)]),
    route("syscall shmat 0 0 0x8000", "shmat", &[Some(0), Some(0), Some(0x8000)]),
    route("syscall mseal @page 4096 0", "mseal", &[None, Some(4096)]),
    // PR_SET_MDWE, to take it back
    route("syscall modify_ldt 1 @page 16", "modify_ldt", &[Some(1), None, Some(16)]),
];

/// Calls that the list allows, on code that the kernel has sealed, and the kernel's error.
pub const SEALED: &[(&str, i32)] = &[
    ("syscall munmap @code 4096", 1),
    ("syscall mprotect @code 4096 3", 1),
    ("syscall mremap @code 4096 8192 1", 1),
];

/// After a forged return with every signal blocked.
pub const MASKED: &[Route] = &[
    route("masked syscall getpid", "getpid", &[]),
    route("masked syscall mmap 0 4096 7 0x22 -1 0", "mmap", &[Some(0), Some(4096), Some(7)]),
    route("masked syscall mprotect @code 4096 5", "mprotect", &[None, Some(4096), Some(5)]),
];
