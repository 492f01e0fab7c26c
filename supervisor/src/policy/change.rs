//! The smallest change that lets something pass: which lines of which files.

use super::effective::{Effective, EffectiveValue, Origin, Section};
use super::order::{Order, Width};
use super::place::Place;
use super::value::Value;

/// A line to write.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The file.
    pub file: String,
    /// Where the value stands that it replaces; `None`: there is none yet.
    pub place: Option<Place>,
    /// The table that it belongs to, as in the file: `plugins.NAME.limits`.
    pub table: String,
    /// The key in that table.
    pub key: String,
    /// The value to write.
    pub value: Value,
}

impl Change {
    /// The line itself.
    pub fn line(&self) -> String {
        format!("{} = {}", self.key, self.value)
    }
}

impl Effective {
    /// What must be written so that a value is as wide as a wanted one: the grant, and whatever bounds it to less.
    pub(super) fn widened(&self, value: &EffectiveValue, wanted: &Value) -> Vec<Change> {
        let order = value.order();
        let narrow = |there: Option<&Value>| {
            order.both(there, wanted) != *wanted && order.compare(there, Some(wanted)) != Width::Wider
        };
        let mut changes = Vec::new();
        let (granted, origin) = &value.granted;
        if narrow(granted.as_ref()) {
            changes.push(self.granting(value, joined(order, granted.as_ref(), wanted), origin));
        }
        for (bound, origin) in value.bounds.iter().filter(|(bound, _)| narrow(Some(bound))) {
            let Origin::Written { path, place, .. } = origin else { continue };
            // What a manifest does not say at all is said by a line of its own.
            let file = place.file();
            let (path, place) = match path.strip_prefix("no ") {
                Some(path) => (path, None),
                None => (path.as_str(), Some(place)),
            };
            changes.push(change(file, path, place, joined(order, Some(bound), wanted)));
        }
        changes
    }

    /// A grant belongs into the plugin's own table, wherever it comes from now.
    fn granting(&self, value: &EffectiveValue, new: Value, origin: &Origin) -> Change {
        let path = format!("{}.{}", self.table(), value.path);
        match origin {
            Origin::Written { section: Section::Plugin, place, path: own } if *own == path => {
                change(place.file(), &path, Some(place), new)
            }
            _ => change(self.file(), &path, None, new),
        }
    }
}

fn change(file: &str, path: &str, place: Option<&Place>, value: Value) -> Change {
    let (table, key) = path.rsplit_once('.').unwrap_or(("", path));
    let (table, key) = (table.to_owned(), key.to_owned());
    Change { file: file.to_owned(), place: place.cloned(), table, key, value }
}

/// A list keeps what it has; of anything else the wanted value takes the place.
fn joined(order: Order, there: Option<&Value>, wanted: &Value) -> Value {
    match (order, there, wanted) {
        (Order::Patterns | Order::Topics | Order::Texts, Some(Value::List(there)), Value::List(wanted)) => {
            let mut list = there.clone();
            list.extend(wanted.iter().filter(|text| !there.contains(text)).cloned());
            Value::List(list)
        }
        _ => wanted.clone(),
    }
}
