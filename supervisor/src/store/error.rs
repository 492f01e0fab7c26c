//! Why something was not kept, or cannot be read again.

use crate::directory::DirectoryError;
use casemate_protocol::outcome::{Cause, Failure};
use std::io;
use std::path::PathBuf;

/// Why something was not kept, or cannot be read again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The system says no.
    #[error("{}: {doing}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// The record is not what was written.
    #[error("{} is not what was kept of the plugin ({why}): mend it, or move it away", path.display())]
    Record {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The database.
    #[error("{}: {source}", path.display())]
    Database {
        /// Its file.
        path: PathBuf,
        /// What it says.
        source: rusqlite::Error,
    },
    /// What the plugin keeps would be more than it may.
    #[error(
        "keys and values would have {observed} bytes and {configured} are the most (limits.store): delete some, or raise it"
    )]
    Full {
        /// What the policy says.
        configured: u64,
        /// What it would come to.
        observed: u64,
    },
}

impl StoreError {
    /// Of an operation that was asked for and has been done, but not kept.
    pub(crate) fn not_kept(&self) -> Failure {
        let message = format!("it holds until the plugin is loaded again, and could not be kept: {self}");
        Failure::done(Cause::Configuration { message })
    }

    /// Of a plugin that was not loaded for want of what it keeps.
    pub(crate) fn not_loaded(&self) -> Failure {
        Failure::not_started(Cause::Configuration { message: self.to_string() })
    }
}
