//! What this kernel can do, asked without changing anything in this process.

use crate::process::exit_now;
use crate::seccomp::{self, Instruction};
use crate::{check, descriptor};
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

/// `landlock_create_ruleset` has this number on every architecture.
const SYS_LANDLOCK_CREATE_RULESET: libc::c_long = 444;
const LANDLOCK_CREATE_RULESET_VERSION: libc::c_uint = 1;
/// So has `mseal`.
const SYS_MSEAL: libc::c_long = 462;
const PR_GET_MDWE: libc::c_int = 66;
const PR_MDWE_REFUSE_EXEC_GAIN: libc::c_long = 1;
const PR_MDWE_NO_INHERIT: libc::c_long = 2;

/// The Landlock ABI. ENOSYS: the kernel was built without it; EOPNOTSUPP: it is not enabled at boot.
pub fn landlock_abi() -> io::Result<u32> {
    // SAFETY: with this flag the kernel reads no attributes; the numbers are all there is.
    let abi = check(unsafe {
        libc::syscall(
            SYS_LANDLOCK_CREATE_RULESET,
            ptr::null::<u8>(),
            0_usize,
            LANDLOCK_CREATE_RULESET_VERSION,
        )
    })?;
    u32::try_from(abi).or(Err(io::Error::other("the kernel returned an impossible ABI")))
}

/// Whether memory can be sealed. ENOSYS: the kernel is older than 6.10.
pub fn memory_sealing() -> io::Result<()> {
    // SAFETY: a range of no bytes has no pages to seal.
    check(unsafe { libc::syscall(SYS_MSEAL, 0_usize, 0_usize, 0_usize) })?;
    Ok(())
}

/// Whether what this process starts is denied new executable memory from its first moment. EINVAL: the kernel is older
/// than 6.3.
pub fn bequeaths_deny_new_executable() -> io::Result<bool> {
    let zero: libc::c_ulong = 0;
    // SAFETY: this prctl takes numbers only.
    let bits = check(unsafe { libc::prctl(PR_GET_MDWE, zero, zero, zero, zero) }.into())?;
    Ok(bits & (PR_MDWE_REFUSE_EXEC_GAIN | PR_MDWE_NO_INHERIT) == PR_MDWE_REFUSE_EXEC_GAIN)
}

/// Whether a process of ours gets the seven namespaces: makes one in them, which ends at once.
pub fn namespaces() -> io::Result<()> {
    let all = libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWCGROUP;
    in_a_child(all, || Ok(()))
}

/// Whether a process of ours gets a seccomp listener: one tries, and ends at once. EBUSY: somebody owns one already over
/// this thread, and there can be no second. EINVAL: the kernel is older than 5.0.
pub fn listener() -> io::Result<()> {
    const ALLOW: Instruction = Instruction { code: 6, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW };
    in_a_child(0, || {
        let zero: libc::c_ulong = 0;
        // SAFETY: this prctl takes numbers only, and makes the child it is called in no more than less powerful.
        check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, zero, zero, zero) }.into())?;
        seccomp::install_with_listener(&[ALLOW]).map(drop)
    })
}

/// What one attempt comes to in a child of ours, which ends at once with the answer. It may make system calls and nothing
/// else: other threads may hold any lock.
fn in_a_child(namespaces: libc::c_int, attempt: fn() -> io::Result<()>) -> io::Result<()> {
    const ZERO: libc::c_long = 0;
    let mut pidfd: libc::c_int = -1;
    // No signal at its end: a host may handle SIGCHLD, and this child is none of its business. Not clone3: profiles of
    // containers hide that one, whatever it is asked for.
    let flags = libc::c_long::from(namespaces | libc::CLONE_PIDFD);
    // SAFETY: without CLONE_VM the child has its own copy of everything, and goes on on its copy of this stack; all it does
    // is system calls, the last of which ends it, so that locks which other threads held do not matter. The kernel writes
    // `pidfd`, alive here. The first three arguments are the same on all our machines.
    let child = check(unsafe { libc::syscall(libc::SYS_clone, flags, ZERO, &raw mut pidfd, ZERO, ZERO) })?;
    if child == 0 {
        // Numbers of errors fit into the byte of an exit code.
        exit_now(attempt().map_or_else(|error| error.raw_os_error().unwrap_or(libc::EIO), |()| 0));
    }
    // SAFETY: the kernel made this descriptor for us in the call above.
    let pidfd = unsafe { OwnedFd::from_raw_fd(descriptor(pidfd.into())?) };
    match ended(&pidfd)? {
        0 => Ok(()),
        number => Err(io::Error::from_raw_os_error(number)),
    }
}

/// Waits for a child of ours, and says its exit code.
fn ended(pidfd: &OwnedFd) -> io::Result<i32> {
    let id = libc::id_t::try_from(pidfd.as_raw_fd()).or(Err(io::Error::from_raw_os_error(libc::EBADF)))?;
    loop {
        // SAFETY: all zeroes is a valid siginfo.
        let mut info: libc::siginfo_t = unsafe { zeroed() };
        // A child without an exit signal is waited for only on request.
        let options = libc::WEXITED | libc::__WALL;
        // SAFETY: the kernel writes `info`.
        match check(unsafe { libc::waitid(libc::P_PIDFD, id, &raw mut info, options) }.into()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(_) if info.si_code != libc::CLD_EXITED => {
                return Err(io::Error::from_raw_os_error(libc::EPERM));
            }
            // SAFETY: the kernel has filled in how a child ended, which has a status.
            Ok(_) => return Ok(unsafe { info.si_status() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every answer is one of those that the documentation names.
    #[test]
    fn answers_are_the_documented_ones() {
        let number = |error: io::Error| error.raw_os_error().unwrap_or(0);
        match landlock_abi() {
            Ok(abi) => assert!(abi > 0),
            Err(error) => assert!(matches!(number(error), libc::ENOSYS | libc::EOPNOTSUPP)),
        }
        assert!(matches!(memory_sealing().map_err(number), Ok(()) | Err(libc::ENOSYS | libc::EPERM)));
        assert!(matches!(bequeaths_deny_new_executable().map_err(number), Ok(_) | Err(libc::EINVAL)));
        assert!(matches!(listener().map_err(number), Ok(()) | Err(libc::EBUSY | libc::EINVAL)));
    }

    #[test]
    fn asking_in_a_child_leaves_none_and_changes_nothing() {
        for ask in [namespaces, listener] {
            let answers: Vec<_> = (0..3).map(|_| ask().map_err(|error| error.raw_os_error())).collect();
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        }
        assert_eq!(
            in_a_child(0, || Err(io::Error::from_raw_os_error(libc::ENOTTY))).unwrap_err().raw_os_error(),
            Some(libc::ENOTTY)
        );
        // SAFETY: with a null pointer waitpid writes nothing.
        let left = unsafe { libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG | libc::__WALL) };
        assert!(left <= 0);
    }
}
