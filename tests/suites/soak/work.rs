//! The supervisor that is struck at, and the calls that it is given meanwhile.

use super::PATIENCE;
use super::ledger::Pen;
use casemate::policy::{CgroupLimits, MethodLimits};
use casemate::{Casemate, ClientId, HostError, Isolation, Plugin, Policy, PolicySpec, State};
use casemate_tests::{block_on, guests, host, policy, processes};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const CALLERS: usize = 4;
/// A call that does nothing wrong ends within this, unless its worker is stopped.
const DEADLINE: Duration = Duration::from_millis(500);

/// Makes calls until it is told to stop, if it lives so long. The argument is the ledger's path.
pub(crate) fn work(ledger: &str) {
    let pen = Arc::new(Pen::new(ledger));
    block_on(async {
        let casemate = Casemate::builder()
            .configure(|config| {
                // A stopped process costs this much.
                config.spawn_timeout = Duration::from_secs(5);
                config.compile_timeout = Duration::from_secs(20);
            })
            .build()
            .unwrap();
        casemate.on("double", |number: u64| async move { Ok::<_, HostError>(number * 2) });
        // What a first life takes for good is taken.
        let plugins = load_all(&casemate).await;
        for (caller, plugin) in plugins.iter().enumerate() {
            one_call(plugin, caller, 0).await.unwrap();
        }
        drop(plugins);
        casemate.shutdown().await;
        let (descriptors, memory) = (processes::open_descriptors(), own_memory());

        let plugins = load_all(&casemate).await;
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for caller in 0..CALLERS * plugins.len() {
            let plugin = plugins[caller % plugins.len()].for_client(ClientId(u64::try_from(caller).unwrap()));
            tasks.push(tokio::spawn(calls(plugin, caller, Arc::clone(&stop), Arc::clone(&pen))));
        }
        for plugin in &plugins {
            tasks.push(tokio::spawn(renew(plugin.clone(), Arc::clone(&stop))));
        }
        host::say(&casemate.marker());
        tokio::task::spawn_blocking(host::await_word).await.unwrap();
        stop.store(true, Ordering::Relaxed);
        for task in tasks {
            task.await.unwrap();
        }
        drop(plugins);
        casemate.shutdown().await;
        host::say(&processes::with_marker(&casemate.marker()).len().to_string());
        host::say(&processes::zombies().len().to_string());
        host::say(&processes::open_descriptors().saturating_sub(descriptors).to_string());
        host::say(&own_memory().saturating_sub(memory).to_string());
    });
}

fn own_memory() -> u64 {
    processes::size(i32::try_from(std::process::id()).unwrap(), "RssAnon")
}

/// One plugin of each kind of isolation, one of them in a control group where there are any.
async fn load_all(casemate: &Casemate) -> Vec<Plugin> {
    let groups = casemate::doctor::control_groups().available;
    let shared = common(|_| {});
    let each_call = common(|spec| spec.isolation = Isolation::Call);
    let each_client = common(|spec| {
        spec.isolation = Isolation::Client;
        if groups {
            spec.limits.cgroup = CgroupLimits { memory_bytes: Some(256 << 20), cpu_percent: None };
        }
    });
    let mut plugins = Vec::new();
    for policy in [shared, each_call, each_client] {
        plugins.push(casemate.load(guests::rust("probe"), policy).await.unwrap());
    }
    plugins
}

fn common(change: impl FnOnce(&mut PolicySpec)) -> Policy {
    policy(|spec| {
        spec.instances.max = 3;
        spec.limits.call_timeout = DEADLINE;
        spec.limits.grace = DEADLINE;
        spec.host = vec!["double".into()];
        spec.restart.first = Duration::from_millis(5);
        let soon = MethodLimits { call_timeout: Some(Duration::from_millis(20)), ..MethodLimits::default() };
        spec.methods.insert("spin".into(), soon);
        change(spec);
    })
}

/// One call after the other.
async fn calls(plugin: Plugin, caller: usize, stop: Arc<AtomicBool>, pen: Arc<Pen>) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        pen.begins(caller, number);
        let ended = tokio::time::timeout(PATIENCE, one_call(&plugin, caller, number)).await;
        let outcome = match &ended {
            Ok(Ok(())) => "answered",
            Ok(Err(code)) => code.as_str(),
            Err(_elapsed) => "NEVER",
        };
        pen.ends(caller, number, outcome);
        number += 1;
    }
}

/// An answer must be the one to this call, whatever became of the worker of the last one.
async fn one_call(plugin: &Plugin, caller: usize, number: u64) -> Result<(), String> {
    let code = |failure: casemate::Failure| match failure.code().as_str() {
        // What is strange is told in its own words.
        code @ ("worker.lost" | "timeout.soft" | "timeout.hard" | "spawn.failed" | "overloaded.queue") => {
            code.to_owned()
        }
        _ => failure.to_string().replace('\n', " "),
    };
    match number % 10 {
        0 => {
            let asked = json!({"method": "double", "payload": number});
            let answer: Value = plugin.call("host", &asked).await.map_err(code)?;
            (answer == json!(number * 2)).then_some(()).ok_or("WRONG")?;
        }
        1 => match plugin.call::<_, u64>("spin", &json!({})).await {
            Err(failure) => return Err(code(failure)),
            Ok(_) => return Err("WRONG".to_owned()),
        },
        _ => {
            let mut body = format!("{caller} {number} ").into_bytes();
            body.resize(64 + usize::try_from(number % 7).unwrap() * 20_000, b'x');
            let answer = plugin.call_raw("echo", &body).await.map_err(code)?;
            (answer == body).then_some(()).ok_or("WRONG")?;
        }
    }
    Ok(())
}

/// New versions all the time, so that there are compilers to strike at and calls move from zygote to zygote.
async fn renew(plugin: Plugin, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        let reloaded = tokio::time::timeout(PATIENCE, plugin.reload(guests::rust("probe"))).await;
        let _failed = reloaded.expect("a reload ends");
        assert_ne!(plugin.status().state, State::Disabled, "{:?}", plugin.status());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
