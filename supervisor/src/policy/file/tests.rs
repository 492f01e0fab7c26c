//! Policies and every kind of mistake in them.

use super::*;
use casemate_protocol::policy::Snapshot;
use proptest::prelude::*;
use std::time::Duration;

fn refused(text: &str, error: &str) {
    let found = parse(text, "p.toml").unwrap_err().to_string();
    assert_eq!(found, error, "{text}");
    assert!(!found.contains('\n'), "one mistake, one line");
}

#[test]
fn an_empty_file_is_the_default_policy() {
    assert_eq!(parse("", "p.toml"), Ok(PolicySpec::default()));
    assert_eq!(parse("# nothing\n[limits]\n[permissions]\n[require]\n", "p.toml"), Ok(PolicySpec::default()));
}

#[test]
fn everything_that_is_built_can_be_set() {
    let spec = parse(
        r#"
        snapshot = "module"
        instances = { max = 7 }
        [limits]
        memory = "64MiB"
        tables = 20
        stack = 131072
        call_timeout = "5min"
        grace = "20ms"
        input = "2MB"
        output = "3KiB"
        queue = 0
        log = "1KiB/s"
        fuel = 1_000_000
        [permissions]
        host = ["query:ai.*", "log"]
        [require]
        layers = ["seccomp", "namespaces"]
        "#,
        "p.toml",
    )
    .unwrap();
    let limits = &spec.limits;
    assert_eq!((limits.memory_bytes, limits.table_entries, limits.stack_bytes), (64 << 20, 20, 128 << 10));
    assert_eq!((limits.call_timeout, limits.grace), (Duration::from_secs(300), Duration::from_millis(20)));
    assert_eq!((limits.input_bytes, limits.output_bytes), (2_000_000, 3072));
    assert_eq!((limits.queue, limits.log_bytes_per_second), (0, 1024));
    assert_eq!((limits.fuel, spec.instances.max), (Some(1_000_000), 7));
    assert_eq!(spec.snapshot, Snapshot::Module);
    assert_eq!(spec.host, ["query:ai.*", "log"]);
    assert_eq!(spec.require.iter().count(), 8);
}

#[test]
fn what_is_not_built_may_ask_for_what_is_the_case() {
    let neutral = r#"
        dialect = "casemate-1"
        enabled = true
        storage = "none"
        transport = "socket"
        isolation = "plugin"
        instances = { min = 0, spare = 0 }
        limits.cgroup = {}
        methods = {}
        restart = {}
        [permissions]
        publish = []
        subscribe = []
        filesystem = []
        env = []
        network = []
    "#;
    assert_eq!(parse(neutral, "p.toml"), Ok(PolicySpec::default()));
}

#[test]
fn what_is_not_built_is_refused_by_name() {
    for (text, key, instead) in [
        ("external = [\"python3\"]", "external", "leave it out"),
        ("path = \"a.wasm\"", "path", "name the module where the plugin is loaded"),
        ("dialect = \"extism\"", "dialect", "write \"casemate-1\" or leave it out"),
        ("enabled = false", "enabled", "write true or leave it out, and do not load the plugin"),
        ("storage = \"vfs\"", "storage", "write \"none\" or leave it out"),
        ("transport = \"shared\"", "transport", "write \"socket\" or leave it out"),
        ("isolation = \"call\"", "isolation", "write \"plugin\" or leave it out"),
        ("instances.min = 1", "instances.min", "write 0 or leave it out"),
        ("instances.spare = 1", "instances.spare", "write 0 or leave it out"),
        ("instances.idle_timeout = \"30s\"", "instances.idle_timeout", "leave it out"),
        ("instances.max_calls = 1", "instances.max_calls", "leave it out"),
        ("instances.recycle_memory = \"1MiB\"", "instances.recycle_memory", "leave it out"),
        ("limits.cpu = \"1s\"", "limits.cpu", "leave it out"),
        ("limits.cpu_total = \"1h\"", "limits.cpu_total", "leave it out"),
        ("limits.host_calls = \"1/min\"", "limits.host_calls", "leave it out"),
        ("limits.store = \"64MiB\"", "limits.store", "leave it out"),
        ("limits.files = 1000", "limits.files", "leave it out"),
        ("limits.cgroup.memory = \"1MiB\"", "limits.cgroup", "leave it out"),
        ("methods.scan.call_timeout = \"1s\"", "methods", "leave it out"),
        ("permissions.publish = [\"a\"]", "permissions.publish", "write [] or leave it out"),
        ("permissions.subscribe = [\"a\"]", "permissions.subscribe", "write [] or leave it out"),
        ("permissions.filesystem = [\"read:/\"]", "permissions.filesystem", "write [] or leave it out"),
        ("permissions.env = [\"HOME\"]", "permissions.env", "write [] or leave it out"),
        ("permissions.network = [\"*\"]", "permissions.network", "write [] or leave it out"),
        ("restart.give_up_after = 3", "restart", "leave it out"),
    ] {
        let error = parse(text, "p.toml").unwrap_err();
        let expected = Problem::NotAvailable { key: key.to_owned(), instead: instead.to_owned() };
        assert_eq!(*error.problem, expected, "{text}");
    }
    refused(
        "# x\n  storage = \"vfs\"",
        "p.toml:2:13: storage is not available in this version: write \"none\" or leave it out",
    );
}

