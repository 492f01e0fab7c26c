//! Events: who may publish and receive them, and that they reach a plugin in order, whatever becomes of its processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate::{
    Casemate, Cause, Configuration, Event, EventStatus, Events, Failure, HostError, Isolation, Plugin,
    PolicySpec, State,
};
use casemate_tests::scratch::Scratch;
use casemate_tests::{block_on, daemon, guests, policy, processes};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// For what takes milliseconds, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(60);

/// A supervisor whose plugins say what they have been told, and wait at a gate.
struct Stage {
    casemate: Casemate,
    taken: Arc<Mutex<Vec<String>>>,
    /// As many as may pass.
    gate: Arc<Semaphore>,
}

impl Stage {
    fn new() -> Self {
        let (taken, gate) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Semaphore::new(0)));
        let casemate = Casemate::embedded().unwrap();
        let told = Arc::clone(&taken);
        casemate.on("taken", move |(topic, _): (String, Value)| {
            told.lock().unwrap().push(topic);
            async { Ok::<_, HostError>(json!(null)) }
        });
        let waits = Arc::clone(&gate);
        casemate.on("gate", move |_: Value| {
            let waits = Arc::clone(&waits);
            async move {
                waits.acquire().await.unwrap().forget();
                Ok::<_, HostError>(json!(null))
            }
        });
        Self { casemate, taken, gate }
    }

    /// A plugin that is told of everything.
    async fn listener(&self, change: impl FnOnce(&mut PolicySpec)) -> Plugin {
        let policy = policy(|spec| {
            spec.host = vec!["*".into()];
            spec.subscribe = vec!["**".into()];
            spec.restart.within = Duration::from_secs(3600);
            change(spec);
        });
        let plugin = self.casemate.load(guests::rust("herald"), policy).await.unwrap();
        plugin.subscribe_to(&["**"]).unwrap();
        plugin
    }

    async fn publish(&self, topic: &str) {
        self.casemate.publish(topic, &json!(null)).await.unwrap();
    }

    async fn publish_numbers(&self, numbers: std::ops::Range<usize>) {
        for number in numbers {
            self.publish(&format!("n.{number}")).await;
        }
    }

    fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }

    /// Waits until that many have been told.
    async fn told(&self, count: usize) -> Vec<String> {
        until("events are told", || self.taken.lock().unwrap().len() >= count).await;
        self.taken()
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn counted(plugin: &Plugin, expected: EventStatus) {
    let what = format!("{expected:?}");
    until(&what, || plugin.status().events == expected).await;
}

fn numbers(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("n.{number}")).collect()
}

/// Those that have come.
async fn topics(subscription: &mut Events, count: usize) -> Vec<String> {
    let mut topics = Vec::new();
    for _ in 0..count {
        topics.push(subscription.next().await.unwrap().topic);
    }
    topics
}

