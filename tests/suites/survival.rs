//! Nothing survives its host, wherever in its life the host is killed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate::{Casemate, Policy};
use casemate_tests::{block_on, guests, host, host::Host, processes};
use rustix::process::Signal;
use std::time::Duration;

/// The promise is much less; this is for a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn scenario() {
    host::run(&[("pause_at", pause_at), ("busy", busy), ("idle", idle), ("forked", forked)]);
}

/// A host that stops at a named point of spawning.
fn pause_at(point: &str) {
    block_on(async {
        let casemate = Casemate::builder()
            .configure(|config| {
                config.pause_at = Some(casemate_supervisor::PausePoint::new(point, || host::say("paused")));
            })
            .build()
            .unwrap();
        host::say(&casemate.marker());
        let plugin = casemate.load(guests::wat("minimal"), Policy::default()).await.unwrap();
        plugin.call_raw("m", b"x").await.unwrap();
        host::say("never paused");
    });
}

/// A host with a worker that spins.
fn busy(_: &str) {
    block_on(async {
        let casemate = Casemate::embedded().unwrap();
        let plugin = casemate.load(guests::wat("loop"), Policy::default()).await.unwrap();
        let call = tokio::spawn(async move { plugin.call_raw("m", b"").await });
        tokio::time::sleep(Duration::from_millis(300)).await;
        host::say(&casemate.marker());
        let _ = call.await;
    });
}

/// A host with an idle worker.
fn idle(_: &str) {
    block_on(async {
        let casemate = Casemate::embedded().unwrap();
        let plugin = casemate.load(guests::wat("minimal"), Policy::default()).await.unwrap();
        plugin.call_raw("m", b"x").await.unwrap();
        host::say(&casemate.marker());
        host::await_word();
    });
}

/// A host that has a child which holds copies of all its sockets.
fn forked(_: &str) {
    block_on(async {
        let casemate = Casemate::embedded().unwrap();
        let plugin = casemate.load(guests::wat("minimal"), Policy::default()).await.unwrap();
        plugin.call_raw("m", b"x").await.unwrap();
        // A bare fork: no exec, so close-on-exec closes nothing.
        match casemate_sys::process::fork().unwrap() {
            casemate_sys::process::Fork::Child => {
                std::thread::sleep(Duration::from_secs(300));
                casemate_sys::process::exit_now(0)
            }
            casemate_sys::process::Fork::Parent(child) => {
                let info = std::fs::read_to_string(format!(
                    "/proc/self/fdinfo/{}",
                    std::os::fd::AsRawFd::as_raw_fd(&child)
                ))
                .unwrap();
                let pid = info.lines().find_map(|line| line.strip_prefix("Pid:")).unwrap().trim().to_owned();
                host::say(&casemate.marker());
                host::say(&pid);
                host::await_word();
            }
        }
    });
}

#[test]
fn killed_at_every_point_of_spawning() {
    let points = casemate_supervisor::POINTS;
    assert!(points.len() >= 20, "{} points", points.len());
    for point in points {
        let mut host = Host::start("pause_at", point);
        let marker = host.line();
        assert_eq!(host.line(), "paused", "{point} is never reached");
        host.kill();
        processes::await_none(&marker, PATIENCE);
    }
}

#[test]
fn killed_while_a_worker_spins() {
    let mut host = Host::start("busy", "");
    let marker = host.line();
    assert!(processes::with_marker(&marker).len() >= 3);
    host.kill();
    processes::await_none(&marker, PATIENCE);
}

#[test]
fn killed_while_a_forked_child_of_the_host_lives_on() {
    let mut host = Host::start("forked", "");
    let marker = host.line();
    let child: i32 = host.line().parse().unwrap();
    assert!(processes::with_marker(&marker).len() >= 3);
    host.kill();
    processes::await_none(&marker, PATIENCE);
    let child = rustix::process::Pid::from_raw(child).unwrap();
    assert!(rustix::process::test_kill_process(child).is_ok(), "the child was to outlive its host");
    rustix::process::kill_process(child, Signal::KILL).unwrap();
}

#[test]
fn killed_while_zygote_and_worker_are_stopped() {
    let mut host = Host::start("idle", "");
    let marker = host.line();
    for found in processes::with_marker(&marker) {
        if found.stage() != "stub" {
            found.signal(Signal::STOP);
        }
    }
    host.kill();
    processes::await_none(&marker, PATIENCE);
}

#[test]
fn a_stub_that_is_killed_takes_its_plugin_along() {
    let mut host = Host::start("idle", "");
    let marker = host.line();
    let stubs: Vec<_> =
        processes::with_marker(&marker).into_iter().filter(|found| found.stage() == "stub").collect();
    assert_eq!(stubs.len(), 1);
    for stub in &stubs {
        stub.signal(Signal::KILL);
    }
    processes::await_none(&marker, PATIENCE);
    host.go_on();
    host.finish();
}

#[test]
fn a_hundred_loads_leave_no_descriptor_and_no_zombie() {
    block_on(async {
        let casemate = Casemate::embedded().unwrap();
        let one = async || {
            let plugin = casemate.load(guests::wat("minimal"), Policy::default()).await.unwrap();
            plugin.call_raw("m", b"x").await.unwrap();
            drop(plugin);
            processes::await_none(&casemate.marker(), PATIENCE);
        };
        one().await;
        let before = processes::open_descriptors();
        for _ in 0..100 {
            one().await;
        }
        let settled = async {
            while processes::open_descriptors() > before + 8 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE, settled).await;
        // Tests of this suite run side by side and have hosts and pipes of their own.
        assert!(
            processes::open_descriptors() <= before + 8,
            "{} and {before}",
            processes::open_descriptors()
        );
    });
}
