//! A configuration or a manifest with a mistake: the operator's, or the plugin's author's.

use super::place::{Place, shown};
use casemate_protocol::certificate::UnknownLayer;
use casemate_protocol::ids::BadPluginName;
use casemate_protocol::policy::PolicyError;
use casemate_protocol::policy::units::UnitError;
use std::fmt;

/// The first mistake of a file, and where it is.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigError {
    /// The file, as the caller named it; or the flag.
    pub file: String,
    /// Counted from 1; 0 where it is about the file as a whole.
    pub line: usize,
    /// In characters, counted from 1; 0 where it is about the file as a whole.
    pub column: usize,
    /// What is wrong.
    pub problem: Box<ConfigProblem>,
}

impl ConfigError {
    pub(super) fn at(place: &Place, problem: ConfigProblem) -> Self {
        let (line, column) = place.line_column();
        Self { file: place.file().to_owned(), line, column, problem: Box::new(problem) }
    }

    pub(crate) fn of_file(file: &str, problem: ConfigProblem) -> Self {
        Self { file: file.to_owned(), line: 0, column: 0, problem: Box::new(problem) }
    }

    /// There is no file to read anew.
    pub fn no_file() -> Self {
        Self::of_file("", ConfigProblem::NoFile)
    }

    /// Whether it asks for what the ceiling would have to name.
    pub(crate) fn is_above_ceiling(&self) -> bool {
        matches!(*self.problem, ConfigProblem::NotNamed { .. })
    }

    /// Whether there is nothing to read, rather than a mistake in it.
    pub fn is_unreadable(&self) -> bool {
        matches!(*self.problem, ConfigProblem::Unreadable { .. })
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.file))?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.problem)
    }
}

/// What is wrong with a file. Keys are named with the tables around them.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigProblem {
    /// There is no file to read anew.
    #[error("there is no configuration: build the supervisor with one that was read from a file")]
    NoFile,
    /// It cannot be read.
    #[error("this cannot be read: {message}")]
    Unreadable {
        /// The system's words.
        message: String,
    },
    /// Larger than any such file is.
    #[error("such a file has at most {bytes_max} bytes")]
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
    /// A format of later versions.
    #[error("version = {found} is not known to this version of Casemate: write 1")]
    Version {
        /// What it says.
        found: String,
    },
    /// No version knows the key.
    #[error("unknown key {key}{}", nearest.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    UnknownKey {
        /// Which.
        key: String,
        /// The key that was probably meant.
        nearest: Option<String>,
    },
    /// A key of a plugin, at the top of the file.
    #[error("{key} is out of place: write it {instead}")]
    OutOfPlace {
        /// Which.
        key: String,
        /// Where it belongs.
        instead: &'static str,
    },
    /// It needs something that this version does not have.
    #[error("{key} = {found} is not available in this version: {instead}")]
    NotAvailable {
        /// Which.
        key: String,
        /// Its value, as in the file.
        found: String,
        /// What to write.
        instead: String,
    },
    /// Above what a ceiling allows that says nothing of it.
    #[error(
        "{key} = {word} holds only where the operator's [ceiling] says {name} = {word}: write that there, or leave it out"
    )]
    NotNamed {
        /// Which, with the tables around it.
        key: String,
        /// Its name in the ceiling.
        name: String,
        /// Its value, as in the file.
        word: String,
    },
    /// A value of another kind.
    #[error("{key} must be {wanted}, and is {found}")]
    WrongType {
        /// Which.
        key: String,
        /// What would be right.
        wanted: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A word that is none of the known ones.
    #[error("{key} = {found:?} is none of {known}{}", nearest.as_ref().map(|near| format!("; did you mean {near:?}?")).unwrap_or_default())]
    UnknownWord {
        /// Which.
        key: String,
        /// The word, cut to 40 characters.
        found: String,
        /// What would be right.
        known: String,
        /// The word that was probably meant.
        nearest: Option<String>,
    },
    /// A text that is not of the shape that the key needs.
    #[error("{key} has {found:?}: {wanted}")]
    Shape {
        /// Which.
        key: String,
        /// The text, cut to 80 characters.
        found: String,
        /// What would be right.
        wanted: &'static str,
    },
    /// An amount that cannot be read.
    #[error("{key}: {source}")]
    Amount {
        /// Which.
        key: String,
        /// Why.
        source: UnitError,
    },
    /// A number that is too large for anything.
    #[error("{key} = {found} is more than can be")]
    TooLarge {
        /// Which.
        key: String,
        /// As written, cut to 40 characters.
        found: String,
    },
    /// A layer that is none.
    #[error("{key}: {source}{}", nearest.map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    Layer {
        /// Which.
        key: String,
        /// The name.
        source: UnknownLayer,
        /// The layer that was probably meant.
        nearest: Option<&'static str>,
    },
    /// More tables than anybody writes by hand.
    #[error("{key} has more than {max} tables")]
    TooMany {
        /// Which.
        key: String,
        /// The limit.
        max: usize,
    },
    /// A list that must not be empty.
    #[error("{key} is empty: {instead}")]
    Empty {
        /// Which.
        key: String,
        /// What to write.
        instead: &'static str,
    },
    /// Two keys that exclude each other.
    #[error("{key} and {other} exclude each other: leave one out")]
    Exclusive {
        /// One.
        key: String,
        /// The other.
        other: String,
    },
    /// A key that must be there.
    #[error("{key} is missing")]
    Missing {
        /// Which.
        key: String,
    },
    /// What must be a JSON Schema and is none.
    #[error("{key} is no JSON Schema: {message}")]
    Schema {
        /// Which.
        key: String,
        /// Why.
        message: String,
    },
    /// A value that does not fit its schema.
    #[error("{key} does not fit {schema}: {message}")]
    Misfit {
        /// Which.
        key: String,
        /// The schema's key.
        schema: String,
        /// Why.
        message: String,
    },
    /// A name that no plugin can have.
    #[error("{0}")]
    Name(BadPluginName),
    /// A method that is named and not there.
    #[error("{key} = {found:?} is no method of this manifest{}", nearest.as_ref().map(|near| format!("; did you mean {near:?}?")).unwrap_or_default())]
    UnknownMethod {
        /// Which.
        key: String,
        /// The method.
        found: String,
        /// The method that was probably meant.
        nearest: Option<String>,
    },
    /// Events that nobody grants.
    #[error(
        "{key} has {found:?}, which permissions.subscribe does not grant: it comes to {granted:?}; the manifest must ask for it there, and the operator grant it"
    )]
    NotGranted {
        /// Which.
        key: String,
        /// The pattern, cut to 80 characters.
        found: String,
        /// What is granted.
        granted: Vec<String>,
    },
    /// A plugin that the configuration does not have.
    #[error("there is no [plugins.{name}] here{}", nearest.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    UnknownPlugin {
        /// As asked for, cut to 80 characters.
        name: String,
        /// The plugin that was probably meant.
        nearest: Option<String>,
    },
    /// A plugin that is turned off.
    #[error("{key} is false: the plugin is not to be loaded")]
    Disabled {
        /// Which.
        key: String,
    },
    /// A value outside its range.
    #[error(transparent)]
    Refused(#[from] PolicyError),
}
