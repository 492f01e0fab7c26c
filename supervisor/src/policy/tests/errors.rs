//! Every kind of mistake, with its place and what to do.

use super::REFERENCE;
use crate::policy::*;
use proptest::prelude::*;

#[track_caller]
fn refused(text: &str, error: &str) {
    let found = Configuration::parse(text, "c.toml").unwrap_err().to_string();
    assert_eq!(found, format!("c.toml:{error}"), "{text}");
    assert!(!found.contains('\n'), "one mistake, one line");
}

#[test]
fn unknown_keys_have_a_place_and_a_neighbour() {
    for (text, error) in [
        (
            "[plugins.a.limits]\nmemmory = 1",
            "2:1: unknown key plugins.a.limits.memmory; did you mean plugins.a.limits.memory?",
        ),
        (
            "[plugins.a]\nmemory = 1",
            "2:1: unknown key plugins.a.memory; did you mean plugins.a.limits.memory?",
        ),
        ("[plugins.a.limit]\n", "1:12: unknown key plugins.a.limit; did you mean plugins.a.limits?"),
        (
            "[defaults.limits]\nccpu = \"1s\"",
            "2:1: unknown key defaults.limits.ccpu; did you mean defaults.limits.cpu?",
        ),
        ("[plugin.a]", "1:2: unknown key plugin; did you mean plugins?"),
        ("memory = 1", "1:1: unknown key memory; did you mean defaults.limits.memory?"),
        ("xyzzy = 1", "1:1: unknown key xyzzy"),
        ("\"a\\nb\" = 1", "1:1: unknown key a\\nb"),
        ("[daemon]\nlistne = \"x\"", "2:1: unknown key daemon.listne; did you mean daemon.listen?"),
        (
            "plugins.a.instances = { mx = 1 }",
            "1:25: unknown key plugins.a.instances.mx; did you mean plugins.a.instances.max?",
        ),
        (
            "[daemon]\nclients = [{ uidd = 1 }]",
            "2:14: unknown key daemon.clients[0].uidd; did you mean daemon.clients[0].uid?",
        ),
        (
            "[plugins.a.methods.\"x y\"]\ncall_timeut = \"1s\"",
            "2:1: unknown key plugins.a.methods.\"x y\".call_timeut; did you mean plugins.a.methods.\"x y\".call_timeout?",
        ),
    ] {
        refused(text, error);
    }
}

#[test]
fn what_stands_in_the_wrong_place_says_where_it_belongs() {
    for (text, error) in [
        (
            "[limits]",
            "1:2: limits is out of place: write it under [plugins.NAME], or under [defaults] for every plugin",
        ),
        (
            "[defaults]\npath = \"a.wasm\"",
            "2:1: defaults.path is out of place: write it under [plugins.NAME]; it is the operator's choice for each plugin",
        ),
        (
            "[ceiling.restart]\nwithin = \"1s\"",
            "1:10: ceiling.restart is out of place: write it under [plugins.NAME]; it is the operator's choice for each plugin",
        ),
    ] {
        refused(text, error);
    }
}

#[test]
fn values_of_another_kind_say_what_to_write() {
    for (value, error) in [
        ("limits = 1", "limits must be a table, and is a whole number"),
        (
            "limits.memory = 1.5",
            "limits.memory must be an amount of memory, as in \"64MiB\", and is a number with a point",
        ),
        (
            "limits.memory = -1",
            "limits.memory must be an amount of memory, as in \"64MiB\", and is a negative number",
        ),
        (
            "limits.call_timeout = 30",
            "limits.call_timeout must be a duration, as in \"30s\", and is a whole number",
        ),
        ("limits.queue = \"5\"", "limits.queue must be a whole number, and is a text"),
        (
            "limits.host_calls = 5",
            "limits.host_calls must be so many in a time, as in \"100/s\", \"1000/min\" or \"10/h\", and is a whole number",
        ),
        (
            "limits.host_calls = \"5/day\"",
            "limits.host_calls: \"5/day\" is not so many in a time, as in \"100/s\", \"1000/min\" or \"10/h\"",
        ),
        (
            "limits.cgroup.cpu = \"half\"",
            "limits.cgroup.cpu: \"half\" is not hundredths of one core, as in \"50%\"",
        ),
        (
            "restart.backoff.factor = 1.234",
            "restart.backoff.factor must be a number with at most two digits after the point, as in 0.25, and is a number with a point",
        ),
        ("snapshot = 1979-05-27", "snapshot must be a text in quotes, and is a date"),
        ("snapshot = \"early\"", "snapshot = \"early\" is none of \"module\", \"instance\""),
        (
            "transport = \"scoket\"",
            "transport = \"scoket\" is none of \"socket\", \"shared\"; did you mean \"socket\"?",
        ),
        ("enabled = 1", "enabled must be true or false, and is a whole number"),
        (
            "permissions.host = \"a\"",
            "permissions.host must be a list of texts, as in [\"a\", \"b\"], and is a text",
        ),
        ("methods = 1", "methods must be a table, and is a whole number"),
        ("methods.scan = 1", "methods.scan must be a table, and is a whole number"),
    ] {
        let column = "plugins.a.".len() + value.find('=').unwrap() + 3;
        refused(&format!("plugins.a.{value}"), &format!("1:{column}: plugins.a.{error}"));
    }
    refused("daemon.clients = 1", "1:18: daemon.clients must be a list of tables, and is a whole number");
    refused(
        "plugins.a = 1",
        "1:9: plugins.a must be a table with the keys of a plugin, and is something else",
    );
    refused("plugins = 1", "1:11: plugins must be a table, and is a whole number");
    refused("version = 2", "1:11: version = 2 is not known to this version of Casemate: write 1");
}

