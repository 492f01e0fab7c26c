//! Nodes of Pocket.

use super::super::Dialect;
use super::super::shape::{BLANK, Found, Shape};
use super::{ALLOC, BLOCK, BLOCK_TO_BLOCK, BLOCK_TO_NUMBER, NOTHING};

/// Memory goes from hand to hand.
pub(super) const HOST: Shape = Shape {
    dialect: Dialect::PocketHost,
    required: &[("__pocket_alloc", ALLOC), ("__pocket_call", BLOCK_TO_BLOCK)],
    optional: &[("__pocket_free", BLOCK)],
    ..BLANK
};

/// The host's buffers, in the guest's memory.
pub(super) const BUFFER: Shape = Shape {
    dialect: Dialect::PocketBuffer,
    required: &[("alloc", ALLOC), ("metadata", BLOCK_TO_NUMBER), ("call", &["(i32, i32, i32, i32) -> i32"])],
    optional: &[("dealloc", BLOCK)],
    ..BLANK
};

/// A program, as a JavaScript engine with a script inside is one.
pub(super) const STDIO: Shape =
    Shape { dialect: Dialect::PocketStdio, found: Found::Named, required: &[("_start", NOTHING)], ..BLANK };
