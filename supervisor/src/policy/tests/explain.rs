//! Outcomes explained; and the change that is named does what it says.

use super::parse;
use crate::policy::*;
use serde_json::{Value as Json, json};

const FILE: &str = r#"
[ceiling.limits]
memory = "8MiB"
[plugins.a.limits]
memory = "1MiB"
call_timeout = "1s"
[plugins.a.methods.scan]
call_timeout = "3s"
[plugins.a.permissions]
host = ["log"]
"#;

fn limit(name: &str, configured: u64, observed: u64) -> Json {
    let limit = json!({"name": name, "unit": "bytes", "configured": configured, "observed": observed});
    json!({"ok": false, "code": format!("limit.{name}"), "message": "…", "limit": limit})
}

fn explain(file: &str, outcome: &Json) -> Explanation {
    parse(file).plugin("a", None).unwrap().explain(outcome).unwrap()
}

fn lines(explanation: &Explanation) -> Vec<String> {
    let shown = |change: &Change| match &change.place {
        Some(place) => format!("{place} {}", change.line()),
        None => format!("[{}] {}", change.table, change.line()),
    };
    explanation.changes.iter().map(shown).collect()
}

#[test]
fn a_limit_names_its_line_and_what_would_have_done() {
    let explanation = explain(FILE, &limit("memory", 1 << 20, (3 << 20) + 1));
    assert_eq!(explanation.key.as_deref(), Some("limits.memory"));
    assert_eq!(lines(&explanation), ["c.toml:5:10 memory = \"4MiB\""]);
    assert!(explanation.layer.contains("limiter"));
    let beyond = explain(FILE, &limit("memory", 1 << 20, 9 << 20));
    assert_eq!(lines(&beyond), ["c.toml:5:10 memory = \"9MiB\"", "c.toml:3:10 memory = \"9MiB\""]);
    let output = explain(FILE, &limit("output", 1 << 20, (1 << 20) + 5));
    assert_eq!(lines(&output), ["[plugins.a.limits] output = \"2MiB\""]);
    let never = explain(FILE, &limit("memory", 1 << 20, 1 << 40));
    assert_eq!(lines(&never), [""; 0], "no policy can have that");
    let exact = json!({"ok": false, "code": "limit.fuel", "limit": {"name": "fuel", "configured": 10, "observed": 10}});
    assert_eq!(lines(&explain("[plugins.a]\nlimits.fuel = 10", &exact)), ["c.toml:2:15 fuel = 20"]);
}

#[test]
fn a_deadline_is_found_by_its_length() {
    let timeout = |ms: u64| json!({"ok": false, "code": "timeout.soft", "message": "", "timeout": {"limit_ms": ms, "observed_ms": ms + 1}});
    assert_eq!(lines(&explain(FILE, &timeout(1000))), ["c.toml:6:16 call_timeout = \"2s\""]);
    let scan = explain(FILE, &timeout(3000));
    assert_eq!(scan.key.as_deref(), Some("methods.scan.call_timeout"));
    assert_eq!(lines(&scan), ["c.toml:8:16 call_timeout = \"6s\""]);
}

#[test]
fn what_was_denied_is_granted_by_its_name_alone() {
    let calls =
        json!([{"method": "log", "code": "ok"}, {"method": "clock.now", "code": "denied", "elapsed_ms": 0}]);
    let guest = json!({"code": "denied", "message": "host method \"evil\" is not granted"});
    let ours =
        json!({"ok": false, "code": "guest.error", "message": "m", "guest": guest, "host_calls": calls});
    let explanation = explain(FILE, &ours);
    assert_eq!(lines(&explanation), ["c.toml:10:8 host = [\"log\", \"clock.now\"]"]);
    assert!(!explanation.advice.contains("own word"));
    let theirs = json!({"ok": false, "code": "guest.error", "message": "m", "guest": guest});
    let explanation = explain(FILE, &theirs);
    assert!(explanation.advice.contains("own word"), "{}", explanation.advice);
    let wide = json!({"code": "denied", "message": "host method \"*\" is not granted"});
    let wide = json!({"ok": false, "code": "guest.error", "message": "m", "guest": wide});
    assert!(explain(FILE, &wide).changes.is_empty(), "nobody talks an operator into granting all");
}

