//! Who has the last word.

use super::{REFERENCE, parse};
use crate::policy::*;

fn manifest(text: &str) -> Manifest {
    let text = format!("id = \"a\"\nname = \"A\"\nversion = \"1.0.0\"\n{text}");
    Manifest::parse(&text, "plugin.toml").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A value, where it comes from, and what it stands over.
fn value(effective: &Effective, path: &str) -> String {
    let value = effective.get(path).unwrap();
    let over = value
        .overruled
        .iter()
        .map(|(value, origin)| format!(" over {value} of {origin}"))
        .collect::<String>();
    let shown = value.value.as_ref().map_or("-".to_owned(), ToString::to_string);
    format!("{shown} of {}{over}", value.origin)
}

const FILE: &str = r#"
[defaults.limits]
memory = "64MiB"
stack = "2MiB"
[ceiling.limits]
memory = "128MiB"
cpu = "2s"
call_timeout = "1min"
[plugins.a.limits]
memory = "96MiB"
[plugins.a.methods.scan]
call_timeout = "10min"
[plugins.a.permissions]
host = ["query:*", "log"]
[plugins.b.limits]
memory = "1GiB"
[plugins.a.require]
layers = ["seccomp"]
"#;

#[test]
fn the_nearest_table_grants_and_the_ceiling_clips() {
    let configuration = parse(FILE);
    let a = configuration.plugin("a", None).unwrap();
    assert_eq!(
        value(&a, "limits.memory"),
        "\"96MiB\" of plugins.a.limits.memory, c.toml:10:10 over \"64MiB\" of defaults.limits.memory, c.toml:3:10"
    );
    assert_eq!(value(&a, "limits.stack"), "\"2MiB\" of defaults.limits.stack, c.toml:4:9");
    assert_eq!(value(&a, "limits.cpu"), "\"2s\" of ceiling.limits.cpu, c.toml:7:7");
    assert_eq!(value(&a, "limits.queue"), "256 of default");
    assert_eq!(
        value(&a, "methods.scan.call_timeout"),
        "\"1min\" of ceiling.limits.call_timeout, c.toml:8:16 over \"10min\" of plugins.a.methods.scan.call_timeout, c.toml:12:16"
    );
    let b = configuration.plugin("b", None).unwrap();
    assert_eq!(b.limits().limits().memory_bytes, 128 << 20);
    let (granted, _) = b.get("limits.memory").unwrap().clipped().unwrap();
    assert_eq!(*granted, Value::Bytes(1 << 30));
    assert!(a.get("limits.memory").unwrap().clipped().is_none());
}

#[test]
fn a_manifest_only_makes_less_of_it() {
    let configuration = parse(FILE);
    let asks = manifest(
        "[limits]\nmemory = \"32MiB\"\nstack = \"4MiB\"\nfuel = 7\n[permissions]\nhost = [\"query:ai.ocr\", \"fs\"]\n\
         [methods.scan]\n[methods.list]\ncall_timeout = \"5s\"\n[methods.long]\ncall_timeout = \"1h\"",
    );
    let a = configuration.plugin("a", Some(&asks)).unwrap();
    let memory = value(&a, "limits.memory");
    assert!(memory.starts_with("\"32MiB\" of limits.memory, plugin.toml:5:10 over "), "{memory}");
    assert!(memory.ends_with(" over \"96MiB\" of plugins.a.limits.memory, c.toml:10:10"), "{memory}");
    assert_eq!(
        value(&a, "limits.stack"),
        "\"2MiB\" of defaults.limits.stack, c.toml:4:9 over \"4MiB\" of limits.stack, plugin.toml:6:9"
    );
    assert_eq!(a.limits().limits().fuel, Some(7));
    assert!(a.limits().allows_host("query:ai.ocr"));
    assert!(
        !a.limits().allows_host("query:ai.db")
            && !a.limits().allows_host("fs")
            && !a.limits().allows_host("log")
    );
    let seconds = |method: &str| a.limits().call_timeout(method).as_secs();
    assert_eq!((seconds("scan"), seconds("list"), seconds("long")), (60, 5, 30));
}

#[test]
fn who_asks_for_nothing_gets_nothing_and_without_a_manifest_all_that_is_granted() {
    let configuration = parse(FILE);
    let with = configuration.plugin("a", Some(&manifest(""))).unwrap();
    assert!(!with.limits().allows_host("log"));
    assert!(value(&with, "permissions.host").starts_with("[] of no permissions.host, plugin.toml:1:1"));
    assert!(configuration.plugin("a", None).unwrap().limits().allows_host("log"));
}

#[test]
fn flags_go_over_the_file_and_not_over_the_ceiling() {
    let configuration = parse(FILE);
    let layers = Value::List(vec!["landlock".to_owned()]);
    let flags = Overrides::default().with("--memory", "limits.memory", Value::Bytes(1 << 30)).with(
        "--require",
        "require.layers",
        layers,
    );
    let a = configuration.plugin_with("a", None, &flags).unwrap();
    assert_eq!(a.limits().limits().memory_bytes, 128 << 20);
    assert!(value(&a, "limits.memory").contains("over \"1GiB\" of --memory"));
    assert_eq!(a.limits().require().iter().count(), 2, "layers add up");
    let flags = Overrides::default().with("--memory", "limits.memory", Value::Bytes(1));
    let error = configuration.plugin_with("a", None, &flags).unwrap_err();
    assert!(error.to_string().starts_with("--memory: limits.memory = 1 B is out of range"), "{error}");
}

#[test]
fn what_is_not_there_yet_is_read_and_refused_by_name_where_it_is_wanted() {
    let effective = parse(REFERENCE).plugin("sentiment", None).unwrap();
    assert_eq!(effective.not_available().count(), 0, "the reference uses what there is");
    let wanting = parse("[plugins.a]\ntransport = \"shared\"").plugin("a", None).unwrap();
    let errors: Vec<String> = wanting.not_available().map(|error| error.to_string()).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("plugins.a.transport = "), "{errors:?}");
    assert!(errors[0].contains("is not available in this version: write"), "{errors:?}");
    assert_eq!(wanting.policy().unwrap_err().to_string(), errors[0]);
    for (text, allowed) in [
        ("storage = \"none\"\ntransport = \"socket\"\npermissions.env = []", true),
        ("transport = \"shared\"", false),
        ("external = [\"program\"]", true),
        ("enabled = false", false),
        ("permissions.network = [\"example.org\"]", false),
    ] {
        let configuration = parse(&format!("[plugins.a]\n{text}"));
        assert_eq!(configuration.plugin("a", None).unwrap().policy().is_ok(), allowed, "{text}");
    }
    let asked = manifest("[permissions]\nenv = []");
    let granted = parse("[plugins.a.permissions]\nenv = [\"A\"]");
    assert!(granted.plugin("a", Some(&asked)).unwrap().policy().is_ok(), "granted, and not wanted");
}

#[test]
fn a_module_is_found_from_the_files_folder() {
    let text = "[plugins.a]\npath = \"x.wasm\"\n[plugins.b]\npath = \"/y.wasm\"\n[plugins.c]";
    let configuration = Configuration::parse(text, "/etc/c.toml").unwrap();
    let module = |name| configuration.module(name).map(|path| path.display().to_string());
    assert_eq!(module("a").as_deref(), Some("/etc/x.wasm"));
    assert_eq!((module("b").as_deref(), module("c")), (Some("/y.wasm"), None));
}
