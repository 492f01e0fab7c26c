//! Real kernel calls that fail in the host. A filter answers them with an error: what is left is a typed error, and nothing
//! else: no process, no descriptor, no hang. Signals interrupt them: that makes no difference at all.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate::policy::MethodLimits;
use casemate::{Casemate, Failure, HostError, Plugin, Policy};
use casemate_sys::seccomp::{Instruction, install};
use casemate_sys::signal::{Interrupted, on_user_signal};
use casemate_tests::{block_on, guests, host, host::Host, policy, processes};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

#[test]
fn scenario() {
    host::run(&[("fail", fail), ("interrupted", interrupted)]);
}

/// A filter that answers one call with an error, and allows all others.
fn answer_with(number: u32, errno: u32) -> Vec<Instruction> {
    const LOAD: u16 = 0x20;
    const JUMP_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const ERRNO: u32 = 0x0005_0000;
    const ALLOW: u32 = 0x7fff_0000;
    vec![
        Instruction { code: LOAD, jt: 0, jf: 0, k: 0 },
        Instruction { code: JUMP_EQUAL, jt: 0, jf: 1, k: number },
        Instruction { code: RETURN, jt: 0, jf: 0, k: ERRNO | errno },
        Instruction { code: RETURN, jt: 0, jf: 0, k: ALLOW },
    ]
}

async fn load_and_call(casemate: &Casemate) -> Result<Vec<u8>, Failure> {
    let plugin = casemate.load(guests::wat("minimal"), Policy::default()).await?;
    plugin.call_raw("m", b"x").await
}

/// `NUMBER ERRNO`: a host that loads and calls once, is forbidden a call, and does it again.
fn fail(argument: &str) {
    let (number, errno) = argument.split_once(' ').unwrap();
    let filter = answer_with(number.parse().unwrap(), errno.parse().unwrap());
    let casemate = Casemate::embedded().unwrap();
    assert_eq!(block_on(load_and_call(&casemate)).unwrap(), b"x");
    block_on(casemate.shutdown());
    let before = processes::open_descriptors();
    // On a thread that starts the processes and moves the bytes; the guard and this one go on as before.
    let outcome = std::thread::scope(|scope| {
        let filtered = scope.spawn(|| {
            block_on(async {
                rustix::thread::set_no_new_privs(true).unwrap();
                install(&filter).unwrap();
                let outcome = load_and_call(&casemate).await;
                casemate.shutdown().await;
                outcome
            })
        });
        filtered.join().unwrap()
    });
    let said = match outcome {
        Ok(answer) => String::from_utf8(answer).unwrap(),
        Err(failure) => format!("{} {failure}", failure.code()),
    };
    host::say(&said.replace('\n', " "));
    // Also such as nobody has waited for.
    let left = processes::with_marker(&casemate.marker()).len() + processes::zombies().len();
    host::say(&left.to_string());
    host::say(&processes::open_descriptors().saturating_sub(before).to_string());
}

/// A call of the kernel, an error it may give, and the codes of what may become of a load or a call.
const FAULTS: &[(&str, Errno, &[&str])] = &[
    ("memfd_create", Errno::MFILE, &["spawn.failed"]),
    ("memfd_create", Errno::NOMEM, &["spawn.failed"]),
    ("memfd_create", Errno::NOSPC, &["spawn.failed"]),
    ("socketpair", Errno::MFILE, &["spawn.failed"]),
    ("socketpair", Errno::NFILE, &["spawn.failed"]),
    ("socketpair", Errno::NOMEM, &["spawn.failed"]),
    ("pidfd_open", Errno::MFILE, &["spawn.failed"]),
    ("pidfd_open", Errno::NOMEM, &["spawn.failed"]),
    ("epoll_ctl", Errno::NOMEM, &["spawn.failed"]),
    ("epoll_ctl", Errno::NOSPC, &["spawn.failed"]),
    ("execve", Errno::NOMEM, &["spawn.failed"]),
    ("execve", Errno::AGAIN, &["spawn.failed"]),
    ("sendmsg", Errno::NOBUFS, &["spawn.failed"]),
    ("sendmsg", Errno::NOMEM, &["spawn.failed"]),
    ("sendmsg", Errno::AGAIN, &["spawn.failed"]),
    ("recvmsg", Errno::NOMEM, &["spawn.failed"]),
    ("recvmsg", Errno::NOBUFS, &["spawn.failed"]),
    ("sendto", Errno::NOMEM, &["worker.lost"]),
    ("sendto", Errno::NOBUFS, &["worker.lost"]),
    ("openat", Errno::MFILE, &["spawn.failed", "violation.inspection", "file.unreadable"]),
    ("openat", Errno::NOMEM, &["spawn.failed", "violation.inspection", "file.unreadable"]),
    ("getdents64", Errno::NOMEM, &["violation.inspection", "spawn.failed"]),
    ("readlinkat", Errno::NOMEM, &["violation.inspection", "spawn.failed"]),
    ("unshare", Errno::NOSPC, &["x"]),
    ("ftruncate", Errno::NOSPC, &["x", "spawn.failed"]),
];

