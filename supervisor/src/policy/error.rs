//! A policy file with a mistake; the operator's, always.

use casemate_protocol::certificate::UnknownLayer;
use casemate_protocol::policy::PolicyError;
use casemate_protocol::policy::units::UnitError;
use std::fmt;

/// The first mistake of a policy file, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFileError {
    /// The file, as the caller named it.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: Box<PolicyFileProblem>,
}

impl fmt::Display for PolicyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name with a line end in it must not look like a message of ours.
        let file: String = self.file.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        write!(f, "{file}:{}:{}: {}", self.line, self.column, self.problem)
    }
}

impl std::error::Error for PolicyFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.problem)
    }
}

/// What is wrong with a policy file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFileProblem {
    /// Larger than any policy is.
    #[error("a policy file has at most {bytes_max} bytes")]
    TooLong {
        /// The limit.
        bytes_max: usize,
    },
    /// It is not TOML.
    #[error("this is not TOML: {message}")]
    Syntax {
        /// The parser's words.
        message: String,
    },
    /// It is a whole `casemate.toml`.
    #[error(
        "{key} belongs to a whole casemate.toml; a policy file holds what stands under one [plugins.NAME] there, without \
         that heading"
    )]
    WholeConfiguration {
        /// The key that shows it.
        key: String,
    },
    /// No version knows the key.
    #[error("unknown key {key}{}", nearest.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    UnknownKey {
        /// With the names of the tables around it.
        key: String,
        /// The key that was probably meant.
        nearest: Option<String>,
    },
    /// A later version will know what to do with it.
    #[error("{key} is not available in this version: {instead}")]
    NotAvailable {
        /// With the names of the tables around it.
        key: String,
        /// What to write.
        instead: String,
    },
    /// A value of another kind.
    #[error("{key} must be {wanted}, and is {found}")]
    WrongType {
        /// With the names of the tables around it.
        key: String,
        /// What would be right.
        wanted: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A word that is none of the known ones.
    #[error("{key} = {found:?} is none of {known}")]
    UnknownWord {
        /// With the names of the tables around it.
        key: String,
        /// The word, cut to 40 characters.
        found: String,
        /// What would be right.
        known: String,
    },
    /// An amount that cannot be read.
    #[error("{key}: {source}")]
    Amount {
        /// With the names of the tables around it.
        key: String,
        /// Why.
        source: UnitError,
    },
    /// A number that is too large for anything.
    #[error("{key} = {found} is more than any plugin can have")]
    TooLarge {
        /// With the names of the tables around it.
        key: String,
        /// As written, cut to 40 characters.
        found: String,
    },
    /// A layer that is none.
    #[error("{key}: {source}{}", nearest.map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    Layer {
        /// With the names of the tables around it.
        key: String,
        /// Which.
        source: UnknownLayer,
        /// The layer that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A value outside its range.
    #[error(transparent)]
    Refused(#[from] PolicyError),
}
