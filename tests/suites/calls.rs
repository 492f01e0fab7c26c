//! Calls and how they end, from a module's bytes to a typed outcome, in real processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate::{Cause, Failure, Fault, LimitName, Policy, Retry, Snapshot, TrapKind};
use casemate_tests::gate::Gate;
use casemate_tests::{block_on, casemate, guests, is_embedded, limits, policy, processes};
use serde_json::{Value, json};

/// Loads a hand-written guest and makes one call with it.
async fn call_wat(name: &str, policy: Policy) -> Result<Value, Failure> {
    call_wat_with(name, "m", policy).await
}

async fn call_wat_with(name: &str, method: &str, policy: Policy) -> Result<Value, Failure> {
    let plugin = casemate().load(guests::wat(name), policy).await?;
    plugin.call(method, &json!({"n": 1})).await
}

#[test]
fn statistics_of_a_real_file() {
    block_on(async {
        let casemate = casemate();
        let plugin = casemate.load(guests::rust("statistics"), Policy::default()).await.unwrap();
        let input: Value =
            serde_json::from_slice(&std::fs::read(guests::data("numbers.json")).unwrap()).unwrap();
        let numbers: Vec<f64> = serde_json::from_value(input["numbers"].clone()).unwrap();
        let answer: Value = plugin.call("stats", &input).await.unwrap();
        let close = |key: &str, expected: f64| {
            let got = answer[key].as_f64().unwrap();
            assert!((got - expected).abs() < 1e-6, "{key}: {got} and not {expected}");
        };
        close("sum", numbers.iter().sum());
        close("average", numbers.iter().sum::<f64>() / f64::from(u32::try_from(numbers.len()).unwrap()));
        close("min", numbers.iter().copied().fold(f64::INFINITY, f64::min));
        close("max", numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max));
    });
}

#[test]
fn a_guests_own_error_is_an_answer_that_is_done() {
    block_on(async {
        let plugin = casemate().load(guests::rust("statistics"), Policy::default()).await.unwrap();
        let failure = plugin.call::<_, Value>("stats", &json!({"numbers": []})).await.unwrap_err();
        let expected = Cause::GuestError {
            code: "empty_input".into(),
            message: "Input array is empty".into(),
            retryable: false,
        };
        assert_eq!(failure, Failure::done(expected));
        // The instance is as good as before.
        let answer: Value = plugin.call("stats", &json!({"numbers": [1.0]})).await.unwrap();
        assert_eq!(answer["sum"], 1.0);
        let failure = plugin.call::<_, Value>("nope", &json!({})).await.unwrap_err();
        assert!(failure.to_string().contains("stats"), "it names the methods there are: {failure}");
    });
}

#[test]
fn words_of_a_real_text() {
    block_on(async {
        let plugin = casemate().load(guests::rust("wordcount"), Policy::default()).await.unwrap();
        let text = std::fs::read_to_string(guests::data("alice.txt")).unwrap();
        let answer: Value = plugin.call("count", &json!({"text": text, "top": 3})).await.unwrap();
        assert_eq!(answer["top"][0]["word"], "the");
        let upper = plugin.call_raw("upper", text.as_bytes()).await.unwrap();
        assert_eq!(upper, text.to_ascii_uppercase().as_bytes());
    });
}

#[test]
fn a_plain_thread_calls_without_a_runtime() {
    let casemate = casemate::blocking::Casemate::embedded().unwrap();
    let plugin = casemate.load(guests::rust("statistics"), Policy::default()).unwrap();
    let answer: Value = plugin.call("stats", &json!({"numbers": [2.0, 4.0]})).unwrap();
    assert_eq!(answer["average"], 3.0);
}

#[test]
fn every_trap_has_its_name() {
    let traps = [
        ("trap_unreachable", TrapKind::Unreachable),
        ("trap_oob_memory", TrapKind::MemoryOutOfBounds),
        ("trap_div_by_zero", TrapKind::DivisionByZero),
        ("trap_int_overflow", TrapKind::IntegerOverflow),
        ("trap_bad_conversion", TrapKind::BadConversion),
        ("trap_indirect_null", TrapKind::IndirectCallToNull),
        ("trap_indirect_type", TrapKind::BadSignature),
        ("trap_table_oob", TrapKind::TableOutOfBounds),
        ("deep_recursion", TrapKind::StackOverflow),
    ];
    block_on(async {
        for (name, expected) in traps {
            let failure = call_wat(name, Policy::default()).await.unwrap_err();
            assert!(
                matches!(&failure.cause, Cause::Trap { kind, .. } if *kind == expected),
                "{name}: {failure}"
            );
            assert_eq!((failure.fault(), failure.retry), (Fault::Guest, Retry::MaybeRan), "{name}");
        }
    });
}