#[test]
fn an_event_that_was_denied_is_granted_by_another_key() {
    let calls = json!([{"method": "events.publish", "code": "denied"}]);
    let outcome = json!({"ok": false, "code": "guest.error", "message": "m", "host_calls": calls});
    let explanation = explain(FILE, &outcome);
    assert_eq!(explanation.key.as_deref(), Some("permissions.publish"));
    assert!(explanation.changes.is_empty() && explanation.advice.contains("grant the topic"));
}

#[test]
fn a_rate_that_was_met_is_doubled() {
    let calls = json!([{"method": "log", "code": "limit.host_calls"}]);
    let outcome = json!({"ok": false, "code": "guest.error", "message": "m", "host_calls": calls});
    let explanation = explain("[plugins.a]\nlimits.host_calls = \"5/min\"", &outcome);
    assert_eq!(lines(&explanation), ["c.toml:2:21 host_calls = \"10/min\""]);
}

#[test]
fn every_bound_that_is_too_narrow_is_named() {
    let file = "[ceiling.permissions]\nhost = [\"log\"]\n[plugins.a]";
    let manifest = Manifest::parse("id = \"a\"\nname = \"a\"\nversion = \"1.0.0\"", "plugin.toml").unwrap();
    let effective = parse(file).plugin("a", Some(&manifest)).unwrap();
    let trial = effective.try_host("clock.now");
    let shown: Vec<String> = trial
        .changes
        .iter()
        .map(|change| format!("{} [{}] {}", change.file, change.table, change.line()))
        .collect();
    assert_eq!(
        shown,
        [
            "c.toml [plugins.a.permissions] host = [\"clock.now\"]",
            "plugin.toml [permissions] host = [\"clock.now\"]",
            "c.toml [ceiling.permissions] host = [\"log\", \"clock.now\"]",
        ]
    );
    assert_eq!(parse(FILE).plugin("a", None).unwrap().try_host("log").allowed_by.as_deref(), Some("log"));
}

#[test]
fn what_no_policy_decides_has_no_change() {
    for code in [
        "violation.syscall",
        "violation.link",
        "trap.unreachable",
        "guest.error",
        "guest.abi",
        "worker.lost",
        "module.component",
        "spawn.failed",
        "policy.invalid",
        "config.refused",
        "call.input",
        "closed",
        "internal",
        "compiler.lost",
        "layers.missing",
    ] {
        let explanation = explain(FILE, &json!({"ok": false, "code": code, "message": "m"}));
        assert!(explanation.changes.is_empty() && !explanation.advice.is_empty(), "{code}");
        assert!(!explanation.layer.is_empty(), "{code}");
    }
    assert_eq!(explain(FILE, &json!({"ok": true, "reply": 1})).code, "ok");
    let effective = parse(FILE).plugin("a", None).unwrap();
    for nothing in [json!(1), json!({}), json!({"ok": false}), json!({"ok": "x"})] {
        assert!(effective.explain(&nothing).is_none(), "{nothing}");
    }
}

#[test]
fn a_difference_is_wider_or_narrower() {
    let old = parse(FILE);
    let new = parse(
        "[ceiling.limits]\nmemory = \"8MiB\"\n[plugins.a.limits]\nmemory = \"2MiB\"\ncall_timeout = \"500ms\"\n\
         [plugins.a.permissions]\nhost = [\"clock.*\"]\n[plugins.b]\nlimits.cpu = \"1s\"",
    );
    let changes = Changes::between(&old, &new).unwrap();
    assert_eq!((changes.added, changes.removed), (vec!["b".to_owned()], vec![]));
    let shown: Vec<String> = changes
        .values
        .iter()
        .map(|difference| {
            let plugin = difference.plugin.as_deref().unwrap_or("others");
            format!("{plugin} {} {} {}", difference.key, difference.width.name(), difference.needs_restart)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "a limits.memory wider true",
            "a limits.call_timeout narrower false",
            "a permissions.host different false",
            "a methods.scan.call_timeout narrower false",
            "b limits.cpu narrower false",
        ]
    );
    assert_eq!(Changes::between(&old, &old).unwrap(), Changes::default());
}
