//! What a hostile program tries, and which wall it meets.

use super::ground::{Ground, call};
use casemate::{Cause, Failure, LimitName};
use casemate_tests::{block_on, is_root, processes};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::Duration;

/// The forbidden call that a failure reports.
fn forbidden(failure: &Failure) -> &str {
    match &failure.cause {
        Cause::Syscall(report) => report.name.unwrap_or("?"),
        _ => panic!("{failure}"),
    }
}

#[test]
fn what_is_forbidden_ends_the_program_and_names_the_call() {
    let Some(ground) = Ground::of("what_is_forbidden_ends_the_program") else { return };
    block_on(async {
        let plugin = ground.load(|_| {}).await.unwrap();
        for (function, names) in [
            ("connect_v4", &["socket"][..]),
            ("connect_v6", &["socket"]),
            ("connect_unix", &["socket"]),
            ("connect_abstract", &["socket"]),
            ("socketpair", &["socketpair"]),
            ("socket_in_thread", &["socket"]),
            ("fork", &["clone", "fork"]),
            ("execute", &["execve"]),
            ("spawn", &["clone", "vfork"]),
            ("system", &["clone", "vfork"]),
            ("kill_parent", &["kill"]),
            ("ptrace", &["ptrace"]),
            ("setuid", &["setuid"]),
            ("chroot", &["chroot"]),
            ("mount", &["mount"]),
            ("unshare", &["unshare"]),
            ("memfd", &["memfd_create"]),
            ("set_user_id", &["chmod", "fchmodat"]),
            ("executable_memory", &["mmap"]),
        ] {
            let failure = call(&plugin, function, json!([])).await.unwrap_err();
            assert!(names.contains(&forbidden(&failure)), "{function}: {failure}");
            // The next call has another process.
            assert_eq!(call(&plugin, "calls", json!([])).await.unwrap(), json!(1), "after {function}");
        }
        for name in [
            "keyctl",
            "bpf",
            "io_uring_setup",
            "perf_event_open",
            "userfaultfd",
            "process_vm_readv",
            "pidfd_open",
            "setns",
            "add_key",
            "execveat",
            "open_by_handle_at",
        ] {
            let failure = call(&plugin, "syscall", json!([name])).await.unwrap_err();
            assert_eq!(forbidden(&failure), name, "{failure}");
        }
    });
}

#[test]
fn what_only_a_zygote_may_is_no_programs() {
    let Some(ground) = Ground::of("what_only_a_zygote_may_is_no_programs") else { return };
    block_on(async {
        let plugin = ground.load(|_| {}).await.unwrap();
        // Filter B says no more than a signal.
        for function in [json!(["syscall", ["seccomp"]]), json!(["signal_other", []])] {
            let failure =
                call(&plugin, function[0].as_str().unwrap(), function[1].clone()).await.unwrap_err();
            assert!(matches!(failure.cause, Cause::SyscallSignal), "{function}: {failure}");
        }
        // To itself it may send one: that is how a C program ends that has lost its way.
        let failure = call(&plugin, "abort", json!([])).await.unwrap_err();
        let Cause::WorkerLost { exit } = failure.cause else { panic!("{failure}") };
        assert_eq!(exit, casemate::Exit::Signal(6));
    });
}

#[test]
fn files_of_the_host_are_not_there() {
    let Some(ground) = Ground::of("files_of_the_host_are_not_there") else { return };
    let home = std::env::var("HOME").unwrap_or_else(|_| "/root".to_owned());
    block_on(async {
        let plugin = ground.load(|_| {}).await.unwrap();
        let bashrc = format!("{home}/.profile");
        let paths =
            ["/etc/shadow", "/etc/passwd", &bashrc, "/proc/self/status", "/proc/1/environ", "/sys/kernel"];
        for path in paths {
            let answer = call(&plugin, "read", json!([path])).await.unwrap();
            assert_eq!(answer, json!({"refused": "ENOENT"}), "{path}");
        }
        for path in ["/", "/etc", "/dev", "/home", "/run", "/tmp", "/var"] {
            let answer = call(&plugin, "list", json!([path])).await.unwrap();
            assert!(answer["refused"] == "EACCES" || answer["refused"] == "ENOENT", "{path}: {answer}");
        }
        // What it is made of is there, to be read.
        let usr = call(&plugin, "list", json!(["/usr"])).await.unwrap();
        assert!(usr["did"].as_array().unwrap().contains(&json!("bin")), "{usr}");
        let devices = json!({"did": 0});
        assert_eq!(call(&plugin, "read", json!(["/dev/null"])).await.unwrap(), devices);
    });
}

