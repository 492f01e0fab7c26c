//! What is read of the machine. Each fact may be missing: an absent file is an absent feature.

use crate::inspect::{Status, host_facts};
use casemate_sys::support;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use std::fs;
use std::io;

/// Bits of CAP_SETGID and CAP_SETUID.
const CHANGE_USER: u64 = 1 << 6 | 1 << 7;

/// The machine, as this user sees it.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// Major and minor.
    pub(super) kernel: Option<(u32, u32)>,
    /// Whether /proc can be used, or what is wrong with it.
    pub(super) proc: Result<(), String>,
    pub(super) uid: u32,
    pub(super) may_change_user: bool,
    pub(super) namespaces: Result<(), Errno>,
    pub(super) max_user_namespaces: Option<u64>,
    pub(super) unprivileged_userns_clone: Option<u64>,
    pub(super) apparmor_restricts: Option<u64>,
    pub(super) yama: Option<u64>,
    pub(super) landlock: Result<u32, Errno>,
    pub(super) lsms: Option<String>,
    pub(super) seccomp_actions: Option<String>,
    pub(super) sealing: Result<(), Errno>,
    pub(super) denied_new_executable: Result<bool, Errno>,
    pub(super) executable_memfd: Result<(), Errno>,
    pub(super) memfd_noexec: Option<u64>,
}

impl Facts {
    pub(super) fn gather() -> Self {
        let own = fs::read("/proc/thread-self/status").ok().and_then(|text| Status::parse(&text).ok());
        let effective = own.map_or(0, |status| status.capabilities.effective);
        Self {
            kernel: text("/proc/sys/kernel/osrelease").as_deref().and_then(release),
            proc: host_facts().map(|_| ()).map_err(|problem| problem.to_string()),
            uid: rustix::process::geteuid().as_raw(),
            may_change_user: effective & CHANGE_USER == CHANGE_USER,
            namespaces: numbered(support::namespaces()),
            max_user_namespaces: number("/proc/sys/user/max_user_namespaces"),
            unprivileged_userns_clone: number("/proc/sys/kernel/unprivileged_userns_clone"),
            apparmor_restricts: number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            yama: number("/proc/sys/kernel/yama/ptrace_scope"),
            landlock: numbered(support::landlock_abi()),
            lsms: text("/sys/kernel/security/lsm"),
            seccomp_actions: text("/proc/sys/kernel/seccomp/actions_avail"),
            sealing: numbered(support::memory_sealing()),
            denied_new_executable: numbered(support::denied_new_executable()),
            executable_memfd: executable_memfd(),
            memfd_noexec: number("/proc/sys/vm/memfd_noexec"),
        }
    }

    pub(super) fn is_root(&self) -> bool {
        self.uid == 0
    }
}

fn executable_memfd() -> Result<(), Errno> {
    match memfd_create("casemate-doctor", MemfdFlags::CLOEXEC | MemfdFlags::EXEC) {
        // Kernels before 6.3 do not know the flag; there every memory file is executable.
        Ok(_) | Err(Errno::INVAL) => Ok(()),
        Err(errno) => Err(errno),
    }
}

fn numbered<T>(result: io::Result<T>) -> Result<T, Errno> {
    result.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

fn text(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn number(path: &str) -> Option<u64> {
    text(path)?.trim().parse().ok()
}

/// `6.18.44-anything`.
pub(super) fn release(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
