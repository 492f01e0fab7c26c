//! A supervisor at work while its workers, zygotes, compilers and stubs, and the supervisor itself, are killed and stopped
//! at random. Afterwards nothing is left, and every call has ended once.
//!
//! `CASEMATE_SOAK_SECONDS` says for how long, `CASEMATE_SOAK_SEED` repeats a run's dice; what the machine does meanwhile is
//! different each time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

#[path = "soak/chaos.rs"]
mod chaos;
#[path = "soak/ledger.rs"]
mod ledger;
#[path = "soak/work.rs"]
mod work;

use casemate_tests::scratch::Scratch;
use casemate_tests::{groups, host, host::Host, processes, skip};
use chaos::{Chaos, Dice};
use ledger::{Ledger, Sum};
use rustix::process::{Pid, Signal, WaitOptions, getpid, set_child_subreaper, waitpid};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// For what takes milliseconds, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much more of its own memory a supervisor may have after all that than before: what the allocator keeps of the
/// calls' bodies, and no more with each minute.
const MEMORY_BYTES: u64 = 16 << 20;

#[test]
fn scenario() {
    host::run(&[("work", work::work)]);
}

/// The output of a test that passes is not shown otherwise.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "soak: {line}");
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// How a supervisor's life ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Killed,
    InOrder,
}

#[test]
fn whatever_dies_or_stops_nothing_is_left_and_every_call_ends_once() {
    let seconds = number("CASEMATE_SOAK_SECONDS").unwrap_or(120);
    let seed = number("CASEMATE_SOAK_SEED").unwrap_or_else(chaos::any_seed);
    say(&format!("{seconds} s with CASEMATE_SOAK_SEED={seed}"));
    let available = casemate::doctor::control_groups();
    if !available.available {
        skip("soak: its control groups", &available.why);
    }
    // A zygote whose stub was killed is somebody's to wait for: ours, as it is the init process's elsewhere.
    set_child_subreaper(Some(getpid())).unwrap();

    let scratch = Scratch::new();
    let over = Instant::now() + Duration::from_secs(seconds);
    let mut dice = Dice::new(seed);
    let mut sum = Sum::default();
    let mut markers = Vec::new();
    loop {
        let left = over.saturating_duration_since(Instant::now());
        let life = Duration::from_millis(dice.between(1000, 15_000));
        // The last one has what time is left, and ends in order: what the others left is its to remove.
        let is_last = left < life + Duration::from_secs(seconds / 4);
        let (life, end) = match dice.between(0, 2) {
            _ if is_last => (left, End::InOrder),
            0 => (life, End::InOrder),
            _ => (life, End::Killed),
        };
        let ledger = scratch.join(format!("ledger-{}", markers.len()));
        let found = live(&ledger, life, end, &mut dice);
        markers.push(found);
        sum.add(&Ledger::read(&ledger), end);
        std::fs::remove_file(&ledger).unwrap();
        if is_last {
            break;
        }
    }
    for line in sum.lines() {
        say(&line);
    }
    sum.check();
    // What a killed supervisor left was the next one's to remove.
    for marker in &markers {
        let end = Instant::now() + PATIENCE;
        while !groups::of(marker).is_empty() {
            assert!(Instant::now() < end, "left: {:?}", groups::of(marker));
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    reap(None);
    assert_eq!(processes::zombies(), Vec::<i32>::new());
}

/// One supervisor's life; its marker.
fn live(ledger: &Path, life: Duration, end: End, dice: &mut Dice) -> String {
    let mut host = Host::start("work", ledger.to_str().unwrap());
    let marker = host.line();
    let over = Instant::now() + life;
    let mut chaos = Chaos::new(&marker, host.pid());
    while Instant::now() < over {
        std::thread::sleep(Duration::from_micros(dice.between(0, 30_000)));
        chaos.strike(dice);
        reap(Some(host.pid()));
    }
    say(&format!("{:>4.1} s, {end:?}: {}", life.as_secs_f64(), chaos.summary()));
    match end {
        End::Killed => {
            host.kill();
            // All that a stub does when its host has died is wait for a stopped one to be continued. Nobody behind the
            // walls can stop one.
            for stub in &processes::by_kind(&marker)[0] {
                stub.signal(Signal::CONT);
            }
        }
        End::InOrder => {
            host.go_on();
            let said = [(); 4].map(|()| host.line());
            host.finish();
            let [processes, zombies, descriptors, memory] = said.map(|said| said.parse::<u64>().unwrap());
            assert_eq!((processes, zombies, descriptors), (0, 0, 0), "processes, zombies, descriptors left");
            say(&format!("       its memory grew by {} KiB", memory >> 10));
            assert!(memory <= MEMORY_BYTES, "{memory} bytes more than before");
        }
    }
    processes::await_none(&marker, PATIENCE);
    marker
}

/// Waits for what has become our child because its parent was killed; the host is waited for by its owner.
fn reap(host: Option<u32>) {
    for pid in processes::zombies() {
        if u32::try_from(pid).ok() != host {
            let _ = waitpid(Pid::from_raw(pid), WaitOptions::NOHANG);
        }
    }
}
