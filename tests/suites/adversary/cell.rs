//! A plugin whose workers are hostile programs that take orders, and a good plugin beside it that must not notice.

use crate::corpus;
use crate::verdict::{self, Word};
use casemate::outcome::Exit;
use casemate::{Casemate, Cause, Plugin};
use casemate_protocol::syscalls::{Arch, syscall_name};
use casemate_tests::{guests, policy};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How an order ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// The attacker lives and says this.
    Answered(String),
    /// The kernel reported the call: number, arguments, instruction pointer.
    Reported(i32, [u64; 6], u64),
    /// The kernel killed for a call.
    Sigsys,
    /// It died of a fault of its own.
    Crashed,
    /// It ended by itself.
    Exited(i32),
    /// The hard deadline.
    Killed,
}

/// The attacker's cell, and the sibling.
pub(crate) struct Cell {
    hostile: Casemate,
    plugin: Plugin,
    /// Where its system calls are made, as it says itself.
    site: u64,
    sibling: Sibling,
}

impl Cell {
    pub(crate) async fn open() -> Self {
        Self::with(Duration::from_secs(60), Duration::from_secs(20)).await
    }

    /// With deadlines that are soon over.
    pub(crate) async fn impatient() -> Self {
        Self::with(Duration::from_millis(300), Duration::from_millis(100)).await
    }

    async fn with(timeout: Duration, grace: Duration) -> Self {
        let hostile = Casemate::builder().configure(|config| config.use_adversary("obey")).build().unwrap();
        let policy = policy(|spec| {
            spec.limits.call_timeout = timeout;
            spec.limits.grace = grace;
        });
        let plugin = hostile.load(guests::wat("minimal"), policy).await.unwrap();
        let sibling = Sibling::start().await;
        let mut cell = Self { hostile, plugin, site: 0, sibling };
        let End::Answered(site) = cell.order("where").await else { panic!("it does not take orders") };
        cell.site = u64::from_str_radix(site.trim_start_matches("0x"), 16).unwrap();
        cell
    }

    pub(crate) fn marker(&self) -> String {
        self.hostile.marker()
    }

    pub(crate) async fn order(&self, order: &str) -> End {
        match self.plugin.call_raw("order", order.as_bytes()).await {
            Ok(answer) => End::Answered(String::from_utf8(answer).unwrap()),
            Err(failure) => match failure.cause {
                Cause::Syscall(report) => {
                    assert_eq!(report.arch, Arch::NATIVE.audit(), "{order}");
                    let name =
                        u32::try_from(report.number).ok().and_then(|nr| syscall_name(Arch::NATIVE, nr));
                    assert_eq!(report.name, name, "{order}");
                    match report.instruction_pointer {
                        // The engine's handler of faults, which does not know this one and would have the kernel's
                        // default back.
                        site if site != self.site && name == Some("rt_sigaction") => End::Crashed,
                        site => End::Reported(report.number, report.args, site),
                    }
                }
                Cause::SyscallSignal => End::Sigsys,
                Cause::WorkerLost { exit: Exit::Signal(_) } => End::Crashed,
                Cause::WorkerLost { exit: Exit::Code(code) } => End::Exited(code),
                Cause::HardTimeout { .. } => End::Killed,
                other => panic!("{order}: {other:?}"),
            },
        }
    }

    /// Makes a call; the live process, the filters' instructions and the written list must agree on it.
    pub(crate) async fn meets(&self, number: u32, args: [u64; 6]) -> Word {
        let words: Vec<String> = args.iter().map(|arg| format!("{arg:#x}")).collect();
        let order = format!("syscall {} {}", number.cast_signed(), words.join(" "));
        let word = verdict::of(number, args);
        let end = self.order(&order).await;
        match (&end, word) {
            (End::Reported(seen, seen_args, site), Word::Report) => {
                assert_eq!((seen.cast_unsigned(), *seen_args, *site), (number, args, self.site), "{order}");
            }
            (End::Sigsys, Word::Kill) => {}
            (end, Word::Report) if corpus::past_seccomp(number, end) => {}
            // It ran; what it came to is the kernel's business: an error, an end, a hole in the attacker's own memory.
            (End::Answered(_) | End::Exited(_) | End::Crashed, Word::Allow) => {}
            _ => panic!("{order}: {end:?}, and the filters say {word:?}"),
        }
        word
    }

    /// Carries out an order that must be reported as this call, with these arguments where they are known.
    pub(crate) async fn reports(&self, route: &crate::routes::Route) {
        let order = route.order;
        let End::Reported(number, args, site) = self.order(order).await else {
            panic!("{order}: {:?}", self.order(order).await)
        };
        assert_eq!(syscall_name(Arch::NATIVE, number.cast_unsigned()), Some(route.call), "{order}");
        for (seen, wanted) in args.iter().zip(route.args) {
            match wanted {
                Some(value) => assert_eq!(seen, value, "{order}: {args:x?}"),
                None => assert_ne!(*seen, 0, "{order}: an address was asked for"),
            }
        }
        assert_eq!(site, self.site, "{order}");
    }

    /// Ends both; the sibling says whether it was disturbed.
    pub(crate) async fn close(self) {
        self.sibling.finish().await;
        self.hostile.shutdown().await;
    }
}

/// A good plugin of the same host, called all the while.
struct Sibling {
    stop: Arc<AtomicBool>,
    calls: tokio::task::JoinHandle<u64>,
}

impl Sibling {
    async fn start() -> Self {
        let casemate = casemate_tests::casemate();
        let plugin = casemate.load(guests::wat("minimal"), policy(|_| ())).await.unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let calls = tokio::spawn(async move {
            let _casemate = casemate;
            let mut done = 0;
            while !stopped.load(Ordering::Relaxed) || done == 0 {
                // Its deadline is the policy's default; a call that missed it is a failure.
                assert_eq!(plugin.call_raw("m", b"still here").await.unwrap(), b"still here");
                done += 1;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            done
        });
        Self { stop, calls }
    }

    async fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        let calls = self.calls.await.unwrap();
        println!("the sibling answered {calls} calls within their deadlines");
    }
}
