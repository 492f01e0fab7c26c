//! A module's file.

use casemate_protocol::outcome::{Cause, Failure, escape};
use std::path::Path;

/// Bytes of a module file that are read at all; the compiler's own limit is lower and names itself.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// The bytes of a module's file.
pub fn read_module(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |why: &dyn std::fmt::Display| {
        Failure::not_started(Cause::File {
            path: escape(&path.display().to_string(), 512),
            message: why.to_string(),
        })
    };
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        return Err(unreadable(&"it is not a regular file"));
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(unreadable(&format!("it has {} bytes; {FILE_BYTES_MAX} are the most", metadata.len())));
    }
    std::fs::read(path).map_err(|error| unreadable(&error))
}
