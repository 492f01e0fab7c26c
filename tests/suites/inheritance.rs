//! Nothing of a host reaches its plugins, however badly the host is set up; and Casemate changes nothing in the host.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate::{LayerSet, Policy};
use casemate_tests::{block_on, casemate, guests, host, host::Host, processes};
use std::fs::File;

#[test]
fn scenario() {
    host::run(&[("load", load), ("leaky", leaky), ("sigpipe", sigpipe), ("unchanged", unchanged)]);
}

fn load(_: &str) {
    block_on(async {
        let plugin = casemate().load(guests::wat("minimal"), Policy::default()).await.unwrap();
        assert_eq!(plugin.call_raw("m", b"hello").await.unwrap(), b"hello");
        host::say(&format!("missing {}", plugin.certificate().missing(LayerSet::all())));
    });
}

/// 500 descriptors that are not close-on-exec, opened before and while plugins start.
fn leaky(_: &str) {
    let leak = || {
        let file = File::open("/etc/passwd").unwrap();
        rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
        file
    };
    let before: Vec<File> = (0..250).map(|_| leak()).collect();
    let opener = std::thread::Builder::new()
        .spawn(move || {
            (0..250)
                .map(|_| {
                    std::thread::sleep(std::time::Duration::from_micros(200));
                    leak()
                })
                .collect::<Vec<File>>()
        })
        .unwrap();
    block_on(async {
        let casemate = casemate();
        for _ in 0..3 {
            let plugin = casemate.load(guests::wat("minimal"), Policy::default()).await.unwrap();
            assert_eq!(plugin.call_raw("m", b"hello").await.unwrap(), b"hello");
            // The inspection has counted them already; count again by hand where that can be read.
            for found in processes::with_marker(&casemate.marker()) {
                let Ok(fds) = std::fs::read_dir(format!("/proc/{}/fdinfo", found.pid)) else { continue };
                let numbers: Vec<_> = fds.flatten().map(|fd| fd.file_name()).collect();
                // A stub waits on two pidfds and keeps a pipe.
                let allowed = if found.stage() == "stub" { 3 } else { 1 };
                assert!(numbers.len() <= allowed, "{found:?} has {numbers:?}");
            }
        }
    });
    drop((before, opener.join().unwrap()));
    host::say("clean");
}

/// A worker dies while it is being written to, in a host whose SIGPIPE would be fatal.
fn sigpipe(_: &str) {
    casemate_sys::signal::reset_all().unwrap();
    block_on(async {
        let casemate = casemate();
        let policy = casemate_tests::limits(|limits| limits.input_bytes = 16 << 20);
        let plugin = casemate.load(guests::wat("minimal"), policy).await.unwrap();
        plugin.call_raw("m", b"x").await.unwrap();
        for _ in 0..5 {
            let call = {
                let plugin = plugin.clone();
                tokio::spawn(async move { plugin.call_raw("m", &vec![1; 8 << 20]).await })
            };
            for found in processes::with_marker(&casemate.marker()) {
                if found.stage().starts_with("zygote") {
                    found.signal(rustix::process::Signal::KILL);
                }
            }
            // Lost or answered: the host lives to say so.
            let _ = call.await.unwrap();
        }
    });
    host::say("alive");
}

/// What Casemate must not touch in its host.
fn unchanged(_: &str) {
    let look = || {
        // Of this thread: another may be starting a thread right now, with all signals blocked for that moment.
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let signals: Vec<String> = status
            .lines()
            .filter(|line| {
                line.starts_with("Sig") || line.starts_with("Shd") || line.starts_with("NoNewPrivs")
            })
            .filter(|line| !line.starts_with("SigQ"))
            .map(str::to_owned)
            .collect();
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
        let limits: Vec<String> =
            limits.lines().filter(|line| !line.starts_with("Max open files")).map(str::to_owned).collect();
        let directory = std::env::current_dir().unwrap();
        (signals, limits, directory)
    };
    let before = look();
    block_on(async {
        let plugin = casemate().load(guests::wat("minimal"), Policy::default()).await.unwrap();
        plugin.call_raw("m", b"x").await.unwrap();
        assert_eq!(look(), before);
    });
    assert_eq!(look(), before);
    host::say("unchanged");
}

/// Runs a scenario in a host that a shell line has set up.
fn in_host(line: &str, scenario: &str, expected: &str) {
    let mut host = Host::start_in_shell(line, scenario, "");
    assert_eq!(host.line(), expected, "{line}");
    host.finish();
}

#[test]
fn five_hundred_descriptors_do_not_leak() {
    in_host("ulimit -n 2048; exec \"$0\" \"$@\"", "leaky", "clean");
}

#[test]
fn ignored_signals_are_not_inherited() {
    in_host("trap '' USR1 PIPE TERM CHLD INT HUP; exec \"$0\" \"$@\"", "load", "missing ");
}

#[test]
fn a_closed_stdin_is_no_problem() {
    in_host("exec \"$0\" \"$@\" <&-", "load", "missing ");
    in_host("exec \"$0\" \"$@\" <&- 2>&-", "load", "missing ");
}

#[test]
fn limits_of_the_host_do_not_reach_a_worker() {
    in_host(
        "ulimit -S -n 1024; ulimit -S -s 1024; ulimit -c unlimited; exec \"$0\" \"$@\"",
        "load",
        "missing ",
    );
}

#[test]
fn a_small_soft_number_of_descriptors_is_enough() {
    in_host("ulimit -S -n 64; exec \"$0\" \"$@\"", "load", "missing ");
}

#[test]
fn a_host_whose_sigpipe_is_fatal_survives_dead_workers() {
    in_host("exec \"$0\" \"$@\"", "sigpipe", "alive");
}

#[test]
fn the_host_is_not_changed() {
    in_host("exec \"$0\" \"$@\"", "unchanged", "unchanged");
}

#[test]
fn the_environment_of_every_process_is_empty() {
    block_on(async {
        let casemate = casemate();
        let plugin = casemate.load(guests::wat("minimal"), Policy::default()).await.unwrap();
        plugin.call_raw("m", b"x").await.unwrap();
        let found = processes::with_marker(&casemate.marker());
        assert!(found.len() >= 3, "stub, zygote, worker: {found:?}");
        for found in found {
            // Root reads it of anyone; an ordinary user not of an undumpable process, where it is the same program's.
            if let Ok(environment) = std::fs::read(format!("/proc/{}/environ", found.pid)) {
                assert!(environment.is_empty(), "{found:?}");
            }
        }
    });
}
