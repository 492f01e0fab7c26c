//! The shapes of all dialects of modules, a module here for each system.

mod extism;
mod hielements;
mod ideanet;
mod native;
mod pocket;
mod signalk;
mod spacedrive;

use super::shape::Shape;

/// In no order that matters: two that fit equally well are a tie.
pub(super) const ALL: &[Shape] = &[
    native::CASEMATE_1,
    native::WASI_COMMAND,
    native::WASI_REACTOR,
    native::WASI_LIBRARY,
    hielements::LIBRARY,
    pocket::HOST,
    pocket::BUFFER,
    pocket::STDIO,
    extism::PLUGIN,
    signalk::SCRIPT,
    signalk::BUFFER,
    spacedrive::EXTENSION,
    ideanet::PLUGIN,
];

#[cfg(test)]
pub(super) use native::CASEMATE_1;

/// A function that takes a block and gives one: with two results, with the address of two words in front, or packed as
/// `length << 32 | address`.
const BLOCK_TO_BLOCK: &[&str] = &["(i32, i32) -> (i32, i32)", "(i32, i32, i32) -> ()", "(i32, i32) -> i64"];
const NUMBER: &[&str] = &["() -> i32"];
const ALLOC: &[&str] = &["(i32) -> i32"];
const BLOCK: &[&str] = &["(i32, i32) -> ()"];
const BLOCK_TO_NUMBER: &[&str] = &["(i32, i32) -> i32"];
const NOTHING: &[&str] = &["() -> ()"];
