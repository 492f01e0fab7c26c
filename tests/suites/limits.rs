//! Limits, each reached for real: which one it was, how large it is, and how far it was passed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate::policy::{MethodLimits, Rate};
use casemate::{Casemate, Cause, HostError, LimitName, Policy, Retry};
use casemate_tests::gate::Gate;
use casemate_tests::{block_on, casemate, guests, limits, policy, processes};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::Duration;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn with_clock() -> Casemate {
    let casemate = casemate();
    casemate.on("clock", |_: Value| async { Ok::<_, HostError>(json!(12)) });
    casemate
}

#[test]
fn cpu_time_of_a_call_ends_at_its_limit() {
    block_on(async {
        let policy = limits(|limits| {
            limits.cpu = Some(ms(100));
            limits.grace = ms(20_000);
        });
        let plugin = casemate().load(guests::rust("probe"), policy).await.unwrap();
        for _ in 0..2 {
            let failure = plugin.call::<_, u64>("spin", &json!({})).await.unwrap_err();
            let Cause::Limit { limit: LimitName::Cpu, configured: 100, observed } = failure.cause else {
                panic!("{failure}")
            };
            assert!(observed >= 100, "{observed}");
            assert_eq!(failure.retry, Retry::MaybeRan);
        }
    });
}

#[test]
fn a_worker_that_does_not_hear_is_killed_at_its_cpu_limit() {
    block_on(async {
        let hostile =
            Casemate::builder().configure(|config| config.use_adversary("never-answers")).build().unwrap();
        let policy = limits(|limits| {
            limits.cpu = Some(ms(100));
            limits.grace = ms(10);
        });
        let plugin = hostile.load(guests::wat("minimal"), policy).await.unwrap();
        let failure = plugin.call_raw("m", b"x").await.unwrap_err();
        assert!(matches!(failure.cause, Cause::Limit { limit: LimitName::Cpu, .. }), "{failure}");
    });
}

#[test]
fn waiting_for_the_host_is_no_cpu_time() {
    block_on(async {
        let casemate = casemate();
        casemate.on("slow", |_: Value| async {
            tokio::time::sleep(ms(400)).await;
            Ok::<_, HostError>(json!(null))
        });
        let policy = policy(|spec| {
            spec.limits.cpu = Some(ms(200));
            spec.host = vec!["slow".into()];
        });
        let plugin = casemate.load(guests::rust("probe"), policy).await.unwrap();
        plugin.call::<_, Value>("host", &json!({"method": "slow"})).await.unwrap();
    });
}

#[test]
fn cpu_time_in_all_ends_an_instance_and_not_its_plugin() {
    block_on(async {
        let policy = limits(|limits| {
            limits.cpu_total = Some(ms(150));
            limits.grace = ms(20_000);
        });
        let casemate = casemate();
        let plugin = casemate.load(guests::rust("probe"), policy).await.unwrap();
        // Many short calls: none is long, and together they are more than one instance may have.
        let (mut fresh, mut ended) = (0, 0);
        for _ in 0..20_000 {
            match plugin.call::<_, u64>("counter", &()).await {
                Ok(1) => fresh += 1,
                Ok(_) => {}
                Err(failure) => panic!("{failure}"),
            }
            match plugin.call::<_, u64>("spin", &json!({"n": 2_000_000})).await {
                Ok(_) => {}
                Err(failure) => {
                    let Cause::Limit { limit: LimitName::CpuTotal, configured: 150, observed } =
                        failure.cause
                    else {
                        panic!("{failure}")
                    };
                    assert!(observed >= 150);
                    ended += 1;
                }
            }
            if fresh > 3 {
                break;
            }
        }
        assert!(fresh > 3, "one instance did it all: {fresh} fresh, {ended} ended");
        // The kernel's own limit stands behind it.
        let limits: Vec<u64> = processes::with_marker(&casemate.marker())
            .iter()
            .map(|found| processes::limit(found.pid, "Max cpu time"))
            .collect();
        assert!(limits.contains(&2), "{limits:?}");
    });
}

