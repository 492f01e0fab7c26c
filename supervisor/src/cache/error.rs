//! Why there is no cache, and why an entry is bad.

use crate::directory::DirectoryError;
use rustix::io::Errno;
use std::io;
use std::path::PathBuf;

/// Why there is no cache. Nothing but speed is lost: modules are compiled each time.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
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
    /// Others may write to the directory.
    #[error("{} has mode {mode:04o}, so others may write to it: chmod go-w it", path.display())]
    WritableByOthers {
        /// The directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The secret is where the tamperer is.
    #[error("{} is within the cache directory, and the secret must not be: name another state directory", path.display())]
    SecretInCache {
        /// The state directory.
        path: PathBuf,
    },
    /// The secret is not one that only we could have read and written.
    #[error("{} is not a secret ({why}): remove it, and a new one is made", path.display())]
    Secret {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        why: SecretFlaw,
    },
}

impl From<DirectoryError> for CacheError {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Io { path, doing, source } => Self::Io { path, doing, source },
            DirectoryError::NotOurs { path, owner, us } => Self::NotOurs { path, owner, us },
            DirectoryError::WritableByOthers { path, mode } => Self::WritableByOthers { path, mode },
        }
    }
}

/// What is wrong with a secret's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretFlaw {
    /// A link, a directory, a pipe.
    #[error("no regular file")]
    NotAFile,
    /// Others may read it.
    #[error("mode {mode:04o}, and only its owner may have rights on it")]
    Mode {
        /// Its mode.
        mode: u32,
    },
    /// It is too short or too long.
    #[error("{bytes} bytes, and it has 32")]
    Length {
        /// How long it is.
        bytes: u64,
    },
}

/// Why an entry is bad. It is never used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadEntry {
    /// A link, a directory, a pipe, or a file that we may not read.
    #[error("it is no regular file that we may read")]
    NotAFile,
    /// Its length is not the one that its head says, or beyond every entry's.
    #[error("it has {bytes} bytes, which is not what its head says or more than any entry has")]
    Length {
        /// How long it is.
        bytes: u64,
    },
    /// It does not begin like an entry.
    #[error("it is not an entry of this version")]
    Format,
    /// It is an entry for something else.
    #[error("it is the entry of another module or another build")]
    OtherKey,
    /// We did not write these bytes.
    #[error("its MAC is not ours: its bytes were changed, or made by somebody else")]
    Mac,
    /// Its report does not describe its code.
    #[error("its report does not describe its code")]
    Report,
    /// It is ours, and the engine does not take it.
    #[error("the engine refuses its code")]
    Refused,
}

impl BadEntry {
    /// A word for it, for a file's name and for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotAFile => "not-a-file",
            Self::Length { .. } => "length",
            Self::Format => "format",
            Self::OtherKey => "other-key",
            Self::Mac => "mac",
            Self::Report => "report",
            Self::Refused => "refused",
        }
    }

    /// What an answer to opening says about the entry; `None` if it is about us.
    pub(super) fn from_open(errno: Errno) -> Option<Self> {
        match errno {
            Errno::LOOP | Errno::NXIO | Errno::ACCESS | Errno::PERM | Errno::NODEV => Some(Self::NotAFile),
            _ => None,
        }
    }
}
