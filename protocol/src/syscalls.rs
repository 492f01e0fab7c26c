//! The machines Casemate runs on, and their system calls' names, for reports. No filter is made from these tables.

mod aarch64;
mod arch;
mod common;
mod x86_64;

pub use arch::Arch;

/// A system call that no filter allows, and that does nothing if it runs: `getpid`. A canary makes it, with all arguments
/// 0, to prove that filter A stands.
pub const CANARY_OUTSIDE: i64 = if matches!(Arch::NATIVE, Arch::X86_64) { 39 } else { 172 };

/// The same for native programs, whose list has `getpid`: `getsid`.
pub const CANARY_OUTSIDE_PROGRAM: i64 = if matches!(Arch::NATIVE, Arch::X86_64) { 124 } else { 156 };

/// A system call that filter A allows and filter B kills, and that does nothing if it runs: `getppid`. A canary makes it
/// to prove that filter B stands.
pub const CANARY_DELTA: i64 = if matches!(Arch::NATIVE, Arch::X86_64) { 110 } else { 173 };

const NAMES_A_ROW: u32 = 5;

/// The kernel's name of a system call; `None` for a number that kernels up to 7.0 do not use.
#[must_use]
pub fn syscall_name(arch: Arch, nr: u32) -> Option<&'static str> {
    let own = match arch {
        Arch::X86_64 => x86_64::ROWS,
        Arch::Aarch64 => aarch64::ROWS,
    };
    match nr.checked_sub(common::FIRST) {
        Some(offset) => pick(common::ROWS, offset),
        None => pick(own, nr),
    }
}

/// The name behind an audit architecture and a number, as a listener reports them.
#[must_use]
pub fn name(audit_arch: u32, number: i32) -> Option<&'static str> {
    syscall_name(Arch::from_audit(audit_arch)?, u32::try_from(number).ok()?)
}

fn pick(rows: &'static [&'static str], index: u32) -> Option<&'static str> {
    let row = rows.get(usize::try_from(index / NAMES_A_ROW).ok()?)?;
    let name = row.split_ascii_whitespace().nth(usize::try_from(index % NAMES_A_ROW).ok()?)?;
    (name != "-").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// A slip anywhere in a table shifts everything behind it, so a call every few rows holds all of them.
    macro_rules! same_as_libc {
        ($($name:ident)*) => {
            [$((stringify!($name), u32::try_from(libc::$name).unwrap())),*]
        };
    }

    #[test]
    fn names_agree_with_libc_numbers() {
        let shared = same_as_libc![
            SYS_read SYS_write SYS_close SYS_mmap SYS_mprotect SYS_munmap SYS_brk SYS_rt_sigaction SYS_rt_sigreturn
            SYS_ioctl SYS_pwrite64 SYS_mremap SYS_madvise SYS_dup SYS_nanosleep SYS_getpid SYS_socket SYS_accept
            SYS_recvfrom SYS_sendmsg SYS_listen SYS_setsockopt SYS_clone SYS_execve SYS_exit SYS_wait4 SYS_kill
            SYS_uname SYS_fcntl SYS_ftruncate SYS_getcwd SYS_fchmod SYS_umask SYS_getrusage SYS_ptrace SYS_syslog
            SYS_setgid SYS_setreuid SYS_getsid SYS_capset SYS_sigaltstack SYS_personality SYS_statfs SYS_getpriority
            SYS_sched_setscheduler SYS_mlockall SYS_pivot_root SYS_prctl SYS_chroot SYS_mount SYS_swapon SYS_reboot
            SYS_init_module SYS_quotactl SYS_gettid SYS_setxattr SYS_fremovexattr SYS_futex SYS_io_setup
            SYS_remap_file_pages SYS_restart_syscall SYS_timer_create SYS_clock_gettime SYS_exit_group SYS_tgkill
            SYS_mbind SYS_mq_getsetattr SYS_waitid SYS_keyctl SYS_ioprio_get SYS_inotify_rm_watch SYS_openat
            SYS_fchmodat SYS_ppoll SYS_splice SYS_utimensat SYS_timerfd_create SYS_accept4 SYS_signalfd4 SYS_dup3
            SYS_preadv SYS_perf_event_open SYS_prlimit64 SYS_setns SYS_process_vm_writev SYS_sched_getattr
            SYS_seccomp SYS_memfd_create SYS_bpf SYS_userfaultfd SYS_mlock2 SYS_pkey_free SYS_statx SYS_rseq
            SYS_pidfd_send_signal SYS_io_uring_register SYS_fspick SYS_clone3 SYS_close_range SYS_faccessat2
            SYS_quotactl_fd SYS_landlock_restrict_self SYS_process_mrelease SYS_set_mempolicy_home_node
            SYS_mseal
        ];
        for (constant, nr) in shared {
            let name = syscall_name(Arch::NATIVE, nr);
            assert_eq!(name, constant.strip_prefix("SYS_"), "number {nr}");
        }
    }

    #[test]
    fn a_name_has_one_number() {
        for (arch, count) in [(Arch::X86_64, 385), (Arch::Aarch64, 327)] {
            let names: Vec<_> = (0..1024).filter_map(|nr| syscall_name(arch, nr)).collect();
            assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len());
            assert_eq!(names.len(), count, "{arch}");
        }
    }

    #[test]
    fn the_ends_of_the_tables() {
        assert_eq!(syscall_name(Arch::X86_64, 334), Some("rseq"));
        assert_eq!(syscall_name(Arch::X86_64, 336), Some("uprobe"));
        assert_eq!(syscall_name(Arch::X86_64, 337), None);
        assert_eq!(syscall_name(Arch::Aarch64, 243), Some("recvmmsg"));
        assert_eq!(syscall_name(Arch::Aarch64, 250), None);
        assert_eq!(syscall_name(Arch::Aarch64, 294), Some("kexec_file_load"));
        for arch in Arch::ALL {
            assert_eq!(syscall_name(arch, 423), None);
            assert_eq!(syscall_name(arch, 462), Some("mseal"));
            assert_eq!(syscall_name(arch, 471), Some("rseq_slice_yield"));
            assert_eq!(syscall_name(arch, 472), None);
            assert_eq!(syscall_name(arch, u32::MAX), None);
        }
    }
}
