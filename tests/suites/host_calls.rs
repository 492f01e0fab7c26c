//! Host calls: granted by the policy, answered by the host, and nothing a guest does with them reaches further.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate::{Casemate, HostError, Policy};
use casemate_tests::{block_on, casemate, guests, policy};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn granted(patterns: &[&str]) -> Policy {
    policy(|spec| spec.host = patterns.iter().map(|pattern| (*pattern).to_owned()).collect())
}

#[test]
fn a_granted_method_is_answered() {
    block_on(async {
        let casemate = casemate();
        casemate.on("query:ai.ocr", |input: Value| async move { Ok(json!({"seen": input})) });
        let plugin = casemate.load(guests::rust("probe"), granted(&["query:ai.*"])).await.unwrap();
        let input = json!({"method": "query:ai.ocr", "payload": {"page": 3}});
        let answer: Value = plugin.call("host", &input).await.unwrap();
        assert_eq!(answer, json!({"seen": {"page": 3}}));
    });
}

#[test]
fn what_is_not_granted_is_denied_before_the_handler() {
    block_on(async {
        let casemate = casemate();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        casemate.on("*", move |_: Value| {
            let seen = Arc::clone(&seen);
            async move {
                seen.lock().unwrap().push(());
                Ok(json!(1))
            }
        });
        let plugin = casemate.load(guests::rust("probe"), granted(&["query:ai.ocr"])).await.unwrap();
        for method in ["query:ai.ocr2", "query:ai", "credentials.get", ""] {
            let failure = plugin.call::<_, Value>("host", &json!({"method": method})).await.unwrap_err();
            assert!(failure.to_string().contains("denied"), "{method}: {failure}");
            assert!(failure.to_string().contains("permissions.host"), "it says what to do: {failure}");
        }
        assert!(asked.lock().unwrap().is_empty());
        plugin.call::<_, Value>("host", &json!({"method": "query:ai.ocr"})).await.unwrap();
        assert_eq!(asked.lock().unwrap().len(), 1);
    });
}

#[test]
fn errors_and_missing_handlers_come_back_as_errors() {
    block_on(async {
        let casemate = casemate();
        casemate.on("fails", |_: Value| async {
            Err::<Value, _>(HostError::new("no_space", "the disk is full"))
        });
        let plugin = casemate.load(guests::rust("probe"), granted(&["*"])).await.unwrap();
        let failure = plugin.call::<_, Value>("host", &json!({"method": "fails"})).await.unwrap_err();
        assert!(
            failure.to_string().contains("no_space") && failure.to_string().contains("disk is full"),
            "{failure}"
        );
        let failure = plugin.call::<_, Value>("host", &json!({"method": "nobody"})).await.unwrap_err();
        assert!(failure.to_string().contains("not_found"), "{failure}");
    });
}

#[test]
fn a_handler_that_panics_is_an_error_and_no_more() {
    block_on(async {
        let casemate = casemate();
        casemate.on("panics", |input: Value| async move {
            assert_eq!(input, json!("never"), "on purpose");
            Ok(json!(1))
        });
        let plugin = casemate.load(guests::rust("probe"), granted(&["*"])).await.unwrap();
        let failure = plugin.call::<_, Value>("host", &json!({"method": "panics"})).await.unwrap_err();
        assert_eq!(failure.code(), "guest.error", "{failure}");
        assert_eq!(plugin.call::<_, u64>("counter", &()).await.unwrap(), 1);
    });
}

#[test]
fn a_thousand_host_calls_in_one_call() {
    block_on(async {
        let casemate = casemate();
        casemate.on("double", |n: u64| async move { Ok(n * 2) });
        let plugin = casemate.load(guests::rust("probe"), granted(&["double"])).await.unwrap();
        let tally: Value = plugin.call("host_loop", &json!({"method": "double", "n": 1000})).await.unwrap();
        assert_eq!((&tally["answered"], &tally["failed"]), (&json!(1000), &json!(0)));
    });
}

#[test]
fn log_lines_arrive_escaped_bounded_and_counted() {
    block_on(async {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let casemate =
            Casemate::builder().on_log(move |record| sink.lock().unwrap().push(record)).build().unwrap();
        let plugin = casemate.load(guests::rust("probe"), Policy::default()).await.unwrap();
        let hostile = "a\u{1b}[2J\nb\0\u{202e}c";
        plugin.call::<_, u64>("log", &json!({"level": "warn", "text": hostile})).await.unwrap();
        let seen = lines.lock().unwrap().iter().map(|record| record.message.clone()).collect::<Vec<_>>();
        assert_eq!(seen, ["a\\u{1b}[2J\\u{a}b\\u{0}\\u{202e}c"]);

        let long = "x".repeat(200_000);
        plugin.call::<_, u64>("log", &json!({"level": "info", "text": long})).await.unwrap();
        assert!(lines.lock().unwrap().iter().all(|record| record.message.len() < 10_000));
    });
}

#[test]
fn a_log_flood_is_dropped_beyond_its_rate_and_ends_at_its_deadline() {
    block_on(async {
        let bytes = Arc::new(Mutex::new(0));
        let sink = Arc::clone(&bytes);
        let casemate = Casemate::builder()
            .on_log(move |record| *sink.lock().unwrap() += record.message.len())
            .build()
            .unwrap();
        let policy = policy(|spec| {
            spec.limits.call_timeout = Duration::from_millis(500);
            spec.limits.log_bytes_per_second = 20_000;
        });
        let plugin = casemate.load(guests::wat("log_flood"), policy).await.unwrap();
        let failure = plugin.call_raw("m", b"").await.unwrap_err();
        assert!(failure.code().starts_with("timeout."), "{failure}");
        let kept = *bytes.lock().unwrap();
        // The rate, a second's worth of burst, and the lines that say what was dropped.
        assert!(kept > 0 && kept < 300_000, "{kept} bytes of log were kept");
    });
}
