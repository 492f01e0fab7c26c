//! What a plugin keeps: its own alone, no more than it may, and never half of it, whoever is killed when.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

#[path = "storage/quota.rs"]
mod quota;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use casemate::cache::CachePlaces;
use casemate::{Casemate, Failure, Plugin, Policy, PolicySpec};
use casemate_tests::host::{self, Host};
use casemate_tests::scratch::Scratch;
use casemate_tests::{block_on, guests, policy};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// How often whoever writes is killed.
const KILLS: u64 = 200;
/// Keys that are written to in turn.
const KEYS: u64 = 23;

#[test]
fn scenario() {
    host::run(&[("writer", writer)]);
}

fn keeping(folder: &Path) -> Casemate {
    let places = CachePlaces::new(folder.join("cache"), folder.join("state"));
    Casemate::builder().cache(places).state_dir(folder.join("state")).build().unwrap()
}

fn granted(change: impl FnOnce(&mut PolicySpec)) -> Policy {
    policy(|spec| {
        spec.host = vec!["kv.*".into()];
        change(spec);
    })
}

async fn ask(plugin: &Plugin, method: &str, payload: Value) -> Result<Value, Failure> {
    plugin.call("host", &json!({"method": method, "payload": payload})).await
}

async fn set(plugin: &Plugin, key: &str, value: &[u8]) -> Result<Value, Failure> {
    ask(plugin, "kv.set", json!({"key": key, "value": STANDARD.encode(value)})).await
}

async fn get(plugin: &Plugin, key: &str) -> Option<Vec<u8>> {
    let answer = ask(plugin, "kv.get", json!({"key": key})).await.unwrap();
    answer["value"].as_str().map(|value| STANDARD.decode(value).unwrap())
}

#[test]
fn what_a_plugin_puts_away_is_there_for_its_next_instance_and_for_nobody_else() {
    let folder = Scratch::new();
    block_on(async {
        let casemate = keeping(&folder);
        let plugin = casemate.load(guests::rust("probe"), granted(|_| ())).await.unwrap();
        assert_eq!(set(&plugin, "unit", b"m\0\xff").await.unwrap(), Value::Null);
        set(&plugin, "name", b"").await.unwrap();
        assert_eq!(get(&plugin, "unit").await.unwrap(), b"m\0\xff");
        assert_eq!(get(&plugin, "name").await.unwrap(), b"");
        assert_eq!(get(&plugin, "other").await, None);
        casemate.shutdown().await;
    });
    block_on(async {
        let casemate = keeping(&folder);
        let plugin = casemate.load(guests::rust("probe"), granted(|_| ())).await.unwrap();
        assert_eq!(get(&plugin, "unit").await.unwrap(), b"m\0\xff");
        let keys = json!({"keys": ["name", "unit"], "more": false});
        assert_eq!(ask(&plugin, "kv.list", json!({})).await.unwrap(), keys);
        let keys = json!({"keys": ["name"], "more": true});
        assert_eq!(ask(&plugin, "kv.list", json!({"limit": 1})).await.unwrap(), keys);
        let listed = ask(&plugin, "kv.list", json!({"prefix": "u", "after": "name"})).await.unwrap();
        assert_eq!(listed["keys"], json!(["unit"]));
        assert_eq!(
            ask(&plugin, "kv.delete", json!({"key": "name"})).await.unwrap(),
            json!({"deleted": true})
        );
        assert_eq!(
            ask(&plugin, "kv.delete", json!({"key": "name"})).await.unwrap(),
            json!({"deleted": false})
        );
        // The same module under another name is another plugin.
        let copy = folder.join("other.wasm");
        std::fs::copy(guests::rust("probe"), &copy).unwrap();
        let other = casemate.load(&copy, granted(|_| ())).await.unwrap();
        assert_eq!(get(&other, "unit").await, None);
        set(&other, "../probe/unit", b"x").await.unwrap();
        assert_eq!(get(&plugin, "unit").await.unwrap(), b"m\0\xff");
    });
}

#[test]
fn it_is_a_host_method_like_any_other_granted_and_counted() {
    let folder = Scratch::new();
    block_on(async {
        let casemate = keeping(&folder);
        let only_get = policy(|spec| spec.host = vec!["kv.get".into()]);
        let plugin = casemate.load(guests::rust("probe"), only_get).await.unwrap();
        let refused = set(&plugin, "a", b"1").await.unwrap_err().to_string();
        assert!(refused.contains("denied") && refused.contains("permissions.host"), "{refused}");
        assert_eq!(get(&plugin, "a").await, None);
        // A host that answers everything does not stand between a plugin and what it keeps.
        casemate.on("*", |_: Value| async { Ok(json!("the host's")) });
        assert_eq!(get(&plugin, "a").await, None);
        drop(plugin);
        let rarely = granted(|spec| {
            spec.limits.host_calls =
                Some(casemate::policy::Rate { count: 2, window: Duration::from_secs(3600) });
        });
        let plugin = casemate.load(guests::rust("probe"), rarely).await.unwrap();
        for _ in 0..2 {
            get(&plugin, "a").await;
        }
        let refused = set(&plugin, "a", b"1").await.unwrap_err().to_string();
        assert!(refused.contains("limit.host_calls"), "{refused}");
        let wrong = ask(&plugin, "kv.set", json!({"key": "", "value": "!"})).await.unwrap_err().to_string();
        assert!(wrong.contains("limit.host_calls"), "it counts whatever it says: {wrong}");
    });
    block_on(async {
        let nowhere = Casemate::embedded().unwrap();
        let plugin = nowhere.load(guests::rust("probe"), granted(|_| ())).await.unwrap();
        let refused = set(&plugin, "a", b"1").await.unwrap_err().to_string();
        assert!(refused.contains("unavailable") && refused.contains("no state directory"), "{refused}");
    });
}

