//! A plugin's record: its configuration with the versions before it, and whether it is enabled. One JSON object:
//!
//! ```json
//! {"version": 3, "enabled": false, "config": {"unit": "m"},
//!  "earlier": [{"version": 2, "config": {"unit": "ft"}}, {"version": 1, "config": {}}]}
//! ```
//! `version` counts the configurations from 1. `enabled` is there once somebody has enabled or disabled the plugin at run time.

use casemate_protocol::link::CONFIG_BYTES_MAX;
use serde_json::{Map, Value, json};

/// Configurations that are remembered beside the one that holds.
const EARLIER_MAX: usize = 8;

/// Bytes of a whole record: ours are shorter.
pub(super) const BYTES_MAX: u64 = 2 * (EARLIER_MAX as u64 + 2) * CONFIG_BYTES_MAX as u64;

/// What is known of a plugin from earlier runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Record {
    /// Whether it is to run, if somebody has said so at run time.
    pub(crate) enabled: Option<bool>,
    /// The configuration, with its number.
    current: Option<(u64, Value)>,
    /// Those before it, the latest first.
    earlier: Vec<(u64, Value)>,
}

impl Record {
    /// What somebody else has kept until now.
    #[cfg(feature = "packages")]
    pub(crate) fn taken_over(enabled: Option<bool>, config: Option<Value>) -> Self {
        Self { enabled, current: config.map(|config| (1, config)), earlier: Vec::new() }
    }

    /// The configuration that holds, as JSON text.
    pub(crate) fn config(&self) -> Option<Vec<u8>> {
        self.current.as_ref().map(|(_, config)| config.to_string().into_bytes())
    }

    /// Another configuration holds from here on, if it is another.
    pub(crate) fn save_config(&mut self, config: Value) {
        if self.current.as_ref().is_none_or(|(_, current)| *current != config) {
            self.set_config(config);
        }
    }

    /// Another configuration holds from here on.
    pub(crate) fn set_config(&mut self, config: Value) {
        let version = self.current.as_ref().map_or(0, |(version, _)| *version).saturating_add(1);
        if let Some(before) = self.current.replace((version, config)) {
            self.earlier.insert(0, before);
            self.earlier.truncate(EARLIER_MAX);
        }
    }

    pub(crate) fn text(&self) -> Vec<u8> {
        let mut object = Map::new();
        if let Some(enabled) = self.enabled {
            object.insert("enabled".to_owned(), enabled.into());
        }
        if let Some((version, config)) = &self.current {
            object.insert("version".to_owned(), (*version).into());
            object.insert("config".to_owned(), config.clone());
        }
        let earlier = self.earlier.iter();
        let earlier: Vec<Value> =
            earlier.map(|(version, config)| json!({"version": version, "config": config})).collect();
        if !earlier.is_empty() {
            object.insert("earlier".to_owned(), earlier.into());
        }
        let mut text = Value::Object(object).to_string().into_bytes();
        text.push(b'\n');
        text
    }

    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        if text.len() as u64 > BYTES_MAX {
            return Err(format!("it has more than {BYTES_MAX} bytes"));
        }
        let value: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let Value::Object(mut object) = value else { return Err("it is no JSON object".to_owned()) };
        let enabled = match object.remove("enabled") {
            None => None,
            Some(Value::Bool(enabled)) => Some(enabled),
            Some(_) => return Err("\"enabled\" is neither true nor false".to_owned()),
        };
        let earlier = match object.remove("earlier") {
            None => Vec::new(),
            Some(Value::Array(earlier)) => earlier.into_iter().map(version_of).collect::<Result<_, _>>()?,
            Some(_) => return Err("\"earlier\" is no list".to_owned()),
        };
        let current = match object.contains_key("config") {
            true => Some(version_of(Value::Object(object))?),
            false => None,
        };
        Ok(Self { enabled, current, earlier })
    }
}

fn version_of(mut value: Value) -> Result<(u64, Value), String> {
    let version = value.get("version").and_then(Value::as_u64).ok_or("a configuration has no \"version\"")?;
    match value.get_mut("config") {
        Some(config) => Ok((version, config.take())),
        None => Err(format!("version {version} has no \"config\"")),
    }
}
