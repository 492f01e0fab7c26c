//! What people have said yes to, of what plugins may only do with their word: `STATE/plugins/NAME/.consent.json`,
//!
//! ```json
//! {"host": ["audio.record"]}
//! ```
//! A manifest's `consent` says which of the host methods that it asks for these are. An operator's `consent` says yes in
//! everybody's place. An update that asks for more waits for the rest alone.

use super::PackageError;
use super::files::failed;
use super::installed::PLUGINS;
use crate::directory::Directory;
use casemate_protocol::ids::PluginName;
use casemate_protocol::policy::matches_pattern;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

pub(super) const FILE: &str = ".consent.json";

/// What was said yes to, of one plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consent {
    /// Host methods, as its manifest writes them.
    pub host: BTreeSet<String>,
}

impl Consent {
    /// What was said of a plugin; nothing, where nobody was asked.
    pub fn read(state_dir: &Path, name: &str) -> Result<Self, PackageError> {
        if PluginName::new(name).is_err() {
            return Ok(Self::default());
        }
        let path = state_dir.join(PLUGINS).join(name).join(FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(failed(path, "reading it", error)),
        };
        let said: Option<Value> = serde_json::from_slice(&text).ok();
        let Some(list) = said.as_ref().and_then(|said| said.get("host")).and_then(Value::as_array) else {
            let why = "it is not {\"host\": [METHOD, …]}: remove it, and say it again with casemate consent";
            return Err(failed(path, "reading it", std::io::Error::other(why)));
        };
        Ok(Self { host: list.iter().filter_map(Value::as_str).map(str::to_owned).collect() })
    }

    /// Remembers it, as a whole or not at all.
    pub fn write(&self, state_dir: &Path, name: &str) -> Result<(), PackageError> {
        let missing = || PackageError::NotInstalled { name: name.chars().take(80).collect() };
        PluginName::new(name).map_err(|_bad| missing())?;
        let directory = Directory::open(state_dir)?.inside(PLUGINS)?.inside(name)?;
        let failed = |error| failed(directory.path().join(FILE), "writing it", error);
        let text = format!("{}\n", json!({ "host": self.host }));
        directory.replace(FILE, text.as_bytes()).map_err(failed)
    }

    /// What to do about host methods that wait, where any do.
    pub fn note(name: &str, waiting: &[String]) -> Option<String> {
        let methods = waiting.join(", ");
        (!waiting.is_empty())
            .then(|| format!("{methods}: denied until a person says yes: casemate consent {name}"))
    }

    /// What of it all still waits for a person: neither said here nor by the operator.
    pub fn waiting(&self, wanted: &[String], by_operator: &[String]) -> Vec<String> {
        let is_given = |method: &String| {
            self.host.contains(method) || by_operator.iter().any(|given| matches_pattern(given, method))
        };
        wanted.iter().filter(|method| !is_given(method)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_waits() {
        let said = Consent { host: BTreeSet::from(["audio.record".to_owned()]) };
        let wanted = ["audio.record", "clipboard.read"].map(str::to_owned);
        assert_eq!(said.waiting(&wanted, &[]), ["clipboard.read"]);
        assert!(said.waiting(&wanted, &["clipboard.*".to_owned()]).is_empty());
        assert_eq!(Consent::default().waiting(&wanted, &["clip".to_owned()]), wanted);
    }
}
