//! The life of a plugin in real processes: crashes and what follows them, new versions, instances that come and go.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate::{Casemate, ClientId, Failure, Isolation, Plugin, Policy, PolicySpec, Retry, State};
use casemate_tests::gate::Gate;
use casemate_tests::processes::{self, Found};
use casemate_tests::{block_on, casemate, guests, policy};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// For what takes milliseconds, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(60);

/// A policy under which crashes count, as they do by default.
fn counting(change: impl FnOnce(&mut PolicySpec)) -> Policy {
    policy(|spec| {
        spec.restart.within = Duration::from_secs(3600);
        spec.restart.first = Duration::from_millis(10);
        change(spec);
    })
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn zygotes_and_workers(casemate: &Casemate) -> (Vec<Found>, Vec<Found>) {
    let [_, zygotes, workers] = processes::by_kind(&casemate.marker());
    (zygotes, workers)
}

fn workers(casemate: &Casemate) -> BTreeSet<i32> {
    zygotes_and_workers(casemate).1.iter().map(|worker| worker.pid).collect()
}

/// Kills the one zygote there is, and waits until it is gone.
async fn kill_zygote(casemate: &Casemate) {
    let (zygotes, _) = zygotes_and_workers(casemate);
    assert_eq!(zygotes.len(), 1, "{zygotes:?}");
    zygotes[0].signal(Signal::KILL);
    until("the zygote goes", || !std::path::Path::new(&format!("/proc/{}", zygotes[0].pid)).exists()).await;
}

async fn count(plugin: &Plugin) -> u64 {
    plugin.call::<_, u64>("counter", &()).await.unwrap()
}

fn is_refused(answer: Result<Vec<u8>, Failure>, code: &str) -> Failure {
    let failure = answer.unwrap_err();
    assert_eq!((failure.code().as_str(), failure.retry), (code, Retry::NotStarted), "{failure}");
    failure
}

#[test]
fn a_killed_zygote_is_started_again_while_calls_wait() {
    block_on(async {
        let casemate = casemate();
        let plugin = casemate.load(guests::wat("minimal"), counting(|_| {})).await.unwrap();
        assert_eq!(plugin.call_raw("m", b"1").await.unwrap(), b"1");
        assert_eq!((plugin.status().state, plugin.status().generation), (State::Running, Some(1)));
        kill_zygote(&casemate).await;
        assert_eq!(plugin.call_raw("m", b"2").await.unwrap(), b"2");
        let status = plugin.status();
        assert_eq!(
            (status.state, status.generation, status.crashes),
            (State::Running, Some(2), 1),
            "{status:?}"
        );
        assert!(status.last_crash.is_some(), "{status:?}");
    });
}

#[test]
fn calls_wait_in_order_up_to_the_limit_during_a_pause_and_a_reset_ends_it() {
    block_on(async {
        let policy = counting(|spec| {
            spec.restart.first = Duration::from_secs(3600);
            spec.restart.max = Duration::from_secs(3600);
            spec.limits.queue = 2;
        });
        let casemate = casemate();
        let plugin = casemate.load(guests::wat("minimal"), policy).await.unwrap();
        kill_zygote(&casemate).await;
        until("it pauses", || plugin.status().state == State::Backoff).await;
        assert!(plugin.status().retry_in.is_some());
        let call = |n: u8| {
            let plugin = plugin.clone();
            tokio::spawn(async move { plugin.call_raw("m", &[n]).await })
        };
        let waiting = [call(1), call(2)];
        until("two wait", || plugin.status().waiting == 2).await;
        is_refused(plugin.call_raw("m", b"3").await, "overloaded.queue");
        assert_eq!(plugin.status().dropped, 1);
        plugin.reset().await.unwrap();
        for (n, call) in (1..).zip(waiting) {
            assert_eq!(call.await.unwrap().unwrap(), [n]);
        }
    });
}

#[test]
fn a_crash_loop_is_disabled_with_its_reason_and_can_be_reset() {
    block_on(async {
        let casemate = casemate();
        let plugin = casemate.load(guests::wat("minimal"), counting(|_| {})).await.unwrap();
        for crashes in 1..=3 {
            kill_zygote(&casemate).await;
            let state = if crashes == 3 { State::Disabled } else { State::Running };
            until("it is noticed", || (plugin.status().crashes, plugin.status().state) == (crashes, state))
                .await;
        }
        let failure = is_refused(plugin.call_raw("m", b"x").await, "plugin.disabled");
        for word in ["3 crashes", "its zygote ended", "reset"] {
            assert!(failure.to_string().contains(word), "{failure}");
        }
        processes::await_none(&casemate.marker(), PATIENCE);
        plugin.reset().await.unwrap();
        assert_eq!(plugin.status().crashes, 0);
        assert_eq!(plugin.call_raw("m", b"x").await.unwrap(), b"x");
    });
}

#[test]
fn workers_that_crash_disable_their_plugin_too() {
    block_on(async {
        let casemate = Casemate::builder().configure(|config| config.use_adversary("exit")).build().unwrap();
        let plugin = casemate.load(guests::wat("minimal"), counting(|_| {})).await.unwrap();
        for _ in 0..3 {
            assert_eq!(plugin.call_raw("m", b"x").await.unwrap_err().code(), "worker.lost");
        }
        is_refused(plugin.call_raw("m", b"x").await, "plugin.disabled");
    });
}

#[test]
fn traps_do_not_disable_a_plugin() {
    block_on(async {
        let plugin = casemate().load(guests::wat("trap_unreachable"), counting(|_| {})).await.unwrap();
        for _ in 0..5 {
            assert_eq!(plugin.call_raw("m", b"x").await.unwrap_err().code(), "trap.unreachable");
        }
        assert_eq!((plugin.status().crashes, plugin.status().state), (0, State::Running));
    });
}

#[test]
fn a_new_version_takes_over_under_load_and_no_call_is_dropped() {
    block_on(async {
        let casemate = casemate();
        let plugin = casemate.load(guests::rust("probe"), counting(|_| {})).await.unwrap();
        // Both versions know this.
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let callers: Vec<_> = (0..3_u8)
            .map(|n| {
                let (plugin, stop) = (plugin.clone(), Arc::clone(&stop));
                tokio::spawn(async move {
                    let mut calls = 0_u64;
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        assert_eq!(plugin.call_raw("echo", &[n]).await.unwrap(), [n]);
                        calls += 1;
                    }
                    calls
                })
            })
            .collect();
        until("calls run", || plugin.status().busy > 0).await;
        for guest in [guests::wat("minimal"), guests::rust("probe"), guests::wat("minimal")] {
            plugin.reload(guest).await.unwrap();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        for caller in callers {
            assert!(caller.await.unwrap() > 0);
        }
        // The probe does not know this one.
        assert_eq!(plugin.call_raw("anything", b"x").await.unwrap(), b"x");
        assert_eq!(plugin.status().generation, Some(4));
        until("the old ones end", || zygotes_and_workers(&casemate).0.len() == 1).await;
    });
}

#[test]
fn a_call_that_runs_during_a_reload_ends_in_the_old_version() {
    block_on(async {
        let casemate = casemate();
        let mut gate = Gate::closed(&casemate, "gate");
        let policy = counting(|spec| spec.host = vec!["gate".into()]);
        let plugin = casemate.load(guests::rust("probe"), policy).await.unwrap();
        let old = plugin.clone();
        let call =
            tokio::spawn(async move { old.call::<_, Value>("host", &json!({"method": "gate"})).await });
        gate.entered().await;
        plugin.reload(guests::wat("minimal")).await.unwrap();
        assert_eq!(plugin.call_raw("anything", b"x").await.unwrap(), b"x");
        assert_eq!(zygotes_and_workers(&casemate).0.len(), 2);
        gate.open();
        assert_eq!(call.await.unwrap().unwrap(), json!(1));
        until("the old one ends", || zygotes_and_workers(&casemate).0.len() == 1).await;
    });
}

#[test]
fn a_failing_reload_leaves_the_old_version_as_it_was() {
    block_on(async {
        let casemate = casemate();
        let plugin = casemate.load(guests::rust("probe"), counting(|_| {})).await.unwrap();
        assert_eq!(count(&plugin).await, 1);
        for bad in ["missing_call", "memory_initial_too_big"] {
            plugin.reload(guests::wat(bad)).await.unwrap_err();
        }
        // Given up halfway.
        let reload = plugin.reload(guests::wat("minimal"));
        let _ = tokio::time::timeout(Duration::from_millis(20), reload).await;
        if plugin.status().generation == Some(1) {
            assert_eq!(count(&plugin).await, 2, "the same instance still counts");
            assert!(!plugin.status().reloading);
        }
    });
}

#[test]
fn two_reloads_do_not_mix() {
    block_on(async {
        let plugin = casemate().load(guests::wat("minimal"), counting(|_| {})).await.unwrap();
        let (first, second) =
            tokio::join!(plugin.reload(guests::wat("minimal")), plugin.reload(guests::wat("minimal")));
        first.unwrap();
        assert_eq!(second.unwrap_err().code(), "plugin.reloading");
    });
}

#[test]
fn disabled_and_enabled_again() {
    block_on(async {
        let casemate = casemate();
        let plugin = casemate.load(guests::rust("probe"), counting(|_| {})).await.unwrap();
        assert_eq!(count(&plugin).await, 1);
        plugin.disable().await.unwrap();
        processes::await_none(&casemate.marker(), PATIENCE);
        let failure = is_refused(plugin.call_raw("echo", b"x").await, "plugin.disabled");
        assert!(failure.to_string().contains("enable"), "{failure}");
        // It is no crash that disabled it.
        assert_eq!(plugin.reset().await.unwrap_err().code(), "plugin.disabled");
        // A new version waits for its time.
        plugin.reload(guests::wat("minimal")).await.unwrap();
        assert_eq!(plugin.status().state, State::Disabled);
        plugin.enable().await.unwrap();
        assert_eq!(plugin.call_raw("anything", b"x").await.unwrap(), b"x");
    });
}

#[test]
fn draining_lets_calls_finish_and_refuses_new_ones() {
    block_on(async {
        let casemate = casemate();
        let policy = counting(|spec| spec.limits.call_timeout = Duration::from_secs(2));
        let plugin = casemate.load(guests::rust("probe"), policy).await.unwrap();
        let spinning = plugin.clone();
        let call = tokio::spawn(async move { spinning.call::<_, u64>("spin", &json!({})).await });
        until("it spins", || plugin.status().busy == 1).await;
        let draining = plugin.clone();
        let drain = tokio::spawn(async move { draining.drain().await });
        until("it drains", || plugin.status().state == State::Draining).await;
        is_refused(plugin.call_raw("echo", b"x").await, "plugin.stopped");
        assert_eq!(call.await.unwrap().unwrap_err().code(), "timeout.soft");
        drain.await.unwrap().unwrap();
        assert_eq!(plugin.status().state, State::Stopped);
        processes::await_none(&casemate.marker(), PATIENCE);
        plugin.enable().await.unwrap();
        assert_eq!(count(&plugin).await, 1);
    });
}

/// The worker that is there during a call of each of these plugins.
async fn pids(casemate: &Casemate, plugins: &[&Plugin]) -> Vec<i32> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (say, host) = (Arc::clone(&seen), casemate.clone());
    let known = Arc::new(Mutex::new(BTreeSet::new()));
    casemate.on("who", move |(): ()| {
        let pids = workers(&host);
        // Whoever was there before and stays is no news; a fresh one is.
        let new = pids.difference(&known.lock().unwrap()).copied().collect::<Vec<_>>();
        known.lock().unwrap().extend(&pids);
        say.lock().unwrap().extend(new);
        async { Ok(1) }
    });
    for plugin in plugins {
        plugin.call::<_, Value>("host", &json!({"method": "who"})).await.unwrap();
    }
    seen.lock().unwrap().clone()
}

