//! Harness, suites, guests and benches of Casemate.
//!
//! | module | holds |
//! |---|---|
//! | [`surroundings`] | where a test finds guests, programs and the project's files |
//! | [`skip`] | how a test says that it could not run here |
#![forbid(unsafe_code)]

pub mod skip;
pub mod surroundings;
