//! Deadlines: the soft one interrupts, the hard one kills, and a blocked host stops neither.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate::{Casemate, Cause, Failure, Policy, Retry};
use casemate_tests::gate::Gate;
use casemate_tests::{block_on, casemate, guests, is_embedded, policy, processes};
use serde_json::{Value, json};
use std::time::Duration;

fn deadline(call_timeout_ms: u64, grace_ms: u64) -> Policy {
    policy(|spec| {
        spec.limits.call_timeout = Duration::from_millis(call_timeout_ms);
        spec.limits.grace = Duration::from_millis(grace_ms);
    })
}

const PATIENT: u64 = 20_000;

#[test]
fn a_loop_is_interrupted_and_its_instance_replaced() {
    block_on(async {
        let plugin = casemate().load(guests::rust("probe"), deadline(200, PATIENT)).await.unwrap();
        for _ in 0..3 {
            assert_eq!(plugin.call::<_, u64>("counter", &()).await.unwrap(), 1);
            let failure = plugin.call::<_, u64>("spin", &json!({})).await.unwrap_err();
            let Cause::SoftTimeout { limit_ms: 200, observed_ms } = failure.cause else {
                panic!("{failure}")
            };
            assert!(observed_ms >= 200);
            assert_eq!(failure.retry, Retry::MaybeRan);
        }
    });
}

#[test]
fn a_hand_written_loop_is_interrupted() {
    block_on(async {
        let plugin = casemate().load(guests::wat("loop"), deadline(100, PATIENT)).await.unwrap();
        let failure = plugin.call_raw("m", b"").await.unwrap_err();
        assert_eq!(failure.code(), "timeout.soft", "{failure}");
    });
}

#[test]
fn a_start_function_that_loops_never_sees_the_call() {
    block_on(async {
        let plugin = casemate().load(guests::wat("start_loop"), deadline(100, PATIENT)).await.unwrap();
        let failure = plugin.call_raw("m", b"").await.unwrap_err();
        assert_eq!(
            (failure.code().as_str(), failure.retry),
            ("timeout.soft", Retry::NotStarted),
            "{failure}"
        );
    });
}

#[test]
fn a_worker_that_does_not_stop_is_killed() {
    if !is_embedded("a_worker_that_does_not_stop_is_killed") {
        return;
    }
    // A stopped worker cannot run its handler: only SIGKILL ends it.
    block_on(async {
        let casemate = casemate();
        let mut gate = Gate::opened(&casemate, "stop");
        let policy = policy(|spec| {
            spec.limits.call_timeout = Duration::from_millis(300);
            spec.limits.grace = Duration::from_millis(50);
            spec.host = vec!["stop".into()];
        });
        let plugin = casemate.load(guests::rust("probe"), policy).await.unwrap();
        let marker = casemate.marker();
        let running = {
            let plugin = plugin.clone();
            tokio::spawn(
                async move { plugin.call::<_, Value>("host_loop", &json!({"method": "stop"})).await },
            )
        };
        gate.entered().await;
        processes::youngest_worker(&marker).unwrap().signal(rustix::process::Signal::STOP);
        let failure = running.await.unwrap().unwrap_err();
        let Cause::HardTimeout { limit_ms: 300, grace_ms: 50, observed_ms } = failure.cause else {
            panic!("{failure}")
        };
        assert!(observed_ms >= 350);
        assert_eq!(failure.retry, Retry::MaybeRan);
    });
}

#[test]
fn a_call_that_waits_for_the_host_ends_too() {
    block_on(async {
        let casemate = casemate();
        casemate.on("never", |_: Value| async {
            std::future::pending::<()>().await;
            Ok(json!(null))
        });
        let policy = policy(|spec| {
            spec.limits.call_timeout = Duration::from_millis(150);
            spec.host = vec!["never".into()];
        });
        let plugin = casemate.load(guests::rust("probe"), policy).await.unwrap();
        let failure = plugin.call::<_, Value>("host_loop", &json!({"method": "never"})).await.unwrap_err();
        assert_eq!(failure.code(), "timeout.soft", "{failure}");
    });
}

#[test]
fn a_blocked_host_runtime_does_not_disable_the_kill() {
    if !is_embedded("a_blocked_host_runtime_does_not_disable_the_kill") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let casemate = casemate();
        let marker = casemate.marker();
        let mut gate = Gate::opened(&casemate, "go");
        let policy = policy(|spec| {
            spec.limits.call_timeout = Duration::from_millis(100);
            spec.limits.grace = Duration::from_millis(50);
            spec.host = vec!["go".into()];
        });
        let plugin = casemate.load(guests::rust("probe"), policy).await.unwrap();
        let call =
            tokio::spawn(async move { plugin.call::<_, Value>("host_loop", &json!({"method": "go"})).await });
        // The guest runs; now block the only thread of this runtime.
        gate.entered().await;
        let end = std::time::Instant::now() + Duration::from_secs(20);
        while workers(&marker) > 0 {
            assert!(
                std::time::Instant::now() < end,
                "the worker outlived its deadline while the runtime was blocked"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        let failure = call.await.unwrap().unwrap_err();
        assert!(failure.code().starts_with("timeout."), "{failure}");
    });
}

/// Workers alive: processes of the zygote's kind without the zygotes.
fn workers(marker: &str) -> usize {
    let found = processes::with_marker(marker);
    let zygotes = found.iter().filter(|found| found.stage() == "stub").count();
    found.iter().filter(|found| found.stage().starts_with("zygote")).count().saturating_sub(zygotes)
}

#[test]
fn dropping_a_call_kills_its_worker() {
    if !is_embedded("dropping_a_call_kills_its_worker") {
        return;
    }
    block_on(async {
        let casemate = casemate();
        let marker = casemate.marker();
        let plugin = casemate.load(guests::wat("loop"), deadline(600_000, 50)).await.unwrap();
        let ended = tokio::time::timeout(Duration::from_millis(300), plugin.call_raw("m", b"")).await;
        assert!(ended.is_err(), "the loop ended by itself: {ended:?}");
        let end = std::time::Instant::now() + Duration::from_secs(20);
        while workers(&marker) > 0 {
            assert!(std::time::Instant::now() < end, "the worker of a dropped call lives on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}

#[test]
fn a_late_interrupt_never_hits_the_next_call() {
    // Calls that end right at their deadline: whatever each says, the next one starts afresh.
    block_on(async {
        let casemate: Casemate = casemate();
        let plugin = casemate.load(guests::wat("minimal"), deadline(3, PATIENT)).await.unwrap();
        let mut ends = [0_u32; 2];
        for n in 0..2_000_u32 {
            match plugin.call_raw("m", &n.to_le_bytes()).await {
                Ok(echo) => {
                    assert_eq!(echo, n.to_le_bytes());
                    ends[0] += 1;
                }
                Err(Failure { cause: Cause::SoftTimeout { .. } | Cause::HardTimeout { .. }, .. }) => {
                    ends[1] += 1
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert!(ends[0] > 0, "{ends:?}");
    });
}
