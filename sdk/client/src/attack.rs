//! Attacks on our own walls: hostile native code in a worker's place, what it tries, and what must become of that.
//!
//! | module | holds |
//! |---|---|
//! | [`attacker`] | a plugin whose workers are hostile programs that take orders, and how an order ends |
//! | [`routes`] | orders with real arguments, and what the kernel must report of each |
//! | [`numbers`] | orders by number alone: every call, every table, every descriptor |
//! | [`lies`] | workers that break the link, and how each must end |
//! | [`attempt`] | an order and the end that it must come to |
//! | [`mod@families`] | all of these in families, each behind the wall that must stop it |
//! | [`sibling`] | a good plugin that answers all the while |
//!
//! The suites of the walls and the command's demonstration share this room. The hostile program comes with the feature
//! `adversary` of the supervisor; it takes a worker's exact path, and the worker program has no line of it.

pub mod attacker;
pub mod attempt;
mod degraded;
pub mod families;
pub mod lies;
pub mod numbers;
pub mod routes;
pub mod sibling;

pub use attacker::{Attacker, End};
pub use casemate_protocol::certificate::Profile;
pub use families::{Came, Family, Grounds, families};
pub use sibling::Sibling;