fn guest_code(failure: &Failure) -> (&str, &str) {
    match &failure.cause {
        Cause::GuestError { code, message, .. } => (code, message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_plugin_publishes_what_it_is_granted_and_nothing_else() {
    block_on(async {
        let stage = Stage::new();
        let mut all = stage.casemate.subscribe("**").await.unwrap();
        let granted = policy(|spec| spec.publish = vec!["news.**".into()]);
        let plugin = stage.casemate.load(guests::rust("herald"), granted).await.unwrap();
        let publish = |topic: &str| json!({"topic": topic, "body": {"of": topic}});
        for topic in ["other", "newsletter.a", "news2", ""] {
            let failure = plugin.call::<_, Value>("publish", &publish(topic)).await.unwrap_err();
            let (code, message) = guest_code(&failure);
            assert_eq!(code, "denied", "{failure}");
            assert!(message.contains("add it to permissions.publish"), "{message}");
            assert_eq!(failure.trail.host_calls[0].code, "denied");
        }
        for topic in ["news.", "news..a", "news.*", "news.**", &format!("news.{}", "x".repeat(256))] {
            let failure = plugin.call::<_, Value>("publish", &publish(topic)).await.unwrap_err();
            assert_eq!(guest_code(&failure).0, "bad_topic", "{failure}");
        }
        for bytes in [&b""[..], b"\x06", b"\x06\0news.a", b"\x06\0news.a\x02", b"\x02\0\xff\xff\0"] {
            let failure = plugin.call_raw("publish_as_is", bytes).await.unwrap_err();
            assert_eq!(guest_code(&failure).0, "bad_input", "{bytes:?}: {failure}");
        }
        let large = |bytes: usize| json!({"topic": "news.large", "bytes": bytes, "times": 1});
        let (sent, error): (u64, Option<Value>) = plugin.call("publish_bytes", &large(65_537)).await.unwrap();
        assert_eq!((sent, error.unwrap()["code"].clone()), (0, json!("too_large")));

        plugin.call::<_, ()>("publish", &publish("news")).await.unwrap();
        plugin.call::<_, ()>("publish", &publish("news.a.b")).await.unwrap();
        let sent: (u64, Option<Value>) = plugin.call("publish_bytes", &large(65_536)).await.unwrap();
        assert_eq!(sent, (1, None));
        let Event { topic, content_type, body, plugin: by } = all.next().await.unwrap();
        assert_eq!((topic.as_str(), content_type, &*body), ("news", 1, &br#"{"of":"news"}"#[..]));
        assert_eq!(by.unwrap().as_str(), plugin.name());
        assert_eq!(all.next().await.unwrap().topic, "news.a.b");
        let large = all.next().await.unwrap();
        assert_eq!((large.content_type, &*large.body), (0, &[0xff; 65_536][..]));
        assert_eq!(stage.casemate.stats().await.unwrap().events, 3);
    });
}

#[test]
fn events_count_as_host_calls() {
    block_on(async {
        let stage = Stage::new();
        let granted = policy(|spec| {
            spec.publish = vec!["a".into()];
            let window = Duration::from_secs(3600);
            spec.limits.host_calls = Some(casemate::policy::Rate { count: 3, window });
        });
        let plugin = stage.casemate.load(guests::rust("herald"), granted).await.unwrap();
        let five = json!({"topic": "a", "bytes": 1, "times": 5});
        let (sent, error): (u64, Option<Value>) = plugin.call("publish_bytes", &five).await.unwrap();
        assert_eq!((sent, error.unwrap()["code"].clone()), (3, json!("limit.host_calls")));
        assert_eq!(stage.casemate.stats().await.unwrap().events, 3);
    });
}

#[test]
fn a_plugin_receives_what_it_is_granted_or_is_refused() {
    block_on(async {
        let stage = Stage::new();
        let granted = || policy(|spec| spec.subscribe = vec!["content.**".into(), "*.saved".into()]);
        let plugin = stage.casemate.load(guests::rust("herald"), granted()).await.unwrap();
        for pattern in ["**", "*", "other.*", "content2.a", "*.saved.**"] {
            let failure = plugin.subscribe_to(&["content.a", pattern]).unwrap_err();
            assert_eq!(failure.code(), "policy.invalid");
            let expected = format!("events of {pattern:?} are not granted: permissions.subscribe is [");
            assert!(failure.to_string().contains(&expected), "{failure}");
        }
        stage.publish("content.a").await;
        // Overlapping patterns are told once.
        plugin.subscribe_to(&["content.*", "content.**", "*.saved"]).unwrap();
        for topic in ["content", "content.saved", "mail.saved", "mail.read"] {
            stage.publish(topic).await;
        }
        counted(&plugin, EventStatus { delivered: 3, ..EventStatus::default() }).await;
        let taken: Vec<Value> = plugin.call("taken", &()).await.unwrap();
        let topics: Vec<&Value> = taken.iter().map(|taken| &taken["topic"]).collect();
        assert_eq!(topics, ["content", "content.saved", "mail.saved"]);
        plugin.subscribe_to(&[]).unwrap();
        stage.publish("content.b").await;
        assert_eq!(plugin.status().events.waiting, 0);

        let deaf = stage.casemate.load(guests::rust("probe"), granted()).await.unwrap();
        let failure = deaf.subscribe_to(&["content.a"]).unwrap_err();
        assert!(failure.to_string().contains("exports no casemate_event"), "{failure}");
    });
}

const MANIFEST: &str = "id = \"herald\"\nname = \"Herald\"\nversion = \"1.0.0\"\nsubscriptions = [\"content.*\"]\n\
                        permissions = { subscribe = [\"content.*\", \"mail.*\"], host = [\"taken\"] }\n";

#[test]
fn the_subscriptions_of_a_manifest_are_in_force_when_it_is_loaded() {
    block_on(async {
        let folder = Scratch::new();
        std::fs::copy(guests::rust("herald"), folder.join("herald.wasm")).unwrap();
        std::fs::write(folder.join("plugin.toml"), MANIFEST).unwrap();
        let file = folder.join("casemate.toml");
        let load = async |granted: &str| {
            let table = "[plugins.herald]\npath = \"herald.wasm\"\npermissions.subscribe = ";
            std::fs::write(&file, format!("{table}{granted}\n")).unwrap();
            let configuration = Configuration::read(&file).unwrap();
            let casemate = Casemate::builder().configuration(configuration).build().unwrap();
            let loaded = casemate.load_named("herald").await;
            loaded.map(|plugin| (casemate, plugin)).map_err(|error| error.to_string())
        };
        for (granted, comes_to) in [("[]", "[]"), ("[\"mail.*\"]", "[\"mail.*\"]")] {
            let error = load(granted).await.unwrap_err();
            let expected = format!(
                "plugin.toml:4:17: subscriptions has \"content.*\", which permissions.subscribe does not grant: it comes to {comes_to}; "
            );
            assert!(error.contains(&expected), "{error}");
        }
        let (casemate, plugin) = load("[\"**\"]").await.unwrap();
        casemate.publish("mail.read", &1).await.unwrap();
        casemate.publish("content.saved", &1).await.unwrap();
        counted(&plugin, EventStatus { delivered: 1, ..EventStatus::default() }).await;

        // A file that takes the grant back is refused by the plugin, which stays as it was.
        std::fs::write(&file, "[plugins.herald]\npath = \"herald.wasm\"\n").unwrap();
        let reloaded = casemate.reload().await.unwrap();
        let taken = format!("{:?}", reloaded.plugins);
        assert!(taken.contains("NotGranted"), "{taken}");

        let unnamed = Casemate::embedded().unwrap();
        let refused = unnamed.load(folder.join("herald.wasm"), policy(|_| ())).await.unwrap_err();
        assert!(refused.to_string().contains("subscriptions has \"content.*\""), "{refused}");
        let granted = policy(|spec| spec.subscribe = vec!["content.*".into()]);
        let plugin = unnamed.load(folder.join("herald.wasm"), granted).await.unwrap();
        unnamed.publish("content.saved", &1).await.unwrap();
        counted(&plugin, EventStatus { delivered: 1, ..EventStatus::default() }).await;
    });
}

#[test]
fn a_handler_that_fails_traps_or_never_ends_stops_no_later_event() {
    block_on(async {
        let stage = Stage::new();
        let plugin = stage
            .listener(|spec| {
                spec.limits.call_timeout = Duration::from_secs(2);
                spec.limits.input_bytes = 4096;
            })
            .await;
        let topics = ["a", "a.fail", "b", "b.panic", "c", "c.spin", "d"];
        for topic in topics {
            stage.publish(topic).await;
        }
        // Longer than limits.input: it is not told at all.
        stage.casemate.publish_raw("large", 0, vec![0; 4097]).await.unwrap();
        stage.publish("e").await;
        counted(&plugin, EventStatus { delivered: 5, failed: 4, ..EventStatus::default() }).await;
        assert_eq!(stage.taken(), [&topics[..], &["e"]].concat());
        let status = plugin.status();
        assert_eq!((status.state, status.crashes), (State::Running, 0), "{status:?}");
        assert_eq!(stage.casemate.stats().await.unwrap().events_dropped, 0);
    });
}

#[test]
fn a_plugin_hears_another_one_and_itself() {
    block_on(async {
        let stage = Stage::new();
        // One instance each, which can be asked what it has taken.
        let talks = |spec: &mut PolicySpec| {
            spec.publish = vec!["**".into()];
            spec.instances.max = 1;
        };
        let (talker, listener) = (stage.listener(talks).await, stage.listener(talks).await);
        talker.call::<_, ()>("publish", &json!({"topic": "a.b", "body": 7})).await.unwrap();
        for plugin in [&talker, &listener] {
            counted(plugin, EventStatus { delivered: 1, ..EventStatus::default() }).await;
            let taken: Value = plugin.call("taken", &()).await.unwrap();
            assert_eq!(taken, json!([{"topic": "a.b", "body": 7, "bytes": 1}]));
        }
    });
}

#[test]
fn events_wait_while_a_plugin_is_started_again_and_come_in_order() {
    block_on(async {
        let stage = Stage::new();
        let plugin = stage
            .listener(|spec| {
                // It stays in its pause until it is told to go on.
                spec.restart.first = Duration::from_secs(3600);
                spec.restart.max = Duration::from_secs(3600);
            })
            .await;
        stage.publish("held.gate").await;
        stage.told(1).await;
        stage.publish_numbers(0..5).await;
        let [_, zygotes, _] = processes::by_kind(&stage.casemate.marker());
        zygotes[0].signal(Signal::KILL);
        until("it pauses", || plugin.status().state == State::Backoff).await;
        stage.publish_numbers(5..10).await;
        // The one that was being told when it died is not told again.
        counted(&plugin, EventStatus { waiting: 10, failed: 1, ..EventStatus::default() }).await;
        assert_eq!(stage.taken(), ["held.gate"]);
        plugin.reset().await.unwrap();
        stage.publish_numbers(10..12).await;
        counted(&plugin, EventStatus { delivered: 12, failed: 1, ..EventStatus::default() }).await;
        assert_eq!(stage.taken()[1..], numbers(0..12));
    });
}

#[test]
fn events_wait_while_a_plugin_is_reloaded_and_come_in_order() {
    block_on(async {
        let stage = Stage::new();
        let plugin = stage.listener(|_| ()).await;
        stage.publish("held.gate").await;
        stage.told(1).await;
        stage.publish_numbers(0..5).await;
        let reloading = {
            let plugin = plugin.clone();
            tokio::spawn(async move { plugin.reload(guests::rust("herald")).await })
        };
        stage.publish_numbers(5..10).await;
        reloading.await.unwrap().unwrap();
        assert_eq!(plugin.status().generation, Some(2));
        // The old version still has the one that it was told; the new one gets the rest after it.
        counted(&plugin, EventStatus { waiting: 10, ..EventStatus::default() }).await;
        stage.gate.add_permits(1);
        counted(&plugin, EventStatus { delivered: 11, ..EventStatus::default() }).await;
        assert_eq!(stage.taken()[1..], numbers(0..10));
    });
}

#[test]
fn a_thousand_wait_and_the_oldest_go() {
    block_on(async {
        let stage = Stage::new();
        let plugin = stage.listener(|_| ()).await;
        let mut slow = stage.casemate.subscribe("n.*").await.unwrap();
        stage.publish("held.gate").await;
        stage.told(1).await;
        stage.publish_numbers(0..1007).await;
        assert_eq!(
            plugin.status().events,
            EventStatus { waiting: 1000, dropped: 7, ..EventStatus::default() }
        );
        assert_eq!((stage.casemate.stats().await.unwrap().events_dropped, slow.dropped()), (14, 0));
        stage.gate.add_permits(1);
        counted(&plugin, EventStatus { delivered: 1001, dropped: 7, ..EventStatus::default() }).await;
        assert_eq!(stage.taken()[1..], numbers(7..1007));
        assert_eq!(topics(&mut slow, 1000).await, numbers(7..1007));
        assert_eq!(slow.dropped(), 7);
    });
}

#[test]
fn what_waits_when_a_plugin_is_disabled_is_dropped_and_counted() {
    block_on(async {
        let stage = Stage::new();
        let plugin = stage.listener(|_| ()).await;
        stage.publish("held.gate").await;
        stage.told(1).await;
        stage.publish_numbers(0..3).await;
        let disabling = {
            let plugin = plugin.clone();
            tokio::spawn(async move { plugin.disable().await.unwrap() })
        };
        until("it finishes", || plugin.status().state == State::Draining).await;
        stage.gate.add_permits(1);
        disabling.await.unwrap();
        counted(&plugin, EventStatus { delivered: 1, dropped: 3, ..EventStatus::default() }).await;
        stage.publish_numbers(3..5).await;
        counted(&plugin, EventStatus { delivered: 1, dropped: 5, ..EventStatus::default() }).await;
        plugin.enable().await.unwrap();
        stage.publish_numbers(5..6).await;
        assert_eq!(stage.told(2).await, ["held.gate", "n.5"]);
        plugin.drain().await.unwrap();
        stage.publish_numbers(6..7).await;
        counted(&plugin, EventStatus { delivered: 2, dropped: 6, ..EventStatus::default() }).await;
        plugin.close().await.unwrap();
        stage.publish_numbers(7..8).await;
        assert_eq!(plugin.status().events.dropped, 6, "nobody has subscribed any more");
        assert_eq!(stage.casemate.stats().await.unwrap().events_dropped, 6);
    });
}

#[test]
fn each_event_goes_to_one_of_several_instances() {
    block_on(async {
        let stage = Stage::new();
        let plugin = stage.listener(|spec| spec.instances.max = 3).await;
        // One instance is busy with a call, so that there is another one.
        let busy = {
            let plugin = plugin.clone();
            tokio::spawn(async move { plugin.call::<_, Value>("ask_gate", &()).await })
        };
        until("a call runs", || plugin.status().busy == 1).await;
        stage.publish_numbers(0..50).await;
        counted(&plugin, EventStatus { delivered: 50, ..EventStatus::default() }).await;
        assert_eq!(stage.taken(), numbers(0..50));
        stage.gate.add_permits(1);
        busy.await.unwrap().unwrap();
    });
}

#[test]
fn no_instance_that_serves_a_client_is_told_events_where_the_policy_says_so() {
    block_on(async {
        for isolation in [Isolation::Client, Isolation::Call] {
            let stage = Stage::new();
            let plugin = stage
                .listener(|spec| {
                    spec.isolation = isolation;
                    spec.instances.max = 2;
                })
                .await;
            for number in 0..3 {
                stage.publish_numbers(number..number + 1).await;
                stage.told(number + 1).await;
                let taken: Value = plugin.call("taken", &()).await.unwrap();
                assert_eq!(taken, json!([]), "{isolation:?}");
            }
            counted(&plugin, EventStatus { delivered: 3, ..EventStatus::default() }).await;
        }
    });
}

#[test]
fn a_new_version_without_an_ear_fails_each_event() {
    block_on(async {
        let stage = Stage::new();
        let plugin = stage.listener(|_| ()).await;
        plugin.reload(guests::wat("minimal")).await.unwrap();
        stage.publish_numbers(0..2).await;
        counted(&plugin, EventStatus { failed: 2, ..EventStatus::default() }).await;
        plugin.reload(guests::rust("herald")).await.unwrap();
        stage.publish_numbers(2..3).await;
        assert_eq!(stage.told(1).await, ["n.2"]);
        assert_eq!(plugin.status().crashes, 0);
    });
}

/// A queue of calls that is full, or none at all, keeps no event away.
#[test]
fn events_need_no_place_among_the_calls_that_wait() {
    block_on(async {
        let stage = Stage::new();
        let plugin = stage
            .listener(|spec| {
                spec.limits.queue = 0;
                spec.instances.max = 1;
            })
            .await;
        stage.publish("held.gate").await;
        stage.told(1).await;
        stage.publish_numbers(0..3).await;
        let refused = plugin.call::<_, Value>("taken", &()).await.unwrap_err();
        assert_eq!(refused.code(), "overloaded.queue", "{refused}");
        stage.gate.add_permits(1);
        counted(&plugin, EventStatus { delivered: 4, ..EventStatus::default() }).await;
        assert_eq!(plugin.status().dropped, 1);
    });
}

#[test]
fn a_plugin_that_nobody_holds_ends_in_the_middle_of_an_event() {
    block_on(async {
        let stage = Stage::new();
        let plugin = stage.listener(|_| ()).await;
        stage.publish("held.gate").await;
        stage.told(1).await;
        drop(plugin);
        let marker = stage.casemate.marker();
        until("its processes end", || processes::with_marker(&marker).is_empty()).await;
    });
}

/// The same events, over a socket: to other clients, to plugins and from them.
#[test]
fn clients_of_a_daemon_publish_and_subscribe_too() {
    block_on(async {
        let folder = Scratch::new();
        std::fs::copy(guests::rust("herald"), folder.join("herald.wasm")).unwrap();
        std::fs::write(folder.join("plugin.toml"), MANIFEST).unwrap();
        // One instance, which can be asked what it has taken.
        let configuration = format!("{}[defaults.instances]\nmax = 1\n", daemon::GENEROUS);
        let one = daemon::within(&configuration).await;
        let mut seen = one.subscribe("content.**").await.unwrap();
        for (pattern, topic) in [("a*", "a.b"), ("a", "a.*")] {
            assert_eq!(one.subscribe(pattern).await.is_err(), pattern != "a");
            assert_eq!(one.publish(topic, &1).await.is_err(), topic != "a.b");
        }
        let granted = policy(|spec| {
            spec.subscribe = vec!["content.*".into()];
            spec.publish = vec!["content.**".into()];
        });
        // Its manifest's subscriptions go with it.
        let plugin = one.load(folder.join("herald.wasm"), granted).await.unwrap();
        one.publish("content.saved", &json!({"n": 1})).await.unwrap();
        one.publish_raw("content.raw", 0, vec![0; 65_536]).await.unwrap();
        assert!(one.publish_raw("content.raw", 0, vec![0; 65_537]).await.is_err());
        plugin.call::<_, ()>("publish", &json!({"topic": "content.a.b", "body": 2})).await.unwrap();

        let end = Instant::now() + PATIENCE;
        let expected = EventStatus { delivered: 2, ..EventStatus::default() };
        loop {
            let events = plugin.info().await.unwrap().status.events;
            if events == expected {
                break;
            }
            assert!(Instant::now() < end, "{events:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let taken: Vec<Value> = plugin.call("taken", &()).await.unwrap();
        assert_eq!(taken[0], json!({"topic": "content.saved", "body": {"n": 1}, "bytes": 7}));
        assert_eq!(taken[1], json!({"topic": "content.raw", "body": null, "bytes": 65_536}));
        let events = [seen.next().await.unwrap(), seen.next().await.unwrap(), seen.next().await.unwrap()];
        let by = |event: &Event| event.plugin.as_ref().map(ToString::to_string);
        assert_eq!(events.each_ref().map(by), [None, None, Some("herald".to_owned())]);
        assert_eq!((&*events[0].body, events[0].content_type), (&br#"{"n":1}"#[..], 1));
        assert_eq!((events[1].body.len(), events[1].content_type), (65_536, 0));
        assert_eq!((events[2].topic.as_str(), seen.dropped()), ("content.a.b", 0));

        plugin.close().await.unwrap();
        let ungranted = one.load(folder.join("herald.wasm"), policy(|_| ())).await.unwrap_err();
        assert!(ungranted.to_string().contains("subscriptions has \"content.*\""), "{ungranted}");
    });
}
