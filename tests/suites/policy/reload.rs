//! A policy file that is read anew while its plugins run.

use casemate::{Casemate, Configuration, LoadError, Plugin, Reloaded, State, Taken};
use casemate::{Cause, HostError};
use casemate_tests::scratch::Scratch;
use casemate_tests::{block_on, guests, processes};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// For what takes milliseconds, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(60);

/// A policy file in a folder of its own, and a supervisor that has read it.
struct Setting {
    casemate: Casemate,
    file: PathBuf,
    _folder: Scratch,
}

impl Setting {
    /// With the table of plugin `p`, whose module is the probe, and other tables after it.
    fn new(table: &str) -> Self {
        let folder = Scratch::new();
        let file = folder.join("casemate.toml");
        std::fs::copy(guests::rust("probe"), folder.join("probe.wasm")).unwrap();
        std::fs::copy(guests::wat("minimal"), folder.join("minimal.wasm")).unwrap();
        std::fs::write(&file, text(table)).unwrap();
        let configuration = Configuration::read(&file).unwrap();
        let casemate = Casemate::builder().configuration(configuration).build().unwrap();
        casemate.on("clock", |_: Value| async { Ok::<_, HostError>(json!(12)) });
        Self { casemate, file, _folder: folder }
    }

    fn write(&self, whole: &str) {
        std::fs::write(&self.file, whole).unwrap();
    }

    /// Writes another table, and reads it.
    async fn change(&self, table: &str) -> Taken {
        self.write(&text(table));
        only(self.casemate.reload().await.unwrap())
    }
}

/// Long grace times, as everywhere: on a busy machine the soft deadline must be seen to work.
fn text(table: &str) -> String {
    format!("[defaults.limits]\ngrace = \"20s\"\n[plugins.p]\npath = \"probe.wasm\"\n{table}")
}

fn only(reloaded: Reloaded) -> Taken {
    let [only] = reloaded.plugins.try_into().unwrap_or_else(|all| panic!("one plugin, not {all:?}"));
    assert_eq!(only.plugin.as_str(), "p");
    only.taken
}

async fn count(plugin: &Plugin) -> u64 {
    plugin.call::<_, u64>("counter", &()).await.unwrap()
}

async fn ask(plugin: &Plugin) -> Result<Value, String> {
    let answer = plugin.call::<_, Value>("host", &json!({"method": "clock"})).await;
    answer.map_err(|failure| failure.to_string())
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn a_permission_is_granted_and_withdrawn_while_the_plugin_runs() {
    block_on(async {
        let setting = Setting::new("");
        let plugin = setting.casemate.load_named("p").await.unwrap();
        assert_eq!(count(&plugin).await, 1);
        assert!(ask(&plugin).await.unwrap_err().contains("not granted"));
        assert_eq!(setting.change("permissions.host = [\"clock\"]").await, Taken::TookChanges);
        assert_eq!(ask(&plugin).await, Ok(json!(12)));
        assert_eq!(setting.change("").await, Taken::TookChanges);
        assert!(ask(&plugin).await.unwrap_err().contains("not granted"));
        assert_eq!(setting.change("").await, Taken::Unchanged);
        assert_eq!((count(&plugin).await, plugin.status().generation), (2, Some(1)), "the same instance");
    });
}

#[test]
fn a_withdrawn_permission_holds_for_the_next_host_call_of_a_call_that_runs() {
    block_on(async {
        let setting = Setting::new("permissions.host = [\"gate\"]");
        let (entered, mut inside) = tokio::sync::mpsc::channel(1);
        let (release, gate) = tokio::sync::watch::channel(false);
        setting.casemate.on("gate", move |number: u64| {
            let (entered, mut gate) = (entered.clone(), gate.clone());
            async move {
                entered.send(number).await.unwrap();
                gate.wait_for(|open| *open).await.unwrap();
                Ok(number)
            }
        });
        let plugin = setting.casemate.load_named("p").await.unwrap();
        let call = tokio::spawn(async move {
            plugin.call::<_, Value>("host_loop", &json!({"method": "gate", "n": 5})).await.unwrap()
        });
        assert_eq!(inside.recv().await, Some(0));
        assert_eq!(setting.change("").await, Taken::TookChanges);
        release.send(true).unwrap();
        let tally = call.await.unwrap();
        assert_eq!((&tally["answered"], &tally["failed"]), (&json!(1), &json!(4)), "{tally}");
        assert_eq!(tally["last_error"]["code"], "denied");
    });
}

#[test]
fn timeouts_and_rates_hold_from_the_next_call_on() {
    block_on(async {
        let setting = Setting::new("permissions.host = [\"clock\"]\nlimits.host_calls = \"2/h\"");
        let plugin = setting.casemate.load_named("p").await.unwrap();
        assert_eq!(count(&plugin).await, 1);
        for _ in 0..2 {
            ask(&plugin).await.unwrap();
        }
        assert!(ask(&plugin).await.unwrap_err().contains("2 host calls in"));
        let changed = "permissions.host = [\"clock\"]\nlimits.host_calls = \"3/h\"\n\
                       limits.call_timeout = \"100ms\"\nlimits.input = \"1MiB\"";
        assert_eq!(setting.change(changed).await, Taken::TookChanges);
        // The window is the same: two of the three have been.
        ask(&plugin).await.unwrap();
        assert!(ask(&plugin).await.unwrap_err().contains("3 host calls in"));
        let failure = plugin.call::<_, u64>("spin", &json!({})).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::SoftTimeout { limit_ms: 100, .. }), "{failure}");
        // A method's own.
        let changed = "limits.call_timeout = \"1h\"\nmethods.spin.call_timeout = \"50ms\"";
        assert_eq!(setting.change(changed).await, Taken::TookChanges);
        let failure = plugin.call::<_, u64>("spin", &json!({})).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::SoftTimeout { limit_ms: 50, .. }), "{failure}");
        assert_eq!(plugin.status().generation, Some(1));
    });
}

