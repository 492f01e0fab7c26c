//! Why something is no package, or cannot be installed.

use crate::directory::DirectoryError;
use crate::policy::ConfigError;
use std::fmt::{self, Display};
use std::io;
use std::path::PathBuf;

/// Why something is no package, or cannot be installed. Nothing of it is left anywhere then.
#[derive(Debug)]
#[non_exhaustive]
pub enum PackageError {
    /// What came of its manifest is none of ours.
    Config(ConfigError),
    /// A folder of ours.
    Directory(String),
    /// The system says no.
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// There is no manifest.
    NoManifest {
        /// What was looked for.
        looked_for: String,
    },
    /// There are manifests of which none is of a known system.
    UnknownManifest {
        /// The files.
        found: String,
        /// What each of them would have, for each system.
        wanted: String,
    },
    /// There are two manifests.
    SeveralManifests {
        /// Each with its system.
        found: String,
    },
    /// A manifest that cannot be read.
    Syntax {
        /// Which.
        file: String,
        /// The parser's words.
        message: String,
    },
    /// A key that must be there.
    Missing {
        /// The manifest.
        file: String,
        /// The key.
        key: String,
    },
    /// A value of another kind.
    WrongType {
        /// The manifest.
        file: String,
        /// The key.
        key: String,
        /// What would be right.
        wanted: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A value that is none of those it can be.
    Shape {
        /// The manifest.
        file: String,
        /// The key.
        key: String,
        /// The value, cut.
        found: String,
        /// What would be right.
        wanted: String,
    },
    /// It needs a later version than this.
    TooNew {
        /// The manifest.
        file: String,
        /// The key.
        key: String,
        /// What it says.
        wanted: String,
        /// What there is.
        have: String,
    },
    /// The module is not there, or none.
    NoModule {
        /// The manifest.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// The module speaks something else than its manifest says.
    Dialect {
        /// The manifest.
        file: String,
        /// Whose it is.
        system: &'static str,
        /// What it may speak.
        wanted: String,
        /// What it speaks.
        found: String,
    },
    /// Not what was expected.
    Hash {
        /// Of what.
        what: String,
        /// The SHA-256 that was named.
        wanted: String,
        /// The one that it has.
        found: String,
    },
    /// An archive that cannot be read, or holds what a package never does.
    Archive {
        /// The entry; empty where it is about the whole.
        entry: String,
        /// What is wrong and what the limit is.
        why: String,
    },
    /// It needs what this version does not have.
    NotAvailable {
        /// The plugin.
        name: String,
        /// What.
        what: String,
    },
    /// It would run with less than it needs.
    Memory {
        /// The plugin.
        name: String,
        /// What it needs.
        needed: String,
        /// What it would have, and by what.
        granted: String,
    },
    /// Another plugin has its name.
    Taken {
        /// The name.
        name: String,
        /// By what.
        by: String,
    },
    /// What another server kept of a plugin cannot be taken over.
    Belongings {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong and what to do.
        why: String,
    },
    /// There is no such plugin.
    NotInstalled {
        /// The name.
        name: String,
    },
    /// It is not installed: its package lies in a folder of the operator's.
    InFolder {
        /// The name.
        name: String,
        /// The folders.
        folders: Vec<PathBuf>,
    },
}

impl PackageError {
    /// What the operator has to look at, rather than the plugin's author.
    pub fn is_about_files(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Directory(_) | Self::NotInstalled { .. })
    }
}

impl Display for PackageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => write!(f, "{error}"),
            Self::Directory(message) => f.write_str(message),
            Self::Io { path, doing, source } => write!(f, "{}: {doing}: {source}", path.display()),
            Self::NoManifest { looked_for } => {
                write!(
                    f,
                    "there is no manifest: a package has one of {looked_for} at its top, or at that of the one folder that all of it lies in"
                )
            }
            Self::UnknownManifest { found, wanted } => {
                write!(f, "{found} is no manifest of a plugin: {wanted}")
            }
            Self::SeveralManifests { found } => {
                write!(
                    f,
                    "there is more than one manifest ({found}): leave one, so that it is clear what holds"
                )
            }
            Self::Syntax { file, message } => write!(f, "{file}: this cannot be read: {message}"),
            Self::Missing { file, key } => write!(f, "{file}: {key} is missing"),
            Self::WrongType { file, key, wanted, found } => {
                write!(f, "{file}: {key} must be {wanted}, and is {found}")
            }
            Self::Shape { file, key, found, wanted } => write!(f, "{file}: {key} has {found:?}: {wanted}"),
            Self::TooNew { file, key, wanted, have } => {
                write!(
                    f,
                    "{file}: {key} = {wanted:?} and this Casemate speaks {have}: take an older version of the plugin, or a later Casemate"
                )
            }
            Self::NoModule { file, why } => write!(f, "{file}: {why}"),
            Self::Dialect { file, system, wanted, found } => {
                write!(
                    f,
                    "{file} is a manifest of {system} and its module speaks {found}, not {wanted}: build it for {system}, or give it a plugin.toml"
                )
            }
            Self::Hash { what, wanted, found } => {
                write!(f, "{what} has the SHA-256 {found} and should have {wanted}: it is not what was meant")
            }
            Self::Archive { entry, why } if entry.is_empty() => write!(f, "the archive: {why}"),
            Self::Archive { entry, why } => write!(f, "the archive has {entry:?}: {why}"),
            Self::NotAvailable { name, what } => write!(f, "{name}: {what}"),
            Self::Memory { name, needed, granted } => {
                write!(
                    f,
                    "{name} needs {needed} of memory and would have {granted}: raise what it is granted"
                )
            }
            Self::Taken { name, by } => {
                write!(f, "{name:?} is taken by {by}: remove that first, or give one of them another name")
            }
            Self::Belongings { path, why } => write!(f, "{}: {why}", path.display()),
            Self::NotInstalled { name } => write!(f, "no plugin {name:?} is installed here"),
            Self::InFolder { name, folders } => {
                let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
                write!(
                    f,
                    "{name:?} is not installed: it lies in a folder of plugin_dirs ({}); remove its folder there, or write \
                     enabled = false under [plugins.{name}]",
                    folders.join(", ")
                )
            }
        }
    }
}

impl std::error::Error for PackageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<ConfigError> for PackageError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<DirectoryError> for PackageError {
    fn from(error: DirectoryError) -> Self {
        Self::Directory(error.to_string())
    }
}
