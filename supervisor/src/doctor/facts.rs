//! What is read of the machine. Each fact may be missing: an absent file is an absent feature.

use crate::identity::Identities;
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
    /// Filters that were over this process before ours.
    pub(super) filters: u32,
    pub(super) uid: u32,
    pub(super) may_change_user: bool,
    /// Whether there is a user for each plugin, or why there can be none; `Ok(false)`: ours has to do.
    pub(super) other_user: Result<bool, String>,
    pub(super) namespaces: Result<(), Errno>,
    pub(super) max_user_namespaces: Option<u64>,
    pub(super) unprivileged_userns_clone: Option<u64>,
    pub(super) apparmor_restricts: Option<u64>,
    pub(super) yama: Option<u64>,
    pub(super) landlock: Result<u32, Errno>,
    pub(super) lsms: Option<String>,
    pub(super) seccomp_actions: Option<String>,
    pub(super) sealing: Result<(), Errno>,
    /// Whether what we start is denied new executable memory before it begins.
    pub(super) bequeaths_mdwe: Result<bool, Errno>,
    /// Whether there can be one listener more over what we start.
    pub(super) listener: Result<(), Errno>,
    pub(super) executable_memfd: Result<(), Errno>,
    pub(super) memfd_noexec: Option<u64>,
}

impl Facts {
    pub(super) fn gather() -> Self {
        let own = fs::read("/proc/thread-self/status").ok().and_then(|text| Status::parse(&text).ok());
        let effective = own.map_or(0, |status| status.capabilities.effective);
        let host = host_facts();
        Self {
            kernel: text("/proc/sys/kernel/osrelease").as_deref().and_then(release),
            filters: host.as_ref().map_or(0, |host| host.filters),
            proc: host.map(drop).map_err(|problem| problem.to_string()),
            uid: rustix::process::geteuid().as_raw(),
            other_user: other_user(),
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
            bequeaths_mdwe: numbered(support::bequeaths_deny_new_executable()),
            listener: numbered(support::listener()),
            executable_memfd: executable_memfd(),
            memfd_noexec: number("/proc/sys/vm/memfd_noexec"),
        }
    }

    pub(super) fn is_root(&self) -> bool {
        self.uid == 0
    }
}

fn other_user() -> Result<bool, String> {
    Identities::default().lease().map(|lease| lease.is_some()).map_err(|error| error.to_string())
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
