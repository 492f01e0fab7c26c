//! A plugin's own files. What is in the folder is the plugin's, and hostile: it is only ever walked by descriptors, no link is
//! followed, and nothing of it is opened but folders.

use super::{Store, StoreError};
use crate::directory::Directory;
use casemate_protocol::spawn::Identity;
use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid, chownat, openat, unlinkat};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Its name in the plugin's directory.
const VFS: &str = "vfs";
/// What is in it from the beginning.
const FOLDERS: [&str; 3] = ["data", "config", TMP];
/// What does not stay.
const TMP: &str = "tmp";
/// How deep folders are walked; deeper ones stay as they are.
const DEPTH_MAX: usize = 128;

impl Store {
    /// Where a plugin's files are, made if they are missing.
    pub(crate) fn vfs(&self) -> Result<OwnedFd, StoreError> {
        let directory = self.directory()?;
        let failed = |source| StoreError::Io {
            path: directory.path().join(VFS),
            doing: "opening the plugin's files",
            source,
        };
        let vfs = open_or_make(&directory, VFS).map_err(failed)?;
        for folder in FOLDERS {
            make(vfs.as_fd(), folder).map_err(failed)?;
        }
        Ok(vfs)
    }

    /// Removes what was only for the last run, if there was one.
    pub(crate) fn empty_tmp(&self) -> Result<(), StoreError> {
        let path = self.folder().join(VFS);
        if !path.exists() {
            return Ok(());
        }
        let vfs = self.vfs()?;
        let failed = |source| StoreError::Io { path: path.join(TMP), doing: "emptying it", source };
        let tmp = folder(vfs.as_fd(), TMP).map_err(failed)?;
        each(&tmp, 0, &mut |parent, name, is_folder| {
            let flags = if is_folder { AtFlags::REMOVEDIR } else { AtFlags::empty() };
            Ok(unlinkat(parent, name, flags)?)
        })
        .map_err(failed)
    }
}

/// Gives all of it to the user that a plugin runs as, which is another one each time where the supervisor is root.
pub(crate) fn give_to(vfs: BorrowedFd<'_>, identity: Identity) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
    let give = |parent: BorrowedFd<'_>, name: &CStr| {
        Ok(chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?)
    };
    each(&folder(vfs, ".")?, 0, &mut |parent, name, _| give(parent, name))?;
    give(vfs, c".")
}

fn open_or_make(directory: &Directory, name: &str) -> io::Result<OwnedFd> {
    make(directory.as_fd(), name)?;
    folder(directory.as_fd(), name)
}

fn make(parent: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    match rustix::fs::mkdirat(parent, name, Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn folder(parent: BorrowedFd<'_>, name: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(parent, name, flags, Mode::empty())?)
}

/// Everything in a folder, what is in folders before the folders themselves.
fn each(
    parent: &OwnedFd,
    depth: usize,
    visit: &mut dyn FnMut(BorrowedFd<'_>, &CStr, bool) -> io::Result<()>,
) -> io::Result<()> {
    for entry in Dir::read_from(parent)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let is_folder = entry.file_type() == FileType::Directory;
        if is_folder && depth < DEPTH_MAX {
            each(&folder(parent.as_fd(), name)?, depth + 1, visit)?;
        }
        visit(parent.as_fd(), name, is_folder)?;
    }
    Ok(())
}
