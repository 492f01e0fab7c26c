//! Where a module comes from.

use casemate_protocol::outcome::Failure;
#[cfg(feature = "embedded")]
use casemate_supervisor::read_module;
use std::path::{Path, PathBuf};

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

impl From<String> for Source {
    fn from(path: String) -> Self {
        Self::Path(path.into())
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

    /// The text of the manifest beside it, or nothing.
    #[cfg(feature = "connected")]
    pub(crate) fn manifest(&self) -> Result<String, Failure> {
        use casemate_protocol::outcome::{Cause, escape};
        let Self::Path(path) = self else { return Ok(String::new()) };
        let path = path.with_file_name("plugin.toml");
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => {
                let path = escape(&path.display().to_string(), 512);
                Err(Failure::not_started(Cause::File { path, message: error.to_string() }))
            }
        }
    }

    /// The bytes.
    pub(crate) fn read(self) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Path(path) => read_module(&path),
        }
    }
}

/// Without a supervisor here the daemon's limits are what holds.
#[cfg(not(feature = "embedded"))]
fn read_module(path: &Path) -> Result<Vec<u8>, Failure> {
    use casemate_protocol::outcome::{Cause, escape};
    std::fs::read(path).map_err(|error| {
        let path = escape(&path.display().to_string(), 512);
        Failure::not_started(Cause::File { path, message: error.to_string() })
    })
}
