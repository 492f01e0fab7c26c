//! Ids as newtypes, so that one is never taken for another.

use std::fmt;

/// Bytes a plugin name may have: it shows up in paths, logs and process titles.
pub const PLUGIN_NAME_BYTES_MAX: usize = 64;

/// The name an operator or host gave a plugin: 1–64 of `a-z A-Z 0-9 . _ -`, not starting with a dot or dash.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PluginName(String);

/// A text that is no plugin name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name:?} is no plugin name: use 1 to {PLUGIN_NAME_BYTES_MAX} of a-z A-Z 0-9 . _ -, starting with a letter, digit or _"
)]
pub struct BadPluginName {
    /// The text as given, cut to 80 characters.
    pub name: String,
}

impl PluginName {
    /// Takes a name if it is one.
    pub fn new(name: &str) -> Result<Self, BadPluginName> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let starts_well =
            name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if starts_well && name.len() <= PLUGIN_NAME_BYTES_MAX && name.bytes().all(plain) {
            Ok(Self(name.to_owned()))
        } else {
            Err(BadPluginName { name: name.chars().take(80).collect() })
        }
    }

    /// The nearest valid name: other characters become `_`, the rest is cut.
    pub fn from_lossy(text: &str) -> Self {
        let mut name: String = text
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' })
            .take(PLUGIN_NAME_BYTES_MAX)
            .collect();
        if !name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            name.insert(0, '_');
            name.truncate(PLUGIN_NAME_BYTES_MAX);
        }
        Self(name)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One worker process of a plugin; never reused within a supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(pub u64);

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// One call on one link; grows by one with each call of that link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// One of those who call a plugin; the host itself is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ClientId(pub u64);

impl ClientId {
    /// Nobody's: what a plugin is told of events. No connection has this number.
    pub const NOBODY: Self = Self(u64::MAX);
}

/// The random mark that every process of one supervisor carries in its arguments, 16 hex digits in `ps`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Marker(pub u64);

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_bounded() {
        for good in ["a", "statistics", "_scope_my-plugin", "x.1"] {
            assert_eq!(PluginName::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "..", ".hidden", "-rf", "a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(PluginName::new(bad).is_err(), "{bad:?}");
            assert!(PluginName::new(PluginName::from_lossy(bad).as_str()).is_ok(), "{bad:?}");
        }
    }
}