#[test]
fn memory_changes_under_load_and_no_call_is_lost() {
    block_on(async {
        let setting = Setting::new("limits.memory = \"32MiB\"");
        let plugin = setting.casemate.load_named("p").await.unwrap();
        let grow =
            |plugin: Plugin| async move { plugin.call::<_, u64>("grow", &json!({"bytes": 48 << 20})).await };
        grow(plugin.clone()).await.unwrap_err();
        let stop = Arc::new(AtomicBool::new(false));
        let callers: Vec<_> = (0..6_u8)
            .map(|n| {
                let (plugin, stop) = (plugin.clone(), Arc::clone(&stop));
                tokio::spawn(async move {
                    let mut calls = 0_u64;
                    while !stop.load(Ordering::Relaxed) {
                        let body = [n, calls.to_le_bytes()[0]];
                        assert_eq!(plugin.call_raw("echo", &body).await.unwrap(), body);
                        calls += 1;
                    }
                    calls
                })
            })
            .collect();
        until("calls run", || plugin.status().busy > 0).await;
        let mut generation = 1;
        let at_once = "limits.memory = \"32MiB\"\ninstances.idle_timeout = \"1s\"\nlimits.queue = 100";
        assert_eq!(setting.change(at_once).await, Taken::TookChanges);
        for table in [
            "limits.memory = \"96MiB\"",
            "limits.memory = \"64MiB\"\ninstances.max = 2",
            "limits.memory = \"64MiB\"\nlimits.stack = \"512KiB\"\nlimits.input = \"64KiB\"",
            "limits.memory = \"96MiB\"\nsnapshot = \"module\"\nisolation = \"call\"",
            "limits.memory = \"96MiB\"\nlimits.fuel = 1000000000",
        ] {
            assert_eq!(setting.change(table).await, Taken::Restarted, "{table}");
            generation += 1;
            assert_eq!(plugin.status().generation, Some(generation));
        }
        stop.store(true, Ordering::Relaxed);
        for caller in callers {
            assert!(caller.await.unwrap() > 0);
        }
        assert_eq!((plugin.status().dropped, plugin.status().crashes), (0, 0));
        assert_eq!(grow(plugin.clone()).await.unwrap(), 48 << 20);
        // A stub, a zygote, and what instances there are: the old ones have ended.
        let stubs = || {
            processes::with_marker(&setting.casemate.marker()).iter().filter(|p| p.stage() == "stub").count()
        };
        until("the old ones end", || stubs() == 1).await;
    });
}

#[test]
fn a_file_with_a_mistake_leaves_everything_as_it_was() {
    block_on(async {
        let setting = Setting::new("permissions.host = [\"clock\"]");
        let plugin = setting.casemate.load_named("p").await.unwrap();
        assert_eq!(count(&plugin).await, 1);
        for (mistake, words) in [
            ("limits.memroy = \"1MiB\"", "did you mean plugins.p.limits.memory"),
            ("limits.memory = \"1 B\"", "limits.memory"),
            ("enabled = 3", "enabled"),
            ("[", "TOML"),
        ] {
            setting.write(&text(mistake));
            let error = setting.casemate.reload().await.unwrap_err();
            assert!(error.to_string().contains(words) && error.line > 0, "{error}");
        }
        std::fs::remove_file(&setting.file).unwrap();
        assert!(setting.casemate.reload().await.unwrap_err().is_unreadable());
        assert_eq!(ask(&plugin).await, Ok(json!(12)));
        assert_eq!((count(&plugin).await, plugin.status().generation), (2, Some(1)));
        // And what is loaded from now on is still loaded by the old one.
        setting.casemate.load_named("p").await.unwrap();
    });
}

