//! Casemate's supervisor, as a library in the host's process: plugins, policy decisions, processes.
//!
//! | module | does |
//! |---|---|
//! | `programs` | the embedded programs, in sealed memfds |
//! | `process` | starts, kills and waits; the guard thread owns deadlines, listeners and pidfds |
//! | [`inspect`] | looks at walled processes from outside |
//! | `cgroup` | the kernel's limits on a whole plugin, where a policy asks for them |
//! | `tree`, `zygote`, `compile` | a stub with a zygote, or with a compiler |
//! | [`cache`] | compiled code on disk, and why it may be trusted again |
//! | `lifecycle` | a plugin's life as a pure machine; `LIFECYCLE.md` |
//! | `external` | a native program in place of a module: what its root directory has |
//! | [`package`] | plugins as they are handed on, their manifests, and those installed |
//! | `load` | from a module's bytes to a proven zygote |
//! | `configured` | the plugins of a policy file, and its being read anew |
//! | `instance`, `plugin` | one worker and its calls; the machine driven: a plugin's calls and what its operator does |
//! | [`policy`] | policy files |
//! | [`doctor`] | what this host's kernel can give |
//! | `host`, `rate`, `log` | what plugins may ask for, how often, and say |
//!
//! It changes one thing in its host: it raises the soft limit of open descriptors to the hard one, because every worker
//! needs a few. No signal handler, no panic hook, no logger, no other limit.
#![forbid(unsafe_code)]

#[cfg(feature = "daemon")]
pub mod audit;
pub mod cache;
mod cgroup;
mod compile;
mod configured;
mod context;
#[cfg(feature = "daemon")]
pub mod daemon;
mod directory;
pub mod doctor;
mod events;
mod experiment;
mod external;
mod host;
mod identity;
pub mod inspect;
mod instance;
mod lifecycle;
mod load;
mod log;
mod memfd;
mod module_file;
mod outside;
pub mod package;
mod pipe;
mod plugin;
pub mod policy;
mod process;
mod programs;
mod rate;
mod scope;
mod store;
mod supervisor;
mod tree;
mod zygote;

pub use casemate_protocol::feed::{Event, LogRecord};
pub use casemate_protocol::host::Trace;
pub use casemate_protocol::status::{State, Status};
pub use configured::{LoadError, PluginReloaded, Reloaded, Sent, Taken};
pub use events::{EventCounts, EventSubscription, Events, Subscriber};
#[cfg(feature = "adversary")]
#[doc(hidden)]
pub use experiment::Findings;
pub use external::External;
pub use host::{DenialSink, Host, HostError, HostFuture, HostReply, HostRequest};
pub use instance::Reply;
pub use lifecycle::DisabledBy;
pub use log::LogSink;
pub use module_file::read_module;
pub use pipe::{Closed, Pipe};
pub use plugin::Plugin;
pub use process::points::{POINTS, PausePoint};
#[cfg(feature = "adversary")]
#[doc(hidden)]
pub use programs::embedded;
pub use scope::{Bodies, Deadline, Desk, Scope};
pub use supervisor::{Config, LoadOptions, Supervisor};