#[test]
fn amounts_are_checked_where_they_stand() {
    for (text, error) in [
        (
            "[defaults.limits]\nmemory = \"64 potatoes\"",
            "2:10: defaults.limits.memory: \"64 potatoes\" is not an amount of memory: a whole number with B, KB, MB, GB (10^n), \
             KiB, MiB or GiB (2^n)",
        ),
        (
            "defaults.limits.memory = \"99999999999999GiB\"",
            "1:26: defaults.limits.memory: \"99999999999999GiB\" overflows: use a smaller number or unit",
        ),
        (
            "defaults.limits.memory = 99999999999999999999999999",
            "1:26: defaults.limits.memory = 99999999999999999999999999 is more than can be",
        ),
        ("defaults.limits.input = \"5GiB\"", "1:25: defaults.limits.input = \"5GiB\" is more than can be"),
        ("ceiling.limits.queue = 4294967296", "1:24: ceiling.limits.queue = 4294967296 is more than can be"),
    ] {
        refused(text, error);
    }
}

#[test]
fn ranges_and_contradictions_have_the_place_of_what_was_written() {
    for (text, error) in [
        (
            "[plugins.a.limits]\nqueue = 1\nmemory = \"1KiB\"",
            "3:10: limits.memory = 1 KiB is out of range: it must be from 64 KiB to 4 GiB",
        ),
        (
            "[defaults.limits]\nmemory = \"1KiB\"",
            "2:10: limits.memory = 1 KiB is out of range: it must be from 64 KiB to 4 GiB",
        ),
        (
            "[ceiling.limits]\nmemory = \"1KiB\"",
            "2:10: limits.memory = 1 KiB is out of range: it must be from 64 KiB to 4 GiB",
        ),
        (
            "[plugins.a.instances]\nmin = 5\nmax = 2",
            "2:7: instances.min = 5 is out of range: it must be from 0 to 2",
        ),
        (
            "[ceiling.instances]\nmax = 2\n[plugins.a.instances]\nmin = 3",
            "4:7: instances.min = 3 is out of range: it must be from 0 to 2",
        ),
        (
            "[plugins.a.restart.backoff]\nfirst = \"1min\"",
            "2:9: restart.backoff.max = 30000 ms is out of range: it must be from 60000 ms to 86400000 ms",
        ),
        (
            "[plugins.a.methods.m]\ncall_timeout = \"0s\"",
            "2:16: methods.*.call_timeout = 0 ms is out of range: it must be from 1 ms to 86400000 ms",
        ),
        (
            "[daemon]\nconnections = 0",
            "2:15: daemon.connections = 0 is out of range: it must be from 1 to 100000",
        ),
        (
            "[plugins.a]\npath = \"a\"\nexternal = [\"b\"]",
            "3:12: plugins.a.external and plugins.a.path exclude each other: leave one out",
        ),
    ] {
        refused(text, error);
    }
}

