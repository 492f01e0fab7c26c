//! Many instances at once, with no more of the host's descriptors than they need.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate::{Casemate, HostError};
use casemate_tests::{block_on, guests, host, host::Host, policy, processes};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const INSTANCES: usize = 300;

/// Descriptors once what the load has used is closed: the same number for a while.
async fn settled_descriptors() -> usize {
    let (mut last, mut same) = (processes::open_descriptors(), 0);
    while same < 10 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        let now = processes::open_descriptors();
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}

#[test]
fn scenario() {
    host::run(&[("many", many)]);
}

/// Calls that all wait for each other, so that each has an instance of its own.
fn many(_: &str) {
    block_on(async {
        let casemate = Casemate::embedded().unwrap();
        let (entered, mut inside) = tokio::sync::mpsc::unbounded_channel();
        let (release, gate) = tokio::sync::watch::channel(false);
        casemate.on("meet", move |number: Value| {
            let (entered, mut gate) = (entered.clone(), gate.clone());
            async move {
                entered.send(number.as_u64().unwrap()).unwrap();
                gate.wait_for(|open| *open).await.unwrap();
                Ok::<_, HostError>(number)
            }
        });
        let policy = policy(|spec| {
            spec.instances.max = u32::try_from(INSTANCES).unwrap();
            spec.host = vec!["meet".into()];
            spec.limits.call_timeout = Duration::from_secs(300);
        });
        let plugin = casemate.load(guests::rust("probe"), policy).await.unwrap();
        let before = settled_descriptors().await;
        let calls: Vec<_> = (0..INSTANCES)
            .map(|number| {
                let plugin = plugin.clone();
                tokio::spawn(async move {
                    let input = json!({"method": "meet", "payload": number});
                    plugin.call::<_, Value>("host", &input).await.unwrap()
                })
            })
            .collect();
        let mut met = BTreeSet::new();
        while met.len() < INSTANCES {
            met.insert(inside.recv().await.unwrap());
        }
        let more = processes::open_descriptors() - before;
        assert_eq!(more, 2 * INSTANCES, "a link and a pidfd for each");
        release.send(true).unwrap();
        for (number, call) in calls.into_iter().enumerate() {
            assert_eq!(call.await.unwrap(), json!(number));
        }
        casemate.shutdown().await;
        assert!(processes::with_marker(&casemate.marker()).is_empty());
    });
    host::say("done");
}

#[test]
fn three_hundred_instances_in_a_host_with_1024_descriptors() {
    // Soft and hard: there is nothing to raise.
    let mut host = Host::start_in_shell("ulimit -n 1024; exec \"$0\" \"$@\"", "many", "");
    assert_eq!(host.line(), "done");
    host.finish();
}