#[test]
fn a_full_store_is_the_plugins_trouble_alone() {
    let folder = Scratch::new();
    block_on(async {
        let casemate = keeping(&folder);
        let small = granted(|spec| spec.limits.store_bytes = 100_000);
        let plugin = casemate.load(guests::rust("probe"), small).await.unwrap();
        let mut taken = 0;
        let full = loop {
            match set(&plugin, &format!("k{taken}"), &[7; 10_000]).await {
                Ok(_) => taken += 1,
                Err(failure) => break failure.to_string(),
            }
        };
        assert_eq!(taken, 9, "each is 10,000 bytes, a name of two and 64 more");
        assert!(
            full.contains("limit.store") && full.contains("100000 are the most (limits.store)"),
            "{full}"
        );
        // Small ones, by their number.
        let mut small = 0;
        while set(&plugin, &format!("s{small}"), b"").await.is_ok() {
            small += 1;
        }
        assert!((100..200).contains(&small), "{small} keys without a value");
        ask(&plugin, "kv.delete", json!({"key": "k0"})).await.unwrap();
        set(&plugin, "again", &[7; 9_000]).await.unwrap();
        let other = casemate.load(guests::rust("statistics"), policy(|_| ())).await.unwrap();
        let stats: Value = other.call("stats", &json!({"numbers": [1, 3]})).await.unwrap();
        assert_eq!(stats["average"], 2.0);
    });
}

