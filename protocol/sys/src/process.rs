//! Processes: forking with a pidfd, how one ended.

use crate::{check, descriptor};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Which side of a fork one is on.
#[derive(Debug)]
pub enum Fork {
    /// The new process.
    Child,
    /// The old one, with a descriptor for the new one.
    Parent(OwnedFd),
}

#[repr(C, align(8))]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Forks this process and returns a pidfd of the child; raw `clone3`, so no libc handler runs.
///
/// For the single-threaded programs of Casemate only (the supervisor checks from outside that they are): with more
/// threads the child could find locks held for ever. libc's idea of the own thread id is stale in the child.
pub fn fork() -> io::Result<Fork> {
    let mut pidfd: libc::c_int = -1;
    let arguments = CloneArguments {
        flags: u64::try_from(libc::CLONE_PIDFD).unwrap_or(0),
        pidfd: (&raw mut pidfd) as u64,
        exit_signal: u64::try_from(libc::SIGCHLD).unwrap_or(0),
        ..CloneArguments::default()
    };
    // SAFETY: without CLONE_VM the child has its own copy of everything; the kernel reads `arguments` and writes `pidfd`,
    // both alive here. The process has one thread, so the copy is consistent.
    let child =
        check(unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<CloneArguments>()) })?;
    if child == 0 {
        return Ok(Fork::Child);
    }
    // SAFETY: the kernel made this descriptor for us in the call above.
    Ok(Fork::Parent(unsafe { OwnedFd::from_raw_fd(pidfd) }))
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// It exited with this code.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
}

impl ExitStatus {
    fn from_wait_status(status: i32) -> Self {
        match status & 0x7f {
            0 => Self::Code((status >> 8) & 0xff),
            signal => Self::Signal(signal),
        }
    }
}

#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    pid: u32,
    tgid: u32,
    ppid: u32,
    identity: [u32; 8],
    exit_code: i32,
}

const PIDFD_GET_INFO: libc::c_ulong = 0xc040_ff0b;
const PIDFD_INFO_PID: u64 = 1;
const PIDFD_INFO_EXIT: u64 = 1 << 3;

/// The number of the process behind a pidfd in our pid namespace, if the kernel says so (6.13) and there is one; whether
/// it lives is another question.
pub fn pid_of(pidfd: BorrowedFd<'_>) -> Option<u32> {
    let mut info = PidfdInfo { mask: PIDFD_INFO_PID, ..PidfdInfo::default() };
    // SAFETY: the request's number holds the size of the struct that the pointer names.
    let done = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO as _, &raw mut info) };
    (done == 0 && info.mask & PIDFD_INFO_PID != 0 && info.pid != 0).then_some(info.pid)
}

/// A resource limit of a process, soft and hard; RLIM_INFINITY is all ones. `resource` is the kernel's number of it.
///
/// EPERM: it has another user, and we are not privileged over it.
pub fn limit_of(pid: u32, resource: u32) -> io::Result<(u64, u64)> {
    let mut limit = [0_u64; 2];
    // SAFETY: with a null pointer nothing is set; the kernel writes two numbers of 64 bits.
    check(unsafe {
        libc::syscall(libc::SYS_prlimit64, pid, resource, std::ptr::null::<u64>(), limit.as_mut_ptr())
    })?;
    let [soft, hard] = limit;
    Ok((soft, hard))
}

/// How the process behind a pidfd ended, if the kernel says so to others than its parent (6.15); `None` if it does not
/// (yet): then it lives, is not reaped, or the kernel is older.
pub fn exit_status(pidfd: BorrowedFd<'_>) -> Option<ExitStatus> {
    let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: the request's number holds the size of the struct that the pointer names.
    let done = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO as _, &raw mut info) };
    (done == 0 && info.mask & PIDFD_INFO_EXIT != 0).then(|| ExitStatus::from_wait_status(info.exit_code))
}

/// Sends SIGKILL to the process behind a pidfd.
pub fn kill(pidfd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: pidfd_send_signal with a null siginfo takes numbers only.
    check(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            libc::SIGKILL,
            std::ptr::null::<u8>(),
            0,
        )
    })?;
    Ok(())
}

/// A pidfd of the calling process.
pub fn own_pidfd() -> io::Result<OwnedFd> {
    // SAFETY: getpid takes nothing.
    let pid = unsafe { libc::getpid() };
    // SAFETY: pidfd_open takes two numbers.
    let fd = descriptor(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: the kernel has just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Ends this process at once, running nothing: no destructors, no exit handlers.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: exit_group does not return and touches no memory.
    unsafe { libc::syscall(libc::SYS_exit_group, code) };
    std::process::abort()
}

/// Makes a system call with all arguments zero: what a canary tries, to prove that it is stopped.
pub fn probe(number: i64) -> io::Result<i64> {
    // As wide as a register: what a variadic call reads of a narrower number is half noise.
    const ZERO: libc::c_long = 0;
    // SAFETY: with null pointers and zero numbers the calls that canaries make (getppid, close_range on an empty range)
    // read and write nothing of ours.
    let result = check(unsafe { libc::syscall(number, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO) })?;
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn wait_statuses_are_read_as_the_kernel_means_them() {
        assert_eq!(ExitStatus::from_wait_status(3 << 8), ExitStatus::Code(3));
        assert_eq!(ExitStatus::from_wait_status(libc::SIGSYS | 0x80), ExitStatus::Signal(libc::SIGSYS));
    }

    #[test]
    fn the_struct_has_the_size_in_the_request() {
        assert_eq!(size_of::<PidfdInfo>(), usize::try_from((PIDFD_GET_INFO >> 16) & 0x3fff).unwrap());
        assert_eq!(size_of::<CloneArguments>(), 88);
    }

    #[test]
    fn a_pidfd_and_its_limits_are_read() {
        let me = own_pidfd().unwrap();
        // Older kernels do not say.
        assert!(pid_of(me.as_fd()).is_none_or(|pid| pid == std::process::id()));
        let (soft, hard) = limit_of(std::process::id(), 7).unwrap();
        assert!(soft > 0 && soft <= hard);
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(pid_of(file.as_fd()), None);
    }

    #[test]
    fn a_living_process_has_no_exit_status() {
        let me = own_pidfd().unwrap();
        assert_eq!(exit_status(me.as_fd()), None);
    }
}
