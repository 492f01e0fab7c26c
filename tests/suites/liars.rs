//! Workers that lie on the link: each lie ends the worker, costs nobody else anything, and is named.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate::attack::{attacker::hostile, lies};
use casemate::{Policy, Retry};
use casemate_tests::{block_on, casemate, guests, policy, processes};
use std::time::Duration;

/// A lie is found long before this.
fn patient() -> Policy {
    policy(|spec| spec.limits.call_timeout = Duration::from_secs(30))
}

/// What only a deadline ends.
fn hasty() -> Policy {
    policy(|spec| {
        spec.limits.call_timeout = Duration::from_millis(700);
        spec.limits.grace = Duration::from_millis(50);
    })
}

#[test]
fn the_control_of_the_experiment_obeys() {
    block_on(async {
        let casemate = hostile("obedient").unwrap();
        let plugin = casemate.load(guests::wat("minimal"), patient()).await.unwrap();
        assert_eq!(plugin.call_raw("m", b"x").await.unwrap(), b"x");
    });
}

#[test]
fn every_lie_ends_its_worker_and_is_named() {
    let module = std::fs::read(guests::wat("minimal")).unwrap();
    block_on(async {
        for lie in [lies::FOUND_OUT, lies::NO_ANSWER, lies::NEVER_READY].concat() {
            let (host, failure) = lie.tell(&module).await.unwrap();
            assert!(lie.is_found_out(failure.as_ref()), "{lie:?}: {failure:?}");
            processes::await_none(&host.marker(), Duration::from_secs(20));
        }
    });
}

#[test]
fn ready_before_the_last_wall_is_seen_from_outside() {
    // Canaries of this program take the path of every worker, so the zygote is proven; then its worker lies.
    block_on(async {
        let casemate = hostile("ready-too-early").unwrap();
        let plugin = casemate.load(guests::wat("minimal"), patient()).await.unwrap();
        let failure = plugin.call_raw("m", b"x").await.unwrap_err();
        assert_eq!((failure.code().as_str(), failure.retry), ("violation.inspection", Retry::NotStarted));
        assert!(failure.to_string().contains("filters"), "{failure}");
        drop(plugin);
        processes::await_none(&casemate.marker(), Duration::from_secs(20));
    });
}

#[test]
fn what_a_worker_says_between_calls_never_reaches_the_next() {
    block_on(async {
        for behaviour in ["answer-twice", "host-call-outside"] {
            let casemate = hostile(behaviour).unwrap();
            casemate.on("*", |_: serde_json::Value| async { Ok(serde_json::json!("stolen")) });
            let policy = policy(|spec| spec.host = vec!["*".into()]);
            let plugin = casemate.load(guests::wat("minimal"), policy).await.unwrap();
            for _ in 0..4 {
                // The first answer of each worker is within the protocol; what follows it is not, and that worker is
                // never given another call's input to answer.
                match plugin.call_raw("m", b"x").await {
                    Ok(answer) => assert_eq!(answer, b"\"forged\""),
                    Err(failure) => assert_eq!(failure.code(), "violation.link", "{behaviour}: {failure}"),
                }
            }
        }
    });
}

#[test]
fn others_go_on_undisturbed() {
    block_on(async {
        let good = casemate().load(guests::wat("minimal"), Policy::default()).await.unwrap();
        let flood = hostile("log-flood").unwrap();
        let bad = flood.load(guests::wat("minimal"), hasty()).await.unwrap();
        let bad = tokio::spawn(async move { bad.call_raw("m", b"x").await });
        for n in 0..50_u8 {
            assert_eq!(good.call_raw("m", &[n]).await.unwrap(), [n]);
        }
        bad.await.unwrap().unwrap_err();
    });
}
