//! Libraries of Hielements.

use super::{error_of, is_of_core};
use casemate::{Cause, Policy};
use casemate_tests::{block_on, casemate, guests, limits, policy};
use serde_json::{Value, json};
use std::time::Duration;

fn request(function: &str, args: Value) -> Value {
    json!({ "function": function, "args": args, "workspace": "/workspace" })
}

#[test]
fn the_designs_own_example_selects_and_checks() {
    block_on(async {
        let plugin = casemate().load(guests::rust("hielements"), Policy::default()).await.unwrap();
        is_of_core(&plugin);
        let scope: Value =
            plugin.call("library.call", &request("module_selector", json!(["src/"]))).await.unwrap();
        // The kind of an untagged enum is its text.
        assert_eq!(scope, json!({"Scope": {"kind": "src/", "paths": [], "resolved": true}}));
        let rows = [
            ("is_module", json!(["src/"]), json!({"Pass": null})),
            ("is_module", json!(["a.rs"]), json!({"Fail": "a.rs is not a folder"})),
            ("other", json!([]), json!({"Error": "Unknown function: other"})),
        ];
        for (function, args, expected) in rows {
            let found: Value = plugin.call("library.check", &request(function, args)).await.unwrap();
            assert_eq!(found, expected);
        }
    });
}

#[test]
fn errors_are_its_own_words() {
    block_on(async {
        let plugin = casemate().load(guests::rust("hielements"), Policy::default()).await.unwrap();
        let (code, message) = error_of(&plugin, "library.call", &request("other", json!([]))).await;
        assert_eq!((code.as_str(), message.as_str()), ("Error", "Unknown function: other"));
        let (_, message) = error_of(&plugin, "library.call", &json!({"function": "f"})).await;
        assert!(message.starts_with("Failed to parse request: missing field `args`"), "{message}");
        let (code, _) = error_of(&plugin, "library.doc", &json!({})).await;
        assert_eq!(code, "no_method");
    });
}

#[test]
fn arguments_go_over_plain_or_tagged() {
    block_on(async {
        let tagged = policy(|spec| {
            spec.options.insert("arg_encoding".to_owned(), "tagged".to_owned());
        });
        let plugin = casemate().load(guests::rust("hielements"), tagged).await.unwrap();
        let scope: Value =
            plugin.call("library.call", &request("module_selector", json!(["src/"]))).await.unwrap();
        // The example reads bare texts: a wrapped one is none to it.
        assert_eq!(scope["Scope"]["kind"], "");

        let wrong = policy(|spec| {
            spec.options.insert("arg_encoding".to_owned(), "other".to_owned());
        });
        let plugin = casemate().load(guests::rust("hielements"), wrong).await.unwrap();
        let failure = plugin.call::<_, Value>("library.check", &request("f", json!([]))).await.unwrap_err();
        assert!(failure.to_string().contains("it can be plain or tagged"), "{failure}");
    });
}

#[test]
fn a_library_without_a_free_is_replaced_before_it_is_full() {
    block_on(async {
        let recycled = policy(|spec| {
            spec.limits.memory_bytes = 8 << 20;
            spec.instances.max = 1;
            spec.instances.recycle_memory_bytes = Some(4 << 20);
        });
        let plugin = casemate().load(guests::rust("hielements"), recycled).await.unwrap();
        // Together twenty times what one instance may have.
        for _ in 0..40 {
            let answer: Value =
                plugin.call("library.call", &request("leak", json!([4 << 20]))).await.unwrap();
            assert_eq!(answer, json!({"Int": 0}));
        }
        let kept = limits(|limits| limits.memory_bytes = 8 << 20);
        let plugin = casemate().load(guests::rust("hielements"), kept).await.unwrap();
        let failure =
            plugin.call::<_, Value>("library.call", &request("leak", json!([16 << 20]))).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::Limit { .. } | Cause::Trap { .. }), "{failure}");
    });
}

#[test]
fn loops_and_traps_end_as_those_of_any_plugin() {
    block_on(async {
        let short = limits(|limits| limits.call_timeout = Duration::from_millis(200));
        let plugin = casemate().load(guests::rust("hielements"), short).await.unwrap();
        let failure = plugin.call::<_, Value>("library.call", &request("spin", json!([]))).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::SoftTimeout { .. }), "{failure}");
        let failure = plugin.call::<_, Value>("library.call", &request("trap", json!([]))).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::Trap { .. }), "{failure}");
        let again: Value =
            plugin.call("library.check", &request("is_module", json!(["src/"]))).await.unwrap();
        assert_eq!(again, json!({"Pass": null}));
    });
}
