//! The guard with real processes.
#![expect(clippy::disallowed_methods, reason = "tests measure time and start real processes")]

use super::*;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::process::Command;

fn sleeper(guard: &Guard) -> Process {
    let child = Command::new("sleep").arg("1000").spawn().unwrap();
    let pid = Pid::from_child(&child);
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).unwrap();
    guard.watch(Subject { pidfd, child: Some(child), link: None, kind: Kind::Head }).unwrap()
}

fn wall(wall: Duration, grace: Duration) -> Allowance {
    Allowance { wall, grace, cpu: None, cpu_total: None }
}

fn wait(process: &Process) -> Fate {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(30), process.ended()).await.unwrap() })
}

fn stop(process: &Process) {
    rustix::process::kill_process(Pid::from_raw(process.pid()).unwrap(), Signal::STOP).unwrap();
    // Of two pending signals the lower number is taken first: it must have stopped before anything else is sent.
    let stopped = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.pid())).unwrap();
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
    };
    patiently(stopped, "it did not stop");
}

fn patiently(holds: impl Fn() -> bool, otherwise: &str) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < end, "{otherwise}");
        std::thread::sleep(Duration::from_millis(1));
    }
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
    let _deadline = process.arm(&wall(Duration::from_millis(20), Duration::from_secs(1000)));
    let fate = wait(&process);
    // SIGUSR1 ends a program that does not handle it.
    assert_eq!((fate.interrupted, fate.overdue, fate.exit), (true, false, Some(Exit::Signal(10))));
}

#[test]
fn a_deadline_without_grace_kills() {
    let guard = Guard::start().unwrap();
    let process = sleeper(&guard);
    // A stopped process does not take the first signal.
    stop(&process);
    let _deadline = process.arm(&wall(Duration::from_millis(20), Duration::from_millis(20)));
    let fate = wait(&process);
    assert_eq!((fate.interrupted, fate.overdue, fate.exit), (true, true, Some(Exit::Signal(9))));
}

#[test]
fn a_disarmed_deadline_does_nothing() {
    let guard = Guard::start().unwrap();
    let process = sleeper(&guard);
    process.arm(&wall(Duration::from_millis(10), Duration::ZERO)).disarm();
    drop(process.arm(&wall(Duration::from_millis(10), Duration::ZERO)));
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

#[test]
fn a_process_that_is_let_go_is_killed_only_when_its_time_is_over() {
    let guard = Guard::start().unwrap();
    let mut process = sleeper(&guard);
    let fate = process.fate.clone();
    process.let_go(Duration::from_millis(200));
    drop(process);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(fate.borrow().exit, None);
    patiently(|| fate.borrow().exit.is_some(), "it was forgotten");
    assert_eq!(fate.borrow().exit, Some(Exit::Signal(9)));
}

#[test]
fn a_later_deadline_leaves_the_alarm_and_an_earlier_one_sets_it() {
    let guard = Guard::start().unwrap();
    let process = sleeper(&guard);
    let alarm = || guard.shared.lock().alarm.at();
    process.arm(&wall(Duration::from_secs(100), Duration::ZERO)).disarm();
    let planned = alarm();
    assert!(planned.is_some());
    // Call after call with the same limit: none is due before the alarm that is set already.
    for _ in 0..100 {
        process.arm(&wall(Duration::from_secs(100), Duration::ZERO)).disarm();
    }
    assert_eq!(alarm(), planned);
    let _earlier = process.arm(&wall(Duration::from_millis(20), Duration::from_secs(100)));
    assert!(wait(&process).interrupted);
    assert!(alarm() > planned, "it rang, and was set for the kill");
}

#[test]
fn what_one_deadline_did_is_not_said_of_the_next() {
    let guard = Guard::start().unwrap();
    let process = sleeper(&guard);
    stop(&process);
    let first = process.arm(&wall(Duration::ZERO, Duration::from_secs(100)));
    patiently(|| process.fate().interrupted, "the deadline was forgotten");
    first.disarm();
    let _second = process.arm(&wall(Duration::from_secs(100), Duration::ZERO));
    assert!(!process.fate().interrupted);
}

#[test]
fn a_child_that_the_host_has_waited_for_is_published_all_the_same() {
    let guard = Guard::start().unwrap();
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let process = guard.watch(Subject { pidfd, child: Some(child), link: None, kind: Kind::Head }).unwrap();
    let exit = wait(&process).exit;
    assert!(matches!(exit, Some(Exit::Signal(9) | Exit::Unknown)), "{exit:?}");
}

#[test]
fn nothing_is_watched_after_the_end() {
    let guard = Guard::start().unwrap();
    let process = sleeper(&guard);
    guard.shared.lock().stop = true;
    let pidfd = process.pidfd().unwrap();
    assert!(guard.watch(Subject { pidfd, child: None, link: None, kind: Kind::Head }).is_err());
    assert_eq!(wait(&process).exit, Some(Exit::Signal(9)), "what cannot be watched is ended");
}

#[test]
fn the_guard_takes_no_signal_that_is_meant_for_its_host() {
    let guard = Guard::start().unwrap();
    let _process = sleeper(&guard);
    let blocked = |task: &str| {
        let status = std::fs::read_to_string(format!("/proc/self/task/{task}/status")).unwrap();
        let name = status.lines().next().unwrap().to_owned();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap().trim().to_owned();
        (name, u64::from_str_radix(&mask, 16).unwrap())
    };
    let is_blocked = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let masks = tasks.map(|task| blocked(&task.file_name().to_string_lossy()));
        // SIGTERM is 15, SIGSEGV 11.
        masks
            .filter(|(name, _)| name.contains("casemate-guard"))
            .all(|(_, mask)| mask >> 14 & 1 == 1 && mask >> 10 & 1 == 0)
    };
    patiently(is_blocked, "a guard takes SIGTERM");
}

#[test]
fn whoever_waits_for_a_link_hears_of_its_process_end() {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    let guard = Guard::start().unwrap();
    let child = Command::new("sleep").arg("1000").spawn().unwrap();
    let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap();
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    let ours = Arc::new(ours);
    let subject = Subject { pidfd, child: Some(child), link: Some(Arc::clone(&ours)), kind: Kind::Head };
    let process = guard.watch(subject).unwrap();
    // Somebody else holds the other end, and has said something.
    rustix::io::write(&theirs, b"last words").unwrap();
    process.kill();
    wait(&process);
    let mut heard = [0; 32];
    assert_eq!(rustix::io::read(&*ours, &mut heard), Ok(10), "what was sent is not lost");
    assert_eq!(rustix::io::read(&*ours, &mut heard), Ok(0), "and then comes the end");
    assert!(rustix::io::write(&theirs, b"more").is_err());
}
