//! Mounts as descriptors: a part of the tree is taken, held to what it may be used for, and put somewhere else.

use crate::{check, descriptor};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// What a mount forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forbidden {
    /// Writing.
    pub writing: bool,
    /// Executing.
    pub executing: bool,
    /// Devices.
    pub devices: bool,
}

const AT_RECURSIVE: libc::c_uint = 0x8000;
const AT_EMPTY_PATH: libc::c_uint = 0x1000;
const OPEN_TREE_CLONE: libc::c_uint = 1;
const OPEN_TREE_CLOEXEC: libc::c_uint = 0o2_000_000;
const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 4;
const ATTR_RDONLY: u64 = 0x1;
const ATTR_NOSUID: u64 = 0x2;
const ATTR_NODEV: u64 = 0x4;
const ATTR_NOEXEC: u64 = 0x8;

#[repr(C)]
struct Attributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// A copy of the tree below a path, with all that is mounted there, belonging to nobody yet. The process must be root of its
/// own mount namespace.
pub fn copy(path: &CStr) -> io::Result<OwnedFd> {
    let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
    // SAFETY: the kernel reads a path that ends with a zero byte, and returns a descriptor.
    let tree =
        descriptor(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) })?;
    // SAFETY: the kernel made this descriptor for us in the call above.
    Ok(unsafe { OwnedFd::from_raw_fd(tree) })
}

/// Forbids these things in a whole tree, and set-user-id always. What was forbidden before stays so.
pub fn restrict(tree: BorrowedFd<'_>, forbidden: Forbidden) -> io::Result<()> {
    let bit = |wanted: bool, bit: u64| if wanted { bit } else { 0 };
    let set = ATTR_NOSUID
        | bit(forbidden.writing, ATTR_RDONLY)
        | bit(forbidden.executing, ATTR_NOEXEC)
        | bit(forbidden.devices, ATTR_NODEV);
    let attributes = Attributes { set, clear: 0, propagation: 0, user_namespace: 0 };
    // SAFETY: the kernel reads an empty path and as many bytes of attributes as the struct has.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            AT_EMPTY_PATH | AT_RECURSIVE,
            &raw const attributes,
            size_of::<Attributes>(),
        )
    })?;
    Ok(())
}

/// Puts a tree over what is at a path.
pub fn put(tree: BorrowedFd<'_>, path: &CStr) -> io::Result<()> {
    // SAFETY: the kernel reads two paths that end with zero bytes.
    check(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            path.as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH,
        )
    })?;
    Ok(())
}
