use super::*;
use crate::module::CompileError;

/// One of each, with every value set to something.
fn causes() -> Vec<Cause> {
    let word = || "word".to_owned();
    let mut causes = vec![
        Cause::GuestError { code: "own".to_owned(), message: word(), retryable: true },
        Cause::SoftTimeout { limit_ms: 1, observed_ms: 2 },
        Cause::HardTimeout { limit_ms: 1, grace_ms: 3, observed_ms: 2 },
        Cause::Deadline { deadline_ms: 1, observed_ms: 2 },
        Cause::Abi { message: word() },
        Cause::Syscall(Box::new(SyscallReport {
            arch: 0xc000_003e,
            number: 59,
            name: syscalls::name(0xc000_003e, 59),
            args: [1, 2, 3, 4, 5, u64::MAX],
            instruction_pointer: 7,
        })),
        Cause::SyscallSignal,
        Cause::Link { message: word() },
        Cause::Inspection { message: word() },
        Cause::File { path: "/p".to_owned(), message: word() },
        Cause::Module(CompileError::Component),
        Cause::Compiler { message: word() },
        Cause::LayersMissing { missing: LayerSet::all(), reasons: word() },
        Cause::Unavailable { keys: "limits.cgroup".to_owned(), message: word() },
        Cause::Spawn { step: "step".to_owned(), message: word() },
        Cause::Input { message: word() },
        Cause::Reply { message: word() },
        Cause::PluginDisabled { reason: word(), by_crashes: true },
        Cause::PluginStopped { reason: None },
        Cause::PluginStopped { reason: Some(word()) },
        Cause::PluginReloading,
        Cause::ConfigRefused { code: word(), message: word(), has_config: true },
        Cause::ConfigRefused { code: word(), message: word(), has_config: false },
        Cause::Closed,
        Cause::Connection { socket: "/s".to_owned(), message: word() },
        Cause::Denied { what: "load".to_owned(), message: word() },
        Cause::UnknownPlugin { name: word() },
        Cause::InFlight { configured: 64 },
        Cause::Configuration { message: word() },
        Cause::Other { code: "future.thing".to_owned(), fault: outcome::Fault::Kernel, message: word() },
    ];
    causes.extend([Exit::Code(3), Exit::KILLED, Exit::Unknown].map(|exit| Cause::WorkerLost { exit }));
    causes.extend((1..).map_while(LimitName::from_number).map(|limit| Cause::Limit {
        limit,
        configured: 10,
        observed: 20,
    }));
    causes
        .extend((1..=10).map(|number| Cause::Trap { kind: TrapKind::from_number(number), message: word() }));
    causes
}

#[test]
fn every_failure_comes_back_as_it_was() {
    for retry in [outcome::Retry::NotStarted, outcome::Retry::MaybeRan, outcome::Retry::Done] {
        for cause in causes() {
            let host_calls = vec![outcome::HostCallNote {
                method: "m".to_owned(),
                code: "ok".to_owned(),
                elapsed: Duration::from_micros(5),
            }];
            let trail = Box::new(Trail { host_calls, backtrace: "0: f\n1: g".to_owned() });
            let failure = outcome::Failure { cause, retry, trail };
            let (message, body) = encode_failure(&failure);
            assert_eq!(message.message, failure.cause.to_string());
            assert_eq!(decode_failure(message, &body), failure);
        }
    }
}

#[test]
fn what_a_newer_daemon_says_keeps_its_code_and_words() {
    let message = super::super::Failure {
        code: "limit.of_tomorrow".to_owned(),
        message: "no".to_owned(),
        fault: 99,
        retry: 99,
        ..Default::default()
    };
    let failure = decode_failure(message, b"");
    assert_eq!((failure.code().as_str(), failure.retry), ("limit.of_tomorrow", outcome::Retry::MaybeRan));
    assert_eq!(failure.fault(), outcome::Fault::Us);
    assert_eq!(failure.cause.to_string(), "no");
}

#[test]
fn a_failure_fits_into_a_frame_whatever_its_words() {
    let failure = outcome::Failure {
        trail: Box::new(Trail { host_calls: Vec::new(), backtrace: "ä".repeat(1 << 20) }),
        ..outcome::Failure::done(Cause::GuestError {
            code: "c".repeat(1 << 20),
            message: "m".repeat(1 << 20),
            retryable: false,
        })
    };
    let (message, _) = encode_failure(&failure);
    assert!(prost::Message::encoded_len(&message) < super::super::DAEMON_META_BYTES_MAX as usize);
}
