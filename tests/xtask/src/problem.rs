//! What went wrong, in words for the person at the terminal.

use std::fmt;
use std::io;
use std::path::Path;

/// One line that names the thing and, where there is one, the way out.
#[derive(Debug)]
pub(crate) struct Problem(String);

impl Problem {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// An I/O error with what was being done to which file.
    pub(crate) fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self(format!("cannot {doing} {}: {error}", path.display()))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
