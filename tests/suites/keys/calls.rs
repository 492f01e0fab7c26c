//! Keys of what a call may use and do.

use super::ground::{Ground, Row, SKIPPED, counts, end, outcome, until};
use casemate::{Cause, LimitName, Plugin, TrapKind};
use casemate_tests::groups::{self, has_groups, read};
use casemate_tests::guests;
use serde_json::{Value, json};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row {
            key: "snapshot",
            set: "snapshot = \"module\"\nlimits.memory = \"16MiB\"",
            // With `instance`, the default, it is the load that fails: see limits.memory.
            cross: |ground| Box::pin(async move { first_call(&ground, "memory_initial_too_big").await }),
            outcome: "loaded; limit.memory configured 16777216 observed 4294967296",
        },
        Row {
            key: "limits.memory",
            set: "limits.memory = \"16MiB\"",
            cross: |ground| Box::pin(async move { first_call(&ground, "memory_initial_too_big").await }),
            outcome: "limit.memory configured 16777216 observed 4294967296",
        },
        Row {
            key: "limits.tables",
            set: "limits.tables = 5000",
            cross: |ground| Box::pin(async move { tables(&ground).await }),
            outcome: "limit.tables configured 5000 observed 5001",
        },
        Row {
            key: "limits.stack",
            set: "limits.stack = \"64KiB\"",
            cross: |ground| Box::pin(async move { recursion(&ground).await }),
            outcome: "trap.stack_overflow (limits.stack is 65536 bytes)",
        },
        Row {
            key: "limits.cpu",
            set: "limits.cpu = \"100ms\"",
            cross: |ground| Box::pin(async move { spin(&ground.probe().await).await }),
            outcome: "limit.cpu configured 100 observed no less",
        },
        Row {
            key: "limits.cpu_total",
            set: "limits.cpu_total = \"150ms\"",
            cross: |ground| Box::pin(async move { spin(&ground.probe().await).await }),
            outcome: "limit.cpu_total configured 150 observed no less",
        },
        Row {
            key: "limits.call_timeout",
            set: "limits.call_timeout = \"100ms\"",
            cross: |ground| Box::pin(async move { spin(&ground.probe().await).await }),
            outcome: "timeout.soft configured 100 observed no less",
        },
        Row {
            key: "limits.grace",
            set: "limits.grace = \"30ms\"\nlimits.call_timeout = \"50ms\"",
            cross: |ground| {
                Box::pin(async move { end(ground.hostile("never-answers").await.call_raw("m", b"x").await) })
            },
            outcome: "timeout.hard configured 50 and 30 observed no less",
        },
        Row {
            key: "limits.input",
            set: "limits.input = \"1000B\"",
            cross: |ground| Box::pin(async move { echo(&ground, 1000).await }),
            outcome: "1000 bytes; limit.input configured 1000 observed 1001",
        },
        Row {
            key: "limits.output",
            set: "limits.output = \"500B\"",
            cross: |ground| Box::pin(async move { echo(&ground, 500).await }),
            outcome: "500 bytes; limit.output configured 500 observed 501",
        },
        Row {
            key: "limits.queue",
            set: "limits.queue = 1\ninstances.max = 1\npermissions.host = [\"gate\"]",
            cross: |ground| Box::pin(async move { crowd(&ground, 2).await }),
            outcome: "overloaded.queue configured 1 observed 2",
        },
        Row {
            key: "limits.log",
            set: "limits.log = \"1KiB/s\"",
            cross: |ground| Box::pin(async move { log(&ground).await }),
            outcome: "log lines were dropped: limits.log is 1024 bytes a second",
        },
        Row {
            key: "limits.host_calls",
            set: "limits.host_calls = \"2/h\"\npermissions.host = [\"clock\"]",
            cross: |ground| Box::pin(async move { ask(&ground.probe().await, "clock", 3).await }),
            outcome: "limit.host_calls: 2 host calls in 3600000 ms is the most (limits.host_calls): ask less often or raise it",
        },
        Row {
            key: "limits.store",
            set: "limits.store = \"1KiB\"\npermissions.host = [\"kv.set\"]",
            cross: |ground| Box::pin(async move { keep(&ground).await }),
            outcome: "limit.store: keys and values would have 1068 bytes and 1024 are the most (limits.store): delete some, or raise it",
        },
        Row {
            key: "limits.fuel",
            set: "limits.fuel = 1000000",
            cross: |ground| Box::pin(async move { spin(&ground.probe().await).await }),
            outcome: "limit.fuel configured 1000000 observed 1000001",
        },
        Row {
            key: "limits.cgroup.memory",
            set: "limits.cgroup.memory = \"48MiB\"",
            cross: |ground| Box::pin(async move { group_memory(&ground).await }),
            outcome: "limit.cgroup.memory configured 50331648 observed near it",
        },
        Row {
            key: "limits.cgroup.cpu",
            set: "limits.cgroup.cpu = \"20%\"",
            cross: |ground| Box::pin(async move { group_cpu(&ground).await }),
            outcome: "20000 of 100000 us, and throttled",
        },
        Row {
            key: "methods.NAME.call_timeout",
            set: "methods.spin.call_timeout = \"100ms\"",
            cross: |ground| Box::pin(async move { spin(&ground.probe().await).await }),
            outcome: "timeout.soft configured 100 observed no less",
        },
        Row {
            key: "methods.NAME.host_calls",
            set: "methods.host.host_calls = \"2/h\"\npermissions.host = [\"clock\"]",
            cross: |ground| Box::pin(async move { ask(&ground.probe().await, "clock", 3).await }),
            outcome: "limit.host_calls: 2 host calls in 3600000 ms is the most (methods.host.host_calls): ask less often or raise it",
        },
        Row {
            key: "permissions.host",
            set: "permissions.host = [\"clock\"]",
            cross: |ground| {
                Box::pin(async move {
                    let plugin = ground.probe().await;
                    let (granted, denied) = (ask(&plugin, "clock", 1).await, ask(&plugin, "clocks", 1).await);
                    format!("{granted}; {denied}")
                })
            },
            outcome: "Number(12); denied: host method \"clocks\" is not granted: add it to permissions.host of the plugin's policy",
        },
        Row {
            key: "permissions.publish",
            set: "permissions.publish = [\"content.*\"]",
            cross: |ground| Box::pin(async move { publish(&ground).await }),
            outcome: "1 published; denied: events of topic \"mail.read\" are not granted: add it to permissions.publish of the plugin's policy",
        },
        Row {
            key: "permissions.subscribe",
            set: "permissions.subscribe = [\"content.*\"]",
            cross: |ground| Box::pin(async move { subscribe(&ground).await }),
            outcome: "1 taken; the configuration does not allow that: events of \"mail.*\" are not granted: permissions.subscribe is [\"content.*\"]; add it there, or do not subscribe to it [policy.invalid]",
        },
    ]
}

