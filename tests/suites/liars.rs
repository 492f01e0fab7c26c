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

use casemate::{Casemate, Policy, Retry};
use casemate_tests::{block_on, casemate, guests, policy, processes};
use std::time::Duration;

fn hostile(behaviour: &str) -> Casemate {
    hostile_within(behaviour, Duration::from_secs(30))
}

fn hostile_within(behaviour: &str, spawn_timeout: Duration) -> Casemate {
    Casemate::builder()
        .configure(|config| {
            config.use_adversary(behaviour);
            config.spawn_timeout = spawn_timeout;
        })
        .build()
        .unwrap()
}

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

/// Loads and calls; a worker that lies before it is ready fails the first of the two that needs it.
async fn end_of(casemate: &Casemate, policy: Policy) -> (String, Retry) {
    let failure = match casemate.load(guests::wat("minimal"), policy).await {
        Ok(plugin) => plugin.call_raw("m", b"x").await.expect_err("a lie was taken for an answer"),
        Err(failure) => failure,
    };
    (failure.code(), failure.retry)
}

#[test]
fn the_control_of_the_experiment_obeys() {
    block_on(async {
        let casemate = hostile("obedient");
        let plugin = casemate.load(guests::wat("minimal"), patient()).await.unwrap();
        assert_eq!(plugin.call_raw("m", b"x").await.unwrap(), b"x");
    });
}

#[test]
fn lies_before_ready_end_the_worker_before_it_gets_any_input() {
    block_on(async {
        for behaviour in ["forged-version", "early-result", "garbage", "huge-length"] {
            let casemate = hostile(behaviour);
            let (code, retry) = end_of(&casemate, patient()).await;
            assert_eq!((code.as_str(), retry), ("violation.link", Retry::NotStarted), "{behaviour}");
            processes::await_none(&casemate.marker(), Duration::from_secs(20));
        }
    });
}

#[test]
fn ready_before_the_last_wall_is_seen_from_outside() {
    // Canaries of this program take the path of every worker, so the zygote is proven; then its worker lies.
    block_on(async {
        let casemate = hostile("ready-too-early");
        let plugin = casemate.load(guests::wat("minimal"), patient()).await.unwrap();
        let failure = plugin.call_raw("m", b"x").await.unwrap_err();
        assert_eq!((failure.code().as_str(), failure.retry), ("violation.inspection", Retry::NotStarted));
        assert!(failure.to_string().contains("filters"), "{failure}");
        drop(plugin);
        processes::await_none(&casemate.marker(), Duration::from_secs(20));
    });
}

#[test]
fn a_worker_that_is_never_ready_runs_into_the_spawn_timeout() {
    block_on(async {
        for behaviour in ["silent", "half-frame"] {
            let casemate = hostile_within(behaviour, Duration::from_secs(3));
            let (code, retry) = end_of(&casemate, patient()).await;
            assert_eq!((code.as_str(), retry), ("spawn.failed", Retry::NotStarted), "{behaviour}");
            processes::await_none(&casemate.marker(), Duration::from_secs(20));
        }
    });
}

#[test]
fn lies_during_a_call_end_it() {
    block_on(async {
        for behaviour in ["ready-twice", "other-call"] {
            let (code, _) = end_of(&hostile(behaviour), patient()).await;
            assert_eq!(code, "violation.link", "{behaviour}");
        }
    });
}

#[test]
fn what_a_worker_says_between_calls_never_reaches_the_next() {
    block_on(async {
        for behaviour in ["answer-twice", "host-call-outside"] {
            let casemate = hostile(behaviour);
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
fn a_worker_that_never_answers_is_killed_at_the_deadline() {
    block_on(async {
        for behaviour in ["never-answers", "log-flood"] {
            let (code, retry) = end_of(&hostile(behaviour), hasty()).await;
            assert_eq!((code.as_str(), retry), ("timeout.hard", Retry::MaybeRan), "{behaviour}");
        }
    });
}

#[test]
fn a_worker_that_exits_is_lost() {
    block_on(async {
        let (code, retry) = end_of(&hostile("exit"), patient()).await;
        assert_eq!((code.as_str(), retry), ("worker.lost", Retry::MaybeRan));
    });
}

#[test]
fn others_go_on_undisturbed() {
    block_on(async {
        let good = casemate().load(guests::wat("minimal"), Policy::default()).await.unwrap();
        let flood = hostile("log-flood");
        let bad = flood.load(guests::wat("minimal"), hasty()).await.unwrap();
        let bad = tokio::spawn(async move { bad.call_raw("m", b"x").await });
        for n in 0..50_u8 {
            assert_eq!(good.call_raw("m", &[n]).await.unwrap(), [n]);
        }
        bad.await.unwrap().unwrap_err();
    });
}
