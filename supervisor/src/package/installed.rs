//! A package that is installed, as it lies in the state directory:
//!
//! ```text
//! STATE/plugins/NAME/package/plugin.toml   its manifest, as ours
//!                            origin.json   where it comes from
//!                            files/        its manifest as it came, its module, and what else belongs to it
//! ```
//! The folder is made elsewhere and gets its name as a whole, so what is read here is an old package or a new one.

#[cfg(feature = "packages")]
use super::Package;
use super::files::Folder;
use super::readers::MANIFEST_BYTES_MAX;
use super::{Code, Files, PackageError, stray_word};
use crate::external::External;
use crate::policy::Manifest;
use casemate_protocol::ids::PluginName;
use serde_json::Value;
#[cfg(feature = "packages")]
use serde_json::json;
use std::path::Path;

/// The directory of all plugins in the state directory.
pub(super) const PLUGINS: &str = "plugins";
/// A plugin's package in its own.
pub(super) const PACKAGE: &str = "package";
pub(super) const MANIFEST: &str = "plugin.toml";
pub(super) const ORIGIN: &str = "origin.json";
pub(super) const FILES: &str = "files";

/// What is known of an installed package.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Its manifest.
    pub manifest: Manifest,
    /// Whose manifest it came with.
    pub system: String,
    /// The file that this was.
    pub file: String,
    /// Where it came from.
    pub source: String,
    /// Its module, or its native program.
    pub code: Code,
    /// The SHA-256 of the file of its own that runs, in hexadecimal.
    pub sha256: String,
    /// Memory without which it is no use, in bytes.
    pub memory_needed: Option<u64>,
    /// What of its manifest does not hold here.
    pub notes: Vec<String>,
    /// Changes whenever it is installed anew.
    pub(crate) stamp: String,
}

impl Installed {
    /// The one of that name; nothing where none is installed.
    pub fn find(state_dir: &Path, name: &str) -> Result<Option<Self>, PackageError> {
        if PluginName::new(name).is_err() {
            return Ok(None);
        }
        let folder = state_dir.join(PLUGINS).join(name).join(PACKAGE);
        if folder.symlink_metadata().is_err() {
            return Ok(None);
        }
        let files = Folder::open(&folder)?;
        let must = |name: &str| {
            let whole = folder.join(name);
            files.read(name, MANIFEST_BYTES_MAX)?.ok_or_else(|| broken(&whole, "it is not there"))
        };
        let (origin_file, manifest_file) = (folder.join(ORIGIN), folder.join(MANIFEST));
        let (text, origin) = (must(MANIFEST)?, must(ORIGIN)?);
        let origin: Value =
            serde_json::from_slice(&origin).map_err(|error| broken(&origin_file, &error.to_string()))?;
        let text = String::from_utf8(text).map_err(|error| broken(&manifest_file, &error.to_string()))?;
        let manifest = Manifest::parse(&text, &manifest_file.display().to_string())?;
        let said = |key: &str| origin.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let own = folder.join(FILES);
        let code = match origin.get("program") {
            None if super::is_plain(&said("module")) => Code::Module(own.join(said("module"))),
            None => return Err(broken(&origin_file, "it names no module")),
            Some(program) => {
                let words = program.as_array().into_iter().flatten().filter_map(Value::as_str);
                let words: Vec<String> = words.map(str::to_owned).collect();
                if words.is_empty() || stray_word(&words).is_some() {
                    return Err(broken(&origin_file, "it names no program of its own"));
                }
                Code::Program(External::new(words, own))
            }
        };
        let notes = origin.get("notes").and_then(Value::as_array).into_iter().flatten();
        Ok(Some(Self {
            manifest,
            system: said("system"),
            file: said("file"),
            source: said("source"),
            code,
            sha256: said("sha256"),
            memory_needed: origin.get("memory_needed").and_then(Value::as_u64),
            notes: notes.filter_map(Value::as_str).map(str::to_owned).collect(),
            stamp: said("stamp"),
        }))
    }

    /// All of them, by name; with each that cannot be read why not.
    pub fn all(state_dir: &Path) -> Vec<(String, Result<Self, PackageError>)> {
        let Ok(entries) = std::fs::read_dir(state_dir.join(PLUGINS)) else { return Vec::new() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort();
        let found = |name: String| match Self::find(state_dir, &name) {
            Ok(None) => None,
            Ok(Some(installed)) => Some((name, Ok(installed))),
            Err(error) => Some((name, Err(error))),
        };
        names.into_iter().filter_map(found).collect()
    }
}

/// What is kept of where a package comes from.
#[cfg(feature = "packages")]
pub(super) fn origin(package: &Package, source: &str, sha256: &str, stamp: &str) -> Vec<u8> {
    let mut origin = json!({
        "format": 1, "system": package.system, "file": package.file, "source": source, "module": package.main_file(),
        "sha256": sha256, "memory_needed": package.memory_needed, "notes": package.notes, "stamp": stamp,
    });
    if let (super::Program::External { command }, Value::Object(origin)) = (&package.program, &mut origin) {
        origin.insert("program".to_owned(), json!(command));
    }
    let mut text = format!("{origin:#}").into_bytes();
    text.push(b'\n');
    text
}

fn broken(path: &Path, why: &str) -> PackageError {
    let source = std::io::Error::other(format!("{why}: install the package again"));
    super::files::failed(path.to_owned(), "reading it", source)
}
