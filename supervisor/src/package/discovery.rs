//! Packages that are there to be loaded: those installed in the state directory, and those in folders that a configuration names.

use super::{Code, Consent, Folder, Installed, Package, PackageError, Surroundings, files::failed};
use crate::policy::Manifest;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Packages in one folder: more than anybody keeps there.
const FOLDERS_MAX: usize = 1000;

/// A plugin that can be loaded.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) code: Code,
    pub(crate) manifest: Manifest,
    /// Another one: another package, though it has the same path.
    pub(crate) stamp: String,
}

/// All that are there, by name. Installed ones go before those in folders, and earlier folders before later ones.
#[derive(Debug, Default)]
pub(crate) struct Packages {
    pub(crate) found: BTreeMap<String, Found>,
    state_dir: Option<PathBuf>,
}

/// The manifests of all that are there, installed and in folders, by the names that they can be loaded by.
pub fn manifests(state_dir: Option<&Path>, folders: &[PathBuf]) -> BTreeMap<String, Manifest> {
    let found = Packages::look(state_dir, folders).found;
    found.into_iter().map(|(name, found)| (name, found.manifest)).collect()
}

impl Packages {
    /// Looks for them. What cannot be read is told to `tracing`, and is as if it were not there.
    pub(crate) fn look(state_dir: Option<&Path>, folders: &[PathBuf]) -> Self {
        let mut packages = Self { state_dir: state_dir.map(Path::to_owned), ..Self::default() };
        for (name, installed) in state_dir.map(Installed::all).unwrap_or_default() {
            match installed {
                Ok(Installed { code, manifest, stamp, .. }) => {
                    packages.found.insert(name, Found { code, manifest, stamp });
                }
                Err(error) => tracing::warn!(plugin = name, "its package is left out: {error}"),
            }
        }
        for folder in folders {
            if let Err(error) = packages.look_into(folder) {
                tracing::warn!(folder = %folder.display(), "no plugins of it: {error}");
            }
        }
        packages
    }

    /// What people have said yes to, of a plugin. What cannot be read was not said.
    pub(crate) fn consent(&self, name: &str) -> Consent {
        let Some(state_dir) = &self.state_dir else { return Consent::default() };
        Consent::read(state_dir, name).unwrap_or_else(|error| {
            tracing::warn!(plugin = name, "nobody has consented to anything: {error}");
            Consent::default()
        })
    }

    fn look_into(&mut self, folder: &Path) -> Result<(), PackageError> {
        let unreadable = |error| failed(folder.to_owned(), "listing the folder", error);
        let entries = std::fs::read_dir(folder).map_err(unreadable)?.take(FOLDERS_MAX);
        let mut folders: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        folders.retain(|path| path.is_dir());
        folders.sort();
        let mut here: BTreeMap<String, Vec<(PathBuf, Found)>> = BTreeMap::new();
        for path in folders {
            match read(&path) {
                Ok(found) => {
                    for (name, found) in found {
                        here.entry(name).or_default().push((path.clone(), found));
                    }
                }
                Err(error) => tracing::warn!(folder = %path.display(), "left out: {error}"),
            }
        }
        for (name, mut found) in here {
            match (found.pop(), found.is_empty()) {
                (Some((_, only)), true) if !self.found.contains_key(&name) => {
                    self.found.insert(name, only);
                }
                // Side by side nobody can say which is meant, and one may be there to be taken for the other.
                (Some((path, _)), is_only) => {
                    let others =
                        if is_only { "there is one already" } else { "so is every other of that name" };
                    tracing::warn!(plugin = name, folder = %path.display(), "left out, {others}");
                }
                (None, _) => {}
            }
        }
        Ok(())
    }
}

/// The plugins of a package that lies in a folder.
fn read(path: &Path) -> Result<Vec<(String, Found)>, PackageError> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let folder = std::path::absolute(path).map_err(|error| failed(path.to_owned(), "naming it", error))?;
    let surroundings = Surroundings { name, folder: Some(folder), workspace: None };
    let files = Folder::open(path)?;
    let mut found = Vec::new();
    for package in Package::read(&files, &surroundings)? {
        let Some(module) = package.module() else {
            tracing::warn!(
                plugin = package.name(),
                "left out: of a package that is not installed only a module among its files is run"
            );
            continue;
        };
        let module = path.join(module);
        let stamp = stamp(&module, &package.text);
        let code = Code::Module(module);
        found.push((package.name().to_owned(), Found { code, manifest: package.manifest, stamp }));
    }
    Ok(found)
}

/// When the module was written, how long it is, and what its manifest says.
fn stamp(module: &Path, manifest: &str) -> String {
    use sha2::Digest as _;
    let metadata = module.metadata().ok();
    let written = metadata.as_ref().and_then(|metadata| metadata.modified().ok());
    let bytes = metadata.map_or(0, |metadata| metadata.len());
    format!("{written:?} {bytes} {}", super::hexadecimal(&sha2::Sha256::digest(manifest)))
}
