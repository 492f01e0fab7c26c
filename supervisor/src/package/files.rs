//! The files of a package: of a folder, or of an archive that was unpacked in memory.

use super::{PackageError, is_plain};
#[cfg(feature = "packages")]
use rustix::fs::{AtFlags, Dir, FileType, statat};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;
use std::collections::BTreeMap;
#[cfg(feature = "packages")]
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
#[cfg(feature = "packages")]
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Where a package's files are. Paths are plain: from its folder, with `/` between.
pub trait Files {
    /// A file's bytes; nothing where there is none of that name.
    fn read(&self, path: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, PackageError>;

    /// The names of the files that lie at the top.
    fn top(&self) -> Result<Vec<String>, PackageError>;
}

/// A folder. No link is followed in it, and nothing above it is reached.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    fd: OwnedFd,
}

/// Names at the top that are looked at; a working folder may have many.
const TOP_MAX: usize = 10_000;

impl Folder {
    /// Opens it.
    pub fn open(path: &Path) -> Result<Self, PackageError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match openat(CWD, path, flags, Mode::empty()) {
            Ok(fd) => Ok(Self { path: path.to_owned(), fd }),
            Err(errno) => Err(failed(path.to_owned(), "opening the folder", errno.into())),
        }
    }
}

#[cfg(feature = "packages")]
impl Folder {
    /// A folder below it. No link is followed on the way.
    pub(crate) fn folder(&self, path: &Path) -> Result<Self, PackageError> {
        let whole = self.path.join(path);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match openat2(&self.fd, path, flags, Mode::empty(), resolve) {
            Ok(fd) => Ok(Self { path: whole, fd }),
            Err(Errno::LOOP | Errno::XDEV) => {
                Err(failed(whole, "opening the folder", std::io::Error::other("it is a link")))
            }
            Err(errno) => Err(failed(whole, "opening the folder", errno.into())),
        }
    }

    /// Where it was found.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What is in it: names, and whether each is a folder (`Some(true)`), a plain file, or neither.
    pub(crate) fn entries(&self) -> Result<Vec<(OsString, Option<bool>)>, PackageError> {
        let unreadable = |errno: Errno| failed(self.path.clone(), "listing the folder", errno.into());
        let mut found = Vec::new();
        for entry in Dir::read_from(&self.fd).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes()).to_owned();
            if name == "." || name == ".." {
                continue;
            }
            // Not every file system says it in its list.
            let kind = match entry.file_type() {
                FileType::Unknown => {
                    let stat = statat(&self.fd, &name, AtFlags::SYMLINK_NOFOLLOW).map_err(unreadable)?;
                    FileType::from_raw_mode(stat.st_mode)
                }
                kind => kind,
            };
            let is_folder = match kind {
                FileType::Directory => Some(true),
                FileType::RegularFile => Some(false),
                _ => None,
            };
            found.push((name, is_folder));
        }
        Ok(found)
    }

    /// The mode of something in it, or of itself with an empty name.
    pub(crate) fn mode(&self, name: &OsStr) -> Result<Mode, PackageError> {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH;
        let stat = statat(&self.fd, name, flags);
        let failed = |errno: Errno| failed(self.path.join(name), "looking at it", errno.into());
        stat.map(|stat| Mode::from_raw_mode(stat.st_mode)).map_err(failed)
    }
}

impl Files for Folder {
    fn read(&self, path: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, PackageError> {
        let whole = self.path.join(path);
        if !is_plain(path) {
            let why = "write the path of a file below the package's folder, without . and ..".to_owned();
            return Err(PackageError::Archive { entry: path.chars().take(80).collect(), why });
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let file = match openat2(&self.fd, path, flags, Mode::empty(), resolve) {
            Ok(fd) => File::from(fd),
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(Errno::LOOP | Errno::XDEV) => {
                let source = std::io::Error::other("it is a link, which a package never has");
                return Err(failed(whole, "opening it", source));
            }
            Err(errno) => return Err(failed(whole, "opening it", errno.into())),
        };
        let metadata = file.metadata().map_err(|error| failed(whole.clone(), "looking at it", error))?;
        if !metadata.is_file() {
            let source = std::io::Error::other("it is not a regular file");
            return Err(failed(whole, "opening it", source));
        }
        let mut bytes = Vec::new();
        let read = file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| failed(whole.clone(), "reading it", error))?;
        match bytes.len() as u64 > bytes_max {
            true => Err(too_large(path, bytes_max)),
            false => Ok(Some(bytes)),
        }
    }

    fn top(&self) -> Result<Vec<String>, PackageError> {
        let unreadable = |error| failed(self.path.clone(), "listing the folder", error);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(unreadable)?.take(TOP_MAX) {
            let entry = entry.map_err(unreadable)?;
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            names.extend(entry.file_name().into_string().ok().filter(|_| is_file));
        }
        names.sort();
        Ok(names)
    }
}

/// What an archive held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// By path.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Files for Unpacked {
    fn read(&self, path: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, PackageError> {
        match self.files.get(path) {
            Some(bytes) if bytes.len() as u64 > bytes_max => Err(too_large(path, bytes_max)),
            found => Ok(found.cloned()),
        }
    }

    fn top(&self) -> Result<Vec<String>, PackageError> {
        Ok(self.files.keys().filter(|path| !path.contains('/')).cloned().collect())
    }
}

fn too_large(path: &str, bytes_max: u64) -> PackageError {
    PackageError::Archive {
        entry: path.to_owned(),
        why: format!("it has more than {bytes_max} bytes, which is the most"),
    }
}

pub(super) fn failed(path: PathBuf, doing: &'static str, source: std::io::Error) -> PackageError {
    PackageError::Io { path, doing, source }
}