#[test]
fn deep_recursion_ends_in_a_trap_at_every_stack_size() {
    block_on(async {
        for stack_bytes in [64 << 10, 256 << 10, 1 << 20, 8 << 20] {
            let policy = limits(|limits| limits.stack_bytes = stack_bytes);
            let failure = call_wat("deep_recursion", policy).await.unwrap_err();
            assert_eq!(failure.code(), "trap.stack_overflow", "{stack_bytes}: {failure}");
        }
    });
}

#[test]
fn a_trapped_instance_is_not_used_again() {
    block_on(async {
        let plugin = casemate().load(guests::rust("probe"), Policy::default()).await.unwrap();
        for expected in 1..=3 {
            assert_eq!(plugin.call::<_, u64>("counter", &()).await.unwrap(), expected, "instances are kept");
        }
        let failure = plugin.call::<_, Value>("panic", &json!("on purpose")).await.unwrap_err();
        assert_eq!(failure.code(), "trap.unreachable");
        assert_eq!(plugin.call::<_, u64>("counter", &()).await.unwrap(), 1, "this one is new");
    });
}

#[test]
fn lying_allocators_and_replies_are_the_guests_fault() {
    block_on(async {
        for name in [
            "alloc_zero",
            "alloc_out_of_range",
            "alloc_negative",
            "result_out_of_range",
            "result_negative",
            "wrong_abi",
        ] {
            let failure = call_wat(name, Policy::default()).await.unwrap_err();
            assert_eq!(failure.code(), "guest.abi", "{name}: {failure}");
            assert_eq!(failure.fault(), Fault::Guest, "{name}");
        }
        let failure = call_wat("result_huge_len", Policy::default()).await.unwrap_err();
        assert!(["guest.abi", "limit.output"].contains(&failure.code().as_str()), "{failure}");
    });
}

#[test]
fn blocks_that_lie_are_found_in_host_calls_and_log_lines() {
    block_on(async {
        let policy = policy(|spec| spec.host = vec!["*".into()]);
        for method in ["0", "1", "2", "3", "4", "5", "a", "b"] {
            let failure = call_wat_with("host_call_hostile", method, policy.clone()).await.unwrap_err();
            assert_eq!(failure.code(), "guest.abi", "{method}: {failure}");
        }
        for method in ["6", "7", "8"] {
            let end = call_wat_with("host_call_hostile", method, policy.clone()).await;
            let code = end.as_ref().err().map(Failure::code);
            assert!(matches!(code.as_deref(), Some("guest.abi" | "guest.error")), "{method}: {end:?}");
        }
        for method in ["c", "d"] {
            let answer = call_wat_with("host_call_hostile", method, policy.clone()).await.unwrap();
            assert_eq!(answer, json!(true), "{method}");
        }
    });
}

