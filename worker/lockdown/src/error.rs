//! A step that did not hold.

use std::io;

/// A step of the lock-down failed; the process must end.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {source}")]
pub struct LockdownError {
    /// The step, in the words of ARCHITECTURE.md.
    pub step: &'static str,
    /// The system's words.
    pub source: io::Error,
}

/// Names the step of a failure.
pub(crate) trait Step<T> {
    fn step(self, step: &'static str) -> Result<T, LockdownError>;
}

impl<T, E: Into<io::Error>> Step<T> for Result<T, E> {
    fn step(self, step: &'static str) -> Result<T, LockdownError> {
        self.map_err(|error| LockdownError { step, source: error.into() })
    }
}
