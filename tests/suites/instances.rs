//! Instances: who shares one, how long it lives, and which are made before somebody wants them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate::policy::Isolation;
use casemate::{Casemate, Plugin, PolicySpec};
use casemate_tests::{block_on, casemate, guests, policy, processes};
use serde_json::json;
use std::time::{Duration, Instant};

/// A stub and a zygote.
const WITHOUT_WORKERS: usize = 2;

async fn load(change: impl FnOnce(&mut PolicySpec)) -> (Casemate, Plugin) {
    let casemate = casemate();
    let plugin = casemate.load(guests::rust("probe"), policy(change)).await.unwrap();
    (casemate, plugin)
}

/// The instance's own count of calls: 1 is a fresh one.
async fn counts(plugin: &Plugin, calls: usize) -> Vec<u64> {
    let mut counts = Vec::new();
    for _ in 0..calls {
        counts.push(plugin.call::<_, u64>("counter", &()).await.unwrap());
    }
    counts
}

async fn await_workers(casemate: &Casemate, wanted: usize) {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let workers = processes::with_marker(&casemate.marker()).len() - WITHOUT_WORKERS;
        if workers == wanted {
            return;
        }
        assert!(Instant::now() < end, "{workers} workers, not {wanted}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn an_instance_is_used_again_by_default() {
    block_on(async {
        let (_casemate, plugin) = load(|_| ()).await;
        assert_eq!(counts(&plugin, 4).await, [1, 2, 3, 4]);
    });
}

#[test]
fn with_isolation_call_each_call_has_a_fresh_process() {
    block_on(async {
        let (casemate, plugin) = load(|spec| spec.isolation = Isolation::Call).await;
        assert_eq!(counts(&plugin, 5).await, [1; 5]);
        await_workers(&casemate, 0).await;
    });
}

#[test]
fn an_instance_is_replaced_after_so_many_calls() {
    block_on(async {
        let (_casemate, plugin) = load(|spec| spec.instances.max_calls = 3).await;
        assert_eq!(counts(&plugin, 7).await, [1, 2, 3, 1, 2, 3, 1]);
    });
}

#[test]
fn an_instance_whose_memory_has_grown_is_replaced() {
    block_on(async {
        let (_casemate, plugin) = load(|spec| spec.instances.recycle_memory_bytes = Some(8 << 20)).await;
        assert_eq!(counts(&plugin, 2).await, [1, 2]);
        plugin.call::<_, u64>("grow", &json!({"bytes": 12 << 20})).await.unwrap();
        assert_eq!(counts(&plugin, 2).await, [1, 2]);
    });
}

#[test]
fn who_is_idle_for_too_long_is_ended_down_to_the_least() {
    block_on(async {
        let (casemate, plugin) = load(|spec| {
            spec.instances.min = 1;
            spec.instances.idle_timeout = Duration::from_millis(100);
        })
        .await;
        let calls: Vec<_> = (0..4)
            .map(|_| {
                let plugin = plugin.clone();
                tokio::spawn(async move { plugin.call::<_, u64>("spin", &json!({"n": 200_000_000})).await })
            })
            .collect();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        await_workers(&casemate, 1).await;
        // It stays, and is the one that answers.
        tokio::time::sleep(Duration::from_millis(300)).await;
        await_workers(&casemate, 1).await;
        assert_eq!(counts(&plugin, 1).await.len(), 1);
    });
}

#[test]
fn spare_instances_are_there_before_a_call_and_again_after_one() {
    block_on(async {
        let (casemate, plugin) = load(|spec| {
            spec.isolation = Isolation::Call;
            spec.instances.spare = 2;
        })
        .await;
        await_workers(&casemate, 2).await;
        assert_eq!(counts(&plugin, 3).await, [1; 3]);
        await_workers(&casemate, 2).await;
    });
}

#[test]
fn no_more_than_the_most_are_made_ahead() {
    block_on(async {
        let (casemate, _plugin) = load(|spec| {
            spec.instances.max = 2;
            spec.instances.min = 2;
            spec.instances.spare = 2;
        })
        .await;
        await_workers(&casemate, 2).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        await_workers(&casemate, 2).await;
    });
}
