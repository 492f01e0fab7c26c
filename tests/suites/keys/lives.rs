//! Keys of instances, and of what follows a crash.

use super::calls::crowd;
use super::ground::{Ground, Row, counts, end, until};
use casemate::{Plugin, State};
use casemate_tests::processes;
use serde_json::json;
use std::time::Duration;

/// A stub and a zygote.
const WITHOUT_WORKERS: usize = 2;

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row {
            key: "isolation",
            set: "isolation = \"call\"",
            cross: |ground| Box::pin(async move { format!("{:?}", counts(&ground.probe().await, 3).await) }),
            outcome: "[1, 1, 1]",
        },
        Row {
            key: "instances.min",
            set: "instances.min = 2",
            cross: |ground| Box::pin(async move { workers_become(&ground, 2).await }),
            outcome: "2 before any call",
        },
        Row {
            key: "instances.max",
            set: "instances.max = 2\nlimits.queue = 0\npermissions.host = [\"gate\"]",
            cross: |ground| Box::pin(async move { crowd(&ground, 2).await }),
            outcome: "overloaded.queue configured 0 observed 1",
        },
        Row {
            key: "instances.spare",
            set: "instances.spare = 1",
            cross: |ground| Box::pin(async move { workers_become(&ground, 1).await }),
            outcome: "1 before any call",
        },
        Row {
            key: "instances.idle_timeout",
            set: "instances.idle_timeout = \"50ms\"",
            cross: |ground| Box::pin(async move { idle(&ground).await }),
            outcome: "used, and ended",
        },
        Row {
            key: "instances.max_calls",
            set: "instances.max_calls = 2",
            cross: |ground| Box::pin(async move { format!("{:?}", counts(&ground.probe().await, 5).await) }),
            outcome: "[1, 2, 1, 2, 1]",
        },
        Row {
            key: "instances.recycle_memory",
            set: "instances.recycle_memory = \"8MiB\"",
            cross: |ground| Box::pin(async move { recycled(&ground).await }),
            outcome: "[1, 2], then 12582912 bytes, then [1, 2]",
        },
        Row {
            key: "restart.give_up_after",
            set: "restart.give_up_after = 2\nrestart.within = \"1h\"",
            cross: |ground| Box::pin(async move { crash(&ground.hostile("exit").await, 3).await }),
            outcome: "worker.lost, worker.lost, plugin.disabled; Disabled after 2 crashes",
        },
        Row {
            key: "restart.within",
            set: "restart.within = \"1ms\"\nrestart.give_up_after = 2",
            cross: |ground| Box::pin(async move { crash(&ground.hostile("exit").await, 4).await }),
            outcome: "worker.lost, worker.lost, worker.lost, worker.lost; Running after 1 crashes",
        },
        Row {
            key: "restart.backoff.first",
            set: "restart.backoff = { first = \"1h\", max = \"2h\", jitter = 0 }",
            cross: |ground| Box::pin(async move { pause_after(&ground, 1).await }),
            outcome: "3600 s",
        },
        Row {
            key: "restart.backoff.factor",
            set: "restart.backoff = { first = \"1s\", factor = 100, max = \"2h\", jitter = 0 }",
            cross: |ground| Box::pin(async move { pause_after(&ground, 2).await }),
            outcome: "100 s",
        },
        Row {
            key: "restart.backoff.max",
            set: "restart.backoff = { first = \"1s\", factor = 100, max = \"50s\", jitter = 0 }",
            cross: |ground| Box::pin(async move { pause_after(&ground, 2).await }),
            outcome: "50 s",
        },
        Row {
            key: "restart.backoff.jitter",
            set: "restart.backoff = { first = \"1h\", max = \"2h\", jitter = 0.5 }",
            cross: |ground| Box::pin(async move { jitter(&ground).await }),
            outcome: "each another, from 1800 to 5400 s",
        },
    ]
}

fn workers(ground: &Ground) -> usize {
    processes::with_marker(&ground.marker()).len().saturating_sub(WITHOUT_WORKERS)
}

/// So many are there without anybody's asking, and no more.
async fn workers_become(ground: &Ground, expected: usize) -> String {
    let plugin = ground.probe().await;
    until("they are there", || plugin.status().idle as usize >= expected).await;
    format!("{} before any call", workers(ground))
}

async fn idle(ground: &Ground) -> String {
    let plugin = ground.probe().await;
    assert_eq!(counts(&plugin, 1).await, [1]);
    until("it is ended", || workers(ground) == 0 && plugin.status().idle == 0).await;
    assert_eq!(counts(&plugin, 1).await, [1], "another one");
    "used, and ended".to_owned()
}

async fn recycled(ground: &Ground) -> String {
    let plugin = ground.probe().await;
    let before = counts(&plugin, 2).await;
    let grown = end(plugin.call::<_, u64>("grow", &json!({"bytes": 12 << 20})).await);
    format!("{before:?}, then {grown} bytes, then {:?}", counts(&plugin, 2).await)
}

/// So many calls, of which each costs its worker its life, with a moment between.
async fn crash(plugin: &Plugin, calls: usize) -> String {
    let mut codes = Vec::new();
    for _ in 0..calls {
        codes.push(plugin.call_raw("m", b"x").await.unwrap_err().code());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let status = plugin.status();
    format!("{}; {:?} after {} crashes", codes.join(", "), status.state, status.crashes)
}

/// The pause after so many deaths of the zygote.
async fn pause_after(ground: &Ground, deaths: u32) -> String {
    let plugin = ground.probe().await;
    for death in 1..=deaths {
        until("it runs", || plugin.status().state == State::Running).await;
        ground.kill_zygote().await;
        until("it is noticed", || plugin.status().crashes == death).await;
    }
    format!("{} s", rounded(pause(&plugin).await))
}

async fn pause(plugin: &Plugin) -> Duration {
    until("it pauses", || plugin.status().state == State::Backoff).await;
    plugin.status().retry_in.unwrap()
}

/// Up to what it was when it began, whenever one has come to look.
fn rounded(pause: Duration) -> u64 {
    pause.as_secs().next_multiple_of(50)
}

async fn jitter(ground: &Ground) -> String {
    let plugin = ground.probe().await;
    let mut pauses = Vec::new();
    for _ in 0..3 {
        ground.kill_zygote().await;
        pauses.push(pause(&plugin).await);
        plugin.reset().await.unwrap();
    }
    let within = pauses.iter().all(|pause| (1800..=5400).contains(&rounded(*pause)));
    let differ = pauses[0] != pauses[1] || pauses[1] != pauses[2];
    if within && differ { "each another, from 1800 to 5400 s".to_owned() } else { format!("{pauses:?}") }
}
