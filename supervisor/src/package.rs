//! Packages: a plugin as it is handed on, a folder with a manifest and a module (or an external program).
//!
//! ```text
//! folder, archive ─► Files ─► the one reader that knows its manifest ─► Draft: plugin.toml as we write it ─► Package
//!                                                                                        installed: STATE/plugins/NAME/package
//! ```
//! Whatever system a plugin was written for, from here on there is [`Manifest`] alone: policy, storage, limits and life cycle
//! are the same for all. No system is named outside of its reader and the registry (`readers.rs`).

#[cfg(feature = "packages")]
mod archive;
#[cfg(feature = "packages")]
mod belongings;
mod consent;
mod discovery;
mod document;
mod draft;
mod error;
mod files;
mod installed;
#[cfg(feature = "packages")]
mod kept;
mod readers;

#[cfg(test)]
mod tests;

#[cfg(feature = "packages")]
pub use archive::{ARCHIVE_BYTES_MAX, pack, unpack};
#[cfg(feature = "packages")]
pub use belongings::Belongings;
pub use consent::Consent;
pub(crate) use discovery::Packages;
pub use discovery::manifests;
pub use error::PackageError;
pub use files::{Files, Folder, Unpacked};
pub use installed::Installed;
#[cfg(feature = "packages")]
pub use kept::{Kept, TakenOver};

use crate::external::External;
use crate::policy::Manifest;
use draft::Draft;
use sha2::Digest as _;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a module is called here that was fetched from elsewhere.
pub const REMOTE_MODULE: &str = "module.wasm";

/// Bytes of one file; a module's own limit is lower, and names itself.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// What surrounds a package, and its manifest may be about.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// What it is called where its manifest does not say: the name of its folder or file.
    pub name: String,
    /// Its folder, absolute; archives have none.
    pub folder: Option<PathBuf>,
    /// The folder that plugins of some systems work on; without it the package's own.
    pub workspace: Option<PathBuf>,
}

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A module among the package's files.
    Module {
        /// Its path from the package's folder.
        path: String,
    },
    /// A module that lies elsewhere.
    Remote {
        /// Where.
        url: String,
    },
    /// A program of the host's own, with its arguments.
    External {
        /// Both.
        command: Vec<String>,
    },
}

/// What runs of a package that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A module.
    Module(PathBuf),
    /// A native program.
    Program(External),
}

impl Code {
    /// The file that a manifest may lie beside.
    pub(crate) fn file(&self) -> PathBuf {
        match self {
            Self::Module(path) => path.clone(),
            Self::Program(program) => program.file(),
        }
    }
}

/// A plugin as its package describes it, checked.
#[derive(Debug, Clone)]
pub struct Package {
    /// Whose manifest it is.
    pub system: &'static str,
    /// The manifest's file.
    pub file: String,
    /// What it says, as one of ours.
    pub manifest: Manifest,
    /// The same as text: a whole `plugin.toml`.
    pub text: String,
    /// What runs.
    pub program: Program,
    /// The SHA-256 that its manifest says the module has, in hexadecimal.
    pub sha256: Option<String>,
    /// What the module may speak; empty where anything will do.
    pub dialects: &'static [&'static str],
    /// What else belongs to it, as paths from its folder.
    pub files: Vec<String>,
    /// Memory without which it is no use, in bytes.
    pub memory_needed: Option<u64>,
    /// What of its manifest does not hold here, in sentences.
    pub notes: Vec<String>,
}

impl Package {
    /// The plugins of a package: mostly one, and some systems have files about several.
    pub fn read(files: &dyn Files, surroundings: &Surroundings) -> Result<Vec<Self>, PackageError> {
        let (reader, document) = readers::which(files)?;
        let drafts = reader.read(&document, files, surroundings)?;
        drafts.into_iter().map(|draft| Self::of(reader.system(), draft)).collect()
    }

    /// Whether its manifest is another system's. An error where there is none, or more than one.
    pub fn is_foreign(files: &dyn Files) -> Result<bool, PackageError> {
        readers::which(files).map(|(reader, _)| !readers::is_ours(reader))
    }