async fn publish(ground: &Ground) -> String {
    let plugin = ground.load(guests::rust("herald")).await.unwrap();
    let event = |topic: &str| json!({"topic": topic, "body": 1});
    plugin.call::<_, ()>("publish", &event("content.saved")).await.unwrap();
    let failure = plugin.call::<_, ()>("publish", &event("mail.read")).await.unwrap_err();
    let published = ground.casemate().stats().await.unwrap().events;
    match failure.cause {
        Cause::GuestError { code, message, .. } => format!("{published} published; {code}: {message}"),
        other => other.to_string(),
    }
}

async fn subscribe(ground: &Ground) -> String {
    let plugin = ground.load(guests::rust("herald")).await.unwrap();
    plugin.subscribe_to(&["content.saved"]).unwrap();
    ground.casemate().publish("content.saved", &1).await.unwrap();
    until("an event is taken", || plugin.status().events.delivered > 0).await;
    let refused = plugin.subscribe_to(&["mail.*"]).unwrap_err();
    format!("{} taken; {refused}", plugin.status().events.delivered)
}

async fn first_call(ground: &Ground, guest: &str) -> String {
    match ground.load(guests::wat(guest)).await {
        Ok(plugin) => format!("loaded; {}", end(plugin.call_raw("m", b"").await)),
        Err(refusal) => refusal,
    }
}

/// A module whose one table begins with one entry too many.
async fn tables(ground: &Ground) -> String {
    let text = r#"(module
  (memory (export "memory") 1)
  (table 5001 funcref)
  (func (export "casemate_abi") (result i32) (i32.const 1))
  (func (export "casemate_alloc") (param i32 i32) (result i32) (i32.const 1024))
  (func (export "casemate_free") (param i32 i32 i32))
  (func (export "casemate_call") (param i32 i32) (result i64) (i64.const 0x200000010)))"#;
    let module = std::env::temp_dir().join(format!("casemate-keys-{}.wasm", std::process::id()));
    std::fs::write(&module, wat::parse_str(text).unwrap()).unwrap();
    let loaded = ground.load(module.clone()).await;
    std::fs::remove_file(module).unwrap();
    loaded.map(drop).unwrap_err()
}

async fn recursion(ground: &Ground) -> String {
    let plugin = ground.load(guests::wat("deep_recursion")).await.unwrap();
    let failure = plugin.call_raw("m", b"").await.unwrap_err();
    let Cause::Trap { kind: TrapKind::StackOverflow, message } = &failure.cause else { panic!("{failure}") };
    let (_, limit) = message.split_once('(').unwrap();
    format!("{} ({limit}", failure.code())
}