#[test]
fn a_fresh_process_a_call() {
    block_on(async {
        let casemate = casemate();
        let policy = counting(|spec| {
            spec.isolation = Isolation::Call;
            spec.host = vec!["who".into()];
        });
        let plugin = casemate.load(guests::rust("probe"), policy).await.unwrap();
        let pids = pids(&casemate, &[&plugin; 4]).await;
        assert_eq!(pids.iter().collect::<BTreeSet<_>>().len(), 4, "{pids:?}");
        for _ in 0..3 {
            assert_eq!(count(&plugin).await, 1);
        }
    });
}

#[test]
fn no_instance_serves_two_clients() {
    block_on(async {
        let casemate = casemate();
        let policy = counting(|spec| {
            spec.isolation = Isolation::Client;
            spec.instances.max = 2;
        });
        let plugin = casemate.load(guests::rust("probe"), policy).await.unwrap();
        let client = |n| plugin.for_client(ClientId(n));
        assert_eq!((count(&client(1)).await, count(&client(2)).await), (1, 1));
        assert_eq!((count(&client(1)).await, count(&client(2)).await), (2, 2));
        // A third takes the place of the one that was used longest ago.
        assert_eq!((count(&client(3)).await, count(&client(2)).await, count(&client(1)).await), (1, 3, 1));
    });
}

