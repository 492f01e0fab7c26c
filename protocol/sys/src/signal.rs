//! Signals: starting from a clean state, one handler.

use crate::check;
use std::io;
use std::mem::zeroed;
use std::ptr;

/// Gives every signal its default disposition and blocks none, whatever was inherited.
pub fn reset_all() -> io::Result<()> {
    for number in 1..=64 {
        // SAFETY: all zeroes is a valid sigaction: SIG_DFL, no flags, empty mask.
        let action: libc::sigaction = unsafe { zeroed() };
        // SAFETY: the kernel reads `action`. SIGKILL, SIGSTOP and libc's own signals are refused, which is fine.
        let _ = unsafe { libc::sigaction(number, &raw const action, ptr::null_mut()) };
    }
    // SAFETY: all zeroes is an empty set on Linux.
    let empty: libc::sigset_t = unsafe { zeroed() };
    // SAFETY: the kernel reads `empty`.
    check(unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const empty, ptr::null_mut()) }.into())?;
    Ok(())
}

/// Blocks, in this thread, every signal that others send; those that a fault of the thread itself raises stay as they are.
pub fn block_asynchronous() -> io::Result<()> {
    // SAFETY: all zeroes is a valid set, filled in the next line.
    let mut signals: libc::sigset_t = unsafe { zeroed() };
    // SAFETY: the pointer names a set of ours.
    check(unsafe { libc::sigfillset(&raw mut signals) }.into())?;
    for fault in
        [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS, libc::SIGABRT]
    {
        // SAFETY: as above, and the number is a signal's.
        check(unsafe { libc::sigdelset(&raw mut signals, fault) }.into())?;
    }
    // SAFETY: the kernel reads the set; without a place for the old one it writes nothing.
    match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const signals, ptr::null_mut()) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Ignores SIGCHLD: children are reaped by the kernel as they end.
pub fn ignore_children() -> io::Result<()> {
    ignore(libc::SIGCHLD)
}

/// Ignores SIGXFSZ: a file that would become too long is an error of whoever writes, and no more.
pub fn ignore_file_size() -> io::Result<()> {
    ignore(libc::SIGXFSZ)
}

fn ignore(signal: i32) -> io::Result<()> {
    // SAFETY: all zeroes is a valid sigaction.
    let mut action: libc::sigaction = unsafe { zeroed() };
    action.sa_sigaction = libc::SIG_IGN;
    // SAFETY: the kernel reads `action`.
    check(unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) }.into())?;
    Ok(())
}

/// What becomes of a system call that a handler interrupts, where the kernel leaves a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupted {
    /// It goes on.
    Restarts,
    /// It fails with EINTR.
    Fails,
}

/// Runs `handler` on SIGUSR1, on the alternate stack.
///
/// The handler must be async-signal-safe: one relaxed atomic add is all that ours does.
pub fn on_user_signal(handler: extern "C" fn(libc::c_int), interrupted: Interrupted) -> io::Result<()> {
    // SAFETY: all zeroes is a valid sigaction.
    let mut action: libc::sigaction = unsafe { zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = match interrupted {
        Interrupted::Restarts => libc::SA_ONSTACK | libc::SA_RESTART,
        Interrupted::Fails => libc::SA_ONSTACK,
    };
    // SAFETY: the kernel reads `action`; the handler has the signature that goes with these flags.
    check(unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, ptr::null_mut()) }.into())?;
    Ok(())
}
