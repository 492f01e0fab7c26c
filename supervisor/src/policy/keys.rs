//! Every key of a plugin's policy, and what this version does with it.

use casemate_protocol::policy::{PolicySpec, Snapshot};
use std::time::Duration;

/// A key of one table.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) rule: Rule,
}

/// What a key's value may be, and where it goes. A setter says `None` when the number does not fit.
#[derive(Debug)]
pub(super) enum Rule {
    /// More keys.
    Table(&'static [Key]),
    /// An amount of memory.
    Bytes(fn(&mut PolicySpec, u64) -> Option<()>),
    /// An amount of memory a second.
    BytesPerSecond(fn(&mut PolicySpec, u64) -> Option<()>),
    /// A time.
    Duration(fn(&mut PolicySpec, Duration)),
    /// A number of things.
    Count(fn(&mut PolicySpec, u64) -> Option<()>),
    /// Methods of the host.
    HostMethods,
    /// Layers of the wall.
    Layers,
    /// When the guest's memory is made.
    Snapshot,
    /// One of these words; only the first is built.
    OnlyFirst(&'static [&'static str]),
    /// Not built: may be `true`.
    OnlyTrue,
    /// Not built: may be 0.
    OnlyZero,
    /// Not built: may be an empty list.
    OnlyEmptyList,
    /// Not built: may be an empty table.
    OnlyEmptyTable,
    /// Not built: must not be there.
    Absent,
    /// Not a matter of a policy file: what to do with it.
    Elsewhere(&'static str),
}

const fn key(name: &'static str, rule: Rule) -> Key {
    Key { name, rule }
}

/// What stands under `[plugins.NAME]`.
pub(super) const PLUGIN: &[Key] = &[
    key("path", Rule::Elsewhere("name the module where the plugin is loaded")),
    key("external", Rule::Absent),
    key("dialect", Rule::OnlyFirst(&["casemate-1"])),
    key("enabled", Rule::OnlyTrue),
    key("storage", Rule::OnlyFirst(&["none", "vfs"])),
    key("transport", Rule::OnlyFirst(&["socket", "shared"])),
    key("snapshot", Rule::Snapshot),
    key("isolation", Rule::OnlyFirst(&["plugin", "client", "call"])),
    key("instances", Rule::Table(INSTANCES)),
    key("limits", Rule::Table(LIMITS)),
    key("methods", Rule::OnlyEmptyTable),
    key("permissions", Rule::Table(PERMISSIONS)),
    key("restart", Rule::OnlyEmptyTable),
    key("require", Rule::Table(&[key("layers", Rule::Layers)])),
];

/// Keys that show that somebody passed the whole configuration.
pub(super) const WHOLE_CONFIGURATION: &[&str] = &["version", "daemon", "defaults", "ceiling", "plugins"];

const INSTANCES: &[Key] = &[
    key("min", Rule::OnlyZero),
    key("max", Rule::Count(|spec, count| set(&mut spec.instances.max, count))),
    key("spare", Rule::OnlyZero),
    key("idle_timeout", Rule::Absent),
    key("max_calls", Rule::Absent),
    key("recycle_memory", Rule::Absent),
];

const LIMITS: &[Key] = &[
    key("memory", Rule::Bytes(|spec, bytes| set(&mut spec.limits.memory_bytes, bytes))),
    key("tables", Rule::Count(|spec, count| set(&mut spec.limits.table_entries, count))),
    key("stack", Rule::Bytes(|spec, bytes| set(&mut spec.limits.stack_bytes, bytes))),
    key("cpu", Rule::Absent),
    key("cpu_total", Rule::Absent),
    key("call_timeout", Rule::Duration(|spec, time| spec.limits.call_timeout = time)),
    key("grace", Rule::Duration(|spec, time| spec.limits.grace = time)),
    key("input", Rule::Bytes(|spec, bytes| set(&mut spec.limits.input_bytes, bytes))),
    key("output", Rule::Bytes(|spec, bytes| set(&mut spec.limits.output_bytes, bytes))),
    key("queue", Rule::Count(|spec, count| set(&mut spec.limits.queue, count))),
    key("log", Rule::BytesPerSecond(|spec, bytes| set(&mut spec.limits.log_bytes_per_second, bytes))),
    key("host_calls", Rule::Absent),
    key("store", Rule::Absent),
    key("files", Rule::Absent),
    key(
        "fuel",
        Rule::Count(|spec, units| {
            spec.limits.fuel = Some(units);
            Some(())
        }),
    ),
    key("cgroup", Rule::OnlyEmptyTable),
];

const PERMISSIONS: &[Key] = &[
    key("host", Rule::HostMethods),
    key("publish", Rule::OnlyEmptyList),
    key("subscribe", Rule::OnlyEmptyList),
    key("filesystem", Rule::OnlyEmptyList),
    key("env", Rule::OnlyEmptyList),
    key("network", Rule::OnlyEmptyList),
];

pub(super) const SNAPSHOTS: &[(&str, Snapshot)] =
    &[("instance", Snapshot::Instance), ("module", Snapshot::Module)];

fn set<T: TryFrom<u64>>(place: &mut T, value: u64) -> Option<()> {
    *place = T::try_from(value).ok()?;
    Some(())
}

/// The key that was probably meant: a similar one of the same table, or the same one of another.
pub(super) fn nearest_key(table: &[Key], prefix: &str, wrong: &str) -> Option<String> {
    match nearest(wrong, table.iter().map(|key| key.name)) {
        Some(name) => Some(joined(prefix, name)),
        None => find("", PLUGIN, wrong),
    }
}

fn find(prefix: &str, table: &[Key], wrong: &str) -> Option<String> {
    table.iter().find_map(|key| {
        let path = joined(prefix, key.name);
        match key.rule {
            _ if key.name == wrong => Some(path),
            Rule::Table(inner) => find(&path, inner, wrong),
            _ => None,
        }
    })
}

/// `table.key`, or the key alone at the top.
pub(super) fn joined(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

/// The most similar name, if it is similar at all: a third of it may differ.
pub(super) fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let close = |name: &str| name.chars().count().div_ceil(3);
    names
        .map(|name| (distance(wrong, name), name))
        .filter(|(distance, name)| *distance <= close(name))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters must be added, removed or changed to make one of the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    // No key is near a text as long as this, and the work grows with the length.
    if one.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        for (column, other_letter) in other.iter().enumerate() {
            let Some(place) = row.get_mut(column + 1) else { break };
            let above = *place;
            let changed = diagonal + usize::from(letter != *other_letter);
            left = changed.min(above + 1).min(left + 1);
            diagonal = above;
            *place = left;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_counted_in_letters() {
        for (one, other, expected) in [
            ("", "abc", 3),
            ("memory", "memory", 0),
            ("memroy", "memory", 2),
            ("memor", "memory", 1),
            ("kitten", "sitting", 3),
            ("ä", "a", 1),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            // Symmetric, but for the first row.
            if !one.is_empty() {
                assert_eq!(distance(other, one), expected, "{other} {one}");
            }
        }
    }

    #[test]
    fn what_was_meant_is_found_near_or_elsewhere() {
        let near = |table, prefix, wrong| nearest_key(table, prefix, wrong);
        assert_eq!(near(LIMITS, "limits", "memmory").as_deref(), Some("limits.memory"));
        assert_eq!(near(LIMITS, "limits", "timeout"), None);
        assert_eq!(near(PLUGIN, "", "memory").as_deref(), Some("limits.memory"));
        assert_eq!(near(PLUGIN, "", "limit").as_deref(), Some("limits"));
        assert_eq!(near(PLUGIN, "", "permission").as_deref(), Some("permissions"));
        assert_eq!(near(PLUGIN, "", "xyzzy"), None);
        assert_eq!(near(PLUGIN, "", &"m".repeat(100_000)), None);
    }
}
