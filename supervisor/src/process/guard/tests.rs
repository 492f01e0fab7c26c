//! The guard with real processes.

use super::*;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::process::Command;

fn sleeper(guard: &Guard) -> Process {
    #[expect(clippy::disallowed_methods, reason = "a real process to watch")]
    let child = Command::new("sleep").arg("1000").spawn().unwrap();
    let pid = Pid::from_child(&child);
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).unwrap();
    guard.watch(pidfd, Some(child), Kind::Head).unwrap()
}

fn wait(process: &Process) -> Fate {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(30), process.ended()).await.unwrap() })
}

#[test]
fn a_killed_process_is_reaped_and_published() {
    let guard = Guard::start().unwrap();
    let process = sleeper(&guard);
    assert_eq!(process.fate(), Fate::default());
    process.kill();
    assert_eq!(wait(&process).exit, Some(Exit::Signal(9)));
}

#[test]
fn a_deadline_interrupts_first() {
    let guard = Guard::start().unwrap();
    let process = sleeper(&guard);
    let _deadline = process.arm(Duration::from_millis(20), Duration::from_secs(1000));
    let fate = wait(&process);
    // SIGUSR1 ends a program that does not handle it.
    assert_eq!((fate.interrupted, fate.overdue, fate.exit), (true, false, Some(Exit::Signal(10))));
}

#[test]
fn a_deadline_without_grace_kills() {
    let guard = Guard::start().unwrap();
    let process = sleeper(&guard);
    let pid = process.pid();
    // A stopped process does not take the first signal.
    rustix::process::kill_process(Pid::from_raw(pid).unwrap(), Signal::STOP).unwrap();
    let _deadline = process.arm(Duration::from_millis(20), Duration::from_millis(20));
    let fate = wait(&process);
    assert_eq!((fate.interrupted, fate.overdue, fate.exit), (true, true, Some(Exit::Signal(9))));
}

#[test]
fn a_disarmed_deadline_does_nothing() {
    let guard = Guard::start().unwrap();
    let process = sleeper(&guard);
    process.arm(Duration::from_millis(10), Duration::ZERO).disarm();
    drop(process.arm(Duration::from_millis(10), Duration::ZERO));
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(process.fate(), Fate::default());
}

#[test]
fn stopping_the_guard_ends_what_it_watches() {
    let guard = Guard::start().unwrap();
    let process = sleeper(&guard);
    let fate = process.fate.clone();
    drop(guard);
    assert_eq!(fate.borrow().exit, Some(Exit::Signal(9)));
}
