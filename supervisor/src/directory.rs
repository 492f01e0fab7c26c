//! A directory of ours: opened once, looked at, and from then on only reached through its descriptor.

use crate::process::stub::off_the_standard_descriptors;
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, RawMode, Stat, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT,
};
use rustix::fs::{fstat, fsync, futimens, linkat, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;
use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectoryError {
    /// The system says no.
    #[error("{}: {doing}: {source}", path.display())]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// It belongs to somebody else, who could put anything there.
    #[error("{} belongs to uid {owner} and we are uid {us}: name a directory of your own", path.display())]
    NotOurs {
        /// The directory or file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        us: u32,
    },
    /// Others may write to it.
    #[error("{} has mode {mode:04o}, so others may write to it: chmod go-w it", path.display())]
    WritableByOthers {
        /// The directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

/// How the names of files begin that are not finished.
const UNFINISHED: &str = "tmp-";

/// Rights of others that let them change what is in a directory.
const WRITABLE_BY_OTHERS: RawMode = 0o022;

/// How deep a directory can lie: far below what paths of the longest kind can say.
const DEPTH_MAX: usize = 4096;

/// A directory that is ours and that nobody else may write to.
#[derive(Debug)]
pub(crate) struct Directory {
    fd: OwnedFd,
    path: PathBuf,
}

/// Something in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) modified: SystemTime,
}

impl Item {
    /// Whether a writer has not finished it.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.name.starts_with(UNFINISHED)
    }
}

impl Directory {
    /// Opens a directory, and makes it and those above it if they are missing.
    pub(crate) fn open(path: &Path) -> Result<Self, DirectoryError> {
        let failed = |doing, source| DirectoryError::Io { path: path.to_owned(), doing, source };
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| failed("making the directory", error))?;
        let fd = openat(CWD, path, flags(), Mode::empty());
        Self::checked(fd, path.to_owned())
    }

    /// Opens a directory in this one, and makes it if it is missing.
    pub(crate) fn inside(&self, name: &str) -> Result<Self, DirectoryError> {
        let path = self.path.join(name);
        let mut fd = openat(&self.fd, name, flags(), Mode::empty());
        if matches!(fd, Err(Errno::NOENT)) {
            match mkdirat(&self.fd, name, Mode::RWXU) {
                // By another supervisor, meanwhile.
                Ok(()) | Err(Errno::EXIST) => fd = openat(&self.fd, name, flags(), Mode::empty()),
                Err(errno) => {
                    return Err(DirectoryError::Io {
                        path,
                        doing: "making the directory",
                        source: errno.into(),
                    });
                }
            }
        }
        Self::checked(fd, path)
    }

    fn checked(fd: Result<OwnedFd, Errno>, path: PathBuf) -> Result<Self, DirectoryError> {
        let opened = fd.map_err(io::Error::from).and_then(off_the_standard_descriptors);
        let fd = match opened {
            Ok(fd) => fd,
            Err(source) => return Err(DirectoryError::Io { path, doing: "opening the directory", source }),
        };
        let stat = match fstat(&fd) {
            Ok(stat) => stat,
            Err(errno) => {
                return Err(DirectoryError::Io {
                    path,
                    doing: "looking at the directory",
                    source: errno.into(),
                });
            }
        };
        ours(&stat, &path)?;
        let mode = stat.st_mode & 0o7777;
        if mode & WRITABLE_BY_OTHERS != 0 {
            return Err(DirectoryError::WritableByOthers { path, mode });
        }
        Ok(Self { fd, path })
    }

    /// For what is reached through it.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Where it was when it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is that directory, or lies within it.
    pub(crate) fn is_in(&self, other: &Self) -> Result<bool, DirectoryError> {
        let failed = |errno: Errno| {
            let doing = "looking at the directories above";
            DirectoryError::Io { path: self.path.clone(), doing, source: errno.into() }
        };
        let same = |left: &Stat, right: &Stat| (left.st_dev, left.st_ino) == (right.st_dev, right.st_ino);
        let wanted = fstat(&other.fd).map_err(failed)?;
        let mut above = fstat(&self.fd).map_err(failed)?;
        let mut path = String::from(".");
        for _ in 0..DEPTH_MAX {
            if same(&above, &wanted) {
                return Ok(true);
            }
            path.push_str("/..");
            let next = match statat(&self.fd, path.as_str(), AtFlags::empty()) {
                Ok(next) => next,
                // Above is nothing that we may look at, and so no directory of ours that we have just opened.
                Err(Errno::ACCESS) => return Ok(false),
                Err(errno) => return Err(failed(errno)),
            };
            if same(&next, &above) {
                return Ok(false);
            }
            above = next;
        }
        Ok(false)
    }

    /// Opens what should be a regular file; a pipe in its place does not stop us.
    pub(crate) fn open_file(&self, name: &str) -> Result<File, Errno> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(File::from(openat(&self.fd, name, flags, Mode::empty())?))
    }

    /// A new file of ours, which goes when it is dropped unless it gets its name.
    pub(crate) fn temporary(&self) -> io::Result<Temporary<'_>> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let name = format!("{UNFINISHED}{:016x}", getrandom::u64().map_err(io::Error::other)?);
        let fd = openat(&self.fd, name.as_str(), flags, Mode::RUSR | Mode::WUSR)?;
        let file = off_the_standard_descriptors(fd)?;
        Ok(Temporary { directory: self, name, file: File::from(file) })
    }

    /// Writes a file as a whole, in the place of whatever has its name: from then on it is there, also after a loss of power.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.temporary()?;
        let mut file = &temporary.file;
        file.write_all(bytes)?;
        file.sync_all()?;
        temporary.publish(name)?;
        self.sync()
    }

    /// Everything in it whose name is text.
    pub(crate) fn list(&self) -> io::Result<Vec<Item>> {
        let mut items = Vec::new();
        for entry in Dir::read_from(&self.fd)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if [".", ".."].contains(&name) {
                continue;
            }
            // Gone since, by another supervisor.
            let Ok(stat) = statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let bytes = u64::try_from(stat.st_size).unwrap_or(0);
            items.push(Item { name: name.to_owned(), bytes, modified: modified(&stat) });
        }
        Ok(items)
    }

    /// Moves something into another directory, under a name that it has not.
    pub(crate) fn move_to(&self, name: &str, other: &Self, as_name: &str) -> io::Result<()> {
        let unique = format!("{as_name}.{:08x}", getrandom::u32().map_err(io::Error::other)?);
        Ok(renameat(&self.fd, name, &other.fd, unique)?)
    }

    /// Removes something; says whether it is gone by this.
    pub(crate) fn remove(&self, name: &str) -> io::Result<bool> {
        match unlinkat(&self.fd, name, AtFlags::empty()) {
            // Nobody of us makes one with this name, so what is in it is not ours to judge.
            Err(Errno::ISDIR) => Ok(unlinkat(&self.fd, name, AtFlags::REMOVEDIR).is_ok()),
            Err(Errno::NOENT) => Ok(false),
            other => Ok(other.map(|()| true)?),
        }
    }

    /// Until this is done a new name may be lost with the machine's power.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(fsync(&self.fd)?)
    }
}

