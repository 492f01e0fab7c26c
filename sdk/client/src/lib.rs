//! Run untrusted WebAssembly plugins, each in a walled-in process of its own, and call them as if they were a library.
//!
//! ```no_run
//! use casemate::{Casemate, Policy};
//!
//! # #[derive(serde::Serialize)] struct Numbers { numbers: Vec<f64> }
//! # #[derive(serde::Deserialize)] struct Stats { average: f64 }
//! # async fn example() -> Result<(), casemate::Failure> {
//! let casemate = Casemate::embedded()?;
//! let plugin = casemate.load("statistics.wasm", Policy::default()).await?;
//! let stats: Stats = plugin.call("stats", &Numbers { numbers: vec![1.0, 2.0, 3.0] }).await?;
//! println!("{}, behind: {}", stats.average, plugin.certificate().holding());
//! # Ok(())
//! # }
//! ```
//!
//! The supervisor runs inside the host process and changes nothing there: no signal handler, no limit but its own soft
//! number of descriptors, no panic hook, no logger. The async calls need a tokio runtime with I/O enabled; from a plain
//! thread use [`blocking`]. Every call ends in an answer or a [`Failure`] that says whose fault it was and whether a
//! retry is safe.
#![forbid(unsafe_code)]

#[cfg(feature = "adversary")]
#[doc(hidden)]
pub mod attack;
#[cfg(feature = "embedded")]
pub mod blocking;
#[cfg(feature = "embedded")]
mod embedded;
#[cfg(feature = "embedded")]
mod events;
#[cfg(feature = "embedded")]
mod host;
#[cfg(feature = "embedded")]
mod plugin;
#[cfg(feature = "embedded")]
mod source;
#[cfg(feature = "embedded")]
mod stream;

pub use casemate_protocol::certificate::{self, Certificate, Layer, LayerSet};
pub use casemate_protocol::feed::Event;
pub use casemate_protocol::ids::ClientId;
pub use casemate_protocol::module;
pub use casemate_protocol::outcome::{
    self, Cause, Exit, Failure, Fault, HOST_CALLS_MAX, HostCallNote, LimitName, Retry, SyscallReport, Trail,
    TrapKind,
};
pub use casemate_protocol::policy::{
    self, Instances, Isolation, Limits, Policy, PolicyError, PolicySpec, Restart, Snapshot,
};
pub use casemate_protocol::status::EventStatus;
#[cfg(feature = "embedded")]
pub use casemate_supervisor::EventCounts;
#[cfg(feature = "embedded")]
pub use casemate_supervisor::policy::{ConfigError, Configuration, Effective, Manifest};
#[cfg(feature = "embedded")]
pub use casemate_supervisor::{
    HostError, LoadError, LogRecord, PluginReloaded, Reloaded, State, Status, Taken, cache, doctor,
    policy as config,
};
#[cfg(feature = "embedded")]
pub use embedded::{Builder, Casemate};
#[cfg(feature = "embedded")]
pub use events::Subscription;
#[cfg(feature = "embedded")]
pub use plugin::Plugin;
#[cfg(feature = "embedded")]
pub use source::Source;
