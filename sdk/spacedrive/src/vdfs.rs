//! Files beside those of a library.

use crate::{Error, Uuid, call};
use serde::Serialize;
use serde_json::{Value, json};

/// `action:vdfs.write_sidecar`: puts a document beside a file.
pub fn write_sidecar(
    library: Option<&Uuid>,
    file: &str,
    name: &str,
    content: &impl Serialize,
) -> Result<(), Error> {
    let content = serde_json::to_value(content).map_err(|error| Error(error.to_string()))?;
    let sidecar = json!({ "file": file, "name": name, "content": content });
    call::<Value>("action:vdfs.write_sidecar", library, &sidecar).map(drop)
}
