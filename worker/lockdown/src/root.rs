//! The root directory: an empty read-only tmpfs, and nothing of the host below it. A native program's has what it was given
//! mounted there, each with its rights.

use crate::error::{LockdownError, Step};
use crate::experiment::raise;
use casemate_protocol::spawn::{Mount, MountKind, ProgramSpec};
use casemate_sys::mount::{self as mounts, Forbidden};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, chroot, pivot_root};
use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

const STEP: &str = "swapping the root directory";
const BUILDING: &str = "building a program's root directory";
const FLAGS: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV).union(MsFlags::MS_NOEXEC);
const NONE: Option<&str> = None;

/// A directory that every supported host has; in our own mount namespace the tmpfs covers it.
const STAGING: &str = "/proc";

/// Swaps the root. The process must be in a mount namespace of its own.
pub(crate) fn swap() -> Result<(), LockdownError> {
    raise("empty-root", try_swap)
}

fn try_swap() -> Result<(), LockdownError> {
    stage("size=4k,nr_inodes=2,mode=0555")?;
    enter()
}

/// Copies of all that a native program's root is made of, each held to what it may be used for.
pub(crate) fn take(spec: &ProgramSpec) -> Result<Vec<OwnedFd>, LockdownError> {
    spec.mounts.iter().map(take_one).collect()
}

/// Builds the root of a native program of these copies and swaps the root for it.
pub(crate) fn build(spec: &ProgramSpec, trees: &[OwnedFd]) -> Result<(), LockdownError> {
    if trees.len() != spec.mounts.len() {
        return Err(io::Error::from(io::ErrorKind::InvalidData)).step(BUILDING);
    }
    stage("size=256k,nr_inodes=1024,mode=0755")?;
    for (tree, mount) in trees.iter().zip(&spec.mounts) {
        place(tree, mount).map_err(|error| about(&mount.guest, &error)).step(BUILDING)?;
    }
    for (name, target) in &spec.links {
        let name = below(name);
        std::os::unix::fs::symlink(target, &name).map_err(|error| about(&name, &error)).step(BUILDING)?;
    }
    enter()
}

/// The mounts of the root that was built, open as places only.
pub(crate) fn places(spec: &ProgramSpec) -> Result<Vec<(OwnedFd, MountKind)>, LockdownError> {
    let open = |mount: &Mount| {
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        let opened = nix::fcntl::open(mount.guest.as_str(), flags, Mode::empty()).map_err(io::Error::from);
        Ok((opened.map_err(|error| about(&mount.guest, &error)).step(BUILDING)?, mount.kind))
    };
    spec.mounts.iter().map(open).collect()
}

fn take_one(mount: &Mount) -> Result<OwnedFd, LockdownError> {
    let taken = || {
        let tree = mounts::copy(&CString::new(mount.host.as_str())?)?;
        let forbidden = Forbidden {
            writing: mount.kind != MountKind::WritableFolder,
            executing: mount.kind != MountKind::Programs,
            devices: mount.kind != MountKind::Device,
        };
        mounts::restrict(tree.as_fd(), forbidden)?;
        Ok(tree)
    };
    taken().map_err(|error: io::Error| about(&mount.host, &error)).step(BUILDING)
}

fn place(tree: &OwnedFd, mount: &Mount) -> io::Result<()> {
    let name = below(&mount.guest);
    match mount.kind {
        MountKind::File | MountKind::Device => {
            if let Some(folder) = Path::new(&name).parent() {
                fs::create_dir_all(folder)?;
            }
            File::create(&name)?;
        }
        MountKind::Programs | MountKind::Folder | MountKind::WritableFolder => fs::create_dir_all(&name)?,
    }
    mounts::put(tree.as_fd(), &CString::new(name)?)
}

/// A path of the program's below the working directory, which becomes its root.
fn below(guest: &str) -> String {
    format!("./{}", guest.trim_start_matches('/'))
}

/// Which path it is about.
fn about(path: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{path}: {error}"))
}

/// A tmpfs of our own, as the working directory.
fn stage(options: &str) -> Result<(), LockdownError> {
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE).step(STEP)?;
    mount(Some("casemate"), STAGING, Some("tmpfs"), FLAGS, Some(options)).step(STEP)?;
    chdir(STAGING).step(STEP)
}

/// Makes the working directory the root, read-only.
fn enter() -> Result<(), LockdownError> {
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
    mount(NONE, "/", NONE, FLAGS | MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY, NONE)
        .step(STEP)
}