#[test]
fn a_configuration_stays_with_the_versions_before_it() {
    let folder = Scratch::new();
    let module = guests::rust("probe");
    block_on(async {
        let casemate = keeping(&folder);
        let plugin = casemate.load(&module, policy(|_| ())).await.unwrap();
        plugin.set_config(br#"{"threshold": 1}"#.to_vec()).await.unwrap();
        plugin.set_config(br#"{"threshold": 2}"#.to_vec()).await.unwrap();
        plugin.set_config(b"{".to_vec()).await.unwrap_err();
        casemate.shutdown().await;
    });
    let text = std::fs::read_to_string(folder.join("state/plugins/probe/probe.json")).unwrap();
    let record: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(record["version"], 2);
    assert_eq!(record["earlier"], json!([{"version": 1, "config": {"threshold": 1}}]));
    block_on(async {
        let casemate = keeping(&folder);
        let plugin = casemate.load(&module, policy(|_| ())).await.unwrap();
        assert_eq!(plugin.call::<_, Value>("config", &()).await.unwrap(), json!({"threshold": 2}));
        drop(plugin);
        // What a load names goes before what is kept, and is not kept itself.
        let named = Some(br#"{"threshold": 9}"#.to_vec());
        let plugin = casemate.load_with(&module, policy(|_| ()), named).await.unwrap();
        assert_eq!(plugin.call::<_, Value>("config", &()).await.unwrap(), json!({"threshold": 9}));
        casemate.shutdown().await;
    });
    std::fs::write(folder.join("state/plugins/probe/probe.json"), "{").unwrap();
    block_on(async {
        let refused = keeping(&folder).load(&module, policy(|_| ())).await.unwrap_err();
        assert_eq!(refused.code(), "policy.invalid", "{refused}");
        assert!(refused.to_string().contains("probe.json"), "{refused}");
    });
}

fn with_files(change: impl FnOnce(&mut PolicySpec)) -> Policy {
    policy(|spec| {
        spec.storage = casemate::policy::Storage::Vfs;
        change(spec);
    })
}

#[test]
fn a_plugins_files_are_its_root_and_stay_but_for_what_is_temporary() {
    let folder = Scratch::new();
    std::fs::write(folder.join("secret"), "of the host").unwrap();
    let module = guests::wasi("reactor");
    let write = async |plugin: &Plugin, path: &str, bytes: usize| {
        plugin.call::<_, Value>("write", &json!({"path": path, "bytes": bytes})).await
    };
    let list = async |plugin: &Plugin, path: &str| plugin.call::<_, Value>("list", path).await.unwrap();
    block_on(async {
        let casemate = keeping(&folder);
        let plugin = casemate.load(&module, with_files(|_| ())).await.unwrap();
        assert_eq!(list(&plugin, "/").await, json!(["config", "data", "tmp"]));
        for path in ["/data/kept", "/tmp/gone", "/note"] {
            write(&plugin, path, 3).await.unwrap();
        }
        assert_eq!(plugin.call::<_, Value>("read", "/data/kept").await.unwrap(), "xxx");
        // Above its root is its root: the record and the database beside it, and the host, are not there.
        for path in ["/../reactor.json", "/../kv.sqlite3", "/../../../../secret", "/etc/passwd"] {
            plugin.call::<_, Value>("read", path).await.unwrap_err();
        }
        // A new worker, and a new version of the plugin, find what the old ones left, also what is temporary.
        plugin.reload(&module).await.unwrap();
        assert_eq!(list(&plugin, "/tmp").await, json!(["gone"]));
        write(&plugin, "/data/kept", 4).await.unwrap();
        casemate.shutdown().await;
    });
    // What somebody planted there in between leads nowhere.
    let vfs = folder.join("state/plugins/reactor/vfs");
    std::os::unix::fs::symlink(folder.join("secret"), vfs.join("data/link")).unwrap();
    std::os::unix::fs::symlink(&*folder, vfs.join("tmp/link")).unwrap();
    block_on(async {
        let casemate = keeping(&folder);
        let plugin = casemate.load(&module, with_files(|_| ())).await.unwrap();
        assert_eq!(list(&plugin, "/tmp").await, json!([]));
        assert_eq!(list(&plugin, "/").await, json!(["config", "data", "note", "tmp"]));
        assert_eq!(plugin.call::<_, Value>("read", "/data/kept").await.unwrap(), "xxxx");
        plugin.call::<_, Value>("read", "/data/link").await.unwrap_err();
        // All of them together are held to the store.
        drop(plugin);
        let small = with_files(|spec| spec.limits.store_bytes = 10_000);
        let plugin = casemate.load(&module, small).await.unwrap();
        // Seven bytes are there already.
        write(&plugin, "/data/large", 9_993).await.unwrap();
        let failure = write(&plugin, "/data/larger", 10_001).await.unwrap_err();
        assert_eq!(failure.code(), "guest.error", "{failure}");
        casemate.shutdown().await;
    });
    assert_eq!(std::fs::read_to_string(folder.join("secret")).unwrap(), "of the host");
    assert!(std::fs::metadata(vfs.join("data/larger")).unwrap().len() <= 10_000);
    block_on(async {
        let nowhere = Casemate::embedded().unwrap();
        let refused = nowhere.load(&module, with_files(|_| ())).await.unwrap_err();
        assert!(refused.to_string().contains("needs a state directory"), "{refused}");
    });
}

/// The value that belongs to a number: its eight bytes, again and again.
fn value(number: u64) -> Vec<u8> {
    number.to_le_bytes().repeat(usize::try_from(1 + number % 2000).unwrap())
}

/// Writes number after number, each under one of a few keys, and every seventh into the configuration; says each that is done.
fn writer(argument: &str) {
    let (folder, first) = argument.split_once(' ').unwrap();
    block_on(async {
        let casemate = keeping(Path::new(folder));
        let plugin = casemate.load(guests::rust("probe"), granted(|_| ())).await.unwrap();
        for number in first.parse::<u64>().unwrap().. {
            set(&plugin, &format!("k{}", number % KEYS), &value(number)).await.unwrap();
            if number % 7 == 0 {
                plugin.set_config(json!({ "n": number }).to_string().into_bytes()).await.unwrap();
            }
            host::say(&number.to_string());
        }
    });
}

#[test]
fn two_hundred_kills_tear_nothing() {
    let folder = Scratch::new();
    let (mut done, mut configured, mut found) = (0, 0, 0);
    for kill in 0..KILLS {
        let mut writer = Host::start("writer", &format!("{} {}", folder.display(), done + 1));
        // Where in a write it is killed is left to chance; how many it has done before is not always the same.
        for _ in 0..=kill % 5 {
            done = writer.line().parse().unwrap();
            configured = if done % 7 == 0 { done } else { configured };
        }
        std::thread::sleep(Duration::from_micros(kill.wrapping_mul(0x9e37_79b9) % 4000));
        writer.kill();
        // What it did and did not get to say counts as well, and is looked at by another process: this one.
        block_on(async {
            let casemate = keeping(&folder);
            let plugin = casemate.load(guests::rust("probe"), granted(|_| ())).await.unwrap();
            let mut most = 0;
            let keys = ask(&plugin, "kv.list", json!({})).await.unwrap()["keys"].as_array().unwrap().clone();
            for key in &keys {
                let kept = get(&plugin, key.as_str().unwrap()).await.unwrap();
                let number = u64::from_le_bytes(kept[..8].try_into().unwrap());
                assert!(kept == value(number) && *key == format!("k{}", number % KEYS), "{key} is torn");
                most = most.max(number);
                found += 1;
            }
            assert!(most >= done && most <= done + 500, "{done} were done and {most} is the last one there");
            let config: Value = serde_json::from_slice(&plugin.config().await.unwrap()).unwrap();
            let there = config["n"].as_u64().unwrap_or(0);
            assert!(there >= configured && there <= most, "{there} is configured, and {configured} was");
            (done, configured) = (most, there);
            casemate.shutdown().await;
        });
    }
    println!("{KILLS} kills, {done} writes, {found} values looked at");
}