    /// A module without a manifest: it asks for whatever host methods and topics it is granted.
    pub fn of_module(path: &str, name: &str) -> Result<Self, PackageError> {
        Self::of("wasm", Draft::of_module(path, name))
    }

    fn of(system: &'static str, draft: Draft) -> Result<Self, PackageError> {
        let text = draft.text();
        let manifest = Manifest::parse(&text, &draft.file)?;
        let Draft { file, program, sha256, dialects, files, memory_needed, notes, .. } = draft;
        Ok(Self { system, file, manifest, text, program, sha256, dialects, files, memory_needed, notes })
    }

    /// Its name among all plugins.
    pub fn name(&self) -> &str {
        self.manifest.id.as_str()
    }

    /// Its module, if it is among its files.
    pub fn module(&self) -> Option<&str> {
        match &self.program {
            Program::Module { path } => Some(path),
            Program::Remote { .. } | Program::External { .. } => None,
        }
    }

    /// Its native program, with the package's files in this folder; `None` for a module. A package's words lead nowhere but into its
    /// own files: what folder a program is given is never its author's to say.
    pub fn program(&self, files: &Path) -> Result<Option<External>, PackageError> {
        let Program::External { command } = &self.program else { return Ok(None) };
        match stray_word(command) {
            None => Ok(Some(External::new(command.clone(), files))),
            Some(word) => Err(PackageError::Shape {
                file: self.file.clone(),
                key: self.name().to_owned(),
                found: word.chars().take(80).collect(),
                wanted: "in a package a program is a name, such as python3, or a path below its folder, and no argument is an \
                         absolute path or has a .. in it"
                    .to_owned(),
            }),
        }
    }

    /// The file of its own that runs: the module, a program of its own, or a script.
    #[cfg(feature = "packages")]
    pub(crate) fn main_file(&self) -> &str {
        let program = match &self.program {
            Program::Module { path } => return path,
            Program::Remote { .. } => return REMOTE_MODULE,
            Program::External { command } => command,
        };
        let mut own = program.iter().map(|word| word.trim_start_matches("./"));
        own.find(|word| self.files.iter().any(|file| file == word)).unwrap_or(&self.file)
    }

    /// What belongs to it: its manifest, its module and the files that it lists.
    pub fn contents(&self, files: &dyn Files) -> Result<BTreeMap<String, Vec<u8>>, PackageError> {
        let named = [self.file.as_str()]
            .into_iter()
            .chain(self.module())
            .chain(self.files.iter().map(String::as_str));
        let mut contents = BTreeMap::new();
        for path in named {
            let missing = || PackageError::NoModule {
                file: self.file.clone(),
                why: format!("it names {path:?}, which is not there"),
            };
            let bytes = files.read(path, FILE_BYTES_MAX)?.ok_or_else(missing)?;
            contents.insert(path.to_owned(), bytes);
        }
        Ok(contents)
    }

    /// Whether a module has what the manifest says it has, and is one.
    pub fn check_module(&self, wasm: &[u8]) -> Result<(), PackageError> {
        let file = self.file.clone();
        if let Some(wanted) = &self.sha256 {
            let found = hexadecimal(&sha2::Sha256::digest(wasm));
            if !wanted.eq_ignore_ascii_case(&found) {
                return Err(PackageError::Hash {
                    what: "the module".to_owned(),
                    wanted: wanted.clone(),
                    found,
                });
            }
        }
        match wasm.starts_with(b"\0asm") {
            true => Ok(()),
            false => {
                Err(PackageError::NoModule { file, why: "it names a file that is no WebAssembly".to_owned() })
            }
        }
    }

    /// The same package, whose manifest says what its module speaks: for a dialect that is not told by the module alone.
    pub fn speaking(self, dialect: &str) -> Result<Self, PackageError> {
        let syntax = |message: String| PackageError::Syntax { file: self.file.clone(), message };
        let mut table: toml::Table =
            toml::from_str(&self.text).map_err(|error| syntax(error.message().to_owned()))?;
        table.insert("dialect".to_owned(), dialect.into());
        let text = toml::to_string(&table).map_err(|error| syntax(error.to_string()))?;
        let manifest = Manifest::parse(&text, &self.file)?;
        Ok(Self { manifest, text, ..self })
    }

