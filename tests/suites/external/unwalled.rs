//! Programs without walls, where their operator names that: what they may then do, and what is still seen to.

use super::ground::{Ground, call};
use super::life::{dies_in_a_call, is_alive, program_of};
use casemate::certificate::{Layer, Status};
use casemate::config::Configuration;
use casemate::policy::{Isolation, Sandbox, Storage};
use casemate::{Cause, LimitName, PolicySpec};
use casemate_tests::scratch::Scratch;
use casemate_tests::{block_on, guests, host, is_root, policy, processes};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

fn unwalled(spec: &mut PolicySpec) {
    spec.sandbox = Sandbox::None;
}

/// Waits until this process has ended.
fn await_gone(pid: i32) {
    let since = Instant::now();
    while is_alive(pid) {
        assert!(since.elapsed() < PATIENCE, "{pid} goes on");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The process that a program has started.
fn child_of(program: i32) -> i32 {
    processes::family().into_iter().find(|pid| processes::parent(*pid) == Some(program)).unwrap()
}

#[test]
fn only_a_ceiling_that_names_it_lets_a_program_have_no_walls() {
    let plugin = "version = 1\n[plugins.x]\nexternal = [\"python3\"]\nsandbox = \"none\"\n";
    let policy_of = |text: &str| {
        let configuration = Configuration::parse(text, "casemate.toml").unwrap();
        let effective = configuration.plugin("x", None).unwrap();
        let unchecked = effective.limits().sandbox();
        (effective.policy().map(casemate::Policy::sandbox).map_err(|error| error.to_string()), unchecked)
    };
    let refusal = "casemate.toml:4:11: plugins.x.sandbox = \"none\" holds only where the operator's [ceiling] says \
                   sandbox = \"none\": write that there, or leave it out";
    assert_eq!(policy_of(plugin), (Err(refusal.to_owned()), Sandbox::Walled));
    let walled = format!("{plugin}[ceiling]\nsandbox = \"walled\"\n");
    let (refused, unchecked) = policy_of(&walled);
    assert_eq!(refused.unwrap_err(), refusal, "at the word that wants it, not at the ceiling's");
    assert_eq!(unchecked, Sandbox::Walled);
    let named = format!("{plugin}[ceiling]\nsandbox = \"none\"\n");
    assert_eq!(policy_of(&named), (Ok(Sandbox::None), Sandbox::None));
    // The ceiling alone gives it to nobody.
    let ceiling = "version = 1\n[plugins.x]\nexternal = [\"python3\"]\n[ceiling]\nsandbox = \"none\"\n";
    assert_eq!(policy_of(ceiling), (Ok(Sandbox::Walled), Sandbox::Walled));
}

#[test]
fn a_module_never_runs_without_walls() {
    block_on(async {
        let casemate = casemate::Casemate::embedded().unwrap();
        let refused = casemate.load(guests::rust("statistics"), policy(unwalled)).await;
        let failure = refused.unwrap_err();
        let Cause::Configuration { message } = &failure.cause else { panic!("{failure}") };
        assert!(message.contains("a module, which never runs without its walls"), "{message}");
    });
}

#[test]
fn it_may_do_what_its_user_may() {
    let Some(ground) = Ground::of("it_may_do_what_its_user_may") else { return };
    let granted = ground.granted("anywhere", 0o777);
    fs::write(granted.join("file"), "four").unwrap();
    fs::set_permissions(granted.join("file"), fs::Permissions::from_mode(0o644)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    block_on(async {
        let plugin = ground.load(unwalled).await.unwrap();
        let values = json!([1, "two"]);
        assert_eq!(call(&plugin, "echo", values.clone()).await.unwrap(), values);
        assert_eq!(call(&plugin, "connect", json!([port])).await.unwrap(), json!({"did": null}));
        listener.accept().unwrap();
        let file = granted.join("file").display().to_string();
        assert_eq!(call(&plugin, "read", json!([file])).await.unwrap(), json!({"did": 4}));
        let new = granted.join("new").display().to_string();
        assert_eq!(call(&plugin, "write", json!([new])).await.unwrap(), json!({"did": 1}));
        assert_eq!(call(&plugin, "system", json!([])).await.unwrap(), json!(0));
        let place = call(&plugin, "where", json!([])).await.unwrap();
        assert_eq!(place["folder"], json!(ground.folder.canonicalize().unwrap()));
        // One process answered them all.
        assert_eq!(call(&plugin, "calls", json!([])).await.unwrap(), json!(7));
        // A walled one has none of it.
        let walled = ground.load(|_| {}).await.unwrap();
        assert_eq!(call(&walled, "read", json!([file])).await.unwrap(), json!({"refused": "ENOENT"}));
        let failure = call(&walled, "connect", json!([port])).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::Syscall(_)), "{failure}");
    });
}

#[test]
fn its_certificate_says_what_is_left() {
    let Some(ground) = Ground::of("its_certificate_says_what_is_left") else { return };
    block_on(async {
        let plugin = ground.load(unwalled).await.unwrap();
        let certificate = plugin.certificate();
        let held = [
            Layer::NoNewPrivs,
            Layer::Capabilities,
            Layer::UserNamespace,
            Layer::PidNamespace,
            Layer::ResourceLimits,
            Layer::UnprivilegedUid,
        ];
        for (layer, status) in &certificate.layers {
            if held.contains(layer) {
                assert_eq!(*status, Status::Observed, "{layer}");
            } else {
                let Status::Off { reason } = status else { panic!("{layer}: {status:?}") };
                assert!(reason.starts_with("sandbox = \"none\""), "{layer}: {reason}");
            }
        }
        let demanding = ground
            .load(|spec| {
                unwalled(spec);
                spec.require = [Layer::Seccomp].into_iter().collect();
            })
            .await;
        assert_eq!(demanding.unwrap_err().code(), "layers.missing");
    });
}

#[test]
fn it_is_no_other_user_and_held_to_its_limits() {
    let Some(ground) = Ground::of("it_is_no_other_user_and_held_to_its_limits") else { return };
    block_on(async {
        let limited = |spec: &mut PolicySpec| {
            unwalled(spec);
            spec.limits.call_timeout = Duration::from_millis(300);
            spec.limits.output_bytes = 1000;
        };
        let plugin = ground.load(limited).await.unwrap();
        let user = call(&plugin, "user", json!([])).await.unwrap();
        if is_root() {
            assert_ne!(user, json!([0, 0]), "a supervisor that is root gives it a user of its own");
            assert_eq!(
                call(&plugin, "read", json!(["/etc/shadow"])).await.unwrap(),
                json!({"refused": "EACCES"})
            );
        }
        let failure = call(&plugin, "spin", json!([])).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::SoftTimeout { .. } | Cause::HardTimeout { .. }), "{failure}");
        let failure = call(&plugin, "long", json!([5000])).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::Limit { limit: LimitName::Output, .. }), "{failure}");
        // A root of its own, and with it files of its own, it does not have.
        let stored = ground.load(|spec| {
            unwalled(spec);
            spec.storage = Storage::Vfs;
        });
        assert!(
            stored.await.unwrap_err().to_string().contains("storage: sandbox = \"none\" gives a program")
        );
        let granted = ground.load(|spec| {
            unwalled(spec);
            spec.filesystem = vec!["read:/srv=/workspace".to_owned()];
        });
        let refused = granted.await.unwrap_err().to_string();
        assert!(refused.contains("permissions.filesystem: sandbox = \"none\" gives a program"), "{refused}");
    });
}

