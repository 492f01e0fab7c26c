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
pub mod blocking;
mod casemate;
#[cfg(feature = "connected")]
mod connected;
#[cfg(feature = "embedded")]
mod embedded;
mod feeds;
mod host;
mod plugin;
#[cfg(feature = "connected")]
mod remote;
mod source;
mod stats;
mod stream;

pub use casemate_protocol::certificate::{self, Certificate, Layer, LayerSet};
#[cfg(feature = "connected")]
pub use casemate_protocol::client::operations;
pub use casemate_protocol::feed::{Event, LogRecord};
pub use casemate_protocol::host::{HostError, HostReply, HostRequest, Trace};
pub use casemate_protocol::ids::ClientId;
pub use casemate_protocol::module;
pub use casemate_protocol::outcome::{
    self, Cause, Exit, Failure, Fault, HOST_CALLS_MAX, HostCallNote, LimitName, Retry, SyscallReport, Trail,
    TrapKind,
};
pub use casemate_protocol::policy::{
    self, Instances, Isolation, Limits, Policy, PolicyError, PolicySpec, Restart, Snapshot,
};
pub use casemate_protocol::status::{EventStatus, State, Status};
#[cfg(feature = "embedded")]
pub use casemate_supervisor::policy::{ConfigError, Configuration, Effective, Manifest};
#[cfg(feature = "embedded")]
pub use casemate_supervisor::{
    External, LoadError, PluginReloaded, Reloaded, Taken, cache, doctor, package, policy as config,
};
/// The supervisor as a daemon that other processes connect to.
#[cfg(feature = "daemon")]
pub mod daemon {
    pub use casemate_supervisor::Config;
    pub use casemate_supervisor::audit;
    pub use casemate_supervisor::daemon::{Daemon, Listen, ServeError, ServeFailure, Steward};
}
pub use crate::casemate::Casemate;
#[cfg(feature = "embedded")]
pub use embedded::Builder;
pub use feeds::Events;
#[cfg(feature = "connected")]
pub use feeds::LogLines;
pub use plugin::{Info, Plugin};
pub use source::Source;
pub use stats::{Change, Stats};
