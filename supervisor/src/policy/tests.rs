//! Whole files, what comes out of them, and every kind of mistake.

mod effective;
mod errors;
mod explain;
mod manifest;

use super::keys::{Field, Kind, MANIFEST, METHOD, PLUGIN, Texts, WHOLE, leaves};
use super::*;
use casemate_protocol::policy::{Isolation, Policy, PolicySpec, Rate, Snapshot};
use std::collections::BTreeSet;
use std::time::Duration;

pub(super) const REFERENCE: &str = include_str!("../../../docs/casemate.toml");
pub(super) const MANIFEST_REFERENCE: &str = include_str!("../../../docs/plugin.toml");

pub(super) fn parse(text: &str) -> Configuration {
    Configuration::parse(text, "c.toml").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn the_reference_has_every_key_and_sets_it() {
    let configuration = parse(REFERENCE);
    let daemon = configuration.daemon();
    assert_eq!((daemon.connections, daemon.handshake_timeout), (64, Duration::from_secs(2)));
    assert_eq!(daemon.listen.as_deref(), Some("/run/casemate.sock".as_ref()));
    assert_eq!(daemon.clients[0].rights, ["call", "serve", "admin"]);
    let effective = configuration.plugin("sentiment", None).unwrap();
    let policy = effective.limits();
    let limits = policy.limits();
    assert_eq!((limits.memory_bytes, limits.table_entries, limits.stack_bytes), (100 << 20, 10_000, 1 << 20));
    assert_eq!(
        (limits.cpu, limits.cpu_total),
        (Some(Duration::from_secs(1)), Some(Duration::from_secs(3600)))
    );
    assert_eq!(limits.host_calls, Some(Rate { count: 1000, window: Duration::from_secs(60) }));
    assert_eq!((limits.fuel, limits.cgroup.cpu_percent), (Some(10_000_000), Some(50)));
    assert_eq!((policy.instances().spare, policy.instances().recycle_memory_bytes), (1, Some(64 << 20)));
    assert_eq!((policy.snapshot(), policy.isolation()), (Snapshot::Instance, Isolation::Plugin));
    assert_eq!((policy.restart().factor_percent, policy.restart().jitter_percent), (200, 20));
    assert_eq!(policy.call_timeout("scan"), Duration::from_secs(600));
    assert_eq!(policy.call_timeout("other"), Duration::from_secs(30));
    assert_eq!(policy.host_calls("scan").map(|rate| rate.count), Some(100));
    assert_eq!(policy.require().iter().count(), 9);
    assert!(policy.allows_host("query:ai.ocr") && !policy.allows_host("query:db"));
}

/// A reference without a key would be none: the words of both files are looked for in the files themselves.
#[test]
fn the_references_name_every_key() {
    for (text, keys) in [(REFERENCE, WHOLE), (MANIFEST_REFERENCE, MANIFEST)] {
        let words: BTreeSet<&str> = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
        let mut open = vec![keys];
        while let Some(keys) = open.pop() {
            for key in keys {
                if std::ptr::eq(text, MANIFEST_REFERENCE) && key.name == "limits" {
                    // Those of the other file.
                    continue;
                }
                assert!(words.contains(key.name), "{} is not in the reference", key.name);
                if let Kind::Table(inner) | Kind::Named(inner) | Kind::Many(inner) = key.kind {
                    open.push(inner);
                }
            }
        }
    }
}

#[test]
fn nothing_said_is_the_default_policy() {
    for text in ["", "version = 1", "[defaults.limits]\n[plugins]\n[ceiling]"] {
        let effective = parse(text).others("x", None, &Overrides::default()).unwrap();
        assert_eq!(effective.limits(), &casemate_protocol::policy::Policy::default(), "{text}");
        assert!(effective.policy().is_ok());
        assert!(effective.values().iter().all(|value| value.origin == Origin::Default));
    }
}

#[test]
fn a_file_is_read_anew_or_the_old_one_stays() {
    let path = std::env::temp_dir().join(format!("casemate-reload-{}.toml", std::process::id()));
    let mut configuration = parse("[plugins.a.limits]\nmemory = \"1MiB\"");
    std::fs::write(&path, "[plugins.a.limits]\nmemory = \"2MiB\"\ncall_timeout = \"1s\"").unwrap();
    let changes = configuration.reload(&path);
    std::fs::write(&path, "[plugins.a.limits]\nmemory = \"2 potatoes\"").unwrap();
    let error = configuration.reload(&path).unwrap_err();
    std::fs::remove_file(&path).unwrap();
    assert_eq!((error.line, error.column), (2, 10));
    assert!(configuration.reload(&path).unwrap_err().is_unreadable());
    let values = changes.unwrap().values;
    let shown: Vec<_> =
        values.iter().map(|value| (value.key.as_str(), value.width, value.needs_restart)).collect();
    assert_eq!(
        shown,
        [("limits.memory", Width::Wider, true), ("limits.call_timeout", Width::Narrower, false)]
    );
    let limits = configuration.plugin("a", None).unwrap();
    assert_eq!(limits.limits().limits().memory_bytes, 2 << 20);
}

/// TOML as the schema sees it.
fn as_json(text: &str) -> serde_json::Value {
    let value: toml::Table = toml::from_str(text).unwrap();
    serde_json::to_value(value).unwrap()
}

#[test]
fn the_schemas_take_the_references_and_no_typo() {
    for (text, schema, typo) in [
        (REFERENCE, schema::of_configuration(), "[plugins.a.limits]\nmemroy = 1"),
        (
            MANIFEST_REFERENCE,
            schema::of_manifest(),
            "id = \"a\"\nname = \"a\"\nversion = \"1.0.0\"\nnmae = 1",
        ),
        (REFERENCE, schema::of_configuration(), "[ceiling]\npath = \"a\""),
        (REFERENCE, schema::of_configuration(), "[plugins.a]\nisolation = \"none\""),
        (REFERENCE, schema::of_configuration(), "[plugins.a.limits]\nhost_calls = \"5\""),
    ] {
        schema::fits(&schema, &as_json(text)).unwrap();
        assert!(schema::fits(&schema, &as_json(typo)).is_err(), "{typo}");
    }
}

/// Another value of a kind than any default is.
fn another(kind: &Kind) -> Value {
    match kind {
        Kind::Bytes => Value::Bytes(3 << 20),
        Kind::BytesPerSecond => Value::BytesPerSecond(3 << 10),
        Kind::Time => Value::Time(Duration::from_secs(7)),
        Kind::Count => Value::Count(7),
        Kind::Percent => Value::Percent(70),
        Kind::Hundredths => Value::Hundredths(100),
        Kind::Rate => Value::Rate(Rate { count: 7, window: Duration::from_secs(1) }),
        Kind::Options => Value::Options([("seven".to_owned(), "7".to_owned())].into()),
        Kind::Texts(Texts::Files) => Value::List(vec!["read:/seven".to_owned()]),
        Kind::Texts(Texts::Layers) => Value::List(vec!["seccomp".to_owned()]),
        Kind::Texts(_) => Value::List(vec!["seven".to_owned()]),
        _ => panic!("no field of a policy is of this kind"),
    }
}

/// The table of keys is for people, and for `policy diff`; running plugins go by the policy itself.
#[test]
fn a_key_needs_a_new_version_where_a_plugin_needs_one() {
    // With room for the other numbers of instances.
    let mut before = PolicySpec::default();
    before.instances.max = 8;
    for (path, key) in leaves(PLUGIN) {
        let Field::Policy(field) = key.field else { continue };
        let with = |value: &Value| {
            let mut after = before.clone();
            field(&mut after).set(value).unwrap();
            after
        };
        let after = match &key.kind {
            Kind::Word(words) => {
                let all = words.iter().map(|word| with(&Value::Text((*word).to_owned())));
                all.into_iter().find(|after| *after != before).unwrap()
            }
            kind => with(&another(kind)),
        };
        assert_ne!(after, before, "{path}");
        let (old, new) = (Policy::new(before.clone()).unwrap(), Policy::new(after).unwrap());
        assert_eq!(needs_new_version(&old, &new), key.restart, "{path}");
    }
    for key in METHOD {
        assert!(!key.restart, "{}", key.name);
    }
}
