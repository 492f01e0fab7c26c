//! A plugin's own files. What is in the folder is the plugin's, and hostile: it is only ever walked by descriptors, no link is
//! followed, and nothing of it is opened but folders.

use super::{Store, StoreError};
use crate::directory::Directory;
use casemate_protocol::room::Amount;
use casemate_protocol::spawn::Identity;
use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid, chownat, openat, statat, unlinkat};
use std::collections::HashSet;
use std::ffi::CStr;
use std::io;
use std::ops::ControlFlow;
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

    /// Where they are, for whoever can only be told a path.
    pub(crate) fn vfs_path(&self) -> std::path::PathBuf {
        self.folder().join(VFS)
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

/// What a plugin's own files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// All of them.
    All(Amount),
    /// More than was to be measured: what was found by then.
    More(Amount),
}

impl Store {
    /// How much there is: lengths of files, each once whatever its names, and the number of names. It stops once it is more than
    /// `at_most`. Folders deeper than anybody can walk count as too many files.
    pub(super) fn measure_vfs(&self, at_most: Amount) -> Result<Measure, StoreError> {
        let path = self.folder().join(VFS);
        if !path.exists() {
            return Ok(Measure::All(Amount::default()));
        }
        let failed = |source| StoreError::Io { path: path.clone(), doing: "measuring it", source };
        let vfs = folder(rustix::fs::CWD, &path).map_err(failed)?;
        let mut tally = Tally { amount: Amount::default(), at_most, linked: HashSet::new() };
        match tally.add(&vfs, 0).map_err(failed)? {
            ControlFlow::Continue(()) => Ok(Measure::All(tally.amount)),
            ControlFlow::Break(()) => Ok(Measure::More(tally.amount)),
        }
    }
}

/// What has been found so far.
struct Tally {
    amount: Amount,
    at_most: Amount,
    /// Files with several names that have been counted.
    linked: HashSet<u64>,
}

impl Tally {
    fn add(&mut self, parent: &OwnedFd, depth: usize) -> io::Result<ControlFlow<()>> {
        for entry in Dir::read_from(parent)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            // The plugin goes on meanwhile: what is gone by now does not count.
            let found = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) => found,
                Err(rustix::io::Errno::NOENT) => continue,
                Err(errno) => return Err(errno.into()),
            };
            self.amount.files = self.amount.files.saturating_add(1);
            let kind = FileType::from_raw_mode(found.st_mode);
            if kind == FileType::RegularFile && (found.st_nlink < 2 || self.linked.insert(found.st_ino)) {
                let bytes = u64::try_from(found.st_size).unwrap_or(u64::MAX);
                self.amount.bytes = self.amount.bytes.saturating_add(bytes);
            }
            if kind == FileType::Directory && depth == DEPTH_MAX {
                self.amount.files = u64::MAX;
            }
            if !self.amount.fits(self.at_most) {
                return Ok(ControlFlow::Break(()));
            }
            if kind == FileType::Directory {
                let inside = match folder(parent.as_fd(), name) {
                    Ok(inside) => inside,
                    // Another is in its place by now.
                    Err(error) if is_gone(&error) => continue,
                    Err(error) => return Err(error),
                };
                if self.add(&inside, depth + 1)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
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
