//! Real kernel calls that fail in the host: a filter answers them with an error. What is left is a typed error, and nothing
//! else: no process, no descriptor, no hang.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate::{Casemate, Failure, Policy};
use casemate_sys::seccomp::{Instruction, install};
use casemate_tests::{block_on, guests, host, host::Host, processes};
use rustix::io::Errno;
use std::time::Duration;

#[test]
fn scenario() {
    host::run(&[("fail", fail)]);
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
    let casemate = Casemate::builder()
        .configure(|config| config.spawn_timeout = Duration::from_secs(3))
        .build()
        .unwrap();
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