#[test]
fn recycled_after_calls_and_after_bytes() {
    block_on(async {
        let casemate = casemate();
        let plugin = casemate
            .load(guests::rust("probe"), counting(|spec| spec.instances.max_calls = 2))
            .await
            .unwrap();
        for expected in [1, 2, 1, 2, 1] {
            assert_eq!(count(&plugin).await, expected);
        }
        let policy = counting(|spec| spec.instances.recycle_memory_bytes = Some(8 << 20));
        let plugin = casemate.load(guests::rust("probe"), policy).await.unwrap();
        assert_eq!((count(&plugin).await, count(&plugin).await), (1, 2));
        plugin.call::<_, Value>("grow", &json!({"bytes": 16 << 20})).await.unwrap();
        assert_eq!(count(&plugin).await, 1);
    });
}

#[test]
fn idle_instances_end_and_the_least_stays() {
    block_on(async {
        let casemate = casemate();
        let policy = counting(|spec| {
            spec.instances.min = 1;
            spec.instances.idle_timeout = Duration::from_millis(300);
            spec.limits.call_timeout = Duration::from_millis(100);
        });
        let plugin = casemate.load(guests::wat("minimal"), policy).await.unwrap();
        until("the least is there before any call", || workers(&casemate).len() == 1).await;
        let body = vec![0; 1 << 20];
        let calls: Vec<_> = (0..4)
            .map(|_| {
                let (plugin, body) = (plugin.clone(), body.clone());
                tokio::spawn(async move { plugin.call_raw("m", &body).await })
            })
            .collect();
        for call in calls {
            let _ = call.await.unwrap();
        }
        until("one is left", || workers(&casemate).len() == 1 && plugin.status().idle == 1).await;
        // Killed while it waits, it is replaced.
        let (_, left) = zygotes_and_workers(&casemate);
        left[0].signal(Signal::KILL);
        // Not only without arguments: until it is reaped its link may still be open.
        let proc = std::path::PathBuf::from(format!("/proc/{}", left[0].pid));
        until("it goes", || !proc.exists()).await;
        assert_eq!(plugin.call_raw("m", b"x").await.unwrap(), b"x");
        assert_eq!(plugin.status().crashes, 0);
    });
}

#[test]
fn spares_are_forked_before_somebody_wants_them() {
    block_on(async {
        let casemate = casemate();
        let policy = counting(|spec| {
            spec.instances.spare = 2;
            spec.isolation = Isolation::Call;
            spec.host = vec!["who".into()];
        });
        let plugin = casemate.load(guests::rust("probe"), policy).await.unwrap();
        for _ in 0..3 {
            until("two are there", || plugin.status().idle == 2).await;
            let before = workers(&casemate);
            assert_eq!(before.len(), 2);
            assert_eq!(count(&plugin).await, 1);
            until("one of them was used", || workers(&casemate).intersection(&before).count() == 1).await;
        }
    });
}

#[test]
fn by_default_nothing_is_forked_before_the_first_call() {
    block_on(async {
        let casemate = casemate();
        let plugin = casemate.load(guests::wat("minimal"), Policy::default()).await.unwrap();
        assert!(workers(&casemate).is_empty());
        plugin.call_raw("m", b"x").await.unwrap();
        assert_eq!(workers(&casemate).len(), 1);
    });
}
