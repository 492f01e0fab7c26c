//! The root directory: an empty read-only tmpfs, and nothing of the host below it.

use crate::error::{LockdownError, Step};
use crate::experiment::raise;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, chroot, pivot_root};

const STEP: &str = "swapping the root directory";
const NONE: Option<&str> = None;

/// A directory that every supported host has; in our own mount namespace the tmpfs covers it.
const STAGING: &str = "/proc";

/// Swaps the root. The process must be in a mount namespace of its own.
pub(crate) fn swap() -> Result<(), LockdownError> {
    raise("empty-root", try_swap)
}

fn try_swap() -> Result<(), LockdownError> {
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE).step(STEP)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("casemate"), STAGING, Some("tmpfs"), flags, Some("size=4k,nr_inodes=2,mode=0555"))
        .step(STEP)?;
    chdir(STAGING).step(STEP)?;
    match pivot_root(".", ".") {
        // The old root now lies over the new one; taking it away leaves the tmpfs.
        Ok(()) => umount2(".", MntFlags::MNT_DETACH).step(STEP)?,
        // The root of an initramfs cannot be pivoted away from; it can be covered.
        Err(Errno::EINVAL) => {
            mount(Some("."), "/", NONE, MsFlags::MS_MOVE, NONE).step(STEP)?;
            chroot(".").step(STEP)?;
        }
        Err(errno) => return Err(errno).step(STEP),
    }
    chdir("/").step(STEP)?;
    mount(NONE, "/", NONE, flags | MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY, NONE)
        .step(STEP)
}