#[test]
fn nothing_can_be_written_but_what_was_granted() {
    let Some(ground) = Ground::of("nothing_can_be_written_but_what_was_granted") else { return };
    let code = std::fs::read(ground.folder.join("library.py")).unwrap();
    // Also where its own user could.
    std::fs::set_permissions(
        ground.folder.join("library.py"),
        std::os::unix::fs::PermissionsExt::from_mode(0o666),
    )
    .unwrap();
    block_on(async {
        let plugin = ground.load(|_| {}).await.unwrap();
        for path in [
            "/plugin/library.py",
            "/plugin/new",
            "/usr/bin/python3",
            "/usr/new",
            "/new",
            "/tmp/new",
            "/etc/new",
        ] {
            let answer = call(&plugin, "write", json!([path])).await.unwrap();
            let refused = answer["refused"].as_str().unwrap_or_else(|| panic!("{path}: {answer}"));
            assert!(["EACCES", "EROFS", "ENOENT"].contains(&refused), "{path}: {answer}");
        }
    });
    assert_eq!(std::fs::read(ground.folder.join("library.py")).unwrap(), code);
}

#[test]
fn memory_ends_at_its_limit() {
    let Some(ground) = Ground::of("memory_ends_at_its_limit") else { return };
    block_on(async {
        let plugin = ground.load(|spec| spec.limits.memory_bytes = 64 << 20).await.unwrap();
        let failure = call(&plugin, "eat", json!([])).await.unwrap_err();
        // The kernel gives it no more, and what it makes of that is its own.
        let Cause::GuestError { message, .. } = &failure.cause else { panic!("{failure}") };
        assert_eq!(message, "out of memory");
    });
}

#[test]
fn threads_end_at_their_number() {
    let Some(ground) = Ground::of("threads_end_at_their_number") else { return };
    block_on(async {
        let plugin = ground.load(|spec| spec.instances.max = 1).await.unwrap();
        assert_eq!(call(&plugin, "threads", json!([8])).await.unwrap(), json!([0, 1, 2, 3, 4, 5, 6, 7]));
        let held = call(&plugin, "thread_bomb", json!([])).await.unwrap().as_u64().unwrap();
        assert!((8..64).contains(&held), "{held}");
    });
}

#[test]
fn a_loop_ends_at_its_deadline_and_a_deaf_one_too() {
    let Some(ground) = Ground::of("a_loop_ends_at_its_deadline") else { return };
    block_on(async {
        let plugin = ground
            .load(|spec| {
                spec.limits.call_timeout = Duration::from_millis(500);
                spec.limits.grace = Duration::from_secs(20);
            })
            .await
            .unwrap();
        let failure = call(&plugin, "spin", json!([])).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::SoftTimeout { limit_ms: 500, .. }), "{failure}");
        let plugin = ground
            .load(|spec| {
                spec.limits.call_timeout = Duration::from_millis(500);
                spec.limits.grace = Duration::from_millis(50);
            })
            .await
            .unwrap();
        let failure = call(&plugin, "spin_deaf", json!([])).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::HardTimeout { limit_ms: 500, .. }), "{failure}");
        // Sleeping is no computing: that limit is of time on a processor.
        let plugin = ground.load(|spec| spec.limits.cpu = Some(Duration::from_millis(300))).await.unwrap();
        call(&plugin, "sleep", json!([0.5])).await.unwrap();
        let failure = call(&plugin, "spin", json!([])).await.unwrap_err();
        let Cause::Limit { limit: LimitName::Cpu, configured: 300, .. } = failure.cause else {
            panic!("{failure}")
        };
    });
}

