//! Processes: forking with a pidfd, how one ended.

use crate::{check, descriptor};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Which side of a fork one is on.
#[derive(Debug)]
pub enum Fork {
    /// The new process.
    Child,
    /// The old one, with a descriptor for the new one.
    Parent(OwnedFd),
}

/// Forks this process and returns a pidfd of the child; a raw `clone`, so no libc handler runs, and a filter sees its
/// flags.
///
/// For the single-threaded programs of Casemate only (the supervisor checks from outside that they are): with more
/// threads the child could find locks held for ever. libc's idea of the own thread id is stale in the child.
pub fn fork() -> io::Result<Fork> {
    const FLAGS: libc::c_long = (libc::CLONE_PIDFD | libc::SIGCHLD) as libc::c_long;
    const ZERO: libc::c_long = 0;
    let mut pidfd: libc::c_int = -1;
    // SAFETY: without CLONE_VM the child has its own copy of everything, and goes on on its copy of this stack; the kernel
    // writes `pidfd`, alive here. The process has one thread, so the copy is consistent. The first three arguments are
    // the same on all our machines.
    let child = check(unsafe { libc::syscall(libc::SYS_clone, FLAGS, ZERO, &raw mut pidfd, ZERO, ZERO) })?;
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

/// The parent of the process behind a pidfd, in our pid namespace. `None`: it has ended, its parent is outside, or the
/// kernel does not say (6.13).
pub fn parent_of(pidfd: BorrowedFd<'_>) -> Option<u32> {
    let mut info = PidfdInfo { mask: PIDFD_INFO_PID, ..PidfdInfo::default() };
    // SAFETY: the request's number holds the size of the struct that the pointer names.
    let done = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO as _, &raw mut info) };
    (done == 0 && info.mask & PIDFD_INFO_PID != 0 && info.ppid != 0).then_some(info.ppid)
}

/// CPU time that the process of this number has used, in all its threads; `None` if there is none.
pub fn cpu_time(pid: i32) -> Option<Duration> {
    const SCHEDULER: libc::clockid_t = 2;
    if pid <= 0 {
        return None;
    }
    let clock: libc::clockid_t = (!pid << 3) | SCHEDULER;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec.
    check(unsafe { libc::clock_gettime(clock, &raw mut time) }.into()).ok()?;
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
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

/// Takes an empty session keyring in place of the inherited one.
pub fn leave_keyring() -> io::Result<()> {
    const JOIN_SESSION_KEYRING: libc::c_long = 1;
    // SAFETY: a null name asks for an anonymous keyring; nothing is read.
    check(unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, std::ptr::null::<u8>()) })?;
    Ok(())
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
    fn a_forked_process_has_us_as_its_parent() {
        match fork().unwrap() {
            Fork::Child => exit_now(0),
            Fork::Parent(child) => {
                let parent = parent_of(child.as_fd());
                assert!(parent.is_none_or(|parent| parent == std::process::id()), "{parent:?}");
                // SAFETY: all zeroes is a valid siginfo, and the kernel writes one.
                let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
                let id = libc::id_t::try_from(child.as_raw_fd()).unwrap();
                // SAFETY: as above.
                check(unsafe { libc::waitid(libc::P_PIDFD, id, &raw mut info, libc::WEXITED) }.into())
                    .unwrap();
            }
        }
    }

    #[test]
    fn cpu_time_grows_with_work() {
        let me = i32::try_from(std::process::id()).unwrap();
        let before = cpu_time(me).unwrap();
        let mut sum = 0_u64;
        while cpu_time(me).unwrap() < before + Duration::from_millis(5) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert_eq!(cpu_time(0), None);
        assert_eq!(cpu_time((1 << 22) + 1), None, "above every pid");
    }

    #[test]
    fn a_living_process_has_no_exit_status() {
        let me = own_pidfd().unwrap();
        assert_eq!(exit_status(me.as_fd()), None);
    }
}
