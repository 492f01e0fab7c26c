//! Descriptors: closing all of them, moving one to a fixed number.

use crate::check;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Closes every descriptor from `first` on.
///
/// The caller must hold no owned descriptor at or above `first` that it will use or drop later: call it from a
/// program's start or just before its main loop.
pub fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: close_range takes three numbers and touches no memory.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0_u32) })?;
    Ok(())
}

/// Makes `target` another number of the open file behind `source`, kept over exec. What `target` was is closed.
pub fn duplicate_to(source: BorrowedFd<'_>, target: RawFd) -> io::Result<()> {
    if source.as_raw_fd() == target {
        // dup3 refuses this; what it would have done is to keep the descriptor over exec.
        // SAFETY: F_SETFD sets a flag of a number and touches no memory.
        check(unsafe { libc::fcntl(target, libc::F_SETFD, 0) }.into())?;
        return Ok(());
    }
    // SAFETY: dup3 takes three numbers and touches no memory.
    check(unsafe { libc::syscall(libc::SYS_dup3, source.as_raw_fd(), target, 0) })?;
    Ok(())
}

/// Takes ownership of a descriptor that this program was started with.
///
/// The number must be one of the program's fixed ones (its start-up contract), and be taken once.
pub fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_GETFD reads a flag of a number and touches no memory.
    check(unsafe { libc::fcntl(number, libc::F_GETFD) }.into())?;
    // SAFETY: it is open (just checked), and by the contract above nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Sends bytes on a socket without ever raising SIGPIPE. Returns how many were taken.
pub fn send_nosignal(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: pointer and length come from one slice that lives through the call.
    let sent = unsafe {
        libc::send(
            socket.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT,
        )
    };
    usize::try_from(sent).map_err(|_negative| io::Error::last_os_error())
}
