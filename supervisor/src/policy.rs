//! Policies as operators write them.
//!
//! A policy file holds what stands under one `[plugins.NAME]` heading of `casemate.toml`, without that heading:
//!
//! ```toml
//! snapshot = "instance"
//! instances = { max = 4 }
//!
//! [limits]
//! memory = "100MiB"
//! call_timeout = "30s"
//!
//! [permissions]
//! host = ["query:ai.*"]
//!
//! [require]
//! layers = ["seccomp", "namespaces"]
//! ```
//! What a value may be is decided in one place, [`casemate_protocol::policy::Policy`]; here a mistake gets its line and
//! column. A key that a later version will know is refused by name, unless it asks for what is the case anyway.

mod error;
mod file;
mod keys;

pub use error::{PolicyFileError, PolicyFileProblem};
pub use file::parse;
