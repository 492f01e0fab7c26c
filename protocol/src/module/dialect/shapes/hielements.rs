//! Libraries of Hielements.

use super::super::Dialect;
use super::super::shape::{BLANK, Shape};
use super::{ALLOC, BLOCK_TO_BLOCK};

/// No free is defined, and no host function.
pub(super) const LIBRARY: Shape = Shape {
    dialect: Dialect::Hielements,
    required: &[("alloc", ALLOC), ("library_call", BLOCK_TO_BLOCK), ("library_check", BLOCK_TO_BLOCK)],
    ..BLANK
};
