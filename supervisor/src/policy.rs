//! Policies as operators and plugins write them: `casemate.toml` and `plugin.toml`.
//!
//! ```text
//! keys (one table) ─► read: text ─► Settings ─► effective: merged ─► casemate_protocol::policy::Policy
//!        ├──────────► schema: JSON Schemas
//!        └──────────► reference: docs/configuration.md
//! ```
//! What a policy's value may be is decided in one place, [`casemate_protocol::policy::Policy`]; here a mistake gets its file,
//! line and column. What this version does not have is read like the rest and refused by name where somebody wants to use it.

mod change;
mod configuration;
mod daemon;
mod diff;
mod effective;
mod entry;
mod error;
mod explain;
mod keys;
mod manifest;
mod merge;
mod near;
mod order;
mod place;
mod read;
pub mod reference;
mod renewal;
pub mod schema;
mod slot;
pub mod syscalls;
mod value;

#[cfg(test)]
mod tests;

pub use change::Change;
pub use configuration::Configuration;
pub use daemon::{Client, Daemon};
pub use diff::{Changes, Difference};
pub use effective::{Effective, EffectiveValue, Origin, Overrides, Section};
pub use error::{ConfigError, ConfigProblem};
pub use explain::{Explanation, HostTrial};
pub use manifest::{Build, Example, MANIFEST_FILE, Manifest, Method};
pub(crate) use near::nearest;
pub use order::{Order, Width};
pub use place::Place;
pub(crate) use renewal::needs_new_version;
pub use value::Value;
