//! Namespaces: seven at once, in the stub. The zygote forked after this is pid 1 of its own process ids.

use crate::error::{LockdownError, Step};
use crate::experiment;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getgid, getuid};
use std::fs;

/// Whether the host gave them.
#[derive(Debug)]
pub(crate) enum Namespaces {
    /// All seven.
    Entered,
    /// None, and why.
    Absent(String),
}

const NAMESPACES: [(&str, CloneFlags); 7] = [
    ("user-namespace", CloneFlags::CLONE_NEWUSER),
    ("pid-namespace", CloneFlags::CLONE_NEWPID),
    ("net-namespace", CloneFlags::CLONE_NEWNET),
    ("ipc-namespace", CloneFlags::CLONE_NEWIPC),
    ("uts-namespace", CloneFlags::CLONE_NEWUTS),
    ("mount-namespace", CloneFlags::CLONE_NEWNS),
    ("cgroup-namespace", CloneFlags::CLONE_NEWCGROUP),
];

/// Unshares everything and maps the own user to 0 inside, so that the exec that follows keeps the rights to build the root.
pub(crate) fn enter() -> Result<Namespaces, LockdownError> {
    if experiment::is_left_out("namespaces") {
        return Ok(Namespaces::Absent("left out by an experiment".to_owned()));
    }
    let all = NAMESPACES.iter().filter(|(wall, _)| !experiment::is_left_out(wall));
    unshare_and_map(all.map(|(_, flag)| *flag).collect(), 0)
}

/// Unshares process ids alone, and the users that an ordinary user needs for that, who stay who they are: no wall, but the end of
/// the first process is the end of all that the others may have started.
pub(crate) fn enter_for_life() -> Result<Namespaces, LockdownError> {
    unshare_and_map(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWPID, getuid().as_raw())
}

fn unshare_and_map(kinds: CloneFlags, inner_uid: u32) -> Result<Namespaces, LockdownError> {
    let (uid, gid) = (getuid(), getgid());
    let inner_gid = if inner_uid == 0 { 0 } else { gid.as_raw() };
    match unshare(kinds) {
        Ok(()) => {}
        // What a host without unprivileged user namespaces answers; anything else is a surprise.
        Err(
            errno @ (Errno::EPERM
            | Errno::ENOSPC
            | Errno::EINVAL
            | Errno::ENOSYS
            | Errno::EUSERS
            | Errno::EACCES),
        ) => {
            return Ok(Namespaces::Absent(format!("unshare answers {errno}: {}", as_a_rule(errno))));
        }
        Err(errno) => return Err(errno).step("unsharing namespaces"),
    }
    let step = "mapping the user namespace";
    match fs::write("/proc/self/setgroups", "deny") {
        // Where an LSM lets the namespace be made but gives no rights in it.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return absent_after_all(&error);
        }
        other => other.step(step)?,
    }
    fs::write("/proc/self/uid_map", format!("{inner_uid} {uid} 1")).step(step)?;
    fs::write("/proc/self/gid_map", format!("{inner_gid} {gid} 1")).step(step)?;
    // Without capabilities a process may still make a new user namespace and have all of them there: not below this one.
    fs::write("/proc/sys/user/max_user_namespaces", "0").step("forbidding further user namespaces")?;
    Ok(Namespaces::Entered)
}

/// A mount table of its own, in the user namespace it is in: for a supervisor that is root.
pub(crate) fn unshare_mounts() -> Result<(), LockdownError> {
    let step = "unsharing the mount namespace";
    unshare(CloneFlags::CLONE_NEWNS).step(step)?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).step(step)
}

/// What a host is like that answers so.
fn as_a_rule(errno: Errno) -> &'static str {
    match errno {
        Errno::EPERM => "the host is in a chroot, or a filter, a setting or a security module forbids them",
        Errno::ENOSPC | Errno::EUSERS => "user.max_user_namespaces, or a sibling of it, is reached",
        Errno::EACCES => "a security module forbids them",
        _ => "this kernel lacks one of the seven kinds",
    }
}

/// The namespaces exist but cannot be used; going on in them would be neither tier.
fn absent_after_all(error: &std::io::Error) -> Result<Namespaces, LockdownError> {
    Err(std::io::Error::new(
        error.kind(),
        format!("{error}: this host restricts what a user namespace may do (see kernel.apparmor_restrict_unprivileged_userns)"),
    ))
    .step("mapping the user namespace")
}