#[test]
fn who_cannot_come_to_the_new_policy_stays_under_the_old_one() {
    block_on(async {
        let setting = Setting::new("permissions.host = [\"clock\"]");
        let plugin = setting.casemate.load_named("p").await.unwrap();
        assert_eq!(count(&plugin).await, 1);
        // The module alone begins with more memory than this.
        let Taken::Failed { reason: LoadError::Failure(failure) } =
            setting.change("limits.memory = \"64KiB\"").await
        else {
            panic!("it took it")
        };
        assert!(failure.to_string().contains("limits.memory"), "{failure}");
        let Taken::Failed { reason: LoadError::Config(error) } =
            setting.change("transport = \"shared\"").await
        else {
            panic!("it took it")
        };
        assert!(error.to_string().contains("transport"), "{error}");
        setting.write("[plugins.p]\npath = \"gone.wasm\"");
        let Taken::Failed { reason: LoadError::Failure(failure) } =
            only(setting.casemate.reload().await.unwrap())
        else {
            panic!("it took it")
        };
        assert_eq!(failure.code(), "file.unreadable", "{failure}");
        assert_eq!(ask(&plugin).await, Ok(json!(12)));
        assert_eq!((count(&plugin).await, plugin.status().generation), (2, Some(1)));
        // The next reload tries again.
        assert_eq!(setting.change("limits.memory = \"64MiB\"").await, Taken::Restarted);
        assert!(ask(&plugin).await.unwrap_err().contains("not granted"));
    });
}

#[test]
fn another_module_is_a_new_version() {
    block_on(async {
        let setting = Setting::new("");
        let plugin = setting.casemate.load_named("p").await.unwrap();
        assert_eq!(count(&plugin).await, 1);
        setting.write("[plugins.p]\npath = \"minimal.wasm\"");
        assert_eq!(only(setting.casemate.reload().await.unwrap()), Taken::Restarted);
        assert_eq!(plugin.call_raw("anything", b"x").await.unwrap(), b"x");
        assert_eq!(only(setting.casemate.reload().await.unwrap()), Taken::Unchanged);
    });
}

#[test]
fn disabled_by_the_file_and_enabled_again() {
    block_on(async {
        let setting = Setting::new("");
        let plugin = setting.casemate.load_named("p").await.unwrap();
        assert_eq!(count(&plugin).await, 1);
        plugin.call::<_, u64>("grow", &json!({"bytes": 80_000_000})).await.unwrap();
        let Taken::Disabled { reason } = setting.change("enabled = false\nlimits.memory = \"64MiB\"").await
        else {
            panic!("it goes on")
        };
        assert!(reason.contains("plugins.p.enabled") && reason.contains("casemate.toml:5"), "{reason}");
        until("it is off", || plugin.status().state == State::Disabled).await;
        let failure = plugin.call_raw("echo", b"x").await.unwrap_err();
        assert_eq!(failure.code(), "plugin.disabled");
        assert!(failure.to_string().contains("plugins.p.enabled"), "{failure}");
        processes::await_none(&setting.casemate.marker(), PATIENCE);
        // Its operator has the last word, and it has its new policy then.
        plugin.enable().await.unwrap();
        let failure = plugin.call::<_, u64>("grow", &json!({"bytes": 80_000_000})).await.unwrap_err();
        assert!(failure.to_string().contains("out_of_memory"), "{failure}");
        // The file says it again, and then it does not.
        assert!(matches!(setting.change("enabled = false").await, Taken::Disabled { .. }));
        assert_eq!(setting.change("").await, Taken::Restarted);
        assert_eq!(count(&plugin).await, 1);
        // Whom his operator has disabled, no file enables.
        plugin.disable().await.unwrap();
        assert_eq!(setting.change("limits.memory = \"65MiB\"").await, Taken::WhenStarted);
        assert_eq!(setting.change("").await, Taken::Unchanged);
        assert_eq!(plugin.status().state, State::Disabled);
    });
}

