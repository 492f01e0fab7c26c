//! What another server kept of its plugins, as a folder that it leaves behind:
//!
//! ```text
//! DIR/ID.json        a plugin's configuration; or
//! DIR/ID/ID.json     the same, and
//! DIR/ID/vfs/        its files
//! ```
//! A configuration is a JSON object with `configuration`, `enabled` and `enableDebug`, or the configuration itself. Links are not
//! followed: what is below `vfs` was written by a plugin.

use super::{Files as _, Folder, PackageError, files::failed};
use casemate_protocol::ids::PluginName;
use casemate_protocol::link::CONFIG_BYTES_MAX;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The name of a plugin's files.
const VFS: &str = "vfs";
const ENDING: &str = ".json";

/// What there is of one plugin.
#[derive(Debug)]
pub struct Belongings {
    /// The name that it has here.
    pub name: String,
    /// Its configuration.
    pub config: Option<Value>,
    /// Whether it was enabled.
    pub enabled: Option<bool>,
    /// The folder with its files.
    pub files: Option<Folder>,
}

impl Belongings {
    /// All that a folder has, by name.
    pub fn all(folder: &Path) -> Result<Vec<Self>, PackageError> {
        let there = Folder::open(folder)?;
        let mut ids = BTreeSet::new();
        let unreadable = |error| failed(folder.to_owned(), "listing the folder", error);
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let kind = entry.file_type().map_err(unreadable)?;
            match name.strip_suffix(ENDING) {
                Some(id) if kind.is_file() => ids.insert(id.to_owned()),
                None if kind.is_dir() => ids.insert(name),
                _ => false,
            };
        }
        let mut found = Vec::new();
        for id in ids {
            found.extend(Self::of(folder, &there, &id)?);
        }
        Ok(found)
    }

    fn of(folder: &Path, there: &Folder, id: &str) -> Result<Option<Self>, PackageError> {
        let mut said = None;
        for file in [format!("{id}/{id}{ENDING}"), format!("{id}{ENDING}")] {
            if let Some(text) = there.read(&file, CONFIG_BYTES_MAX as u64)? {
                said = Some(read(folder.join(file), &text)?);
                break;
            }
        }
        let files = Path::new(id).join(VFS);
        let is_there = folder.join(&files).symlink_metadata().is_ok_and(|found| found.is_dir());
        let files = if is_there { Some(there.folder(&files)?) } else { None };
        let (config, enabled) = match said {
            Some((config, enabled)) => (Some(config), enabled),
            None if files.is_none() => return Ok(None),
            None => (None, None),
        };
        Ok(Some(Self { name: PluginName::from_lossy(id).to_string(), config, enabled, files }))
    }
}

/// A configuration, and whether its plugin was enabled.
fn read(path: PathBuf, text: &[u8]) -> Result<(Value, Option<bool>), PackageError> {
    let wrong = |why: String| PackageError::Belongings { path, why };
    let mut said: Value = match serde_json::from_slice(text) {
        Ok(said) => said,
        Err(error) => return Err(wrong(format!("it is no JSON ({error}): mend or remove it"))),
    };
    let Some(members) = said.as_object_mut() else {
        return Err(wrong("it is no JSON object: mend or remove it".to_owned()));
    };
    let Some(mut config) = members.remove("configuration") else { return Ok((said, None)) };
    let enabled = members.get("enabled").and_then(Value::as_bool);
    if config.is_null() {
        config = Value::Object(serde_json::Map::new());
    }
    // A plugin is started with both in one object.
    if let (Some(config), Some(debug)) = (config.as_object_mut(), members.remove("enableDebug")) {
        config.insert("enableDebug".to_owned(), debug);
    }
    Ok((config, enabled))
}
