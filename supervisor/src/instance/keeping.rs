//! `kv.get`, `kv.set`, `kv.delete` and `kv.list`: what a plugin puts away for its later instances. Bodies are JSON:
//!
//! | method | request | answer |
//! |---|---|---|
//! | `kv.get` | `{"key": "a"}` | `{"value": "aGk="}`, base64; `{"value": null}` where there is none |
//! | `kv.set` | `{"key": "a", "value": "aGk="}` | `null` |
//! | `kv.delete` | `{"key": "a"}` | `{"deleted": true}` |
//! | `kv.list` | `{"prefix": "a", "after": "a/1", "limit": 100}`, all optional | `{"keys": ["a/2"], "more": false}` |
//!
//! They are host methods: `permissions.host` has to grant them, and `limits.host_calls` counts them. They never get to a
//! handler of the host's.

use super::Instance;
use crate::host::{HostError, HostReply};
use crate::store::{KEY_BYTES_MAX, Store, StoreError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use casemate_protocol::link::CONTENT_JSON;
use serde_json::{Value, json};
use std::sync::Arc;

/// Keys of one answer to `kv.list`, where its request says nothing.
const KEYS: usize = 1000;

/// Whether a method is one of these.
pub(super) fn keeps(method: &str) -> bool {
    matches!(method, "kv.get" | "kv.set" | "kv.delete" | "kv.list")
}

/// One of them, read.
#[derive(Debug, PartialEq, Eq)]
enum Order {
    Get { key: String },
    Set { key: String, value: Vec<u8> },
    Delete { key: String },
    List { prefix: String, after: String, limit: usize },
}

impl Instance {
    /// Does it, beside the runtime: a database waits for the disk.
    pub(super) async fn keep(&self, method: &str, body: &[u8]) -> Result<HostReply, HostError> {
        let order = Order::read(method, body).map_err(|message| HostError::new("bad_input", message))?;
        let Some(store) = self.shared.store.clone() else {
            let message = "nothing is kept here: this supervisor was given no state directory";
            return Err(HostError::new("unavailable", message));
        };
        let limits = self.shared.policy().limits().clone();
        let bytes_max = usize::try_from(limits.output_bytes).unwrap_or(usize::MAX);
        let store_bytes = limits.store_bytes;
        let done = tokio::task::spawn_blocking(move || order.carry_out(&store, store_bytes, bytes_max)).await;
        let answer = match done {
            Ok(Ok(answer)) => answer.to_string().into_bytes(),
            Ok(Err(error @ StoreError::Full { .. })) => {
                return Err(HostError::new("limit.store", error.to_string()));
            }
            Ok(Err(error)) => {
                let message = "the store cannot be used; the supervisor's log says why";
                return Err(self.unavailable(method, &error, message));
            }
            Err(_panicked) => return Err(HostError::new("internal", "the store failed")),
        };
        Ok(HostReply { content_type: CONTENT_JSON, body: answer })
    }

    /// The store failed. What it says of places is its operator's to know.
    pub(super) fn unavailable(&self, method: &str, error: &StoreError, message: &str) -> HostError {
        tracing::error!(plugin = %self.shared.name, "{method}: {error}");
        HostError { retryable: true, ..HostError::new("unavailable", message) }
    }
}

impl Order {
    fn read(method: &str, body: &[u8]) -> Result<Self, String> {
        let request: Value =
            serde_json::from_slice(body).map_err(|error| format!("the request is no JSON: {error}"))?;
        let text = |name: &str| match request.get(name) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(format!("{name:?} is no string")),
        };
        let key = || {
            let key = text("key")?;
            match key.len() {
                0 => Err("there is no \"key\"".to_owned()),
                1..=KEY_BYTES_MAX => Ok(key),
                bytes => Err(format!("the key has {bytes} bytes; {KEY_BYTES_MAX} are the most")),
            }
        };
        match method {
            "kv.get" => Ok(Self::Get { key: key()? }),
            "kv.set" => {
                let value = request.get("value").and_then(Value::as_str).ok_or("there is no \"value\"")?;
                let value =
                    STANDARD.decode(value).map_err(|error| format!("the value is no base64: {error}"))?;
                Ok(Self::Set { key: key()?, value })
            }
            "kv.delete" => Ok(Self::Delete { key: key()? }),
            _ => {
                let limit = match request.get("limit") {
                    None | Some(Value::Null) => KEYS,
                    Some(limit) => limit
                        .as_u64()
                        .and_then(|limit| usize::try_from(limit).ok())
                        .filter(|limit| *limit > 0)
                        .ok_or("\"limit\" is no number of keys")?,
                };
                Ok(Self::List { prefix: text("prefix")?, after: text("after")?, limit })
            }
        }
    }

    fn carry_out(self, store: &Arc<Store>, store_bytes: u64, bytes_max: usize) -> Result<Value, StoreError> {
        let kv = store.kv()?;
        Ok(match self {
            Self::Get { key } => json!({"value": kv.get(&key)?.map(|value| STANDARD.encode(value))}),
            Self::Set { key, value } => {
                kv.set(&key, &value, store_bytes)?;
                Value::Null
            }
            Self::Delete { key } => json!({"deleted": kv.delete(&key)?}),
            Self::List { prefix, after, limit } => {
                // What is around the keys takes some as well.
                let listed = kv.list(&prefix, &after, limit.min(KEYS), bytes_max.saturating_sub(64))?;
                json!({"keys": listed.keys, "more": listed.more})
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, body: &Value) -> Result<Order, String> {
        Order::read(method, body.to_string().as_bytes())
    }

    #[test]
    fn requests_are_read_or_refused_with_what_is_wrong() {
        let key = || "a".to_owned();
        assert_eq!(read("kv.get", &json!({"key": "a"})), Ok(Order::Get { key: key() }));
        let set = read("kv.set", &json!({"key": "a", "value": "aGk="}));
        assert_eq!(set, Ok(Order::Set { key: key(), value: b"hi".to_vec() }));
        let list = Order::List { prefix: String::new(), after: String::new(), limit: KEYS };
        assert_eq!(read("kv.list", &json!({})), Ok(list));
        for (method, body, why) in [
            ("kv.get", json!({}), "no \"key\""),
            ("kv.get", json!({"key": 1}), "\"key\" is no string"),
            ("kv.get", json!({"key": "k".repeat(513)}), "512 are the most"),
            ("kv.set", json!({"key": "a"}), "no \"value\""),
            ("kv.set", json!({"key": "a", "value": "!"}), "no base64"),
            ("kv.list", json!({"limit": 0}), "no number of keys"),
        ] {
            let error = read(method, &body).unwrap_err();
            assert!(error.contains(why), "{method} {body}: {error}");
        }
        assert!(Order::read("kv.get", b"{").unwrap_err().contains("no JSON"));
    }
}