    /// Whether what a module speaks is what the package's system speaks.
    pub fn check_dialect(&self, found: &str) -> Result<(), PackageError> {
        let said = self.manifest.dialect.as_deref();
        let fits = said.is_none_or(|said| said == found)
            && (self.dialects.is_empty() || self.dialects.contains(&found));
        if fits {
            return Ok(());
        }
        let wanted = said.map_or_else(|| self.dialects.join(" or "), str::to_owned);
        let (file, found) = (self.file.clone(), found.to_owned());
        Err(PackageError::Dialect { file, system: self.system, wanted, found })
    }
}

/// The manifest of a module: the `plugin.toml` beside it, or what the manifest of another system in its folder says, if that
/// is about this module.
pub fn manifest_beside(module: &Path) -> Result<Option<Manifest>, PackageError> {
    let folder = module.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let files = Folder::open(folder);
    let Some((files, true)) = files.ok().map(|files| {
        let is_foreign = Package::is_foreign(&files).unwrap_or(false);
        (files, is_foreign)
    }) else {
        return Ok(Manifest::beside(module)?);
    };
    let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let name = folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let packages = Package::read(&files, &Surroundings { name, folder: Some(folder), workspace: None })?;
    let is_about =
        |package: &Package| package.module().is_some_and(|path| module.file_name() == Some(path.as_ref()));
    Ok(packages.into_iter().find(is_about).map(|package| package.manifest))
}

/// Any bytes as a manifest of every name: whatever comes of it is a manifest of ours, or an error of one line.
pub fn manifest_oracle(data: &[u8]) {
    for name in readers::names() {
        let files = Unpacked { files: BTreeMap::from([(name.to_owned(), data.to_vec())]) };
        let surroundings = Surroundings { name: "x".to_owned(), folder: Some("/x".into()), workspace: None };
        match Package::read(&files, &surroundings) {
            Ok(packages) => {
                for package in packages {
                    let again = Manifest::parse(&package.text, "again");
                    assert!(again.is_ok_and(|again| again.id == package.manifest.id));
                    assert!(package.module().is_none_or(is_plain));
                }
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

/// Any bytes as an archive: whatever comes out has plain names, none of them both a file and a folder, and packs again.
#[cfg(feature = "packages")]
pub fn archive_oracle(data: &[u8]) {
    let Ok(unpacked) = unpack(data) else { return };
    let mut above = std::collections::BTreeSet::new();
    for path in unpacked.files.keys() {
        assert!(is_plain(path), "{path:?}");
        above.extend(path.match_indices('/').filter_map(|(end, _)| path.get(..end)));
    }
    assert!(unpacked.files.keys().all(|path| !above.contains(path.as_str())));
    // A package packed by us is read as it was, but for the one folder that all may lie in.
    if let Ok(again) = pack(&unpacked.files).and_then(|packed| unpack(&packed)) {
        assert_eq!(again.files.len(), unpacked.files.len());
    }
}

/// The SHA-256 of a file, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&sha2::Sha256::digest(bytes))
}

/// Bytes as people compare them.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A word of a package's program that could lead out of its files.
pub(crate) fn stray_word(command: &[String]) -> Option<&str> {
    let (program, arguments) = command.split_first()?;
    let leads_out = |word: &&String| word.starts_with('/') || word.split('/').any(|part| part == "..");
    let is_own = is_plain(program.trim_start_matches("./"));
    let stray = arguments.iter().find(leads_out).or_else(|| (!is_own).then_some(program));
    stray.map(String::as_str)
}

/// Whether a path stays below its folder and is written plainly: parts with single slashes between, none of them `.` or `..`.
pub(crate) fn is_plain(path: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part != "." && part != ".." && part.len() <= 255;
    path.len() <= 1024
        && path.split('/').all(part)
        && !path.chars().any(|c| c.is_control() || c == '\\')
        && Path::new(path).is_relative()
}