#[test]
fn its_end_is_told_and_another_takes_its_place() {
    let Some(ground) = Ground::of("its_end_is_told_and_another_takes_its_place") else { return };
    block_on(async {
        let plugin = ground.load(unwalled).await.unwrap();
        dies_in_a_call(&ground, &plugin).await;
    });
}

#[test]
fn one_that_ends_its_bridge_is_ended() {
    let Some(ground) = Ground::of("one_that_ends_its_bridge_is_ended") else { return };
    block_on(async {
        let plugin = ground.load(unwalled).await.unwrap();
        call(&plugin, "echo", json!([])).await.unwrap();
        let program = program_of(&ground).unwrap();
        let zygote = processes::parent(program);
        let bridge =
            processes::family().into_iter().find(|pid| processes::parent(*pid) == zygote && *pid != program);
        // What reads the program's bytes keeps to two streams, whatever the program itself may do.
        let status = fs::read_to_string(format!("/proc/{}/status", bridge.unwrap())).unwrap();
        assert!(status.contains("\nSeccomp:\t2\n"), "{status}");
        let ending = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            kill_process(Pid::from_raw(bridge.unwrap()).unwrap(), Signal::KILL).unwrap();
        };
        let (outcome, ()) = tokio::join!(call(&plugin, "sleep", json!([1000])), ending);
        let failure = outcome.unwrap_err();
        let Cause::Link { message } = &failure.cause else { panic!("{failure}") };
        assert!(message.starts_with("the bridge to the program has ended"), "{message}");
        await_gone(program);
        assert_eq!(call(&plugin, "calls", json!([])).await.unwrap(), json!(1));
    });
}