#[test]
fn what_the_kernel_refuses_the_host_is_a_typed_error_and_leaves_nothing() {
    let mut wrong = Vec::new();
    for (name, errno, expected) in FAULTS {
        let arch = casemate_protocol::syscalls::Arch::NATIVE;
        let number =
            (0..1024).find(|nr| casemate_protocol::syscalls::syscall_name(arch, *nr) == Some(*name)).unwrap();
        let mut host = Host::start("fail", &format!("{number} {}", errno.raw_os_error()));
        let (said, processes, descriptors) = (host.line(), host.line(), host.line());
        host.finish();
        let code = said.split(' ').next().unwrap();
        if !expected.contains(&code) || (processes.as_str(), descriptors.as_str()) != ("0", "0") {
            wrong.push(format!(
                "{name} {errno:?}: {said}; {processes} processes, {descriptors} descriptors left"
            ));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Says that it is over, also when what it stands beside has failed.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

static INTERRUPTED: AtomicU64 = AtomicU64::new(0);

extern "C" fn count_it(_: i32) {
    INTERRUPTED.fetch_add(1, Ordering::Relaxed);
}

/// Sends a signal to each thread but this one, again and again: whatever they wait in fails with EINTR.
fn storm(over: &AtomicBool) {
    let me = rustix::thread::gettid().as_raw_nonzero().get();
    while !over.load(Ordering::Relaxed) {
        for entry in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
            let thread = entry.file_name().to_str().and_then(|name| name.parse().ok());
            // The kernel prefers the thread that is named; one that has ended meanwhile is nobody.
            if let Some(thread) = thread.filter(|thread| *thread != me).and_then(Pid::from_raw) {
                let _ = kill_process(thread, Signal::USR1);
            }
        }
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// A host under a storm of signals that lives through all there is in a plugin's life.
fn interrupted(_: &str) {
    const ROUNDS: u32 = 6;
    let casemate = Casemate::embedded().unwrap();
    casemate.on("sleep", |number: Value| async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok::<_, HostError>(number)
    });
    // What a first load opens for good is open.
    block_on(live(&casemate));
    block_on(casemate.shutdown());
    let before = processes::open_descriptors();
    on_user_signal(count_it, Interrupted::Fails).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| storm(&over));
        let _over = Over(&over);
        host::say("stormy");
        for _ in 0..ROUNDS {
            block_on(live(&casemate));
        }
        block_on(casemate.shutdown());
    });
    let left = processes::with_marker(&casemate.marker()).len() + processes::zombies().len();
    host::say(&left.to_string());
    host::say(&processes::open_descriptors().saturating_sub(before).to_string());
    host::say(&INTERRUPTED.load(Ordering::Relaxed).to_string());
}

/// Compiles, calls, is called back, runs into a deadline, loses a worker and a zygote, and ends; all as it always does.
async fn live(casemate: &Casemate) {
    let policy = policy(|spec| {
        spec.host = vec!["sleep".into()];
        spec.limits.call_timeout = Duration::from_secs(60);
        spec.limits.grace = Duration::from_secs(60);
        spec.restart.first = Duration::from_millis(10);
        let soon = MethodLimits { call_timeout: Some(Duration::from_millis(50)), ..MethodLimits::default() };
        spec.methods.insert("spin".into(), soon);
    });
    let plugin = casemate.load(guests::rust("probe"), policy).await.unwrap();
    let echo = async |plugin: &Plugin, bytes: usize| {
        let body = vec![7; bytes];
        assert_eq!(plugin.call_raw("echo", &body).await.unwrap(), body);
    };
    for round in 0..50 {
        // The larger ones do not fit a socket at once.
        echo(&plugin, 64 + (round % 5) * 200_000).await;
    }
    let asked = json!({"method": "sleep", "n": 20});
    let tally: Value = plugin.call("host_loop", &asked).await.unwrap();
    assert_eq!(tally["answered"], 20, "{tally}");
    let failure = plugin.call::<_, u64>("spin", &json!({})).await.unwrap_err();
    assert_eq!(failure.code(), "timeout.soft", "{failure}");
    echo(&plugin, 64).await;
    for found in processes::with_marker(&casemate.marker()) {
        if found.stage() != "stub" {
            found.signal(Signal::KILL);
        }
    }
    echo_after_a_loss(&plugin).await;
}

/// A call that is given the killed worker before its end is known is lost with it, and says so.
async fn echo_after_a_loss(plugin: &Plugin) {
    loop {
        match plugin.call_raw("echo", b"x").await {
            Ok(answer) => return assert_eq!(answer, b"x"),
            Err(failure) => assert_eq!(failure.code(), "worker.lost", "{failure}"),
        }
    }
}

#[test]
fn a_storm_of_signals_makes_no_difference() {
    let mut host = Host::start("interrupted", "");
    assert_eq!(host.line(), "stormy");
    let pid = Pid::from_raw(i32::try_from(host.pid()).unwrap()).unwrap();
    let over = AtomicBool::new(false);
    let (left, descriptors, interrupted) = std::thread::scope(|scope| {
        // The guard blocks every signal, but a wait ends in EINTR also when its process is stopped and goes on.
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                kill_process(pid, Signal::STOP).unwrap();
                kill_process(pid, Signal::CONT).unwrap();
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let _over = Over(&over);
        (host.line(), host.line(), host.line())
    });
    host.finish();
    assert_eq!((left.as_str(), descriptors.as_str()), ("0", "0"));
    let interrupted: u64 = interrupted.parse().unwrap();
    assert!(interrupted > 1000, "{interrupted} signals: that was no storm");
}
