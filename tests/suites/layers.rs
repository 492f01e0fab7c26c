//! Each wall left out, alone: who notices, which attacks get through then, and what the other walls still stop.
//!
//! The hostile program goes a worker's whole way but for one wall, and says that it has taken that too. A supervisor as it
//! is must refuse it where the wall can be seen from outside. One that only writes down what it finds lets it go on: then
//! every order of the attacks is given, and a table says exactly which are no longer stopped.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

#[path = "layers/alone.rs"]
mod alone;
#[path = "layers/bench.rs"]
mod bench;
#[path = "layers/noticed.rs"]
mod noticed;
#[path = "layers/passes.rs"]
mod passes;
#[path = "layers/report.rs"]
mod report;
#[path = "layers/siblings.rs"]
mod siblings;
