//! Installing filters and reading what a listener reports.

use crate::{check, descriptor};
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// One BPF instruction, laid out as the kernel's `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Instructions to skip if true.
    pub jt: u8,
    /// Instructions to skip if false.
    pub jf: u8,
    /// Operand.
    pub k: u32,
}

const _: () = assert!(size_of::<Instruction>() == size_of::<libc::sock_filter>());

#[repr(C)]
struct Program {
    length: u16,
    instructions: *const Instruction,
}

const SECCOMP_SET_MODE_FILTER: libc::c_ulong = 1;
const FLAG_NEW_LISTENER: libc::c_ulong = 1 << 3;
const FLAG_WAIT_KILLABLE_RECV: libc::c_ulong = 1 << 5;

fn install_with(instructions: &[Instruction], flags: libc::c_ulong) -> io::Result<libc::c_long> {
    let length = u16::try_from(instructions.len()).or(Err(io::Error::from_raw_os_error(libc::EINVAL)))?;
    let program = Program { length, instructions: instructions.as_ptr() };
    // SAFETY: the kernel reads the program, whose pointer and length come from one slice that lives through the call.
    check(unsafe { libc::syscall(libc::SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &raw const program) })
}

/// Adds a filter to this thread. Needs NO_NEW_PRIVS.
pub fn install(instructions: &[Instruction]) -> io::Result<()> {
    install_with(instructions, 0).map(|_| ())
}

/// Adds a filter whose USER_NOTIF verdicts go to the returned listener. EBUSY: the chain has a listener already.
pub fn install_with_listener(instructions: &[Instruction]) -> io::Result<OwnedFd> {
    let fd = match install_with(instructions, FLAG_NEW_LISTENER | FLAG_WAIT_KILLABLE_RECV) {
        // Kernels before 5.19 do not know the second flag: a signal then makes the call be reported twice.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            install_with(instructions, FLAG_NEW_LISTENER)?
        }
        other => other?,
    };
    // SAFETY: with this flag the result is a descriptor made for us.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor(fd)?) })
}

/// A system call that waits at a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notification {
    /// Names it towards the kernel.
    pub id: u64,
    /// Who tried it, in the reader's pid namespace.
    pub pid: u32,
    /// AUDIT_ARCH value.
    pub arch: u32,
    /// Its number.
    pub number: i32,
    /// Its arguments.
    pub args: [u64; 6],
    /// Where it was tried.
    pub instruction_pointer: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct RawNotification {
    id: u64,
    pid: u32,
    flags: u32,
    number: i32,
    arch: u32,
    instruction_pointer: u64,
    args: [u64; 6],
}

#[repr(C)]
struct RawResponse {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

const RESPOND_CONTINUE: u32 = 1;
const NOTIF_SEND: libc::c_ulong = 0xc018_2101;
const NOTIF_RECV: libc::c_ulong = 0xc050_2100;
const NOTIF_ID_VALID: libc::c_ulong = 0x4008_2102;

/// Takes the next notification. It blocks when none is pending, whatever the descriptor's flags: poll first.
/// ENOENT: the caller died in between.
pub fn receive(listener: BorrowedFd<'_>) -> io::Result<Notification> {
    // A newer kernel may write a longer struct than ours.
    #[repr(C, align(8))]
    union Room {
        notification: RawNotification,
        space: [u64; 64],
    }
    // SAFETY: all zeroes is valid for both members, and the kernel demands zeroes.
    let mut room: Room = unsafe { zeroed() };
    // SAFETY: the kernel writes its struct seccomp_notif, for which the room is more than large enough.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), NOTIF_RECV as _, &raw mut room) }.into())?;
    // SAFETY: plain numbers, written by the kernel.
    let raw = unsafe { room.notification };
    Ok(Notification {
        id: raw.id,
        pid: raw.pid,
        arch: raw.arch,
        number: raw.number,
        args: raw.args,
        instruction_pointer: raw.instruction_pointer,
    })
}

/// Whether the process of a notification still waits: only then is its pid surely that process.
pub fn is_valid(listener: BorrowedFd<'_>, id: u64) -> bool {
    uninterrupted(|| {
        // SAFETY: the kernel reads eight bytes at the pointer.
        check(unsafe { libc::ioctl(listener.as_raw_fd(), NOTIF_ID_VALID as _, &raw const id) }.into())
    })
    .is_ok()
}

/// Lets the call of a notification run, as if no filter had stopped it. Its numbers were looked at; what a pointer among
/// them names can change until the kernel reads it. ENOENT: the caller died in between.
pub fn let_go_on(listener: BorrowedFd<'_>, id: u64) -> io::Result<()> {
    let mut response = RawResponse { id, value: 0, error: 0, flags: RESPOND_CONTINUE };
    uninterrupted(|| {
        // SAFETY: the request's number holds the size of the struct that the pointer names.
        check(unsafe { libc::ioctl(listener.as_raw_fd(), NOTIF_SEND as _, &raw mut response) }.into())
    })
}

/// Answers the call of a notification in the kernel's place: it does not exist on this machine. ENOENT: the caller died in
/// between.
pub fn say_it_does_not_exist(listener: BorrowedFd<'_>, id: u64) -> io::Result<()> {
    let mut response = RawResponse { id, value: 0, error: -libc::ENOSYS, flags: 0 };
    uninterrupted(|| {
        // SAFETY: the request's number holds the size of the struct that the pointer names.
        check(unsafe { libc::ioctl(listener.as_raw_fd(), NOTIF_SEND as _, &raw mut response) }.into())
    })
}

/// The kernel gives up waiting for a listener's lock when a signal comes; whoever waits for our answer still does.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<()> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done.map(|_| ()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_struct_has_the_size_in_the_request() {
        assert_eq!(size_of::<RawNotification>(), usize::try_from((NOTIF_RECV >> 16) & 0x3fff).unwrap());
        assert_eq!(size_of::<RawResponse>(), usize::try_from((NOTIF_SEND >> 16) & 0x3fff).unwrap());
    }
}