async fn spin(plugin: &Plugin) -> String {
    end(plugin.call::<_, u64>("spin", &json!({})).await)
}

/// As much as there may be, and one byte more.
async fn echo(ground: &Ground, most: usize) -> String {
    let plugin = ground.load(guests::wat("minimal")).await.unwrap();
    let passed = plugin.call_raw("m", &vec![7; most]).await.unwrap().len();
    format!("{passed} bytes; {}", end(plugin.call_raw("m", &vec![7; most + 1]).await))
}

/// What becomes of a call beyond so many that run or wait.
pub(crate) async fn crowd(ground: &Ground, most: usize) -> String {
    let plugin = ground.probe().await;
    let (release, gate) = tokio::sync::watch::channel(false);
    ground.casemate().on("gate", move |(): ()| {
        let mut gate = gate.clone();
        async move {
            gate.wait_for(|open| *open).await.unwrap();
            Ok(1)
        }
    });
    let call = || {
        let plugin = plugin.clone();
        tokio::spawn(async move { plugin.call::<_, Value>("host", &json!({"method": "gate"})).await })
    };
    let mut inside = Vec::new();
    for number in 1..=most {
        inside.push(call());
        let there = || {
            let status = plugin.status();
            (status.busy + status.waiting) as usize == number
        };
        until("a call runs or waits", there).await;
    }
    let refused = end(call().await.unwrap());
    release.send(true).unwrap();
    for call in inside {
        assert_eq!(call.await.unwrap().unwrap(), json!(1));
    }
    refused
}

async fn log(ground: &Ground) -> String {
    let plugin = ground.probe().await;
    let lines = json!({"level": "info", "text": "x".repeat(1000), "times": 20});
    plugin.call::<_, u64>("log", &lines).await.unwrap();
    let logged = ground.logged.lock().unwrap();
    let passed = logged.iter().filter(|line| line.starts_with("xx")).count();
    assert!((1..20).contains(&passed), "{passed} passed");
    let told = logged.iter().find(|line| line.contains("were dropped")).unwrap();
    told.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').to_owned()
}

/// The last of so many answers.
async fn ask(plugin: &Plugin, method: &str, times: usize) -> String {
    let mut last = String::new();
    for _ in 0..times {
        last = end(plugin.call::<_, Value>("host", &json!({"method": method})).await);
    }
    last
}

/// Puts a thousand bytes away under a name of four.
async fn keep(ground: &Ground) -> String {
    let state = ground.folder().join("state");
    let plugin =
        ground.load_with(Some(guests::rust("probe")), |builder| builder.state_dir(state)).await.unwrap();
    // 1,000 zeros in base64.
    let value = format!("{}==", "A".repeat(1334));
    let payload = json!({"key": "name", "value": value});
    end(plugin.call::<_, Value>("host", &json!({"method": "kv.set", "payload": payload})).await)
}

/// On a machine that has no groups to give, a plugin that asks for one is refused by the name of the key.
async fn in_group(ground: &Ground) -> Option<Plugin> {
    if has_groups(ground.key()) {
        let plugin = ground.probe().await;
        assert_eq!(counts(&plugin, 1).await, [1]);
        return Some(plugin);
    }
    let refusal = ground.load(guests::rust("probe")).await.map(drop).unwrap_err();
    assert!(refusal.contains(ground.key()) && refusal.ends_with("[limits.unavailable]"), "{refusal}");
    None
}

async fn group_memory(ground: &Ground) -> String {
    let Some(plugin) = in_group(ground).await else { return SKIPPED.to_owned() };
    let failure = plugin.call::<_, u64>("grow", &json!({"bytes": 90_000_000})).await.unwrap_err();
    match failure.cause {
        Cause::Limit { limit: LimitName::CgroupMemory, configured, observed }
            if (configured / 2..=configured).contains(&observed) =>
        {
            format!("{} configured {configured} observed near it", failure.code())
        }
        _ => outcome(&failure),
    }
}

async fn group_cpu(ground: &Ground) -> String {
    let Some(plugin) = in_group(ground).await else { return SKIPPED.to_owned() };
    let groups = groups::of(&ground.marker());
    let quota = read(&groups, &["cpu.max", "cpu.cfs_quota_us"]);
    let spinning = tokio::spawn(async move { spin(&plugin).await });
    until("20 % of a core are used up", || !read(&groups, &["cpu.stat"]).contains("nr_throttled 0")).await;
    spinning.abort();
    let _ = spinning.await;
    let quota = quota.split(' ').next().unwrap_or_default().to_owned();
    format!("{quota} of 100000 us, and throttled")
}
