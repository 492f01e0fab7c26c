//! Control groups, for real: whichever version this machine has, and version 2 in the virtual machine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate::policy::CgroupLimits;
use casemate::{Casemate, Cause, LimitName, Plugin, Policy, Retry};
use casemate_tests::groups::{MOUNTS, has_groups, read};
use casemate_tests::{
    block_on, casemate, groups, guests, host, host::Host, is_root, policy, processes, skip,
};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Only a limit for tests that hang.
const PATIENCE: Duration = Duration::from_secs(120);
const MEMORY_BYTES: u64 = 48 << 20;

#[test]
fn scenario() {
    host::run(&[("holds", holds), ("delegated", delegated)]);
}

/// A host with a plugin in a group.
fn holds(_: &str) {
    block_on(async {
        let casemate = casemate();
        let _plugin = load(&casemate).await;
        host::say(&casemate.marker());
        host::await_word();
    });
}

/// The host of a user to whom somebody has handed a group on.
fn delegated(_: &str) {
    let groups = casemate::doctor::control_groups();
    assert!(!is_root() && groups.available, "{groups:?}");
    block_on(async {
        let casemate = casemate();
        let plugin = load(&casemate).await;
        assert_memory_is_named(&plugin).await;
        let [group] = groups::of(&casemate.marker()).try_into().unwrap();
        host::say(&group.display().to_string());
        drop(plugin);
        await_none(&casemate.marker());
    });
    host::say("done");
}

/// Memory, CPU time and processes, all limited.
fn all_limits() -> Policy {
    policy(|spec| {
        spec.limits.cgroup = CgroupLimits { memory_bytes: Some(MEMORY_BYTES), cpu_percent: Some(20) };
        spec.limits.call_timeout = PATIENCE;
        spec.instances.max = 3;
    })
}

async fn load(casemate: &Casemate) -> Plugin {
    let plugin = casemate.load(guests::rust("probe"), all_limits()).await.unwrap();
    plugin.call::<_, u64>("counter", &()).await.unwrap();
    plugin
}

fn await_none(marker: &str) {
    await_that(|| groups::of(marker).is_empty(), "a group is still there");
}

fn await_that(holds: impl Fn() -> bool, else_: &str) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{else_}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_v2() -> bool {
    casemate::doctor::control_groups().why.starts_with("version 2")
}

async fn assert_memory_is_named(plugin: &Plugin) {
    for _ in 0..2 {
        let failure = plugin.call::<_, u64>("grow", &json!({"bytes": 90_000_000})).await.unwrap_err();
        let Cause::Limit { limit: LimitName::CgroupMemory, configured: MEMORY_BYTES, observed } =
            failure.cause
        else {
            panic!("{failure}")
        };
        assert!((MEMORY_BYTES / 2..=MEMORY_BYTES).contains(&observed), "{observed}");
        assert_eq!((failure.code().as_str(), failure.retry), ("limit.cgroup.memory", Retry::MaybeRan));
        // The plugin goes on, if need be with a new zygote in a group of its own.
        assert_eq!(plugin.call::<_, u64>("counter", &()).await.unwrap(), 1);
    }
}

#[test]
fn memory_of_the_whole_plugin_ends_at_its_limit_and_is_named() {
    if has_groups("memory_of_the_whole_plugin_ends_at_its_limit_and_is_named") {
        block_on(async {
            let casemate = casemate();
            assert_memory_is_named(&load(&casemate).await).await;
        });
    }
}

