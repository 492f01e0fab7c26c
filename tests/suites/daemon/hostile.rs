//! Clients that break rules, stall, or flood: each is cut off alone.

use super::examples;
use super::raw::{Raw, Said};
use casemate::attack::lies;
use casemate_protocol::client::kind::{Class, KINDS};
use casemate_protocol::client::table::{Connection, Stream, Turn};
use casemate_protocol::client::{
    Call, Data, Follow, Hello, List, MAGIC, Request, Side, Subscribe, VERSION, follow, request,
};
use casemate_tests::daemon::{GENEROUS, Served};
use casemate_tests::host::Host;
use casemate_tests::{block_on, guests, policy};
use serde_json::{Value, json};
use std::io::IoSlice;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Descriptors that a process has open, and bytes of its memory.
fn holds(pid: i32) -> (usize, u64) {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    (descriptors, casemate_tests::processes::size(pid, "VmRSS"))
}

/// Somebody else's call is answered.
fn others_are_served(served: &Served) {
    block_on(async {
        let plugin = served.connect().await.plugin("statistics").await.unwrap();
        let _: Value =
            plugin.within(Duration::from_secs(30)).call("stats", &json!({"numbers": [1]})).await.unwrap();
    });
}

fn call() -> Call {
    Call { plugin: "statistics".to_owned(), method: "stats".to_owned(), content_type: 1, ..Call::default() }
}

#[test]
fn every_frame_in_every_state_is_what_the_tables_say() {
    let served = Served::start(&examples());
    let socket = served.socket();
    let hello = Hello { magic: MAGIC, version_min: 1, version_max: VERSION, client: String::new() };
    for row in KINDS.iter().filter(|row| row.from == Side::Client) {
        for state in [Connection::AwaitGreeting, Connection::Open, Connection::Leaving] {
            let mut raw = match state {
                Connection::AwaitGreeting => Raw::connect(&socket),
                _ => Raw::greeted(&socket),
            };
            if state == Connection::Leaving {
                // Something stays open, or the daemon would be the first to leave.
                let follow =
                    Follow { what: Some(follow::What::Subscribe(Subscribe { pattern: "x".to_owned() })) };
                raw.frame(0x23, 1, &follow, b"");
                assert_eq!(raw.read(), Said::Other, "it is in force");
                raw.frame(0x2f, 0, &(), b"");
            }
            let id = match row.class {
                Class::Greeting | Class::Bye => 0,
                // Of the daemon's, none of which it has opened; a new one of ours; one of ours that was never opened.
                Class::End => 2,
                _ => 9,
            };
            match row.name {
                "Hello" => raw.frame(row.kind, id, &hello, b""),
                "Request" => {
                    let list = request::Operation::List(List {});
                    raw.frame(row.kind, id, &Request { more: false, operation: Some(list) }, b"");
                }
                "Follow" => {
                    let what = follow::What::Subscribe(Subscribe { pattern: "y".to_owned() });
                    raw.frame(row.kind, id, &Follow { what: Some(what) }, b"");
                }
                "Call" => raw.frame(row.kind, id, &call(), br#"{"numbers":[1]}"#),
                _ => raw.frame(row.kind, id, &(), if row.has_body { b"x" } else { b"" }),
            }
            let expected = match state.turn(row.class) {
                Turn::Break(code) => Some(code.name()),
                Turn::Stream if row.class == Class::Open && state == Connection::Leaving => {
                    Some("protocol.closed")
                }
                Turn::Stream => match (if row.class == Class::End { Stream::Unused } else { Stream::New })
                    .step(row.class)
                {
                    casemate_protocol::client::table::Step::Break(code) => Some(code.name()),
                    _ => None,
                },
                Turn::To(_) => None,
            };
            if let Some(code) = expected {
                assert_eq!(raw.read(), Said::Refused(code.to_owned()), "{} in {}", row.name, state.name());
                assert_eq!(raw.read(), Said::Closed);
            } else if row.class == Class::Open {
                assert!(
                    !matches!(raw.read(), Said::Refused(_) | Said::Closed),
                    "{} in {}",
                    row.name,
                    state.name()
                );
            }
        }
    }
    others_are_served(&served);
}

#[test]
fn bytes_that_are_no_protocol_are_refused_by_name() {
    let served = Served::start(&examples());
    for (bytes, code) in [
        (&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], "protocol.frame"),
        (&[0xff; 64][..], "protocol.frame"),
        (&[0xff, 0xff, 0xff, 0x7f, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], "protocol.frame"),
    ] {
        let mut raw = Raw::connect(&served.socket());
        raw.bytes(bytes);
        assert_eq!(raw.read(), Said::Refused(code.to_owned()));
    }
    let mut raw = Raw::connect(&served.socket());
    raw.frame(0x20, 0, &Hello { magic: MAGIC, version_min: 5, version_max: 9, client: String::new() }, b"");
    assert_eq!(raw.read(), Said::Refused("protocol.version".to_owned()));
    let mut raw = Raw::connect(&served.socket());
    raw.frame(0x20, 0, &Hello { magic: 1, version_min: 1, version_max: 1, client: String::new() }, b"");
    assert_eq!(raw.read(), Said::Refused("protocol.magic".to_owned()));
    others_are_served(&served);
}

