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
use casemate::{Cause, Policy, Retry};
use casemate_tests::{block_on, casemate, guests, policy, processes, skip};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
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

#[test]
fn a_module_that_attacks_while_it_is_loaded_is_behind_the_filter_already() {
    block_on(async {
        for (behaviour, name, args) in [
            ("loads-a-socket", "socket", [1, 1, 0, 0, 0, 0]),
            ("loads-code", "mmap", [0, 4096, 7, 0x22, u64::MAX, 0]),
        ] {
            let casemate = hostile(behaviour).unwrap();
            let failure = casemate.load(guests::wat("minimal"), patient()).await.unwrap_err();
            let Cause::Syscall(report) = failure.cause else { panic!("{behaviour}: {failure}") };
            assert_eq!((report.name, report.args), (Some(name), args), "{behaviour}");
            processes::await_none(&casemate.marker(), Duration::from_secs(20));
        }
    });
}

#[test]
fn a_worker_that_computes_without_a_call_is_ended() {
    block_on(async {
        let casemate = hostile("computes-idle").unwrap();
        let plugin = casemate.load(guests::wat("minimal"), patient()).await.unwrap();
        plugin.call_raw("m", b"x").await.unwrap();
        let workers = || processes::with_marker(&casemate.marker()).len();
        let before = workers();
        // Its stub and its zygote stay.
        let end = std::time::Instant::now() + Duration::from_secs(30);
        while workers() == before {
            assert!(std::time::Instant::now() < end, "it still computes");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(workers(), before - 1);
        plugin.call_raw("m", b"x").await.unwrap();
    });
}

#[test]
fn a_worker_that_talks_without_a_call_gets_no_other() {
    block_on(async {
        let casemate = hostile("floods-idle").unwrap();
        let plugin = casemate.load(guests::wat("minimal"), patient()).await.unwrap();
        for _ in 0..4 {
            // Between two calls it gets no other; one that talks into the next is found out there.
            match plugin.call_raw("m", b"x").await {
                Ok(answer) => assert_eq!(answer, b"\"forged\""),
                Err(failure) => assert_eq!(failure.code(), "violation.link", "{failure}"),
            }
        }
    });
}

#[test]
fn a_call_ends_with_its_worker_whoever_else_holds_the_link() {
    block_on(async {
        let casemate = hostile("never-answers").unwrap();
        let plugin = casemate.load(guests::wat("minimal"), hasty()).await.unwrap();
        let before: Vec<i32> =
            processes::with_marker(&casemate.marker()).into_iter().map(|found| found.pid).collect();
        let running = tokio::spawn(async move { plugin.call_raw("m", b"x").await });
        let worker = loop {
            let found = processes::with_marker(&casemate.marker());
            if let Some(worker) = found.into_iter().find(|found| !before.contains(&found.pid)) {
                break worker.pid;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        // Once it is a worker, descriptor 0 is the link.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let pidfd = pidfd_open(Pid::from_raw(worker).unwrap(), PidfdFlags::empty())
            .expect("it lives until its deadline");
        let held = match pidfd_getfd(&pidfd, 0, PidfdGetfdFlags::empty()) {
            Ok(held) => held,
            Err(error) => {
                running.await.unwrap().unwrap_err();
                return skip("a_call_ends_with_its_worker_whoever_else_holds_the_link", &error.to_string());
            }
        };
        let failure = tokio::time::timeout(Duration::from_secs(20), running).await;
        let failure = failure.expect("the call outlives its worker").unwrap().unwrap_err();
        assert_eq!(failure.code(), "timeout.hard");
        drop(held);
    });
}
