//! The manager: which extensions are loaded, from which folder.

use crate::core::{Core, Permitted, answer};
use crate::extension::Extension;
use crate::library::Libraries;
use casemate::{Casemate, ConfigError, Configuration, Failure, LoadError};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

/// An extension's manifest in its folder.
const MANIFEST: &str = "manifest.json";

/// Jobs at once where a manifest does not say.
const CONCURRENT_JOBS: u64 = 10;

/// What every extension is granted; its manifest is what it gets of that. A job may wait for people.
const GRANTED: &str = "[defaults.permissions]\nhost = [\"*\"]\n[defaults.limits]\ncall_timeout = \"1h\"\n";

/// Why an extension, or the manager, is not there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder, or a manifest in it, cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A manifest is none.
    #[error("{}: {why}", path.display())]
    Manifest {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// No extension of that name is loaded.
    #[error("no extension {name:?} is loaded")]
    NotLoaded {
        /// The name.
        name: String,
    },
    /// What came of its manifest does not hold.
    #[error(transparent)]
    Configuration(#[from] ConfigError),
    /// It does not start, or ended otherwise than it should.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Config(error) => Self::Configuration(error),
            LoadError::Failure(failure) => Self::Failure(failure),
        }
    }
}

/// Extensions of one folder, each with a folder of its own in it.
#[derive(Debug)]
pub struct PluginManager {
    casemate: Casemate,
    folder: PathBuf,
    permitted: Permitted,
    loaded: BTreeMap<String, Extension>,
}

impl PluginManager {
    /// A manager of the extensions in `folder/NAME/`, whose operations are the core's.
    pub fn new<C: Core>(core: Arc<C>, folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let folder = folder.canonicalize().map_err(|source| Error::Io { path: folder.to_owned(), source })?;
        // A text of JSON is one of TOML.
        let shown = Value::from(folder.to_string_lossy()).to_string();
        let text = format!("version = 1\nplugin_dirs = [{shown}]\n{GRANTED}");
        let configuration = Configuration::parse(&text, "the manager's own configuration")?;
        let casemate = Casemate::builder().configuration(configuration).build()?;
        let permitted = Permitted::default();
        let libraries = Arc::clone(&permitted);
        casemate.on_raw("*", move |request| {
            let (core, libraries) = (Arc::clone(&core), Arc::clone(&libraries));
            async move { answer(&*core, &libraries, request).await }
        });
        Ok(Self { casemate, folder, permitted, loaded: BTreeMap::new() })
    }

    /// Loads the extension in the folder of that name, unless it is loaded.
    pub async fn load_plugin(&mut self, name: &str) -> Result<Extension, Error> {
        if let Some(extension) = self.loaded.get(name) {
            return Ok(extension.clone());
        }
        let (libraries, concurrent_jobs) = self.manifest(name)?;
        self.permit(name, Some(libraries));
        match self.casemate.load_named(name).await {
            Ok(plugin) => {
                let extension = Extension::new(plugin, concurrent_jobs);
                self.loaded.insert(name.to_owned(), extension.clone());
                Ok(extension)
            }
            Err(error) => {
                self.permit(name, None);
                Err(error.into())
            }
        }
    }

    /// Has it clean up, and ends its processes.
    pub async fn unload_plugin(&mut self, name: &str) -> Result<(), Error> {
        let Some(extension) = self.loaded.remove(name) else {
            return Err(Error::NotLoaded { name: name.to_owned() });
        };
        extension.close().await?;
        self.permit(name, None);
        Ok(())
    }

    /// Those that are loaded, by name.
    pub fn plugins(&self) -> impl Iterator<Item = (&str, &Extension)> {
        self.loaded.iter().map(|(name, extension)| (name.as_str(), extension))
    }

    /// Ends all of them.
    pub async fn shutdown(self) {
        self.casemate.shutdown().await;
    }

    /// The supervisor, for everything else.
    pub fn casemate(&self) -> &Casemate {
        &self.casemate
    }

    fn permit(&self, name: &str, libraries: Option<Libraries>) {
        let mut permitted = self.permitted.write().unwrap_or_else(PoisonError::into_inner);
        match libraries {
            Some(libraries) => permitted.insert(name.to_owned(), libraries),
            None => permitted.remove(name),
        };
    }

    /// What of a manifest is the manager's own to see to: libraries, and jobs at once. The supervisor reads the rest.
    fn manifest(&self, name: &str) -> Result<(Libraries, usize), Error> {
        let path = self.folder.join(name).join(MANIFEST);
        let text = std::fs::read(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
        let wrong = |why: String| Error::Manifest { path: path.clone(), why };
        let manifest: Value =
            serde_json::from_slice(&text).map_err(|error| wrong(format!("it is no JSON: {error}")))?;
        if manifest.get("id").and_then(Value::as_str) != Some(name) {
            return Err(wrong(format!("its \"id\" is not {name:?}, which its folder is called")));
        }
        let said = |pointer: &str| manifest.pointer(pointer).unwrap_or(&Value::Null);
        let libraries = Libraries::of_manifest(said("/permissions/libraries")).map_err(wrong)?;
        let jobs = said("/permissions/rate_limits/concurrent_jobs").as_u64().unwrap_or(CONCURRENT_JOBS);
        let jobs = usize::try_from(jobs).unwrap_or(usize::MAX).clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
        Ok((libraries, jobs))
    }
}
