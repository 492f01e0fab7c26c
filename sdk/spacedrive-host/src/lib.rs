//! What a Spacedrive core links to have extensions: a [`PluginManager`] that loads them from a folder, each behind walls of its own,
//! and hands what they ask for to the core's operations ([`Core`]).
//!
//! ```no_run
//! # use casemate_spacedrive::{Core, Library, PluginManager};
//! # use serde_json::{Value, json};
//! # use std::sync::Arc;
//! # struct Operations;
//! # impl Core for Operations {
//! #     async fn execute(&self, _: &str, _: Option<&Library>, _: Value) -> Result<Value, String> { Ok(Value::Null) }
//! # }
//! # async fn example(core: Arc<Operations>) -> Result<(), casemate_spacedrive::Error> {
//! let mut manager = PluginManager::new(core.clone(), "plugins")?;
//! let finance = manager.load_plugin("finance").await?;
//! finance.run("scan_receipts", json!({"state": {"receipts": []}})).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Which operations an extension may call its manifest says, and the supervisor sees to it, as to how often; which libraries it may
//! name is looked at here: before every call.
#![forbid(unsafe_code)]

mod core;
mod extension;
mod library;
mod manager;

pub use casemate;
pub use core::{Core, Report};
pub use extension::Extension;
pub use library::{Libraries, Library};
pub use manager::{Error, PluginManager};
