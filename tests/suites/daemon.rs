//! The daemon: one process that others use over its socket, each with its own rights, none at another's cost.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

#[path = "daemon/hostile.rs"]
mod hostile;
#[path = "daemon/raw.rs"]
mod raw;
#[path = "daemon/service.rs"]
mod service;

use casemate::{Casemate, Cause, HostError, Policy, Retry, State};
use casemate_tests::daemon::{GENEROUS, Served};
use casemate_tests::gate::Gate;
use casemate_tests::{block_on, guests, host, policy, processes};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A configuration with the two example plugins, and all that is granted to whoever asks.
fn examples() -> String {
    let statistics = guests::rust("statistics");
    format!("version = 1\n{GENEROUS}\n[plugins.statistics]\npath = {:?}\n", statistics.display().to_string())
}

/// The mark of a daemon's processes: in the arguments of its stubs.
fn marker(served: &Served) -> String {
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", served.pid())).unwrap();
    let arguments = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let tasks = std::fs::read_dir(format!("/proc/{}/task", served.pid())).unwrap().flatten();
    let all: String = tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .chain([children])
        .collect();
    let stub =
        all.split_whitespace().map(arguments).find(|arguments| arguments.contains("\0stub\0")).unwrap();
    stub.split('\0').nth(2).unwrap().to_owned()
}

#[test]
fn scenario() {
    host::run(&[("lies", hostile::lies)]);
}

#[test]
fn plugins_of_the_configuration_run_and_are_called() {
    let served = Served::start(&examples());
    block_on(async {
        let casemate = served.connect().await;
        let plugin = casemate.plugin("statistics").await.unwrap();
        let stats: Value = plugin.call("stats", &json!({"numbers": [1, 2, 3]})).await.unwrap();
        assert_eq!(stats["average"], 2.0);
        assert_eq!(plugin.info().await.unwrap().status.state, State::Running);
        assert!(plugin.certificate().holding().iter().count() > 10);
        let listed = casemate.plugins().await.unwrap();
        assert_eq!(listed.len(), 1);
        let failure = casemate.plugin("statistic").await.unwrap_err();
        assert_eq!((failure.code().as_str(), failure.retry), ("plugin.unknown", Retry::NotStarted));
    });
}

