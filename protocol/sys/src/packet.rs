//! Packets with descriptors over a SOCK_SEQPACKET socket.
//!
//! What is received is exact: a cut packet, a cut or unexpected control message, or another number of descriptors is an
//! error, and every descriptor that came is closed.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Descriptors a packet may carry: a module, its order, and the folders of a plugin.
pub const DESCRIPTORS_MAX: usize = 34;

const FD_BYTES: usize = size_of::<libc::c_int>();
/// Room for them, as CMSG_SPACE counts.
const DATA_BYTES_MAX: u32 = 136;
const _: () = assert!(DATA_BYTES_MAX as usize == DESCRIPTORS_MAX * FD_BYTES);

/// Room for one control message of [`DESCRIPTORS_MAX`] descriptors, aligned as the kernel wants it.
#[repr(C, align(8))]
struct ControlBuffer([u8; 160]);

/// Sends one packet with descriptors. Never raises SIGPIPE.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    if descriptors.len() > DESCRIPTORS_MAX {
        return Err(io::Error::other("too many descriptors for one packet"));
    }
    let mut control = ControlBuffer([0; 160]);
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: msghdr is plain data for which all zeroes is a valid, empty value.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    if !descriptors.is_empty() {
        fill_control(&mut control, descriptors, &mut message);
    }
    // SAFETY: the header points at `part`, `bytes` and `control`, which all live through the call.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) };
    match usize::try_from(sent) {
        Ok(sent) if sent == bytes.len() => Ok(()),
        Ok(_) => Err(io::Error::other("a packet was sent in part")),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

/// Writes `cmsghdr { len, SOL_SOCKET, SCM_RIGHTS }` and the numbers behind it.
fn fill_control(control: &mut ControlBuffer, descriptors: &[BorrowedFd<'_>], message: &mut libc::msghdr) {
    let data_bytes = u32::try_from(descriptors.len() * FD_BYTES).unwrap_or(0);
    // SAFETY: CMSG_LEN and CMSG_SPACE only compute.
    let length = unsafe { libc::CMSG_LEN(data_bytes) };
    // SAFETY: as above.
    let space = unsafe { libc::CMSG_SPACE(data_bytes) };
    // SAFETY: all zeroes is a valid cmsghdr; it is made whole below.
    let mut header: libc::cmsghdr = unsafe { zeroed() };
    header.cmsg_len = length as _;
    header.cmsg_level = libc::SOL_SOCKET;
    header.cmsg_type = libc::SCM_RIGHTS;
    // SAFETY: the buffer is aligned for cmsghdr and longer than one.
    unsafe { control.0.as_mut_ptr().cast::<libc::cmsghdr>().write(header) };
    let numbers = descriptors.iter().flat_map(|descriptor| descriptor.as_raw_fd().to_ne_bytes());
    for (target, byte) in control.0.iter_mut().skip(size_of::<libc::cmsghdr>()).zip(numbers) {
        *target = byte;
    }
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = space as _;
}

/// Receives one packet into `buffer`, with exactly `descriptors_expected` descriptors, all CLOEXEC.
/// `Ok(None)` is the end of the stream.
pub fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    descriptors_expected: impl Fn(usize) -> bool,
) -> io::Result<Option<(usize, Vec<OwnedFd>)>> {
    let mut control = ControlBuffer([0; 160]);
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: all zeroes is a valid, empty msghdr.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    // SAFETY: CMSG_SPACE only computes.
    let space = unsafe { libc::CMSG_SPACE(DATA_BYTES_MAX) };
    message.msg_controllen = space as _;
    // SAFETY: the header points at `part`, `buffer` and `control`, which live through the call and are writable.
    let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) };
    let Ok(received) = usize::try_from(received) else { return Err(io::Error::last_os_error()) };
    // Owned before anything is judged, so that a refused packet leaks none.
    let (descriptors, orderly) = take_descriptors(&control, &message);
    let truncated = message.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0;
    if received == 0 && descriptors.is_empty() && !truncated {
        return Ok(None);
    }
    if truncated || !orderly || !descriptors_expected(descriptors.len()) {
        return Err(io::Error::other("a packet was cut or carried other descriptors than it must"));
    }
    Ok(Some((received, descriptors)))
}

