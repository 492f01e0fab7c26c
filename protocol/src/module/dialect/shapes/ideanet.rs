//! Plugins of IdeaNet.

use super::super::Dialect;
use super::super::shape::{BLANK, Imports, Shape};
use super::{ALLOC, BLOCK, BLOCK_TO_NUMBER, NUMBER};

/// Blocks with their length in front, either way.
pub(super) const PLUGIN: Shape = Shape {
    dialect: Dialect::Ideanet,
    required: &[
        ("alloc", ALLOC),
        ("initialize", BLOCK_TO_NUMBER),
        ("handle_command", BLOCK_TO_NUMBER),
        ("shutdown", NUMBER),
    ],
    optional: &[("dealloc", BLOCK), ("handle_event", BLOCK_TO_NUMBER)],
    imports: Imports::Any(&[("ideanet", &["host_call"])]),
    hears: Some("handle_event"),
    // To be set up before anybody calls it.
    polls: Some("initialize"),
    stops: Some("shutdown"),
    ..BLANK
};
