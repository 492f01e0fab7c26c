//! What the host keeps for this plugin: bytes by their keys, beyond the life of an instance.
//!
//! The policy must grant the host methods: `permissions.host = ["kv.*"]`. Each function fails as [`host::call`] does.

use crate::{Error, base64, host};
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Key<'a> {
    key: &'a str,
}

/// Some of the keys, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Keys {
    /// Those.
    pub keys: Vec<String>,
    /// Whether there are more: ask again, with the last one of these as `after`.
    pub more: bool,
}

/// The value of a key; nothing where there is none.
///
/// # Errors
///
/// As [`host::call`].
pub fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
    #[derive(Deserialize)]
    struct Value {
        value: Option<String>,
    }
    let Value { value } = host::call("kv.get", &Key { key })?;
    value.as_deref().map(base64::decode).transpose()
}

/// Keeps a value in the place of what was there.
///
/// # Errors
///
/// As [`host::call`].
pub fn set(key: &str, value: &[u8]) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Pair<'a> {
        key: &'a str,
        value: String,
    }
    host::call::<_, serde_json::Value>("kv.set", &Pair { key, value: base64::encode(value) }).map(drop)
}

/// Forgets a key; whether there was one.
///
/// # Errors
///
/// As [`host::call`].
pub fn delete(key: &str) -> Result<bool, Error> {
    #[derive(Deserialize)]
    struct Answer {
        deleted: bool,
    }
    host::call("kv.delete", &Key { key }).map(|Answer { deleted }| deleted)
}

/// At most `limit` of the keys that begin with `prefix` and come after `after`.
///
/// # Errors
///
/// As [`host::call`].
pub fn list(prefix: &str, after: Option<&str>, limit: u32) -> Result<Keys, Error> {
    #[derive(Serialize)]
    struct Which<'a> {
        prefix: &'a str,
        after: Option<&'a str>,
        limit: u32,
    }
    host::call("kv.list", &Which { prefix, after, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_host_nothing_is_kept() {
        assert_eq!(get("a").unwrap_err().code, host::NO_HOST);
        assert_eq!(set("a", b"b").unwrap_err().code, host::NO_HOST);
        assert_eq!(delete("a").unwrap_err().code, host::NO_HOST);
        assert_eq!(list("", None, 1).unwrap_err().code, host::NO_HOST);
    }
}