#[test]
fn output_without_an_end_ends_at_its_limit() {
    let Some(ground) = Ground::of("output_without_an_end_ends_at_its_limit") else { return };
    block_on(async {
        let plugin = ground.load(|spec| spec.limits.output_bytes = 100_000).await.unwrap();
        for function in ["flood", "long"] {
            let args = if function == "long" { json!([2_000_000]) } else { json!([]) };
            let failure = call(&plugin, function, args).await.unwrap_err();
            let Cause::Limit { limit: LimitName::Output, configured: 100_000, observed } = failure.cause
            else {
                panic!("{function}: {failure}")
            };
            assert!(observed > 100_000 && observed < 400_000, "{function}: {observed}");
        }
        let answer = call(&plugin, "long", json!([99_990])).await.unwrap();
        assert_eq!(answer.as_str().unwrap().len(), 99_990);
    });
}

#[test]
fn what_it_can_write_it_cannot_execute() {
    let Some(ground) = Ground::of("what_it_can_write_it_cannot_execute") else { return };
    let folder = ground.granted("shared", 0o777);
    std::fs::copy("/bin/true", folder.join("code")).unwrap();
    block_on(async {
        let grant = format!("write:{}=/shared", folder.display());
        let plugin = ground.load(|spec| spec.filesystem = vec![grant]).await.unwrap();
        let written = call(&plugin, "mappable", json!(["/shared/code"])).await.unwrap();
        assert_eq!(written, json!({"refused": "EPERM"}));
        let systems = call(&plugin, "mappable", json!(["/usr/bin/true"])).await.unwrap();
        assert_eq!(systems, json!({"did": true}));
    });
}

#[test]
fn a_program_is_seen_from_outside_as_it_must_be() {
    let Some(ground) = Ground::of("a_program_is_seen_from_outside") else { return };
    block_on(async {
        let plugin = ground.load(|_| {}).await.unwrap();
        call(&plugin, "echo", json!([])).await.unwrap();
        let marker = ground.casemate.marker();
        let [stubs, heads, _] = processes::by_kind(&marker);
        assert_eq!((stubs.len(), heads.len()), (1, 1));
        let program = super::life::program_of(&ground).expect("a program that runs");
        let status = std::fs::read_to_string(format!("/proc/{program}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned()).unwrap()
        };
        assert_eq!((field("Seccomp").as_str(), field("NoNewPrivs").as_str()), ("2", "1"));
        for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
            assert_eq!(field(set), "0000000000000000", "{set}");
        }
        let namespace = |pid: &str, kind: &str| std::fs::read_link(format!("/proc/{pid}/ns/{kind}"));
        for kind in ["user", "pid", "net", "ipc", "uts", "mnt"] {
            // An ordinary user may look at it too: it is dumpable, and of a namespace of that user's.
            let theirs = namespace(&program.to_string(), kind).unwrap();
            assert_ne!(theirs, namespace("self", kind).unwrap(), "{kind}");
        }
        assert!(!is_root() || processes::user(program) != 0);
        let interfaces = std::fs::read_to_string(format!("/proc/{program}/net/dev")).unwrap();
        let interfaces: Vec<_> = interfaces.lines().filter(|line| line.contains(':')).collect();
        assert!(interfaces.iter().all(|line| line.trim_start().starts_with("lo:")), "{interfaces:?}");
        let pid = rustix::process::Pid::from_raw(program).unwrap();
        rustix::process::kill_process(pid, Signal::KILL).unwrap();
        let _: Result<Value, _> = plugin.call("library.doc", &json!({})).await;
    });
}