#[test]
fn an_operation_of_a_later_version_fails_alone() {
    let served = Served::start(&examples());
    let mut raw = Raw::greeted(&served.socket());
    raw.frame(0x22, 1, &Request::default(), b"");
    assert_eq!(raw.read(), Said::Failure(1, "call.input".to_owned()));
    raw.frame(0x23, 3, &Follow::default(), b"");
    assert_eq!(raw.read(), Said::Failure(3, "call.input".to_owned()));
    raw.frame(0x21, 5, &call(), br#"{"numbers":[1]}"#);
    assert_eq!(raw.read(), Said::Ended(5));
}

#[test]
fn an_id_is_used_once_and_credit_is_kept_to() {
    let served = Served::start(&examples());
    let mut raw = Raw::greeted(&served.socket());
    raw.frame(0x21, 3, &call(), br#"{"numbers":[1]}"#);
    raw.frame(0x21, 3, &call(), br#"{"numbers":[1]}"#);
    loop {
        match raw.read() {
            Said::Refused(code) => break assert_eq!(code, "protocol.stream_id"),
            said => assert_ne!(said, Said::Closed),
        }
    }
    // More than a window of a body that nobody takes: the plugin does not read its stream.
    let mut raw = Raw::greeted(&served.socket());
    raw.frame(0x21, 1, &Call { stream: true, more: true, ..call() }, b"");
    for _ in 0..5 {
        raw.frame(0x2c, 1, &(), &[0; 65_536]);
    }
    loop {
        match raw.read() {
            Said::Refused(code) => {
                assert_eq!(code, "protocol.credit");
                break;
            }
            // The plugin may have answered before: then the rest is late, and no violation.
            Said::Failure(1, _) | Said::Ended(1) => break,
            said => assert_ne!(said, Said::Closed),
        }
    }
    others_are_served(&served);
}

#[test]
fn who_says_nothing_is_left_and_who_comes_too_much_is_refused() {
    let text = examples().replacen(
        "version = 1\n",
        "version = 1\n[daemon]\nconnections = 8\nhandshake_timeout = \"300ms\"\n",
        1,
    );
    let served = Served::start(&text);
    others_are_served(&served);
    let before = holds(served.pid());
    // Half-open connections, ten thousand of them, all kept: those that are let in are left after 300 ms, and somebody who
    // was here before is served all the while.
    let limit = rustix::process::Rlimit { current: Some(20_000), maximum: Some(20_000) };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, limit);
    let socket = served.socket();
    let (answered, flood) = block_on(async {
        let plugin =
            served.connect().await.plugin("statistics").await.unwrap().within(Duration::from_secs(10));
        let flood = std::thread::spawn(move || {
            let open = || std::os::unix::net::UnixStream::connect(&socket).unwrap();
            (0..10_000).map(|_| open()).collect::<Vec<_>>()
        });
        let mut answered = 0;
        while !flood.is_finished() || answered < 20 {
            plugin.call::<_, Value>("stats", &json!({"numbers": [1]})).await.unwrap();
            answered += 1;
        }
        (answered, flood)
    });
    let held = flood.join().unwrap();
    // What was accepted last is refused within moments, though its other end stays.
    let end = Instant::now() + Duration::from_secs(20);
    while holds(served.pid()).0 > before.0 + 8 {
        assert!(
            Instant::now() < end,
            "descriptors: {before:?} {:?}, {answered} answers",
            holds(served.pid())
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(held);
    let mut silent: Vec<Raw> = (0..8).map(|_| Raw::connect(&served.socket())).collect();
    // Each is left in the end.
    for raw in &mut silent {
        assert!(matches!(raw.read(), Said::Closed | Said::Refused(_)));
    }
    others_are_served(&served);
    let after = holds(served.pid());
    assert!(after.0 <= before.0 + 8, "descriptors: {before:?} {after:?}");
    assert!(after.1 <= before.1 + (32 << 20), "memory: {before:?} {after:?}");
}

#[test]
fn a_client_that_does_not_read_holds_up_nobody_else() {
    let served = Served::start(&examples());
    let mut raw = Raw::greeted(&served.socket());
    raw.stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    others_are_served(&served);
    let before = holds(served.pid());
    // Requests without end whose answers nobody takes: it is not read from any more at some point.
    let list = Request { more: false, operation: Some(request::Operation::List(List {})) };
    let mut out = Vec::new();
    for id in 0..200_000_u64 {
        casemate_protocol::frame::encode(&mut out, 0x22, id * 2 + 1, &list, b"").unwrap();
    }
    let sent = std::io::Write::write_all(&mut raw.stream, &out);
    assert!(sent.is_err(), "the daemon read everything and nobody its answers");
    others_are_served(&served);
    let after = holds(served.pid());
    assert!(after.1 <= before.1 + (32 << 20), "memory: {before:?} {after:?}");
}

#[test]
fn descriptors_that_come_with_bytes_are_dropped() {
    let served = Served::start(&examples());
    let mut raw = Raw::greeted(&served.socket());
    let before = holds(served.pid()).0;
    let list = Request { more: false, operation: Some(request::Operation::List(List {})) };
    for id in 0..200_u64 {
        let mut out = Vec::new();
        casemate_protocol::frame::encode(&mut out, 0x22, id * 2 + 1, &list, b"").unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        let descriptors = [file.as_fd()];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = rustix::net::SendAncillaryBuffer::new(&mut space);
        assert!(control.push(rustix::net::SendAncillaryMessage::ScmRights(&descriptors)));
        let flags = rustix::net::SendFlags::NOSIGNAL;
        rustix::net::sendmsg(&raw.stream, &[IoSlice::new(&out)], &mut control, flags).unwrap();
        assert_ne!(raw.read(), Said::Closed);
    }
    assert_eq!(holds(served.pid()).0, before);
    others_are_served(&served);
}

/// A call of the probe that asks its host for `m`, by a client that answers everything. Returns once it has been asked, and the
/// id of that.
fn asked(served: &Served) -> (Raw, u64) {
    let mut raw = Raw::greeted(&served.socket());
    let serve = request::Operation::Serve(casemate_protocol::client::Serve { method: "*".to_owned() });
    raw.frame(0x22, 1, &Request { more: false, operation: Some(serve) }, b"");
    assert_eq!(raw.read(), Said::Ended(1));
    let call =
        Call { plugin: "probe".to_owned(), method: "host".to_owned(), content_type: 1, ..Call::default() };
    raw.frame(0x21, 3, &call, br#"{"method":"m"}"#);
    match raw.read() {
        Said::HostCall(id) => (raw, id),
        said => panic!("{said:?}"),
    }
}

#[test]
fn an_answer_without_end_costs_no_more_than_the_plugins_limit() {
    let text = format!(
        "{}\n[plugins.probe]\npath = {:?}\n",
        examples(),
        casemate_tests::guests::rust("probe").display().to_string()
    );
    let served = Served::start(&text);
    let (mut raw, id) = asked(&served);
    let before = holds(served.pid()).1;
    // Four windows each time there is credit, until the daemon has enough: it gives its call up.
    let mut cancelled = false;
    for _ in 0..4096 {
        raw.frame(0x2c, id, &(), &[b' '; 32 << 10]);
        match raw.read() {
            Said::Cancelled(other) => {
                assert_eq!(other, id);
                cancelled = true;
                break;
            }
            Said::Closed | Said::Refused(_) => break,
            _ => {}
        }
    }
    assert!(cancelled, "it takes an answer of any length");
    // The plugin's call ends with what it got: an error of its host.
    assert!(matches!(raw.read(), Said::Failure(3, _) | Said::Ended(3)));
    assert!(holds(served.pid()).1 <= before + (96 << 20), "{before} {}", holds(served.pid()).1);
}

#[test]
fn a_reader_that_is_always_behind_makes_nothing_grow() {
    let served = Served::start(&examples());
    others_are_served(&served);
    let mut raw = Raw::greeted(&served.socket());
    let before = holds(served.pid()).1;
    let list = Request { more: false, operation: Some(request::Operation::List(List {})) };
    let mut ahead = std::collections::VecDeque::new();
    // A hundred answers are always on their way, half a million in all.
    for number in 0..200_000_u64 {
        let id = number * 2 + 1;
        raw.frame(0x22, id, &list, b"");
        ahead.push_back(id);
        if ahead.len() > 60 {
            assert_eq!(raw.read(), Said::Ended(ahead.pop_front().unwrap()));
        }
    }
    let after = holds(served.pid()).1;
    assert!(after <= before + (24 << 20), "memory: {before} {after}");
}

/// A daemon whose workers are this hostile program, and a client's plugin in whose place one stands.
async fn behind(behaviour: &str, call_timeout: Duration) -> Result<casemate::Plugin, casemate::Failure> {
    let (casemate, _) = casemate_tests::daemon::within_of(&format!("version = 1\n{GENEROUS}"), |config| {
        config.use_adversary(behaviour);
        config.spawn_timeout = Duration::from_secs(1);
    })
    .await;
    let policy = policy(|spec| {
        spec.limits.call_timeout = call_timeout;
        spec.limits.grace = Duration::from_millis(50);
    });
    casemate.load(guests::wat("minimal"), policy).await
}

/// Every lie, told to clients of a daemon in this process.
pub(super) fn lies(_: &str) {
    let tell = |lie: &lies::Lie, call_timeout| {
        block_on(async {
            let failure = match behind(lie.behaviour, call_timeout).await {
                Ok(plugin) => plugin.call_raw("m", b"x").await.err(),
                Err(failure) => Some(failure),
            };
            assert!(lie.is_found_out(failure.as_ref()), "{lie:?}: {failure:?}");
        });
    };
    let all = || {
        let patient = [lies::FOUND_OUT, lies::NEVER_READY].concat();
        patient.iter().for_each(|lie| tell(lie, Duration::from_secs(30)));
        lies::NO_ANSWER.iter().for_each(|lie| tell(lie, Duration::from_millis(200)));
    };
    all();
    let me = i32::try_from(std::process::id()).unwrap();
    let before = holds(me);
    all();
    let after = holds(me);
    assert!(after.0 <= before.0 + 4, "descriptors: {before:?} {after:?}");
    assert!(after.1 <= before.1 + (16 << 20), "memory: {before:?} {after:?}");
}

/// In a process of its own: what it holds is to be counted.
#[test]
fn a_workers_lie_is_told_to_its_client_by_name_and_leaves_nothing() {
    Host::start("lies", "").finish();
}

#[test]
fn a_worker_that_breaks_out_again_and_again_costs_others_nothing() {
    block_on(async {
        let violator = behind("obey", Duration::from_secs(30)).await.unwrap();
        let breaker = violator.clone();
        let breaking = tokio::spawn(async move {
            let mut codes = Vec::new();
            for order in
                ["syscall execve @path:/bin/sh", "syscall socket 1 1 0", "run data", "patch code"].repeat(5)
            {
                codes.push(breaker.call_raw("order", order.as_bytes()).await.unwrap_err().code());
            }
            codes
        });
        let bystander = violator.within(Duration::from_secs(10));
        while !breaking.is_finished() {
            bystander.call_raw("order", b"where").await.unwrap();
        }
        let codes = breaking.await.unwrap();
        assert!(
            codes.iter().all(|code| code.starts_with("violation.") || code == "worker.lost"),
            "{codes:?}"
        );
    });
}

#[test]
fn bodies_that_never_end_are_a_bounded_load_and_a_callers_time_runs_meanwhile() {
    let served = Served::start(&examples().replacen("input = \"64MiB\"", "input = \"40MiB\"", 1));
    let mut raw = Raw::greeted(&served.socket());
    let late = Call { more: true, deadline_ms: 300, ..call() };
    raw.frame(0x21, 1, &late, b"{");
    std::thread::sleep(Duration::from_millis(600));
    raw.frame(0x2c, 1, &Data { end: true }, b"}");
    assert!(matches!(raw.read(), Said::Failure(1, code) if code.starts_with("timeout")), "its time was over");
    // Each may have 40 MiB; two of them at once may not.
    let more = Call { more: true, ..call() };
    let mut failed = None;
    for id in [3, 5] {
        raw.frame(0x21, id, &more, b"");
    }
    'sending: for _ in 0..(35 << 20) / (32 << 10) {
        for id in [3, 5] {
            raw.frame(0x2c, id, &(), &[b' '; 32 << 10]);
            match raw.read() {
                Said::Failure(id, code) => {
                    failed = Some((id, code));
                    break 'sending;
                }
                said => assert_ne!(said, Said::Closed),
            }
        }
    }
    assert!(failed.is_some(), "70 MiB wait for their end");
    others_are_served(&served);
}
