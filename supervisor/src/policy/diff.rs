//! What one configuration allows more and less than another.

use super::configuration::Configuration;
use super::effective::{Effective, Overrides};
use super::error::ConfigError;
use super::order::Width;
use super::value::Value;
use std::collections::BTreeSet;

/// A value that is not what it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The plugin; `None`: those that have no table of their own.
    pub plugin: Option<String>,
    /// Its key.
    pub key: String,
    /// `None`: no limit.
    pub old: Option<Value>,
    /// `None`: no limit.
    pub new: Option<Value>,
    /// Which allows more.
    pub width: Width,
    /// Whether a running plugin comes to it only by a new version of it.
    pub needs_restart: bool,
}

/// All that is different.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// Plugins that only the new one has a table for.
    pub added: Vec<String>,
    /// Plugins that only the old one had a table for.
    pub removed: Vec<String>,
    /// Values that are different. A plugin without a table is held against what holds for those without one.
    pub values: Vec<Difference>,
}

impl Changes {
    /// What is different from an old configuration to a new one.
    pub fn between(old: &Configuration, new: &Configuration) -> Result<Self, ConfigError> {
        let before: BTreeSet<&str> = old.plugins().collect();
        let after: BTreeSet<&str> = new.plugins().collect();
        let names = |names: Vec<&&str>| names.into_iter().map(|name| (*name).to_owned()).collect();
        let mut changes = Self {
            added: names(after.difference(&before).collect()),
            removed: names(before.difference(&after).collect()),
            values: Vec::new(),
        };
        changes.compare(None, &of(old, None)?, &of(new, None)?);
        for name in before.union(&after) {
            changes.compare(Some(name), &of(old, Some(name))?, &of(new, Some(name))?);
        }
        Ok(changes)
    }

    fn compare(&mut self, plugin: Option<&str>, old: &Effective, new: &Effective) {
        let keys =
            new.values().iter().chain(old.values().iter().filter(|value| new.get(&value.path).is_none()));
        for key in keys {
            let side = |side: &Effective| match side.get(&key.path) {
                Some(value) => value.value.clone(),
                // A method without limits of its own has those of its plugin.
                None => side.get(&format!("limits.{}", key.path.rsplit('.').next()?))?.value.clone(),
            };
            let (before, after) = (side(old), side(new));
            if before != after {
                self.values.push(Difference {
                    plugin: plugin.map(str::to_owned),
                    key: key.path.clone(),
                    width: key.order().compare(after.as_ref(), before.as_ref()),
                    old: before,
                    new: after,
                    needs_restart: key.needs_restart(),
                });
            }
        }
    }
}

fn of(configuration: &Configuration, name: Option<&str>) -> Result<Effective, ConfigError> {
    match name.filter(|name| configuration.plugins().any(|known| known == *name)) {
        Some(name) => configuration.plugin(name, None),
        None => configuration.others(name.unwrap_or("NAME"), None, &Overrides::default()),
    }
}
