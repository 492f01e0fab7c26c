//! WASI and components: what programs find around them is what the wasmtime command shows them, and no more than is granted.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

#[path = "wasi/components.rs"]
mod components;
#[path = "wasi/foreign.rs"]
mod foreign;
#[path = "wasi/libraries.rs"]
mod libraries;
#[path = "wasi/network.rs"]
mod network;
#[path = "wasi/programs.rs"]
mod programs;
#[path = "wasi/swaps.rs"]
mod swaps;
