//! How programs live: crashes and what follows, the end of a host, new policies.

use super::ground::{Ground, call};
use casemate::config::Configuration;
use casemate::{Casemate, Cause, Exit, Plugin};
use casemate_tests::{block_on, host, host::Host, processes};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// The program of the one instance of the only plugin: what its zygote has started that is no copy of it.
pub(crate) fn program_of(ground: &Ground) -> Option<i32> {
    let [_, heads, _] = processes::by_kind(&ground.casemate.marker());
    let head = heads.first()?.pid;
    processes::family().into_iter().find(|pid| {
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        processes::parent(*pid) == Some(head) && arguments.windows(10).any(|part| part == b"library.py")
    })
}

/// A host whose program sleeps in a call.
pub(crate) fn busy(_: &str) {
    let ground = Ground::with(Casemate::embedded().unwrap());
    block_on(async {
        let plugin = ground.load(|_| {}).await.unwrap();
        call(&plugin, "echo", json!([])).await.unwrap();
        host::say(&ground.casemate.marker());
        host::say(&program_of(&ground).unwrap().to_string());
        let _ = call(&plugin, "spin", json!([])).await;
    });
}

/// A host whose program has nothing to do.
pub(crate) fn idle(_: &str) {
    let ground = Ground::with(Casemate::embedded().unwrap());
    block_on(async {
        let plugin = ground.load(|_| {}).await.unwrap();
        call(&plugin, "echo", json!([])).await.unwrap();
        host::say(&ground.casemate.marker());
        host::say(&program_of(&ground).unwrap().to_string());
        host::await_word();
        drop(plugin);
    });
}

#[test]
fn nothing_survives_a_killed_host() {
    let Some(_) = Ground::of("nothing_survives_a_killed_host") else { return };
    for scenario in ["busy", "idle"] {
        let mut started = Host::start(scenario, "");
        let marker = started.line();
        let program: i32 = started.line().parse().unwrap();
        assert!(is_alive(program), "{scenario}");
        started.kill();
        processes::await_none(&marker, PATIENCE);
        let since = std::time::Instant::now();
        while is_alive(program) {
            assert!(since.elapsed() < PATIENCE, "{scenario}: the program survived its host");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Whether it runs: one that nobody has waited for has ended.
pub(crate) fn is_alive(pid: i32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|arguments| !arguments.is_empty())
}

/// Kills the program in the middle of a call. The caller is told, and the next call has another process; this was its number.
pub(crate) async fn dies_in_a_call(ground: &Ground, plugin: &Plugin) -> i32 {
    call(plugin, "echo", json!([])).await.unwrap();
    let program = program_of(ground).unwrap();
    let killing = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        kill_process(Pid::from_raw(program).unwrap(), Signal::KILL).unwrap();
    };
    let (outcome, ()) = tokio::join!(call(plugin, "sleep", json!([50])), killing);
    let failure = outcome.unwrap_err();
    let Cause::WorkerLost { exit } = failure.cause else { panic!("{failure}") };
    assert_eq!(exit, Exit::KILLED);
    assert_eq!(call(plugin, "calls", json!([])).await.unwrap(), json!(1));
    program
}

#[test]
fn a_program_that_is_killed_in_a_call_is_lost_and_another_takes_its_place() {
    let Some(ground) = Ground::of("a_program_that_is_killed_in_a_call") else { return };
    block_on(async {
        let plugin = ground.load(|spec| spec.limits.call_timeout = Duration::from_secs(60)).await.unwrap();
        let program = dies_in_a_call(&ground, &plugin).await;
        assert_ne!(program_of(&ground).unwrap(), program);
    });
}

#[test]
fn how_a_program_ends_is_told() {
    let Some(ground) = Ground::of("how_a_program_ends_is_told") else { return };
    block_on(async {
        let plugin = ground.load(|_| {}).await.unwrap();
        let failure = call(&plugin, "exit", json!([7])).await.unwrap_err();
        let Cause::WorkerLost { exit } = failure.cause else { panic!("{failure}") };
        assert_eq!(exit, Exit::Code(7));
    });
}

#[test]
fn a_program_that_crashes_again_and_again_is_disabled() {
    let Some(ground) = Ground::of("a_program_that_crashes_again_and_again") else { return };
    block_on(async {
        let plugin = ground
            .load(|spec| {
                spec.restart.give_up_after = 2;
                spec.restart.within = Duration::from_secs(60);
                spec.restart.first = Duration::from_millis(1);
                spec.restart.max = Duration::from_millis(1);
            })
            .await
            .unwrap();
        let mut ends = Vec::new();
        for _ in 0..4 {
            ends.push(call(&plugin, "exit", json!([1])).await.unwrap_err());
        }
        let last = ends.pop().unwrap();
        assert!(matches!(last.cause, Cause::PluginDisabled { .. }), "{last}");
        plugin.enable().await.unwrap();
        assert_eq!(call(&plugin, "calls", json!([])).await.unwrap(), json!(1));
    });
}

#[test]
fn instances_are_processes_of_their_own() {
    let Some(ground) = Ground::of("instances_are_processes_of_their_own") else { return };
    block_on(async {
        let plugin = ground
            .load(|spec| {
                spec.instances.max = 3;
                spec.instances.min = 3;
            })
            .await
            .unwrap();
        let calls: Vec<_> = (0..3)
            .map(|_| {
                let plugin = plugin.clone();
                tokio::spawn(async move {
                    call(&plugin, "sleep", json!([0.5])).await.unwrap();
                    call(&plugin, "pid", json!([])).await.unwrap()
                })
            })
            .collect();
        let mut pids = std::collections::BTreeSet::new();
        for call in calls {
            pids.insert(call.await.unwrap().to_string());
        }
        assert!(pids.len() > 1, "{pids:?}");
        drop(plugin);
        processes::await_none(&ground.casemate.marker(), PATIENCE);
    });
}

#[test]
fn a_plugin_of_the_file_may_be_a_program_and_takes_its_new_policy() {
    let Some(ground) = Ground::of("a_plugin_of_the_file_may_be_a_program") else { return };
    let file = ground.folder.join("casemate.toml");
    let write = |env: &str| {
        let text = format!(
            "[plugins.lib]\nexternal = [\"python3\", \"library.py\"]\npermissions.env = [\"{env}\"]\nargs = [\"x\"]\n"
        );
        fs::write(&file, text).unwrap();
    };
    write("COLOUR=red");
    let casemate = Casemate::builder().configuration(Configuration::read(&file).unwrap()).build().unwrap();
    block_on(async {
        let plugin = casemate.load_named("lib").await.unwrap();
        let environment = |value: Value| value["COLOUR"].as_str().map(str::to_owned);
        let before = call(&plugin, "environment", json!([])).await.unwrap();
        assert_eq!(environment(before).as_deref(), Some("red"));
        let found = call(&plugin, "where", json!([])).await.unwrap();
        assert_eq!(found["args"], json!(["/plugin/library.py", "x"]), "{found}");
        write("COLOUR=blue");
        casemate.reload_policy().await.unwrap();
        let after = call(&plugin, "environment", json!([])).await.unwrap();
        assert_eq!(environment(after).as_deref(), Some("blue"));
        plugin.close().await.unwrap();
    });
}
