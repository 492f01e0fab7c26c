//! Secrets that the host keeps.

use crate::{Error, Uuid, call};
use serde_json::{Value, json};

/// `action:credentials.store`: keeps a secret under a name.
pub fn store(library: Option<&Uuid>, name: &str, secret: &str) -> Result<(), Error> {
    call::<Value>("action:credentials.store", library, &json!({ "name": name, "secret": secret })).map(drop)
}

/// `query:credentials.get`: the secret of a name.
pub fn get(library: Option<&Uuid>, name: &str) -> Result<Option<String>, Error> {
    let found: Value = call("query:credentials.get", library, &json!({ "name": name }))?;
    Ok(found.get("secret").and_then(Value::as_str).map(str::to_owned))
}
