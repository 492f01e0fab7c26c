//! The compiler: wasm in, what it is and native code out, then gone.
//!
//! One thread, no files, no environment, no clock. It parses hostile bytes, so it runs behind the same walls as a worker
//! and is not believed: whoever reads its output decodes it under limits.

mod check;
mod component;
mod facts;
pub mod job;

pub use job::compile;