#[test]
fn what_the_ceiling_takes_back_ends_at_once_and_is_not_enabled_again() {
    let Some(ground) = Ground::of("what_the_ceiling_takes_back_ends_at_once") else { return };
    let file = ground.folder.join("casemate.toml");
    let write = |more: &str, ceiling: &str| {
        let plugin = "[plugins.lib]\nexternal = [\"python3\", \"library.py\"]\nsandbox = \"none\"\n";
        fs::write(&file, format!("version = 1\n{plugin}{more}{ceiling}")).unwrap();
    };
    let ceiling = "[ceiling]\nsandbox = \"none\"\n";
    for (more, without) in [("", ""), ("", "[ceiling]\nsandbox = \"walled\"\n"), ("enabled = false\n", "")] {
        write("", ceiling);
        let configuration = Configuration::read(&file).unwrap();
        let casemate = casemate::Casemate::builder().configuration(configuration).build().unwrap();
        block_on(async {
            let plugin = casemate.load_named("lib").await.unwrap();
            call(&plugin, "child", json!([])).await.unwrap();
            let on = Ground { casemate: casemate.clone(), folder: Scratch::new(), grants: Scratch::new() };
            let program = program_of(&on).unwrap();
            let child = child_of(program);
            write(more, without);
            casemate.reload_policy().await.unwrap();
            await_gone(program);
            await_gone(child);
            call(&plugin, "echo", json!([])).await.unwrap_err();
            let why = plugin.status().disabled.unwrap();
            assert!(why.contains("[ceiling] says sandbox"), "{why}");
            plugin.enable().await.unwrap_err();
            call(&plugin, "echo", json!([])).await.unwrap_err();
            // It comes back with the word for it.
            write("", ceiling);
            casemate.reload_policy().await.unwrap();
            assert_eq!(call(&plugin, "echo", json!([1])).await.unwrap(), json!([1]));
            casemate.shutdown().await;
        });
    }
}

#[test]
fn what_it_started_ends_with_its_plugin() {
    let Some(ground) = Ground::of("what_it_started_ends_with_its_plugin") else { return };
    block_on(async {
        let plugin = ground.load(unwalled).await.unwrap();
        call(&plugin, "child", json!([])).await.unwrap();
        let program = program_of(&ground).unwrap();
        let child = child_of(program);
        drop(plugin);
        ground.casemate.shutdown().await;
        await_gone(program);
        await_gone(child);
    });
}

/// A host whose program has started another.
pub(crate) fn parent(_: &str) {
    let ground = Ground::with(casemate::Casemate::embedded().unwrap());
    block_on(async {
        let plugin = ground
            .load(|spec| {
                unwalled(spec);
                spec.isolation = Isolation::Plugin;
            })
            .await
            .unwrap();
        call(&plugin, "child", json!([])).await.unwrap();
        let program = program_of(&ground).unwrap();
        host::say(&ground.casemate.marker());
        host::say(&program.to_string());
        host::say(&child_of(program).to_string());
        host::await_word();
        drop(plugin);
    });
}

#[test]
fn what_it_started_ends_with_a_killed_host() {
    let Some(_) = Ground::of("what_it_started_ends_with_a_killed_host") else { return };
    let mut started = host::Host::start("parent", "");
    let marker = started.line();
    let [program, child] = [(); 2].map(|()| started.line().parse::<i32>().unwrap());
    started.kill();
    processes::await_none(&marker, PATIENCE);
    await_gone(program);
    await_gone(child);
}