#[test]
fn a_kill_that_is_not_for_memory_is_not_taken_for_one() {
    if !has_groups("a_kill_that_is_not_for_memory_is_not_taken_for_one") {
        return;
    }
    block_on(async {
        let casemate = casemate();
        let plugin = load(&casemate).await;
        assert_memory_is_named(&plugin).await;
        let running = {
            let plugin = plugin.clone();
            tokio::spawn(async move { plugin.call::<_, u64>("spin", &json!({})).await })
        };
        let throttled = || {
            let groups = groups::of(&casemate.marker());
            // Its start alone may have been throttled; a call that had not begun would just begin again.
            plugin.status().busy == 1
                && !groups.is_empty()
                && !read(&groups, &["cpu.stat"]).contains("nr_throttled 0")
        };
        await_that(throttled, "nothing was throttled");
        for found in processes::with_marker(&casemate.marker()) {
            if found.stage() != "stub" {
                found.signal(rustix::process::Signal::KILL);
            }
        }
        let failure = running.await.unwrap().unwrap_err();
        assert!(matches!(failure.cause, Cause::WorkerLost { .. }), "{failure}");
    });
}

#[test]
fn limits_are_the_kernels_and_go_with_the_plugin() {
    if !has_groups("limits_are_the_kernels_and_go_with_the_plugin") {
        return;
    }
    block_on(async {
        let casemate = casemate();
        let plugin = load(&casemate).await;
        let groups = groups::of(&casemate.marker());
        assert_eq!(groups.len(), if is_v2() { 1 } else { 3 }, "{groups:?}");
        let memory = read(&groups, &["memory.max", "memory.limit_in_bytes"]);
        assert_eq!(memory, MEMORY_BYTES.to_string());
        let cpu = read(&groups, &["cpu.max", "cpu.cfs_quota_us"]);
        assert!(["20000 100000", "20000"].contains(&cpu.as_str()), "{cpu}");
        // Instances, spare ones, and four.
        assert_eq!(read(&groups, &["pids.max"]), "7");
        // A killed canary may not be gone yet.
        let all_gone = || processes::with_marker(&casemate.marker()).len() <= 3;
        await_that(all_gone, "there is more than a stub, a zygote and a worker");
        let mut inside: Vec<i32> =
            processes::with_marker(&casemate.marker()).into_iter().map(|found| found.pid).collect();
        inside.sort_unstable();
        assert_eq!(inside.len(), 3, "stub, zygote, worker");
        for group in &groups {
            let text = read(std::slice::from_ref(group), &["cgroup.procs"]);
            let mut pids: Vec<i32> = text.lines().map(|pid| pid.parse().unwrap()).collect();
            pids.sort_unstable();
            assert_eq!(pids, inside, "{}", group.display());
        }

        let spinning = {
            let plugin = plugin.clone();
            tokio::spawn(async move { plugin.call::<_, u64>("spin", &json!({})).await })
        };
        let throttled = || !read(&groups, &["cpu.stat"]).contains("nr_throttled 0");
        await_that(throttled, "20 % of a core were never used up");
        spinning.abort();
        let _ = spinning.await;
        drop(plugin);
        await_none(&casemate.marker());
    });
}

#[test]
fn without_such_limits_there_is_no_group() {
    block_on(async {
        let casemate = casemate();
        let plugin = casemate.load(guests::wat("minimal"), Policy::default()).await.unwrap();
        plugin.call_raw("m", b"x").await.unwrap();
        assert_eq!(groups::of(&casemate.marker()), Vec::<PathBuf>::new());
    });
}

#[test]
fn all_instances_and_their_replacements_have_room() {
    if !has_groups("all_instances_and_their_replacements_have_room") {
        return;
    }
    block_on(async {
        let casemate = casemate();
        let plugin = load(&casemate).await;
        for _ in 0..5 {
            let calls: Vec<_> = (0..3)
                .map(|_| {
                    let plugin = plugin.clone();
                    tokio::spawn(async move { plugin.call::<_, Value>("panic", &json!("on purpose")).await })
                })
                .collect();
            for call in calls {
                let failure = call.await.unwrap().unwrap_err();
                assert!(matches!(failure.cause, Cause::Trap { .. }), "{failure}");
            }
        }
    });
}

