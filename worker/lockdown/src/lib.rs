//! The walls: one module a layer, one order, used by every program that Casemate jails.
//!
//! ```text
//! program start ─► stub::run                     fresh state, own uid, namespaces; forks the zygote, then only waits
//!                    └─ exec again ─► Entered     a zygote that dies with its stub
//!                                      └─ wall_up ─► Walled     empty root, no capability, Landlock: the supervisor looks
//!                                                     └─ filter ─► Filtered   filter A: from here on a module may be loaded
//!                                                     │             └─ lock ─► Locked   code sealed, no new code
//!                                                                 └─ spawn ─► Confined     a worker: one descriptor, filter B
//! ```
//! Each arrow consumes the value before it, so no step can be left out or taken twice, and each fails closed: what does
//! not hold ends the process, but for layers that this kernel does not have, which are reported.
//!
//! This crate must never know what a guest is.

mod belongings;
pub mod control;
mod error;
#[cfg(feature = "experiment")]
pub mod experiment;
#[cfg(not(feature = "experiment"))]
mod experiment;
mod landlock;
pub mod link;
mod namespaces;
mod privileges;
mod program;
mod report;
mod rlimits;
mod root;
pub mod seccomp;
mod start;
mod stub;
mod unwalled;
mod walls;
mod worker;

pub use error::LockdownError;
pub use program::{Bridge, Launched, Program};
pub use start::{Stage, start};
pub use unwalled::{Launcher, Unwalled};
pub use walls::{CodeRange, Entered, Filtered, Grant, Granting, Job, Locked, Walled};
pub use worker::{Confined, Spawned};