#[test]
fn lists_are_judged_text_by_text() {
    for (text, error) in [
        (
            "plugins.a.permissions.host = [\n  \"fine\",\n  \"a*b\",\n]",
            "3:3: permissions.host has \"a*b\": write a method of 1 to 256 bytes, or a prefix ending in one *; control characters \
             are not allowed",
        ),
        (
            "plugins.a.permissions.filesystem = [\"/data\"]",
            "1:37: plugins.a.permissions.filesystem has \"/data\": write read:/host or write:/host, absolute, with =/guest where \
             the guest's path differs",
        ),
        (
            "plugins.a.permissions.subscribe = [\"a.**.b\"]",
            "1:36: plugins.a.permissions.subscribe has \"a.**.b\": write parts with dots between; a part may be *, the last one **",
        ),
        (
            "plugins.a.permissions.env = [\"1A\"]",
            "1:30: plugins.a.permissions.env has \"1A\": write letters, digits and _, and no digit first, and =VALUE for another value than the host's",
        ),
        ("plugins.a.external = []", "1:22: plugins.a.external is empty: name a program"),
        (
            "daemon.clients = [{ uid = 1, plugins = [], rights = [\"call\"] }]",
            "1:40: daemon.clients[0].plugins is empty: name plugins, write [\"*\"] for all, or leave the client out",
        ),
        ("daemon.clients = [{ uid = 1, plugins = [\"*\"] }]", "1:19: daemon.clients[0].rights is missing"),
        (
            "daemon.clients = [{ uid = 1, rights = [\"cal\"] }]",
            "1:40: daemon.clients[0].rights = \"cal\" is none of \"call\", \"serve\", \"admin\"; did you mean \"call\"?",
        ),
    ] {
        refused(text, error);
    }
    let error =
        Configuration::parse("defaults.require.layers = [\"seccomp\", \"landlok\"]", "c.toml").unwrap_err();
    assert_eq!((error.line, error.column), (1, 39));
    assert!(error.to_string().ends_with("did you mean landlock?"), "{error}");
    // An allowlist may be empty: it grants nothing, which is also the default.
    assert!(Configuration::parse("plugins.a.permissions.host = []", "c.toml").is_ok());
}

#[test]
fn names_are_names() {
    refused(
        "[plugins.\"a b\"]",
        "1:10: \"a b\" is no plugin name: use 1 to 64 of a-z A-Z 0-9 . _ -, starting with a letter, digit or _",
    );
    refused(
        "[plugins.a.methods.\"\"]",
        "1:20: plugins.a.methods has \"\": the name of a method has 1 to 256 bytes and no control characters",
    );
    let configuration = Configuration::parse("[plugins.sentiment]\n[plugins.other]", "c.toml").unwrap();
    let error = configuration.plugin("sentimant", None).unwrap_err();
    assert_eq!(error.to_string(), "c.toml: there is no [plugins.sentimant] here; did you mean sentiment?");
    let path = Configuration::parse("[plugins.\"a.b\"]\nlimits.queu = 1", "c.toml").unwrap_err();
    assert!(path.to_string().contains("plugins.\"a.b\".limits.queu;"), "{path}");
}

#[test]
fn text_that_is_no_toml_has_a_place() {
    for (text, line) in [("a = {", 1), ("a = 1\na = 2", 2), ("[daemon]\n[daemon]", 2), ("x", 1), ("\u{0}", 1)]
    {
        let error = Configuration::parse(text, "c.toml").unwrap_err();
        assert_eq!(error.line, line, "{text:?}: {error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    let deep = format!("a = {}", "[".repeat(100_000));
    assert!(Configuration::parse(&deep, "c.toml").is_err());
    let long = "#".repeat((1 << 20) + 1);
    let error = Configuration::parse(&long, "c.toml").unwrap_err();
    assert_eq!(error.to_string(), "c.toml: such a file has at most 1048576 bytes");
}

#[test]
fn a_file_name_cannot_forge_a_line() {
    let error = Configuration::parse("xyzzy = 1", "a\nerror: b").unwrap_err();
    assert_eq!(error.to_string(), "a?error: b:1:1: unknown key xyzzy");
}

#[test]
fn what_cannot_be_read_says_why() {
    let error = Configuration::read("/no/such/casemate.toml".as_ref()).unwrap_err();
    assert!(
        error.is_unreadable()
            && error.to_string().starts_with("/no/such/casemate.toml: this cannot be read: ")
    );
    assert!(Configuration::read("/".as_ref()).unwrap_err().to_string().contains("not a regular file"));
}

proptest! {
    #[test]
    fn any_text_is_a_configuration_or_one_line(text: String) {
        if let Err(error) = Configuration::parse(&text, "c.toml") {
            prop_assert!(!error.to_string().contains('\n'));
        }
        if let Err(error) = Manifest::parse(&text, "plugin.toml") {
            prop_assert!(!error.to_string().contains('\n'));
        }
    }

    #[test]
    fn the_reference_with_a_change_is_a_configuration_or_one_line(
        at in 0..REFERENCE.len(), length in 0..40_usize, new in "[a-z0-9\"=\\[\\]{}. \n]{0,9}",
    ) {
        let mut text = REFERENCE.as_bytes().to_vec();
        text.splice(at..(at + length).min(REFERENCE.len()), new.bytes());
        match Configuration::parse(&String::from_utf8_lossy(&text), "c.toml") {
            Ok(configuration) => {
                for name in configuration.plugins() {
                    prop_assert!(configuration.plugin(name, None).is_ok(), "what was checked holds");
                }
            }
            Err(error) => prop_assert!(!error.to_string().contains('\n')),
        }
    }
}
