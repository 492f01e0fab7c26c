//! What a plugin of IdeaNet in Rust links: [`Plugin`], [`plugin_main`] for the exports that its host calls, and [`HostApi`].
//!
//! ```
//! use ideanet_plugin_sdk::*;
//! use serde_json::json;
//!
//! #[plugin_main]
//! pub struct Notes {
//!     host_api: HostApi,
//! }
//!
//! impl Plugin for Notes {
//!     fn initialize(&mut self, host_api: HostApi) -> Result<(), PluginError> {
//!         self.host_api = host_api;
//!         self.host_api.ui_registry.register_block_type(BlockTypeConfig {
//!             id: "note",
//!             name: "Note",
//!             component: "NoteComponent",
//!         })
//!     }
//!
//!     fn handle_command(&mut self, command: Command) -> Result<CommandResponse, PluginError> {
//!         match command.action.as_str() {
//!             "render_block" => Ok(json!({ "html": "<p>a note</p>" }).into()),
//!             _ => Err(PluginError::UnknownCommand(command.action)),
//!         }
//!     }
//! }
//!
//! # fn main() {
//! // Natively there is no host: a test is one.
//! let asked = testing::host(|_method, _payload| Ok(json!(null)));
//! let mut notes = Notes { host_api: HostApi::default() };
//! notes.initialize(HostApi::default()).unwrap();
//! assert_eq!(asked.methods(), ["ui.register_block_type"]);
//! let command = Command { action: "dance".into(), payload: json!(null) };
//! assert_eq!(notes.handle_command(command).unwrap_err().code(), "UnknownCommand");
//! # }
//! ```
//!
//! | export | type | |
//! |---|---|---|
//! | `alloc`, `dealloc` | `(bytes) -> address`, `(address, bytes)` | room for the host to write to |
//! | `initialize` | `(address, bytes) -> code` | with the configuration as JSON; 0, or the number of an error |
//! | `handle_command` | `(address, bytes) -> address` | of `u32 LE length, bytes`: `{"ok"}` or `{"error": {"code", "message"}}` |
//! | `handle_event` | `(address, bytes) -> code` | `{"topic", "payload"}` |
//! | `shutdown` | `() -> code` | |

mod error;
mod exports;
mod host;
pub mod testing;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use error::PluginError;
pub use host::{BlockTypeConfig, Event, EventBus, HostApi, Storage, UiRegistry, call};
pub use ideanet_plugin_macros::plugin_main;

#[doc(hidden)]
pub use exports::{Running, alloc, dealloc, take};

/// A plugin.
pub trait Plugin {
    /// Begins, when it is loaded, and again after a crash.
    fn initialize(&mut self, host_api: HostApi) -> Result<(), PluginError>;

    /// Answers a command.
    fn handle_command(&mut self, command: Command) -> Result<CommandResponse, PluginError>;

    /// Ends.
    fn shutdown(&mut self) -> Result<(), PluginError> {
        Ok(())
    }
}

/// What is asked of a plugin.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Command {
    /// What it is to do.
    pub action: String,
    /// With what.
    #[serde(default)]
    pub payload: Value,
}

impl Command {
    /// The payload as a type.
    pub fn read<T: serde::de::DeserializeOwned>(self) -> Result<T, PluginError> {
        Ok(serde_json::from_value(self.payload)?)
    }
}

/// What a plugin answers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CommandResponse(pub Value);

impl CommandResponse {
    /// Any value that is JSON.
    pub fn new<T: Serialize>(value: &T) -> Result<Self, PluginError> {
        Ok(Self(serde_json::to_value(value)?))
    }
}

impl From<Value> for CommandResponse {
    fn from(value: Value) -> Self {
        Self(value)
    }
}