#[test]
fn an_allocator_that_overlaps_harms_only_its_guest() {
    block_on(async {
        let casemate = casemate();
        casemate.on_raw("m", |request| async move {
            assert_eq!(request.body, br#"{"n":1}"#);
            Ok(casemate_supervisor::HostReply { content_type: 1, body: b"{}".to_vec() })
        });
        let policy = policy(|spec| spec.host = vec!["m".into()]);
        let plugin = casemate.load(guests::wat("alloc_overlapping"), policy).await.unwrap();
        // Whatever comes, it comes as an end of this call.
        let _ = plugin.call::<_, Value>("m", &json!({"n": 1})).await;
        let other = casemate.load(guests::wat("minimal"), Policy::default()).await.unwrap();
        assert_eq!(other.call_raw("m", b"fine").await.unwrap(), b"fine");
    });
}

#[test]
fn memory_ends_exactly_at_the_limit() {
    block_on(async {
        for name in ["memory_bomb", "memory_bomb_touch"] {
            for pages in [64_u64, 65, 160] {
                for snapshot in [Snapshot::Instance, Snapshot::Module] {
                    let policy = policy(|spec| {
                        spec.limits.memory_bytes = pages * 65_536;
                        spec.snapshot = snapshot;
                    });
                    let answer = call_wat(name, policy).await.unwrap();
                    assert_eq!(answer, json!(pages), "{name} {snapshot:?}");
                }
            }
        }
    });
}

#[test]
fn a_guest_that_dies_of_the_memory_limit_says_so() {
    block_on(async {
        let policy = limits(|limits| limits.memory_bytes = 16 << 20);
        let failure = call_wat("memory_initial_too_big", policy.clone()).await.unwrap_err();
        let Cause::Limit { limit: LimitName::Memory, configured, observed } = failure.cause else {
            panic!("{failure}")
        };
        assert_eq!(configured, 16 << 20);
        assert!(observed > configured);
        assert_eq!(failure.retry, Retry::NotStarted);

        let plugin = casemate().load(guests::rust("probe"), policy).await.unwrap();
        assert_eq!(plugin.call::<_, u64>("grow", &json!({"bytes": 4 << 20})).await.unwrap(), 4 << 20);
        let failure = plugin.call::<_, u64>("grow", &json!({"bytes": 64 << 20})).await.unwrap_err();
        assert!(matches!(failure.code().as_str(), "guest.error" | "limit.memory"), "{failure}");
    });
}

#[test]
fn tables_end_at_their_limit() {
    block_on(async {
        let policy = limits(|limits| limits.table_entries = 5_000);
        let entries = call_wat("table_bomb", policy).await.unwrap().as_u64().unwrap();
        assert!((3_977..=5_000).contains(&entries), "{entries}");
    });
}

#[test]
fn input_and_output_have_limits() {
    block_on(async {
        let policy = limits(|limits| {
            limits.input_bytes = 1000;
            limits.output_bytes = 500;
        });
        let plugin = casemate().load(guests::wat("minimal"), policy).await.unwrap();
        assert_eq!(plugin.call_raw("m", &[7; 500]).await.unwrap(), [7; 500]);
        let failure = plugin.call_raw("m", &[7; 501]).await.unwrap_err();
        assert_eq!(
            failure.cause,
            Cause::Limit { limit: LimitName::Output, configured: 500, observed: 501 },
            "{failure}"
        );
        let failure = plugin.call_raw("m", &[7; 1001]).await.unwrap_err();
        assert_eq!(
            failure,
            Failure::not_started(Cause::Limit { limit: LimitName::Input, configured: 1000, observed: 1001 })
        );
        assert_eq!(failure.fault(), Fault::Caller);
    });
}

#[test]
fn a_log_during_set_up_and_a_large_input_pass_each_other() {
    block_on(async {
        let plugin = casemate().load(guests::wat("chatty_init"), Policy::default()).await.unwrap();
        assert_eq!(plugin.call_raw("m", &vec![7; 1 << 20]).await.unwrap(), b"y");
    });
}

#[test]
fn large_bodies_pass_whole() {
    block_on(async {
        let policy = limits(|limits| {
            limits.input_bytes = 32 << 20;
            limits.output_bytes = 32 << 20;
        });
        let plugin = casemate().load(guests::wat("minimal"), policy).await.unwrap();
        let body: Vec<u8> = (0..20_000_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        for _ in 0..2 {
            assert!(plugin.call_raw("m", &body).await.unwrap() == body);
        }
        assert!(plugin.call_raw("m", b"").await.unwrap().is_empty());
    });
}

#[test]
fn fuel_runs_out() {
    block_on(async {
        let policy = limits(|limits| limits.fuel = Some(1_000_000));
        let plugin = casemate().load(guests::rust("probe"), policy).await.unwrap();
        assert_eq!(plugin.call::<_, u64>("spin", &json!({"n": 10})).await.unwrap(), 10);
        let failure = plugin.call::<_, u64>("spin", &json!({})).await.unwrap_err();
        assert_eq!(failure.code(), "limit.fuel", "{failure}");
    });
}

#[test]
fn calls_run_side_by_side_and_the_rest_waits_or_is_refused() {
    if !is_embedded("calls_run_side_by_side_and_the_rest_waits_or_is_refused") {
        return;
    }
    block_on(async {
        let two = policy(|spec| {
            spec.instances.max = 2;
            spec.limits.queue = 1;
        });
        let casemate = casemate();
        let mut gate = Gate::closed(&casemate, "gate");
        let policy = policy(|spec| {
            spec.limits = two.limits().clone();
            spec.instances = two.instances().clone();
            spec.host = vec!["gate".into()];
        });
        let plugin = casemate.load(guests::rust("probe"), policy).await.unwrap();
        let call = || {
            let plugin = plugin.clone();
            tokio::spawn(async move { plugin.call::<_, Value>("host", &json!({"method": "gate"})).await })
        };
        let running = [call(), call()];
        gate.entered().await;
        gate.entered().await;
        let waiting = call();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let refused = call().await.unwrap().unwrap_err();
        assert_eq!((refused.code().as_str(), refused.retry), ("overloaded.queue", Retry::NotStarted));
        gate.open();
        for call in running {
            assert_eq!(call.await.unwrap().unwrap(), json!(1));
        }
        assert_eq!(waiting.await.unwrap().unwrap(), json!(1));
    });
}

#[test]
fn a_configuration_reaches_the_guest() {
    block_on(async {
        let casemate = casemate();
        for snapshot in [Snapshot::Instance, Snapshot::Module] {
            let policy = policy(|spec| spec.snapshot = snapshot);
            let config = json!({"threshold": 0.15});
            let plugin = casemate
                .load_with(guests::rust("probe"), policy, Some(config.to_string().into_bytes()))
                .await
                .unwrap();
            assert_eq!(plugin.call::<_, Value>("config", &()).await.unwrap(), config);
            plugin.close().await.unwrap();
        }
    });
}

#[test]
fn a_failure_says_where_the_guest_was() {
    block_on(async {
        let policy = limits(|limits| {
            limits.call_timeout = std::time::Duration::from_millis(100);
            limits.grace = std::time::Duration::from_secs(20);
        });
        let plugin = casemate().load(guests::rust("probe"), policy).await.unwrap();
        // A trap was somewhere, and so was a loop that was interrupted.
        let panic = json!("on purpose");
        for (method, input, code) in
            [("panic", panic, "trap.unreachable"), ("spin", json!({}), "timeout.soft")]
        {
            let failure = plugin.call::<_, Value>(method, &input).await.unwrap_err();
            assert_eq!(failure.code(), code);
            let frames: Vec<&str> = failure.trail.backtrace.lines().collect();
            assert!(!frames.is_empty() && frames.iter().all(|frame| frame.contains(" at 0x")), "{frames:?}");
            assert!(frames.iter().all(|frame| frame.starts_with("function ")), "stripped: {frames:?}");
        }
        // Where there are names they are told.
        let plugin = casemate().load(guests::wat("deep_recursion"), Policy::default()).await.unwrap();
        let failure = plugin.call_raw("m", b"x").await.unwrap_err();
        assert!(failure.trail.backtrace.starts_with("down\ndown at 0x"), "{}", failure.trail.backtrace);
    });
}

#[test]
fn nothing_is_left_after_a_shutdown() {
    if !is_embedded("nothing_is_left_after_a_shutdown") {
        return;
    }
    block_on(async {
        let casemate = casemate();
        let plugin = casemate.load(guests::wat("minimal"), Policy::default()).await.unwrap();
        plugin.call_raw("m", b"x").await.unwrap();
        assert!(!processes::with_marker(&casemate.marker()).is_empty());
        casemate.shutdown().await;
        assert_eq!(processes::with_marker(&casemate.marker()), []);
        assert_eq!(plugin.call_raw("m", b"x").await.unwrap_err().code(), "closed");
    });
}

#[test]
fn nothing_is_left_when_a_plugin_is_dropped() {
    if !is_embedded("nothing_is_left_when_a_plugin_is_dropped") {
        return;
    }
    block_on(async {
        let casemate = casemate();
        let marker = casemate.marker();
        let plugin = casemate.load(guests::rust("probe"), Policy::default()).await.unwrap();
        plugin.call::<_, u64>("counter", &()).await.unwrap();
        assert!(!casemate_tests::processes::with_marker(&marker).is_empty());
        drop(plugin);
        casemate_tests::processes::await_none(&marker, std::time::Duration::from_secs(20));
    });
}
