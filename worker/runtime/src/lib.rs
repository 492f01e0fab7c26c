//! Zygote and worker: one plugin's module, loaded behind the walls, forked into a process a call can be given to.
//!
//! ```text
//! main ─► zygote::run ── load ── lock ── Guest::new ──┐ forked
//!                                                     └─► serve::serve (confine, then) ── abi ── guest code
//! ```
//! Guest code only ever runs below [`serve`], in a process that is [`casemate_lockdown::Confined`]. Every guest pointer is
//! hostile and is touched in `abi/memory.rs` alone.

mod abi;
mod epoch;
mod fault;
mod guest;
mod limiter;
mod load;
mod program;
mod serve;
#[cfg(feature = "wasi")]
mod wasi;
mod zygote;

pub use guest::Guest;
pub use serve::{Answer, answer, serve, serve_confined};
pub use zygote::{run, run_with};
