//! The worker's list holds nothing that nobody needs: taken away one at a time, each of its calls is missed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    clippy::print_stdout,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

#[path = "needless/wasi.rs"]
mod wasi;

use casemate::{Casemate, Cause, Failure, HostError};
use casemate_lockdown::seccomp::{Arch, list};
use casemate_sys::process::{ExitStatus, exit_status};
use casemate_tests::{block_on, guests, host, host::Host, policy, processes};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use serde_json::{Value, json};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

#[test]
fn scenario() {
    host::run(&[("idle", idle)]);
}

/// An honest worker whose list is one call shorter, or whole.
fn shortened(missing: Option<&str>) -> Casemate {
    let behaviour = missing.map_or_else(|| "obedient".to_owned(), |name| format!("without-{name}"));
    Casemate::builder().configure(|config| config.use_adversary(&behaviour)).build().unwrap()
}

/// What honest plugins do all day. Each piece of work is done in cells of its own; the first one that a missing call ended
/// is named.
async fn work(missing: Option<&str>) -> Option<String> {
    let casemate = shortened(missing);
    casemate.on("clock.now", |_: Value| async { Ok::<_, HostError>(json!("12:00")) });
    let mut broken = None;
    for (what, guest, method, input) in [
        ("counts", guests::rust("statistics"), "stats", json!({"numbers": [1, 2, 3]})),
        ("reads a book", guests::rust("wordcount"), "count", book()),
        ("grows", guests::rust("probe"), "grow", json!({"bytes": 20 << 20})),
        (
            "logs",
            guests::rust("probe"),
            "log",
            json!({"level": "info", "text": "x".repeat(3000), "times": 9}),
        ),
        ("asks its host", guests::rust("probe"), "host_loop", json!({"method": "clock.now", "n": 50})),
        ("answers", guests::wat("minimal"), "m", json!("x".repeat(200_000))),
        ("makes many tables itself", guests::wat("many_tables"), "m", json!(null)),
        ("traps", guests::wat("trap_oob_memory"), "m", json!(null)),
        ("loops", guests::rust("probe"), "spin", json!({})),
    ] {
        let policy = policy(|spec| {
            spec.limits.call_timeout = Duration::from_millis(if what == "loops" { 100 } else { 30_000 });
            spec.limits.table_entries = 2_000_000;
            spec.host = vec!["clock.*".into()];
        });
        let plugin = match casemate.load(guest, policy).await {
            Ok(plugin) => plugin,
            Err(failure) => {
                assert!(is_broken(&failure), "{what}: {failure}");
                return Some(format!("no worker: {failure}"));
            }
        };
        // Twice, and a text longer the second time: what a worker does between calls counts too.
        let input = serde_json::to_vec(&input).unwrap();
        let longer = if what == "answers" { 400_000 } else { 0 };
        for input in [input.clone(), [input, vec![b' '; longer]].concat()] {
            match plugin.call_json_text(method, &input).await {
                Err(failure) if is_broken(&failure) => {
                    broken.get_or_insert_with(|| format!("{what}: {failure}"));
                }
                Err(failure) if matches!(failure.cause, Cause::Trap { .. }) => assert_eq!(what, "traps"),
                Err(failure) if matches!(failure.cause, Cause::SoftTimeout { .. }) => {
                    assert_eq!(what, "loops")
                }
                Err(failure) => panic!("{what}, without {missing:?}: {failure}"),
                Ok(_) => {}
            }
        }
    }
    casemate.shutdown().await;
    broken
}

fn book() -> Value {
    serde_json::from_slice(&std::fs::read(guests::data("alice.json")).unwrap()).unwrap()
}

fn is_broken(failure: &Failure) -> bool {
    use Cause::{Inspection, Spawn, Syscall, SyscallSignal, WorkerLost};
    matches!(failure.cause, SyscallSignal | Syscall(_) | WorkerLost { .. } | Spawn { .. } | Inspection { .. })
}

#[test]
fn with_the_whole_list_all_work_is_done() {
    assert_eq!(block_on(work(None)), None);
    assert_eq!(end_of_an_orphan("obedient"), Some(ExitStatus::Code(0)));
}

#[test]
fn every_call_of_the_list_is_missed() {
    let mut needless = Vec::new();
    for syscall in list::CORE.iter().filter(|syscall| syscall.number(Arch::NATIVE).is_some()) {
        let name = syscall.name;
        let missed = if name == "exit_group" {
            let end = end_of_an_orphan("without-exit_group");
            (end != Some(ExitStatus::Code(0))).then(|| format!("the end: {end:?}"))
        } else {
            block_on(work(Some(name)))
        };
        match missed {
            Some(how) => println!("without {name}: {how}"),
            None => needless.push(name),
        }
    }
    assert!(needless.is_empty(), "nothing misses {needless:?}: take them off the list");
}

/// A host with an idle worker.
fn idle(behaviour: &str) {
    block_on(async {
        let casemate =
            Casemate::builder().configure(|config| config.use_adversary(behaviour)).build().unwrap();
        let plugin = casemate.load(guests::wat("minimal"), policy(|_| ())).await.unwrap();
        plugin.call_raw("m", b"x").await.unwrap();
        host::say(&casemate.marker());
        host::await_word();
    });
}

/// How a worker ends by itself: its host is gone, and whoever else would kill it stands still.
fn end_of_an_orphan(behaviour: &str) -> Option<ExitStatus> {
    let mut host = Host::start("idle", behaviour);
    let marker = host.line();
    let found = processes::with_marker(&marker);
    let (stub, rest): (Vec<_>, Vec<_>) = found.into_iter().partition(|process| process.stage() == "stub");
    // The zygote has been there for longer.
    let (zygote, worker) = (
        rest.iter().min_by_key(|process| process.pid).unwrap(),
        rest.iter().max_by_key(|process| process.pid).unwrap(),
    );
    assert_ne!(zygote.pid, worker.pid);
    let pidfd = pidfd_open(Pid::from_raw(worker.pid).unwrap(), PidfdFlags::empty()).unwrap();
    for process in stub.iter().chain([zygote]) {
        process.signal(Signal::STOP);
    }
    host.kill();
    let patience = Instant::now() + Duration::from_secs(20);
    let end = loop {
        match exit_status(pidfd.as_fd()) {
            None if Instant::now() < patience => std::thread::sleep(Duration::from_millis(5)),
            end => break end,
        }
    };
    for process in stub.iter().chain([zygote]) {
        process.signal(Signal::KILL);
    }
    processes::await_none(&marker, Duration::from_secs(20));
    end
}

#[test]
fn the_worker_program_holds_no_line_of_the_adversary() {
    // Both are stripped of their symbols, so it is the words of the hostile code that are looked for: the adversary has
    // every one of them, or the list would be wrong, and the worker none.
    let words = ["forged-version", "ready-too-early", "changed text was run", ":minus-", "limit-processes"];
    let holds =
        |program: &[u8], word: &str| program.windows(word.len()).any(|window| window == word.as_bytes());
    let [worker, adversary] = casemate_supervisor::embedded();
    for word in words {
        assert!(holds(adversary, word), "the adversary does not say {word:?}");
        assert!(!holds(worker, word), "the worker says {word:?}");
    }
}