#[test]
fn who_is_no_longer_in_the_file_finishes_and_ends() {
    block_on(async {
        let setting = Setting::new("permissions.host = [\"gate\"]");
        let (entered, mut inside) = tokio::sync::mpsc::channel(1);
        let (release, gate) = tokio::sync::watch::channel(false);
        setting.casemate.on("gate", move |(): ()| {
            let (entered, mut gate) = (entered.clone(), gate.clone());
            async move {
                entered.send(()).await.unwrap();
                gate.wait_for(|open| *open).await.unwrap();
                Ok(1)
            }
        });
        let plugin = setting.casemate.load_named("p").await.unwrap();
        let running = plugin.clone();
        let call =
            tokio::spawn(async move { running.call::<_, Value>("host", &json!({"method": "gate"})).await });
        inside.recv().await.unwrap();
        setting.write("[plugins.other]\npath = \"probe.wasm\"");
        let Taken::Removed { reason } = only(setting.casemate.reload().await.unwrap()) else {
            panic!("it goes on")
        };
        assert!(reason.contains("no [plugins.p] any more"), "{reason}");
        assert_eq!(plugin.status().state, State::Draining);
        let failure = plugin.call_raw("echo", b"x").await.unwrap_err();
        assert_eq!(failure.code(), "plugin.stopped");
        assert!(failure.to_string().contains(&reason), "{failure}");
        release.send(true).unwrap();
        assert_eq!(call.await.unwrap().unwrap(), json!(1), "what ran goes on to its end");
        until("it is stopped", || plugin.status().state == State::Stopped).await;
        processes::await_none(&setting.casemate.marker(), PATIENCE);
        // Nothing says what it may do, so nobody can start it.
        assert_eq!(plugin.enable().await.unwrap_err().code(), "plugin.stopped");
        assert!(matches!(setting.casemate.load_named("p").await, Err(LoadError::Config(_))));
        assert_eq!(setting.change("").await, Taken::Restarted);
        assert_eq!(count(&plugin).await, 1);
    });
}

#[test]
fn plugins_of_no_file_are_not_meant() {
    block_on(async {
        let setting = Setting::new("");
        let own = setting.casemate.load(guests::rust("probe"), casemate::Policy::default()).await.unwrap();
        setting.write("");
        assert_eq!(setting.casemate.reload().await.unwrap().plugins, []);
        assert_eq!(count(&own).await, 1);
        let none = Casemate::embedded().unwrap().reload().await.unwrap_err();
        assert!(none.to_string().contains("no configuration"), "{none}");
    });
}

#[test]
fn reloads_do_not_mix_and_one_that_is_given_up_is_made_up_for() {
    block_on(async {
        let setting = Setting::new("limits.memory = \"32MiB\"");
        let plugin = setting.casemate.load_named("p").await.unwrap();
        assert_eq!(count(&plugin).await, 1);
        setting.write(&text("limits.memory = \"64MiB\""));
        let (first, second) = tokio::join!(setting.casemate.reload(), setting.casemate.reload());
        assert_eq!([only(first.unwrap()), only(second.unwrap())], [Taken::Restarted, Taken::Unchanged]);
        setting.write(&text("limits.memory = \"32MiB\""));
        // Given up wherever it was.
        let _ = tokio::time::timeout(Duration::from_millis(10), setting.casemate.reload()).await;
        until("nothing is under way", || !plugin.status().reloading).await;
        assert!(matches!(
            only(setting.casemate.reload().await.unwrap()),
            Taken::Restarted | Taken::Unchanged
        ));
        assert!(plugin.call::<_, u64>("grow", &json!({"bytes": 48 << 20})).await.is_err());
    });
}

#[test]
fn who_waits_for_its_next_start_comes_to_the_new_policy_at_once() {
    block_on(async {
        let slow = "restart.backoff = { first = \"1h\", max = \"1h\" }\n";
        let setting = Setting::new(&format!("{slow}limits.memory = \"32MiB\""));
        let plugin = setting.casemate.load_named("p").await.unwrap();
        for found in processes::with_marker(&setting.casemate.marker()) {
            if found.stage() != "stub" {
                found.signal(rustix::process::Signal::KILL);
            }
        }
        until("it pauses", || plugin.status().state == State::Backoff).await;
        let waiting = {
            let plugin = plugin.clone();
            tokio::spawn(async move { plugin.call_raw("echo", b"x").await })
        };
        until("a call waits", || plugin.status().waiting == 1).await;
        assert_eq!(setting.change(&format!("{slow}limits.memory = \"64MiB\"")).await, Taken::Restarted);
        assert_eq!(waiting.await.unwrap().unwrap(), b"x");
        assert_eq!((plugin.status().state, plugin.status().crashes), (State::Running, 0));
    });
}
