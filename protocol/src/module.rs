//! What is known about a wasm module, which dialect it speaks, and what the compiler process says about it.
//!
//! Nothing here reads wasm: the compiler process does that, behind its walls, and fills in [`ModuleFacts`]. The supervisor
//! only sees the [`CompileReport`], and takes it for what it is: bytes from a process that has read hostile ones.
//!
//! | file | holds |
//! |---|---|
//! | `text` | [`Text`]: words of a module, printable and bounded |
//! | `limits` | how much of everything, and why |
//! | `sniff` | what bytes are by their first few |
//! | `facts` | [`ModuleFacts`] |
//! | `glue` | imports that only a JavaScript loader can answer |
//! | `dialect` | [`Dialect`] and [`detect`] |
//! | `error` | [`CompileError`] |
//! | `report` | [`CompileReport`] and its bytes |
//! | `component` | the same for components |
//! | `wasi` | the functions of WASI 0.1 |
//! | `codec` | numbers and texts under limits |

mod codec;
mod component;
mod dialect;
mod error;
mod facts;
mod glue;
mod limits;
mod report;
mod sniff;
mod text;
mod wasi;

pub use codec::DecodeViolation;
pub use dialect::{DetectError, Detected, Dialect, Direction, Wants, detect, profile};
pub use error::CompileError;
pub use facts::{Export, Extent, ExternKind, Import, ModuleFacts, Sizes, function_type};
pub use glue::{Glue, GlueFound, glue};
pub use limits::{
    CWASM_BYTES_MAX, EXPORTS_MAX, FUNCTION_BYTES_MAX, FUNCTIONS_MAX, GLOBALS_MAX, IMPORTS_MAX, Limit,
    MEMORIES_MAX, MESSAGE_BYTES_MAX, MODULE_BYTES_MAX, NAME_BYTES_MAX, OverLimit, REPORT_BYTES_MAX,
    TABLES_MAX,
};
pub use report::{Accepted, Code, CompileReport};
pub use sniff::{LooksLike, Sniffed, sniff};
pub use text::{Message, Name, Text};