#[test]
fn what_a_killed_host_leaves_goes_with_the_next_and_what_others_hold_stays() {
    if !has_groups("what_a_killed_host_leaves_goes_with_the_next_and_what_others_hold_stays") {
        return;
    }
    let (mut killed, mut living) = (Host::start("holds", ""), Host::start("holds", ""));
    let (dead, alive) = (killed.line(), living.line());
    killed.kill();
    processes::await_none(&dead, PATIENCE);
    let others = groups::of(&alive);
    assert!(!others.is_empty());
    block_on(async {
        let casemate = casemate();
        let _plugin = load(&casemate).await;
        assert_eq!(groups::of(&dead), Vec::<PathBuf>::new());
        assert_eq!(groups::of(&alive), others);
    });
    living.go_on();
    living.finish();
    await_none(&alive);
}

/// Whoever puts something else into a plugin's group loses it: nothing outlives the group.
#[test]
fn what_is_still_in_a_group_is_killed_with_it() {
    let test = "what_is_still_in_a_group_is_killed_with_it";
    if !has_groups(test) {
        return;
    }
    if !is_v2() {
        skip(test, "version 1 of the control groups has no cgroup.kill");
        return;
    }
    block_on(async {
        use std::os::unix::process::ExitStatusExt as _;
        let casemate = casemate();
        let plugin = load(&casemate).await;
        let mut stray = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let group = groups::of(&casemate.marker()).remove(0);
        fs::write(group.join("cgroup.procs"), stray.id().to_string()).unwrap();
        drop(plugin);
        assert_eq!(stray.wait().unwrap().signal(), Some(9));
        await_none(&casemate.marker());
    });
}

#[test]
fn who_may_make_no_group_is_refused_by_name() {
    let test = "who_may_make_no_group_is_refused_by_name";
    let groups = casemate::doctor::control_groups();
    if groups.available {
        skip(test, &format!("control groups are available: {}", groups.why));
        return;
    }
    block_on(async {
        let failure = casemate().load(guests::wat("minimal"), all_limits()).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::Unavailable { .. }), "{failure}");
        assert_eq!((failure.code().as_str(), failure.retry), ("limits.unavailable", Retry::NotStarted));
        let text = failure.to_string();
        for words in ["limits.cgroup.memory and limits.cgroup.cpu", "Delegate=", &groups.why] {
            assert!(text.contains(words), "{text}");
        }
    });
}

/// A group of a test's own, with a group below it for its host, both handed on to the machine's ordinary user.
struct Delegation(PathBuf);

impl Delegation {
    const USER_ID: u32 = 1000;

    fn new() -> Self {
        let top = Path::new(MOUNTS);
        fs::write(top.join("cgroup.subtree_control"), "+memory +cpu +pids").unwrap();
        let own = Self(top.join(format!("delegated-{}", std::process::id())));
        for folder in [own.0.clone(), own.host()] {
            fs::create_dir(&folder).unwrap();
            for name in ["", "cgroup.procs", "cgroup.subtree_control"] {
                let user = Some(Self::USER_ID);
                std::os::unix::fs::chown(folder.join(name), user, user).unwrap();
            }
        }
        own
    }

    fn host(&self) -> PathBuf {
        self.0.join("host")
    }
}

impl Drop for Delegation {
    fn drop(&mut self) {
        await_that(|| fs::remove_dir(self.host()).is_ok(), "the host is still in its group");
        fs::remove_dir(&self.0).unwrap();
    }
}

#[test]
fn a_user_with_a_delegated_group_has_limits() {
    let test = "a_user_with_a_delegated_group_has_limits";
    if std::env::var_os("CASEMATE_VM").is_none() || !is_root() {
        skip(test, "it is for root of the virtual machine of `cargo xtask test vm`");
        return;
    }
    let delegation = Delegation::new();
    let line = format!(
        "echo $$ > {}/cgroup.procs; exec su -s /bin/sh user -c 'exec \"$0\" \"$@\"' -- \"$0\" \"$@\"",
        delegation.host().display()
    );
    let mut host = Host::start_in_shell(&line, "delegated", "");
    let group = host.line();
    assert!(group.starts_with(&format!("{}/casemate-", delegation.0.display())), "{group}");
    assert_eq!(host.line(), "done");
    host.finish();
}