#[test]
fn a_plugin_is_loaded_ordered_about_and_forgotten() {
    let served = Served::start(&examples());
    block_on(async {
        let casemate = served.connect().await;
        let plugin = casemate.load(guests::rust("probe"), Policy::default()).await.unwrap();
        let again = casemate.load(guests::rust("probe"), Policy::default()).await.unwrap_err();
        assert!(again.to_string().contains("loaded already"), "{again}");
        plugin.disable().await.unwrap();
        assert_eq!(plugin.call_raw("counter", b"").await.unwrap_err().code(), "plugin.disabled");
        plugin.enable().await.unwrap();
        plugin.call::<_, u64>("counter", &()).await.unwrap();
        plugin.drain().await.unwrap();
        assert_eq!(plugin.info().await.unwrap().status.state, State::Stopped);
        plugin.reset().await.unwrap_err();
        plugin.enable().await.unwrap();
        plugin.reload(guests::rust("probe")).await.unwrap();
        plugin.set_config(br#"{"threshold": 1}"#.to_vec()).await.unwrap();
        assert_eq!(plugin.config().await.unwrap(), br#"{"threshold": 1}"#);
        assert_eq!(plugin.call::<_, Value>("config", &()).await.unwrap(), json!({"threshold": 1}));
        plugin.close().await.unwrap();
        assert_eq!(plugin.call_raw("counter", b"").await.unwrap_err().code(), "plugin.unknown");
        assert!(casemate.stats().await.unwrap().calls >= 3);
    });
}

#[test]
fn bodies_longer_than_a_window_pass_whole_both_ways() {
    let served = Served::start(&examples());
    block_on(async {
        let casemate = served.connect().await;
        let policy = policy(|spec| {
            spec.limits.input_bytes = 8 << 20;
            spec.limits.output_bytes = 8 << 20;
        });
        let plugin = casemate.load(guests::wat("minimal"), policy).await.unwrap();
        for bytes in [0, 1, 65_535, 65_536, 65_537, 262_144, 262_145, 3 << 20] {
            let body: Vec<u8> = (0..bytes).map(|at| u8::try_from(at % 251).unwrap()).collect();
            assert_eq!(plugin.call_raw("m", &body).await.unwrap(), body, "{bytes} bytes");
        }
        let failure = plugin.call_raw("m", &vec![0; (8 << 20) + 1]).await.unwrap_err();
        assert_eq!((failure.code().as_str(), failure.retry), ("limit.input", Retry::NotStarted));
    });
}

#[test]
fn a_client_answers_the_host_calls_of_its_own_calls() {
    let served = Served::start(&examples());
    block_on(async {
        let (one, other) = (served.connect().await, served.connect().await);
        for (casemate, name) in [(&one, "one"), (&other, "other")] {
            casemate.on("who", move |_: Value| async move { Ok(json!(name)) });
        }
        let asking = policy(|spec| spec.host = vec!["*".into()]);
        let plugin = one.load(guests::rust("probe"), asking).await.unwrap();
        let same = other.plugin("probe").await.unwrap();
        for _ in 0..3 {
            let answer: Value = plugin.call("host", &json!({"method": "who"})).await.unwrap();
            assert_eq!(answer, json!("one"));
            let answer: Value = same.call("host", &json!({"method": "who"})).await.unwrap();
            assert_eq!(answer, json!("other"));
        }
        // What it does not serve itself goes to one that may serve everybody, as long as that does.
        other.on("spare", |_: Value| async { Ok(json!("spare")) });
        other.plugins().await.unwrap();
        let answer: Value = plugin.call("host", &json!({"method": "spare"})).await.unwrap();
        assert_eq!(answer, json!("spare"));
        assert!(other.off("spare"));
        other.plugins().await.unwrap();
        let failure = plugin.call::<_, Value>("host", &json!({"method": "spare"})).await.unwrap_err();
        assert!(failure.to_string().contains("no client serves"), "{failure}");
        // Refusals and large answers come back as they are.
        one.on("no", |_: Value| async { Err::<Value, _>(HostError::new("mine", "not today")) });
        let failure = plugin.call::<_, Value>("host", &json!({"method": "no"})).await.unwrap_err();
        assert!(failure.to_string().contains("not today"), "{failure}");
        one.on("large", |_: Value| async { Ok(json!("x".repeat(700_000))) });
        let answer: Value = plugin.call("host", &json!({"method": "large"})).await.unwrap();
        assert_eq!(answer.as_str().unwrap().len(), 700_000);
    });
}

#[test]
fn a_call_that_is_dropped_is_killed_in_the_daemon() {
    let served = Served::start(&examples());
    block_on(async {
        let casemate = served.connect().await;
        let plugin = casemate
            .load(guests::wat("loop"), policy(|spec| spec.limits.call_timeout = Duration::from_secs(600)));
        let plugin = plugin.await.unwrap();
        let marker = marker(&served);
        let before = processes::by_kind(&marker)[2].len();
        let ended = tokio::time::timeout(Duration::from_millis(300), plugin.call_raw("m", b"")).await;
        assert!(ended.is_err(), "the loop ended by itself: {ended:?}");
        // Its worker goes: nobody's CPU time is used for it any more.
        let end = Instant::now() + Duration::from_secs(30);
        while processes::by_kind(&marker)[2].len() > before {
            assert!(Instant::now() < end, "the worker still runs");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}

#[test]
fn a_host_call_does_not_outlive_its_call() {
    struct Told(tokio::sync::mpsc::Sender<()>);
    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.try_send(());
        }
    }
    let served = Served::start(&examples());
    block_on(async {
        let casemate = served.connect().await;
        let (entered, mut inside) = tokio::sync::mpsc::channel(1);
        let (gone, mut is_gone) = tokio::sync::mpsc::channel(1);
        casemate.on_raw("wait", move |_| {
            let (entered, told) = (entered.clone(), Told(gone.clone()));
            async move {
                let _told = told;
                entered.send(()).await.unwrap();
                std::future::pending().await
            }
        });
        let asking = policy(|spec| spec.host = vec!["*".into()]);
        let plugin = casemate.load(guests::rust("probe"), asking).await.unwrap();
        let running = {
            let plugin = plugin.clone();
            tokio::spawn(async move { plugin.call::<_, Value>("host", &json!({"method": "wait"})).await })
        };
        inside.recv().await.unwrap();
        running.abort();
        let told = tokio::time::timeout(Duration::from_secs(20), is_gone.recv()).await;
        assert_eq!(told, Ok(Some(())), "its handler still works for nobody");
    });
}

#[test]
fn a_callers_deadline_travels_and_shrinks() {
    let served = Served::start(&examples());
    block_on(async {
        let casemate = served.connect().await;
        let plugin = casemate.load(guests::wat("loop"), Policy::default()).await.unwrap();
        let failure = plugin.within(Duration::from_millis(200)).call_raw("m", b"").await.unwrap_err();
        let Cause::Deadline { deadline_ms: 200, observed_ms } = failure.cause else { panic!("{failure}") };
        assert!(observed_ms >= 200, "{observed_ms}");
        let asking = policy(|spec| spec.host = vec!["*".into()]);
        let (tell, mut told) = tokio::sync::mpsc::channel(1);
        casemate.on_raw("left", move |request| {
            let tell = tell.clone();
            async move {
                tell.send(request.remaining).await.unwrap();
                Ok(casemate::HostReply { content_type: 1, body: b"1".to_vec() })
            }
        });
        let probe = casemate.load(guests::rust("probe"), asking).await.unwrap();
        let within = Duration::from_secs(20);
        probe.within(within).call::<_, Value>("host", &json!({"method": "left"})).await.unwrap();
        let left = told.recv().await.unwrap();
        assert!(left <= within && left > Duration::ZERO, "{left:?}");
    });
}

#[test]
fn what_was_open_when_the_daemon_died_may_have_run_and_the_next_call_connects_anew() {
    let mut served = Served::start(&examples());
    let socket = served.socket();
    block_on(async {
        let casemate = served.connect().await;
        let mut gate = Gate::closed(&casemate, "wait");
        let asking = policy(|spec| spec.host = vec!["*".into()]);
        let plugin = casemate.load(guests::rust("probe"), asking.clone()).await.unwrap();
        let marker = marker(&served);
        let running = {
            let plugin = plugin.clone();
            tokio::spawn(async move { plugin.call::<_, Value>("host", &json!({"method": "wait"})).await })
        };
        gate.entered().await;
        served.signal(rustix::process::Signal::KILL);
        let failure = running.await.unwrap().unwrap_err();
        assert_eq!(
            (failure.code().as_str(), failure.retry),
            ("connection.lost", Retry::MaybeRan),
            "{failure}"
        );
        served.wait();
        processes::await_none(&marker, Duration::from_secs(30));
        let failure = plugin.call_raw("counter", b"").await.unwrap_err();
        assert_eq!(
            (failure.code().as_str(), failure.retry),
            ("connection.lost", Retry::NotStarted),
            "{failure}"
        );
        assert!(failure.to_string().contains("casemate serve"), "it says what to do: {failure}");
        // Another one in its place: the dead socket is replaced, host methods are served again.
        let configuration = std::fs::read_to_string(served.configuration()).unwrap();
        let again = Served::start_at(&configuration, &socket);
        casemate.on("back", |_: Value| async { Ok(json!("back")) });
        let plugin = casemate.load(guests::rust("probe"), asking).await.unwrap();
        let answer: Value = plugin.call("host", &json!({"method": "back"})).await.unwrap();
        assert_eq!(answer, json!("back"));
        drop(again);
    });
}

#[test]
fn rights_are_those_of_the_user_in_the_configuration() {
    let uid = rustix::process::geteuid().as_raw();
    let clients = format!(
        "[daemon]\nclients = [{{ uid = {uid}, plugins = [\"statistics\"], rights = [\"call\"], in_flight = 2 }}]\n"
    );
    let served = Served::start(&examples().replacen("version = 1\n", &format!("version = 1\n{clients}"), 1));
    block_on(async {
        let casemate = served.connect().await;
        let plugin = casemate.plugin("statistics").await.unwrap();
        plugin.call::<_, Value>("stats", &json!({"numbers": [1]})).await.unwrap();
        let failure = plugin.disable().await.unwrap_err();
        assert_eq!((failure.code().as_str(), failure.retry), ("denied.client", Retry::NotStarted));
        assert!(failure.to_string().contains("\"admin\" to rights"), "it says what to do: {failure}");
        let failure = casemate.load(guests::rust("probe"), Policy::default()).await.unwrap_err();
        assert_eq!(failure.code(), "denied.client");
        // Whether there is such a plugin is not told either.
        for name in ["probe", "nothing"] {
            assert_eq!(casemate.plugin(name).await.unwrap_err().code(), "denied.client");
        }
    });
}

#[test]
fn a_right_that_is_taken_away_is_gone_for_those_who_are_connected() {
    let uid = rustix::process::geteuid().as_raw();
    let with = |rights: &str| {
        let clients =
            format!("[daemon]\nclients = [{{ uid = {uid}, plugins = [\"*\"], rights = [{rights}] }}]\n");
        examples().replacen("version = 1\n", &format!("version = 1\n{clients}"), 1)
    };
    let served = Served::start(&with("\"call\", \"admin\""));
    block_on(async {
        let casemate = served.connect().await;
        let plugin = casemate.plugin("statistics").await.unwrap();
        plugin.drain().await.unwrap();
        plugin.enable().await.unwrap();
        std::fs::write(served.configuration(), with("\"call\"")).unwrap();
        casemate.reload_policy().await.unwrap();
        assert_eq!(plugin.drain().await.unwrap_err().code(), "denied.client");
        plugin.call::<_, Value>("stats", &json!({"numbers": [1]})).await.unwrap();
    });
}

#[test]
fn one_more_than_may_be_in_flight_is_refused_and_the_rest_goes_on() {
    let uid = rustix::process::geteuid().as_raw();
    let clients = format!(
        "[daemon]\nclients = [{{ uid = {uid}, plugins = [\"*\"], rights = [\"call\", \"admin\"], in_flight = 2 }}]\n"
    );
    let served = Served::start(&examples().replacen("version = 1\n", &format!("version = 1\n{clients}"), 1));
    block_on(async {
        let casemate = served.connect().await;
        let mut gate = Gate::closed(&casemate, "gate");
        let plugin =
            casemate.load(guests::rust("probe"), policy(|spec| spec.host = vec!["*".into()])).await.unwrap();
        let call = || {
            let plugin = plugin.clone();
            tokio::spawn(async move { plugin.call::<_, Value>("host", &json!({"method": "gate"})).await })
        };
        let running = [call(), call()];
        gate.entered().await;
        gate.entered().await;
        let refused = call().await.unwrap().unwrap_err();
        assert_eq!((refused.code().as_str(), refused.retry), ("overloaded.client", Retry::NotStarted));
        gate.open();
        for call in running {
            call.await.unwrap().unwrap();
        }
    });
}

#[test]
fn events_go_from_client_to_client_in_order() {
    let served = Served::start(&examples());
    block_on(async {
        let (one, other) = (served.connect().await, served.connect().await);
        let mut events = other.subscribe("ship.*.depth").await.unwrap();
        for number in 0..50 {
            one.publish("ship.stern.depth", &number).await.unwrap();
            one.publish("ship.stern", &"not meant").await.unwrap();
        }
        for number in 0..50 {
            let event = events.next().await.unwrap();
            assert_eq!(
                (event.topic.as_str(), &*event.body),
                ("ship.stern.depth", number.to_string().as_bytes())
            );
        }
        assert_eq!(events.dropped(), 0);
        drop(served);
        assert_eq!(events.next().await, None, "the daemon is gone");
    });
}

#[test]
fn log_lines_are_followed() {
    let served = Served::start(&examples());
    block_on(async {
        let casemate: Casemate = served.connect().await;
        let plugin = casemate.load(guests::rust("probe"), Policy::default()).await.unwrap();
        let mut lines = casemate.logs(Some("probe"), 0).await.unwrap();
        plugin
            .call::<_, Value>("log", &json!({"level": "warn", "text": "hello\u{1b}[31m", "times": null}))
            .await
            .unwrap();
        let line = lines.next().await.unwrap();
        assert_eq!((line.plugin.as_str(), line.level), ("probe", 3));
        assert!(line.message.contains("hello\\u{1b}"), "{}", line.message);
    });
}