#[allow(clippy::unnecessary_cast, reason = "C libraries give these lengths different types")]
/// The descriptors of the one control message there may be, and whether it was the only one and of the right kind.
fn take_descriptors(control: &ControlBuffer, message: &libc::msghdr) -> (Vec<OwnedFd>, bool) {
    let used = message.msg_controllen as usize;
    if used == 0 {
        return (Vec::new(), true);
    }
    let header_bytes = size_of::<libc::cmsghdr>();
    if used < header_bytes {
        return (Vec::new(), false);
    }
    // SAFETY: the kernel wrote at least a cmsghdr (just checked) at the start of the aligned buffer.
    let header: libc::cmsghdr = unsafe { control.0.as_ptr().cast::<libc::cmsghdr>().read() };
    if header.cmsg_level != libc::SOL_SOCKET || header.cmsg_type != libc::SCM_RIGHTS {
        return (Vec::new(), false);
    }
    let end = (header.cmsg_len as usize).min(used).min(control.0.len());
    let data = control.0.get(header_bytes..end).unwrap_or_default();
    let descriptors = data
        .as_chunks::<FD_BYTES>()
        .0
        .iter()
        .map(|bytes| {
            // SAFETY: the kernel has just put this number into our table for us alone.
            unsafe { OwnedFd::from_raw_fd(libc::c_int::from_ne_bytes(*bytes)) }
        })
        .collect();
    // SAFETY: CMSG_ALIGN-like arithmetic only.
    let whole = unsafe { libc::CMSG_SPACE(u32::try_from(data.len()).unwrap_or(0)) };
    (descriptors, used <= whole as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    fn pair() -> (OwnedFd, OwnedFd) {
        let mut fds = [0; 2];
        // SAFETY: socketpair writes two numbers into the array.
        let made = unsafe {
            libc::socketpair(libc::AF_UNIX, libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC, 0, fds.as_mut_ptr())
        };
        assert_eq!(made, 0);
        (crate::descriptors::inherited(fds[0]).unwrap(), crate::descriptors::inherited(fds[1]).unwrap())
    }

    #[test]
    fn a_packet_brings_its_bytes_and_descriptors() {
        let (a, b) = pair();
        let mut buffer = [0; 64];
        for count in 0..=DESCRIPTORS_MAX {
            send(a.as_fd(), b"hello", &vec![a.as_fd(); count]).unwrap();
            let (bytes, fds) = receive(b.as_fd(), &mut buffer, |n| n == count).unwrap().unwrap();
            assert_eq!((&buffer[..bytes], fds.len()), (&b"hello"[..], count));
        }
        drop(a);
        assert!(receive(b.as_fd(), &mut buffer, |_| true).unwrap().is_none());
    }

    #[test]
    fn a_packet_that_is_cut_or_has_other_descriptors_is_refused_and_leaks_none() {
        let (a, b) = pair();
        let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let before = open();
        let mut buffer = [0; 4];
        send(a.as_fd(), b"too long", &[]).unwrap();
        assert!(receive(b.as_fd(), &mut buffer, |n| n == 0).is_err());
        send(a.as_fd(), b"x", &[a.as_fd()]).unwrap();
        assert!(receive(b.as_fd(), &mut buffer, |n| n == 0).is_err());
        send(a.as_fd(), b"x", &[]).unwrap();
        assert!(receive(b.as_fd(), &mut buffer, |n| n == 1).is_err());
        // Other tests open and close descriptors too; a leak would only ever grow.
        for _ in 0..200 {
            send(a.as_fd(), b"x", &[a.as_fd(), b.as_fd()]).unwrap();
            assert!(receive(b.as_fd(), &mut buffer, |n| n == 0).is_err());
        }
        assert!(open() < before + 100);
    }
}
