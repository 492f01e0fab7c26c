//! A supervisor as a library: what its host does to it, by giving up on calls, by forking, by adopting orphans.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate::{Casemate, Cause, Policy};
use casemate_tests::{block_on, casemate, guests, host, host::Host, policy, processes};
use serde_json::json;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn scenario() {
    host::run(&[("adopting", adopting), ("forking", forking)]);
}

/// A host that would inherit every process whose parent ends before it.
fn adopting(_: &str) {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
    for namespaces in [true, false] {
        block_on(async {
            let casemate =
                Casemate::builder().configure(|config| config.namespaces = namespaces).build().unwrap();
            for _ in 0..20 {
                let plugin = casemate.load(guests::wat("minimal"), Policy::default()).await.unwrap();
                plugin.call_raw("m", b"x").await.unwrap();
            }
            // Given up while it starts.
            for micros in (0..30_000).step_by(1_000) {
                let load = casemate.load(guests::wat("minimal"), Policy::default());
                let _ = tokio::time::timeout(Duration::from_micros(micros), load).await;
            }
            let marker = casemate.marker();
            drop(casemate);
            processes::await_none(&marker, PATIENCE);
            let left = processes::zombies();
            assert!(left.is_empty(), "zombies with namespaces {namespaces}: {left:?}");
        });
    }
    host::say("clean");
}

/// A host whose forked child drops its copies of everything.
fn forking(_: &str) {
    block_on(async {
        let casemate = casemate();
        let plugin = casemate.load(guests::rust("probe"), Policy::default()).await.unwrap();
        assert_eq!(plugin.call::<_, u64>("counter", &()).await.unwrap(), 1);
        match casemate_sys::process::fork().unwrap() {
            casemate_sys::process::Fork::Child => {
                drop(plugin);
                drop(casemate);
                casemate_sys::process::exit_now(0)
            }
            casemate_sys::process::Fork::Parent(child) => {
                use std::os::fd::AsFd as _;
                let id = rustix::process::WaitId::PidFd(child.as_fd());
                rustix::process::waitid(id, rustix::process::WaitIdOptions::EXITED).unwrap();
            }
        }
        // The same instance, which still counts, and still heard of.
        let again = tokio::time::timeout(PATIENCE, plugin.call::<_, u64>("counter", &())).await;
        host::say(&format!("{:?}", again.map(Result::ok)));
    });
}

#[test]
fn orphans_are_not_left_to_a_host_that_adopts_them() {
    let mut host = Host::start("adopting", "");
    assert_eq!(host.line(), "clean");
    host.finish();
}

#[test]
fn a_forked_child_that_drops_everything_harms_nothing() {
    let mut host = Host::start("forking", "");
    assert_eq!(host.line(), "Ok(Some(2))");
    host.finish();
}

/// Drops a future the moment it is woken for the nth time: what it was waiting for has come and is not taken.
async fn give_up_at<F: Future>(nth: u32, work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut times = 0;
    std::future::poll_fn(move |context| {
        if times == nth {
            return Poll::Ready(None);
        }
        times += 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

#[test]
fn calls_that_are_given_up_never_mix_up_workers() {
    block_on(async {
        let policy = policy(|spec| {
            spec.limits.call_timeout = Duration::from_millis(500);
            spec.instances.max = 4;
        });
        let plugin = casemate().load(guests::rust("probe"), policy).await.unwrap();
        for times in 0..200 {
            let call = plugin.call::<_, u64>("counter", &());
            if let Some(answer) = give_up_at(times % 8, call).await {
                answer.unwrap();
            }
        }
        // Each worker that spins is the one that its own deadline interrupts.
        let spins: Vec<_> = (0..4)
            .map(|_| {
                let plugin = plugin.clone();
                tokio::spawn(async move { plugin.call::<_, u64>("spin", &json!({})).await })
            })
            .collect();
        for spin in spins {
            let failure = spin.await.unwrap().unwrap_err();
            assert!(matches!(failure.cause, Cause::SoftTimeout { .. }), "{failure}");
        }
        assert_eq!(plugin.call::<_, u64>("counter", &()).await.unwrap(), 1);
    });
}