#[test]
fn the_kernels_cpu_limit_names_itself() {
    // As if our own clock had not run: the signal that the kernel sends at RLIMIT_CPU.
    block_on(async {
        let casemate = casemate();
        let mut gate = Gate::closed(&casemate, "wait");
        let policy = policy(|spec| {
            spec.limits.cpu_total = Some(ms(60_000));
            spec.host = vec!["wait".into()];
        });
        let plugin = casemate.load(guests::rust("probe"), policy).await.unwrap();
        let running =
            tokio::spawn(async move { plugin.call::<_, Value>("host", &json!({"method": "wait"})).await });
        gate.entered().await;
        processes::youngest_worker(&casemate.marker()).unwrap().signal(Signal::XCPU);
        let failure = running.await.unwrap().unwrap_err();
        assert!(matches!(failure.cause, Cause::Limit { limit: LimitName::CpuTotal, .. }), "{failure}");
    });
}

#[test]
fn host_calls_have_a_rate_that_the_guest_is_told_of() {
    block_on(async {
        let policy = policy(|spec| {
            spec.host = vec!["clock".into()];
            spec.limits.host_calls = Some(Rate { count: 1000, window: Duration::from_secs(3600) });
        });
        let plugin = with_clock().load(guests::rust("probe"), policy).await.unwrap();
        for n in 0..1000 {
            plugin
                .call::<_, Value>("host", &json!({"method": "clock"}))
                .await
                .unwrap_or_else(|failure| panic!("call {n}: {failure}"));
        }
        let failure = plugin.call::<_, Value>("host", &json!({"method": "clock"})).await.unwrap_err();
        let Cause::GuestError { code, message, retryable: true } = &failure.cause else {
            panic!("{failure}")
        };
        assert_eq!(code, "limit.host_calls");
        assert!(
            message.contains("1000 host calls in 3600000 ms") && message.contains("limits.host_calls"),
            "{message}"
        );
        // What is not granted is no host call.
        let failure = plugin.call::<_, Value>("host", &json!({"method": "other"})).await.unwrap_err();
        assert!(matches!(&failure.cause, Cause::GuestError { code, .. } if code == "denied"), "{failure}");
    });
}

#[test]
fn a_method_has_a_timeout_and_a_rate_of_its_own() {
    block_on(async {
        let policy: Policy = policy(|spec| {
            spec.host = vec!["clock".into()];
            spec.limits.grace = ms(20_000);
            let host_calls = Some(Rate { count: 2, window: Duration::from_secs(3600) });
            spec.methods
                .insert("spin".into(), MethodLimits { call_timeout: Some(ms(100)), host_calls: None });
            spec.methods.insert("host".into(), MethodLimits { call_timeout: None, host_calls });
        });
        let plugin = with_clock().load(guests::rust("probe"), policy).await.unwrap();
        let failure = plugin.call::<_, u64>("spin", &json!({})).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::SoftTimeout { limit_ms: 100, .. }), "{failure}");
        for _ in 0..2 {
            plugin.call::<_, Value>("host", &json!({"method": "clock"})).await.unwrap();
        }
        let failure = plugin.call::<_, Value>("host", &json!({"method": "clock"})).await.unwrap_err();
        assert!(failure.to_string().contains("methods.host.host_calls"), "{failure}");
        // Another method is not meant.
        plugin.call::<_, Value>("host_loop", &json!({"method": "clock", "n": 5})).await.unwrap();
    });
}

#[test]
fn a_failure_remembers_the_last_host_calls() {
    block_on(async {
        let policy = policy(|spec| {
            spec.host = vec!["clock".into()];
            spec.limits.call_timeout = ms(300);
            spec.limits.grace = ms(20_000);
        });
        let plugin = with_clock().load(guests::rust("probe"), policy).await.unwrap();
        let failure = plugin.call::<_, Value>("host_loop", &json!({"method": "clock"})).await.unwrap_err();
        assert_eq!(failure.trail.host_calls.len(), casemate::HOST_CALLS_MAX);
        assert!(
            failure.trail.host_calls.iter().all(|call| call.method == "clock"),
            "{:?}",
            failure.trail.host_calls
        );
        let failure = plugin.call::<_, Value>("host", &json!({"method": "gone"})).await.unwrap_err();
        let [only] = failure.trail.host_calls.as_slice() else { panic!("{:?}", failure.trail.host_calls) };
        assert_eq!((only.method.as_str(), only.code.as_str()), ("gone", "denied"));
    });
}