#[test]
fn unknown_keys_have_a_place_and_a_neighbour() {
    refused(
        "[limits]\nmemmory = \"1MiB\"",
        "p.toml:2:1: unknown key limits.memmory; did you mean limits.memory?",
    );
    refused("memory = \"1MiB\"", "p.toml:1:1: unknown key memory; did you mean limits.memory?");
    refused("[limit]\n", "p.toml:1:2: unknown key limit; did you mean limits?");
    refused("xyzzy = 1", "p.toml:1:1: unknown key xyzzy");
    refused("\"a\\nb\" = 1", "p.toml:1:1: unknown key a\\nb");
    refused(
        "ä = 1",
        "p.toml:1:1: this is not TOML: invalid unquoted key, expected letters, numbers, `-`, `_`",
    );
    refused("instances = { mx = 1 }", "p.toml:1:15: unknown key instances.mx; did you mean instances.max?");
    refused(
        "version = 1\n[plugins.x]\n",
        "p.toml:1:1: version belongs to a whole casemate.toml; a policy file holds what stands under one [plugins.NAME] \
         there, without that heading",
    );
}

#[test]
fn values_of_another_kind_say_what_to_write() {
    for (text, error) in [
        ("limits = 1", "1:10: limits must be a table, and is a whole number"),
        (
            "limits.memory = 1.5",
            "1:17: limits.memory must be an amount of memory, as in \"64MiB\", and is a number with a point",
        ),
        (
            "limits.memory = -1",
            "1:17: limits.memory must be an amount of memory, as in \"64MiB\", and is a negative number",
        ),
        (
            "limits.call_timeout = 30",
            "1:23: limits.call_timeout must be a duration, as in \"30s\", and is a whole number",
        ),
        (
            "limits.log = 5",
            "1:14: limits.log must be an amount of memory per second, as in \"64KiB/s\", and is a whole number",
        ),
        ("limits.queue = \"5\"", "1:16: limits.queue must be a whole number, and is a text"),
        ("limits.fuel = true", "1:15: limits.fuel must be a whole number, and is true or false"),
        ("snapshot = 1979-05-27", "1:12: snapshot must be a text in quotes, and is a date"),
        ("snapshot = \"early\"", "1:12: snapshot = \"early\" is none of \"instance\", \"module\""),
        ("transport = \"smoke\"", "1:13: transport = \"smoke\" is none of \"socket\", \"shared\""),
        ("storage = 1", "1:11: storage must be a text in quotes, and is a whole number"),
        ("enabled = 1", "1:11: enabled must be true or false, and is a whole number"),
        (
            "permissions.host = \"a\"",
            "1:20: permissions.host must be a list of texts, as in [\"a\", \"b\"], and is a text",
        ),
        (
            "permissions.host = [\"a\", 1]",
            "1:26: permissions.host must be a list of texts, as in [\"a\", \"b\"], and is a list with something else than \
             texts",
        ),
    ] {
        refused(text, &format!("p.toml:{error}"));
    }
}