/// Marks a file as used now: the one that was read, whatever has its name by now.
pub(crate) fn touch(file: &File) -> io::Result<()> {
    let time = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    let times = Timestamps { last_access: time(UTIME_OMIT), last_modification: time(UTIME_NOW) };
    Ok(futimens(file, &times)?)
}

/// Whether it is our own.
pub(crate) fn ours(stat: &Stat, path: &Path) -> Result<(), DirectoryError> {
    let us = rustix::process::geteuid().as_raw();
    if stat.st_uid == us {
        return Ok(());
    }
    Err(DirectoryError::NotOurs { path: path.to_owned(), owner: stat.st_uid, us })
}

/// Whether it is a regular file.
pub(crate) fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

fn flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

fn modified(stat: &Stat) -> SystemTime {
    let seconds = Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
    SystemTime::UNIX_EPOCH + seconds + Duration::from_nanos(stat.st_mtime_nsec)
}

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct Temporary<'a> {
    directory: &'a Directory,
    name: String,
    pub(crate) file: File,
}

impl Temporary<'_> {
    /// Gives it its name, in the place of whatever has it.
    pub(crate) fn publish(&self, name: &str) -> io::Result<()> {
        Ok(renameat(&self.directory.fd, self.name.as_str(), &self.directory.fd, name)?)
    }

    /// Gives it its name too, unless something has that name.
    pub(crate) fn publish_first(&self, name: &str) -> Result<(), Errno> {
        linkat(&self.directory.fd, self.name.as_str(), &self.directory.fd, name, AtFlags::empty())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        // Renamed, and so not there; or not finished, and of no use.
        let _ = self.directory.remove(&self.name);
    }
}
