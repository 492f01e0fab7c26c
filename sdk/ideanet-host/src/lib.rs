//! What an application like IdeaNet does for its plugins: it keeps the types of blocks that they register, and hands them to
//! its front-end.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let casemate = casemate::Casemate::embedded()?;
//! let registry = casemate_ideanet::UiRegistry::serve(&casemate);
//! let plugin = casemate.load_named("org.example.notes").await?;
//! for block in registry.block_types() {
//!     println!("{} is shown by {}", block.name, block.component_key());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Events and storage need nothing: the supervisor answers `events.subscribe`, `events.publish` and `kv.*` itself.
#![forbid(unsafe_code)]

use casemate::{Casemate, HostError, HostReply, HostRequest};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The host method by which a plugin registers a type of block; its capability is `RegisterBlockType`.
pub const REGISTER: &str = "ui.register_block_type";

/// Types of blocks that one plugin may register.
pub const BLOCK_TYPES_MAX: usize = 256;

/// Bytes of each of its texts.
pub const TEXT_BYTES_MAX: usize = 256;

/// A type of block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlockType {
    /// The plugin that renders it.
    pub plugin: String,
    /// Its name among that plugin's.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The component that shows it, among the plugin's.
    pub component: String,
}

impl BlockType {
    /// What a front-end finds the component by: `PLUGIN.COMPONENT`.
    pub fn component_key(&self) -> String {
        format!("{}.{}", self.plugin, self.component)
    }
}

/// As a plugin says it.
#[derive(Deserialize)]
struct Config {
    id: String,
    name: String,
    component: String,
}

type Types = BTreeMap<(String, String), BlockType>;

/// The types of blocks of all plugins; clones share them.
#[derive(Debug, Clone, Default)]
pub struct UiRegistry {
    types: Arc<Mutex<Types>>,
}

impl UiRegistry {
    /// Takes what plugins register from here on. Each does so when it is initialized, and so before it is called.
    pub fn serve(casemate: &Casemate) -> Self {
        let registry = Self::default();
        let served = registry.clone();
        casemate.on_raw(REGISTER, move |request| {
            let registered = served.register(&request);
            async move { registered.map(|()| HostReply { content_type: 1, body: b"null".to_vec() }) }
        });
        registry
    }

    fn register(&self, request: &HostRequest) -> Result<(), HostError> {
        let bad = |why: String| HostError::new("bad_input", format!("{REGISTER}: {why}"));
        let Config { id, name, component } =
            serde_json::from_slice(&request.body).map_err(|error| bad(error.to_string()))?;
        for (what, text) in [("id", &id), ("name", &name), ("component", &component)] {
            if text.is_empty() || text.len() > TEXT_BYTES_MAX {
                return Err(bad(format!("{what} has {} bytes: write 1 to {TEXT_BYTES_MAX}", text.len())));
            }
        }
        let plugin = request.plugin.to_string();
        let mut types = self.lock();
        let key = (plugin.clone(), id.clone());
        let others = types.keys().filter(|(of, _)| *of == plugin).count();
        if others >= BLOCK_TYPES_MAX && !types.contains_key(&key) {
            let message = format!("{REGISTER}: a plugin has {BLOCK_TYPES_MAX} types of blocks at most");
            return Err(HostError::new("too_many", message));
        }
        types.insert(key, BlockType { plugin, id, name, component });
        Ok(())
    }

    /// All of them, by plugin and id.
    pub fn block_types(&self) -> Vec<BlockType> {
        self.lock().values().cloned().collect()
    }

    /// One of a plugin's.
    pub fn find(&self, plugin: &str, id: &str) -> Option<BlockType> {
        self.lock().get(&(plugin.to_owned(), id.to_owned())).cloned()
    }

    /// Forgets a plugin that is gone.
    pub fn forget(&self, plugin: &str) {
        self.lock().retain(|(of, _), _| of != plugin);
    }

    fn lock(&self) -> MutexGuard<'_, Types> {
        self.types.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
