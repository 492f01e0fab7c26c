//! Our own ABI, and WASI's.

use super::super::Dialect;
use super::super::shape::{BLANK, Found, Imports, Shape};
use super::{BLOCK_TO_NUMBER, NOTHING, NUMBER};

/// The native core ABI.
pub(in super::super) const CASEMATE_1: Shape = Shape {
    dialect: Dialect::Casemate1,
    required: &[
        ("casemate_abi", NUMBER),
        ("casemate_alloc", BLOCK_TO_NUMBER),
        ("casemate_free", &["(i32, i32, i32) -> ()"]),
        ("casemate_call", &["(i32, i32) -> i64"]),
    ],
    optional: &[
        ("casemate_describe", &["() -> i64"]),
        ("casemate_init", &["(i32, i32) -> i64"]),
        ("casemate_event", BLOCK_TO_NUMBER),
        ("casemate_shutdown", NUMBER),
    ],
    imports: Imports::Only(
        "casemate",
        &[("host_call", &["(i32, i32) -> i64"]), ("log", &["(i32, i32, i32) -> ()"]), ("cancelled", NUMBER)],
    ),
    hears: Some("casemate_event"),
    stops: Some("casemate_shutdown"),
    ..BLANK
};

/// A program.
pub(super) const WASI_COMMAND: Shape = Shape {
    dialect: Dialect::WasiCommand,
    found: Found::Last,
    required: &[("_start", NOTHING)],
    imports: Imports::Only("wasi_snapshot_preview1", &[]),
    ..BLANK
};

/// A library for anybody.
pub(super) const WASI_REACTOR: Shape = Shape {
    dialect: Dialect::WasiReactor,
    found: Found::Last,
    required: &[("_initialize", NOTHING)],
    // A program that exports what its libraries do is a program.
    absent: &["_start"],
    imports: Imports::Only("wasi_snapshot_preview1", &[]),
    ..BLANK
};

/// The same without a constructor, or beside a program: nobody finds it, somebody says so.
pub(super) const WASI_LIBRARY: Shape =
    Shape { found: Found::Named, required: &[], absent: &["_initialize"], ..WASI_REACTOR };
