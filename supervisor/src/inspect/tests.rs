//! Any bytes, and real processes.

use super::*;
use casemate_protocol::certificate::Layer;
use casemate_protocol::spawn::{SpawnLimits, StubSpec};
use proptest::prelude::*;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};

proptest! {
    #[test]
    fn any_bytes(data: Vec<u8>) {
        oracle(&data);
    }

    #[test]
    fn bytes_that_look_like_proc(data in r"([a-zA-Z]{0,9}:?[ \t]{0,2}[0-9a-f]{0,18}-?[ 0-9a-frwxp]{0,12} ?\n?){0,30}") {
        oracle(data.as_bytes());
    }

    #[test]
    fn real_texts_with_damage(at in 0_usize..4000, byte: u8, cut in 0_usize..4000) {
        for file in ["status", "maps", "limits", "mountinfo"] {
            let mut text = std::fs::read(format!("/proc/self/{file}")).unwrap();
            text.truncate(cut.max(1));
            if let Some(place) = text.get_mut(at) {
                *place = byte;
            }
            oracle(&text);
        }
    }
}

/// A process that waits until it is killed.
struct Sleeper(Child, OwnedFd);

impl Sleeper {
    fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "a process to look at, not one of ours")]
        let mut command = Command::new("sleep");
        let child = command.arg("1000").stdin(Stdio::null()).env_clear().spawn().unwrap();
        let pid = Pid::from_child(&child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        let sleeper = Self(child, pidfd);
        while std::fs::read(format!("/proc/{}/comm", pid.as_raw_nonzero())).unwrap() != b"sleep\n" {
            std::thread::yield_now();
        }
        sleeper
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

const SPEC: StubSpec = StubSpec {
    identity: None,
    namespaces: true,
    stack_bytes: 1 << 20,
    data_bytes: 64 << 20,
    cpu_seconds: None,
    file_bytes: 0,
    open_files: 64,
};

#[test]
fn an_ordinary_process_is_no_worker_and_no_zygote() {
    let sleeper = Sleeper::start();
    let host = host_facts().unwrap();
    let view = ProcessView::open(sleeper.1.as_fd()).unwrap();
    assert_eq!(view.pid(), sleeper.0.id());
    assert!((4096..1 << 24).contains(&view.data_bytes().unwrap()));
    let expect = Expect { host: &host, spec: &SPEC, namespaces: true, folders: 0 };
    let worker = judge_worker(&view, expect, SpawnLimits::default(), None).unwrap_err();
    if host.filters == 0 {
        let text = "a walled process is not as ordered (seccomp): Seccomp must be 2 and is 0";
        assert_eq!(worker.to_string(), text);
    }
    assert!(matches!(worker, InspectError::Disagrees { layer: Layer::Seccomp, .. }), "{worker}");
    let zygote = judge_zygote(&view, expect).unwrap_err();
    let InspectError::Disagrees { layer, what, expected, found } = &zygote else { panic!("{zygote}") };
    // A test run under NO_NEW_PRIVS sees the next check fail.
    if *layer == Layer::NoNewPrivs {
        assert_eq!((*what, expected.as_str(), found.as_str()), ("NoNewPrivs", "true", "false"));
    }
}

#[test]
fn a_process_that_has_ended_is_never_mistaken_for_another() {
    let mut sleeper = Sleeper::start();
    let host = host_facts().unwrap();
    let expect = Expect { host: &host, spec: &SPEC, namespaces: false, folders: 0 };
    let view = ProcessView::open(sleeper.1.as_fd()).unwrap();
    sleeper.0.kill().unwrap();
    // Once as a zombie, once reaped.
    rustix::event::poll(&mut [rustix::event::PollFd::new(&sleeper.1, rustix::event::PollFlags::IN)], None)
        .unwrap();
    assert!(matches!(judge_worker(&view, expect, SpawnLimits::default(), None), Err(InspectError::Ended)));
    assert!(matches!(ProcessView::open(sleeper.1.as_fd()), Err(InspectError::Ended)));
    sleeper.0.wait().unwrap();
    assert!(matches!(judge_zygote(&view, expect), Err(InspectError::Ended)));
    assert!(matches!(ProcessView::open(sleeper.1.as_fd()), Err(InspectError::Ended)));
}

#[test]
fn a_descriptor_that_is_no_pidfd_is_refused() {
    let file = std::fs::File::open("/dev/null").unwrap();
    let error = ProcessView::open(file.as_fd()).unwrap_err();
    assert!(error.to_string().contains("Pid is missing"), "{error}");
}
