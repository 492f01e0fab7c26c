//! A dead worker's number may be somebody else's by now: no signal of ours reaches them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate::Casemate;
use casemate_tests::{block_on, guests, host, host::Host, is_root, processes, skip};
use rustix::process::Signal;
use std::time::Duration;

#[test]
fn scenario() {
    host::run(&[("stranger", stranger)]);
}

/// A host in a pid namespace of its own, where a dead worker's number goes to somebody else.
fn stranger(_: &str) {
    block_on(async {
        let casemate = Casemate::embedded().unwrap();
        let policy = casemate_tests::policy(|spec| {
            spec.limits.call_timeout = Duration::from_millis(300);
            spec.limits.grace = Duration::from_millis(50);
        });
        let plugin = casemate.load(guests::wat("loop"), policy).await.unwrap();
        let call = {
            let plugin = plugin.clone();
            tokio::spawn(async move { plugin.call_raw("m", b"").await })
        };
        let worker = loop {
            match processes::youngest_worker(&casemate.marker()) {
                Some(worker) => break worker,
                None => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        };
        worker.signal(Signal::KILL);
        while processes::with_marker(&casemate.marker()).iter().any(|found| found.pid == worker.pid) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let mut other = loop {
            std::fs::write("/proc/sys/kernel/ns_last_pid", (worker.pid - 1).to_string()).unwrap();
            let mut other = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
            if i32::try_from(other.id()).unwrap() == worker.pid {
                break other;
            }
            other.kill().unwrap();
            other.wait().unwrap();
        };
        // The call ends as lost; its deadlines come and go, the plugin is closed, the supervisor ends.
        call.await.unwrap().unwrap_err();
        tokio::time::sleep(Duration::from_millis(500)).await;
        plugin.close().await.unwrap();
        casemate.shutdown().await;
        drop((plugin, casemate));
        assert_eq!(other.try_wait().unwrap(), None, "a signal for a dead worker reached a stranger");
        other.kill().unwrap();
        other.wait().unwrap();
    });
    host::say("unharmed");
}

#[test]
fn a_signal_never_reaches_whoever_got_a_dead_workers_number() {
    if !is_root() {
        skip("a_signal_never_reaches_whoever_got_a_dead_workers_number", "choosing the next pid needs root");
        return;
    }
    let line = "exec unshare --pid --fork --mount-proc sh -c 'exec \"$0\" \"$@\"' \"$0\" \"$@\"";
    let mut host = Host::start_in_shell(line, "stranger", "");
    assert_eq!(host.line(), "unharmed");
    host.finish();
}