#[test]
fn amounts_are_checked_where_they_stand() {
    refused(
        "[limits]\nmemory = \"64 potatoes\"",
        "p.toml:2:10: limits.memory: \"64 potatoes\" is not an amount of memory: a whole number with B, KB, MB, GB (10^n), \
         KiB, MiB or GiB (2^n)",
    );
    refused(
        "limits.memory = \"99999999999999GiB\"",
        "p.toml:1:17: limits.memory: \"99999999999999GiB\" overflows: use a smaller number or unit",
    );
    refused(
        "limits.memory = 99999999999999999999999999",
        "p.toml:1:17: limits.memory = 99999999999999999999999999 is more than any plugin can have",
    );
    refused(
        "limits.input = \"5GiB\"",
        "p.toml:1:16: limits.input = \"5GiB\" is more than any plugin can have",
    );
    refused(
        "limits.queue = 4294967296",
        "p.toml:1:16: limits.queue = 4294967296 is more than any plugin can have",
    );
}

#[test]
fn ranges_are_the_policys_and_have_a_place_here() {
    refused(
        "[limits]\nqueue = 1\n\nmemory = \"1KiB\"",
        "p.toml:4:10: limits.memory = 1 KiB is out of range: it must be from 64 KiB to 4 GiB",
    );
    refused(
        "instances = { max = 0 }",
        "p.toml:1:21: instances.max = 0 is out of range: it must be from 1 to 10000",
    );
    let host = "permissions.host = [\n  \"fine\",\n  \"a*b\",\n]";
    let error = parse(host, "p.toml").unwrap_err();
    assert_eq!((error.line, error.column), (3, 3));
    assert!(matches!(*error.problem, Problem::Refused(PolicyError::HostPattern { .. })));
    let layers = "[require]\nlayers = [\"seccomp\", \"landlok\"]";
    let error = parse(layers, "p.toml").unwrap_err();
    assert_eq!((error.line, error.column), (2, 22));
    assert!(error.to_string().ends_with("did you mean landlock?"), "{error}");
}

#[test]
fn text_that_is_no_toml_has_a_place() {
    for (text, line) in
        [("limits = {", 1), ("a = 1\na = 2", 2), ("[limits]\n[limits]", 2), ("x", 1), ("\u{0}", 1)]
    {
        let error = parse(text, "p.toml").unwrap_err();
        assert_eq!(error.line, line, "{text:?}: {error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    let deep = format!("a = {}", "[".repeat(100_000));
    assert!(parse(&deep, "p.toml").is_err());
    let long = "#".repeat(FILE_BYTES_MAX + 1);
    assert!(matches!(*parse(&long, "p.toml").unwrap_err().problem, Problem::TooLong { .. }));
}

#[test]
fn a_file_name_cannot_forge_a_line() {
    let error = parse("xyzzy = 1", "a\nerror: b").unwrap_err();
    assert_eq!(error.to_string(), "a?error: b:1:1: unknown key xyzzy");
}

proptest! {
    #[test]
    fn any_text_is_a_policy_or_one_line(text: String) {
        match parse(&text, "p.toml") {
            Ok(spec) => prop_assert!(Policy::new(spec).is_ok()),
            Err(error) => prop_assert!(!error.to_string().contains('\n')),
        }
    }

    #[test]
    fn any_value_of_any_key(
        table in "|limits\\.|instances\\.|permissions\\.|require\\.",
        key in "memory|queue|max|host|layers|snapshot|fuel|log|grace|network|[a-z_]{1,9}",
        value in "[0-9]{1,20}|\"[0-9]{1,20}[a-zA-Z/]{0,5}\"|\\[\"[a-z*]{0,5}\"\\]|true|\\{\\}|\\[\\]|-1|1\\.5",
    ) {
        match parse(&format!("{table}{key} = {value}"), "p.toml") {
            Ok(spec) => prop_assert!(Policy::new(spec).is_ok()),
            Err(error) => prop_assert!(!error.to_string().contains('\n')),
        }
    }
}
