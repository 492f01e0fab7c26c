//! What stays of a plugin when its processes are gone, in the state directory:
//!
//! ```text
//! STATE/plugins/NAME/NAME.json   its configuration and whether it is enabled: the supervisor's, no plugin sees the file
//!                    kv.sqlite3  keys and values: the plugin's own, through the host calls kv.*
//!                    vfs/        its files (`storage = "vfs"`), with data, config and tmp in it; tmp is emptied by each load
//! ```
//! Nothing is made before there is something to keep. It must never be reached by a path that a plugin chooses: names of
//! directories come from [`PluginName`], which has no separators, and keys are rows.

mod error;
mod kv;
mod record;
mod room;
mod vfs;

pub(crate) use error::StoreError;
pub(crate) use kv::{KEY_BYTES_MAX, Kv};
pub(crate) use record::Record;
pub(crate) use room::Tenant;
pub(crate) use vfs::give_to;

use crate::directory::Directory;
use casemate_protocol::ids::PluginName;
use room::Room;
use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The directory of all of them in the state directory.
const PLUGINS: &str = "plugins";

/// The stores of a supervisor's plugins; of one name there is one.
#[derive(Debug, Default)]
pub(crate) struct Stores {
    state_dir: Option<PathBuf>,
    open: Mutex<HashMap<PluginName, Weak<Store>>>,
}

/// What one plugin keeps.
#[derive(Debug)]
pub(crate) struct Store {
    state_dir: PathBuf,
    name: PluginName,
    kv: Kv,
    /// What its files may still grow by.
    room: Room,
    /// One change of the record at a time.
    turn: Mutex<()>,
}

impl Stores {
    pub(crate) fn new(state_dir: Option<PathBuf>) -> Self {
        Self { state_dir, open: Mutex::default() }
    }

    /// That of a plugin; `None` without a state directory.
    pub(crate) fn of(&self, name: &PluginName) -> Option<Arc<Store>> {
        let state_dir = self.state_dir.as_ref()?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = open.get(name).and_then(Weak::upgrade) {
            return Some(store);
        }
        open.retain(|_, store| store.strong_count() > 0);
        let store = Arc::new(Store::new(state_dir, name));
        open.insert(name.clone(), Arc::downgrade(&store));
        Some(store)
    }
}

impl Store {
    fn new(state_dir: &Path, name: &PluginName) -> Self {
        let folder = state_dir.join(PLUGINS).join(name.as_str());
        Self {
            state_dir: state_dir.to_owned(),
            name: name.clone(),
            kv: Kv::new(folder.join("kv.sqlite3")),
            room: Room::default(),
            turn: Mutex::default(),
        }
    }

    /// Its directory, made if it is missing.
    fn directory(&self) -> Result<Directory, StoreError> {
        let plugins = Directory::open(&self.state_dir)?.inside(PLUGINS)?;
        Ok(plugins.inside(self.name.as_str())?)
    }

    fn folder(&self) -> PathBuf {
        self.state_dir.join(PLUGINS).join(self.name.as_str())
    }

    /// Its keys and values.
    pub(crate) fn kv(&self) -> Result<&Kv, StoreError> {
        if !self.kv.is_open() {
            // It is ours, and nobody else may write to it.
            self.directory()?;
        }
        Ok(&self.kv)
    }

    fn record_name(&self) -> String {
        record_name(self.name.as_str())
    }

    /// What is known of it; nothing, if nothing was kept.
    pub(crate) fn record(&self) -> Result<Record, StoreError> {
        let path = self.folder().join(self.record_name());
        // Reading makes no directories.
        if matches!(path.symlink_metadata(), Err(error) if error.kind() == std::io::ErrorKind::NotFound) {
            return Ok(Record::default());
        }
        self.read(&self.directory()?)
    }

    fn read(&self, directory: &Directory) -> Result<Record, StoreError> {
        let path = directory.path().join(self.record_name());
        let failed = |source| StoreError::Io { path: path.clone(), doing: "reading it", source };
        let file = match directory.open_file(&self.record_name()) {
            Ok(file) => file,
            Err(rustix::io::Errno::NOENT) => return Ok(Record::default()),
            Err(errno) => return Err(failed(errno.into())),
        };
        let mut text = Vec::new();
        file.take(record::BYTES_MAX + 1).read_to_end(&mut text).map_err(failed)?;
        Record::parse(&text).map_err(|why| StoreError::Record { path, why })
    }

    /// Changes the record, as a whole or not at all.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Record)) -> Result<(), StoreError> {
        let directory = self.directory()?;
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut record = self.read(&directory)?;
        change(&mut record);
        let path = directory.path().join(self.record_name());
        let failed = |source| StoreError::Io { path: path.clone(), doing: "writing it", source };
        let text = record.text();
        if text.len() as u64 > record::BYTES_MAX {
            let why = format!("it would have more than {} bytes, and not be read again", record::BYTES_MAX);
            return Err(failed(std::io::Error::other(why)));
        }
        directory.replace(&self.record_name(), &text).map_err(failed)
    }
}

/// What a plugin's record is called in its directory.
pub(crate) fn record_name(name: &str) -> String {
    format!("{name}.json")
}

#[cfg(test)]
mod tests;
