//! Where a module comes from.

use casemate_protocol::outcome::{Cause, Failure, escape};
use std::path::{Path, PathBuf};

/// Bytes of a module file that are read at all; the compiler's own limit is lower and names itself.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// A WebAssembly module: a file or its bytes. Never native code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file; the plugin is named after it.
    Path(PathBuf),
    /// The bytes themselves.
    Bytes(Vec<u8>),
}

impl From<&Path> for Source {
    fn from(path: &Path) -> Self {
        Self::Path(path.to_owned())
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl From<&PathBuf> for Source {
    fn from(path: &PathBuf) -> Self {
        Self::Path(path.clone())
    }
}

impl From<&str> for Source {
    fn from(path: &str) -> Self {
        Self::Path(path.into())
    }
}

impl From<Vec<u8>> for Source {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&[u8]> for Source {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl Source {
    /// A name for the plugin.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Path(path) => {
                path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
            }
            Self::Bytes(_) => "plugin".to_owned(),
        }
    }

    /// The bytes.
    pub(crate) fn read(self) -> Result<Vec<u8>, Failure> {
        let path = match self {
            Self::Bytes(bytes) => return Ok(bytes),
            Self::Path(path) => path,
        };
        let unreadable = |why: &dyn std::fmt::Display| {
            Failure::not_started(Cause::File {
                path: escape(&path.display().to_string(), 512),
                message: why.to_string(),
            })
        };
        let metadata = std::fs::metadata(&path).map_err(|error| unreadable(&error))?;
        if !metadata.is_file() {
            return Err(unreadable(&"it is not a regular file"));
        }
        if metadata.len() > FILE_BYTES_MAX {
            return Err(unreadable(&format!(
                "it has {} bytes; {FILE_BYTES_MAX} are the most",
                metadata.len()
            )));
        }
        std::fs::read(&path).map_err(|error| unreadable(&error))
    }
}
