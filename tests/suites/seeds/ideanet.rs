//! IdeaNet, I1 to I9.

use crate::life::{Ground, dies_and_comes_back, ends};
use casemate::{Casemate, Cause, HostError, State};
use casemate_ideanet::UiRegistry;
use casemate_tests::daemon::Served;
use casemate_tests::{block_on, guests, processes};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const MANIFEST: &str = "capabilities = [\"RegisterBlockType\", { SubscribeEvents = [\"content.created\"] }]\n\
                        [plugin]\nid = \"org.example.blocks\"\nname = \"Blocks\"\nversion = \"0.1.0\"\nwasm = \"blocks.wasm\"\n\
                        [resource_limits]\nmax_memory = 67108864\n";

const GRANTED: &str =
    "[defaults.permissions]\nhost = [\"*\"]\nsubscribe = [\"**\"]\n[defaults.instances]\nmax = 1\n";

fn host(casemate: &Casemate) {
    for method in ["ui.register_block_type", "ui.farewell", "audio.record"] {
        casemate.on(method, |_: Value| async { Ok::<_, HostError>(Value::Null) });
    }
}

/// I1, I6, I7: initialize, commands and shutdown; its capabilities are what it may call.
#[test]
fn i01_i06_i07_a_plugin_under_its_capabilities() {
    block_on(async {
        let ground = Ground::new();
        let casemate = ground.host(GRANTED);
        host(&casemate);
        let name = "org.example.blocks";
        let plugin = ground
            .installed(&casemate, ("plugin.toml", MANIFEST), "blocks.wasm", "ideanet_blocks", name)
            .await;
        dies_and_comes_back(&casemate, &plugin, "render_block", &json!({"text": "hi"})).await;
        let failure = plugin.call::<_, Value>("ask", &json!({"method": "audio.record"})).await.unwrap_err();
        assert!(failure.to_string().contains("denied"), "not among its capabilities: {failure}");
        ends(&ground, &casemate, &plugin).await;
    });
}

const KIT: &str = "capabilities = [\"RegisterBlockType\", \"ReadUserData\", \"WriteUserData\", { SubscribeEvents = [\"content.*\"] }, \
                   { PublishEvents = [\"data.processed\"] }]\n\
                   [plugin]\nid = \"custom\"\nname = \"Custom\"\nversion = \"0.1.0\"\nwasm = \"custom.wasm\"\n";

const ALL: &str = "[defaults.permissions]\nhost = [\"*\"]\npublish = [\"**\"]\nsubscribe = [\"**\"]\n\
                   [defaults.instances]\nmax = 1\n";

/// Waits for what comes by itself; a minute is more than it takes.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what} did not come");
}

/// I2, I3: the design's own example, on the development kit. Nobody calls it, and it has registered and subscribed; again
/// after its worker was killed.
#[test]
fn i02_i03_the_kits_example_registers_listens_keeps_and_publishes() {
    block_on(async {
        let ground = Ground::new();
        let casemate = ground.host(ALL);
        let registry = UiRegistry::serve(&casemate);
        let plugin = ground
            .installed(&casemate, ("plugin.toml", KIT), "custom.wasm", "ideanet_custom_block", "custom")
            .await;
        until("its block type", async || registry.find("custom", "my-custom-block").is_some()).await;
        let block = registry.find("custom", "my-custom-block").unwrap();
        let words = (block.name.as_str(), block.component_key());
        assert_eq!(words, ("My Custom Block", "custom.MyCustomBlockComponent".to_owned()));

        casemate.publish("content.created", &json!({"id": 1})).await.unwrap();
        casemate.publish("content.removed", &json!({"id": 1})).await.unwrap();
        let created = async |plugin: &casemate::Plugin| -> u64 {
            let shown: Value = plugin.call("render_block", &json!({"text": "a < b"})).await.unwrap();
            assert_eq!(shown["html"], "<p>a &lt; b</p>");
            shown["created"].as_u64().unwrap()
        };
        until("its event", async || created(&plugin).await == 1).await;

        let mut processed = casemate.subscribe("data.processed").await.unwrap();
        let answer: Value = plugin.call("process_data", &json!([1])).await.unwrap();
        assert_eq!(answer, json!({"before": null}));
        let event = processed.next().await.unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&event.body).unwrap(), json!([1]));

        registry.forget("custom");
        processes::youngest_worker(&casemate.marker()).unwrap().signal(Signal::KILL);
        until("its block type again", async || !registry.block_types().is_empty()).await;
        casemate.publish("content.created", &json!({"id": 2})).await.unwrap();
        until("the first event of a new life", async || created(&plugin).await == 1).await;
        let answer: Value = plugin.call("process_data", &json!([2])).await.unwrap();
        assert_eq!(answer, json!({"before": "[1]"}), "what it keeps outlives it");

        let failure = plugin.call::<_, Value>("dance", &()).await.unwrap_err();
        assert!(failure.to_string().contains("UnknownCommand"), "{failure}");
        ends(&ground, &casemate, &plugin).await;
    });
}

/// I7: where a daemon says that what was said yes to does not run, the command ends as `policy reload` does.
#[test]
fn i07_consent_ends_as_the_daemon_says() {
    let ground = Ground::new();
    let served = Served::start("version = 1\n");
    let ran = |arguments: &[&str]| served.command(arguments);
    let install = |code: u32| {
        let text = format!(
            r#"(module (memory (export "memory") 1)
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "initialize") (param i32 i32) (result i32) (i32.const {code}))
  (func (export "handle_command") (param i32 i32) (result i32) (i32.const 0))
  (func (export "shutdown") (result i32) (i32.const 0)))"#
        );
        let manifest = "capabilities = [\"RecordAudio\"]\n[plugin]\nid = \"recorder\"\nname = \"R\"\n\
                        version = \"1.0.0\"\nwasm = \"r.wasm\"\n";
        let wasm = wat::parse_str(text).unwrap();
        let files = [("plugin.toml", manifest.as_bytes()), ("r.wasm", wasm.as_slice())];
        let folder = ground.package("recorder", &files);
        let ran = ran(&["plugins", "install", folder.to_str().unwrap()]);
        assert_eq!(ran.code, 0, "{ran:?}");
    };
    install(0);
    let said = ran(&["--json", "consent", "recorder", "--yes"]);
    assert_eq!((said.code, &said.json()["ok"]), (0, &json!(true)), "{said:?}");
    // The new version does not take over, and so what was taken back is not told to it.
    install(7);
    let said = ran(&["--json", "consent", "recorder", "--revoke"]);
    assert_eq!((said.code, &said.json()["ok"]), (3, &json!(false)), "{said:?}");
    assert!(said.json()["daemon"].as_str().unwrap().starts_with("failed: "), "{said:?}");
    let said = ran(&["consent", "recorder", "--yes"]);
    assert!(said.code == 3 && said.out.contains("  daemon: failed: "), "{said:?}");
}

/// I8: `casemate test` and `casemate run` take a plugin with the project's own manifest, as it is installed with.
#[test]
fn i08_a_folder_with_the_projects_own_manifest_is_tested() {
    let ground = Ground::new();
    let package = |name: &str, manifest: &str, module: &str, guest: &str| {
        let wasm = std::fs::read(guests::rust(guest)).unwrap();
        ground.package(name, &[("plugin.toml", manifest.as_bytes()), (module, &wasm)])
    };
    let folder = package("custom", KIT, "custom.wasm", "ideanet_custom_block");
    let module = folder.join("custom.wasm");
    let said = "custom: no examples; it was loaded and initialized\n";
    for what in [&folder, &module] {
        assert_eq!(ground.done(&["test", what.to_str().unwrap()]).out, said);
    }
    let tested = ground.done(&["--json", "test", folder.to_str().unwrap()]).json();
    assert_eq!(tested, json!({"ok": true, "plugin": "custom", "examples": [], "initialized": true}));

    let folder = package("blocks", MANIFEST, "blocks.wasm", "ideanet_blocks");
    let (folder, module) = (folder.to_str().unwrap(), folder.join("blocks.wasm"));
    let module = module.to_str().unwrap();
    let refused = ground.ran(&["test", folder, "--with", "{\"refuse\": 1}"]);
    assert!(refused.code == 3 && refused.err.contains("initialize answered 3"), "{refused:?}");
    assert!(refused.err.contains("load it with another one"), "{refused:?}");
    let wrong = MANIFEST.replace("RegisterBlockType", "RegisterBlock");
    let wrong = package("wrong", &wrong, "blocks.wasm", "ideanet_blocks");
    let wrong = ground.ran(&["test", wrong.to_str().unwrap()]);
    assert!(wrong.code == 3 && wrong.err.contains("RegisterBlockType"), "{wrong:?}");
    // What it asks for nobody grants here: that is what is said, and not that its manifest is unknown.
    let ran = ground.ran(&["run", module, "--call", "render_block"]);
    assert!(ran.code == 3 && ran.err.contains("ui.register_block_type"), "{ran:?}");
    assert!(ran.err.contains("permissions.host of the plugin's policy"), "{ran:?}");
    assert!(!ran.err.contains("load it with another one"), "{ran:?}");
}

/// I9: one that cannot be initialized is seen as what it is. It is not tried again each second but after pauses, and given up
/// after three; whoever sets right what was wrong resets it.
#[test]
fn i09_a_plugin_that_cannot_be_initialized_pauses_and_is_given_up() {
    block_on(async {
        let ground = Ground::new();
        let quick = "[defaults.restart.backoff]\nfirst = \"1ms\"\n";
        let casemate = ground.host(&format!("{GRANTED}{quick}"));
        let tried = Arc::new(AtomicU64::new(0));
        let (count, may) = (Arc::clone(&tried), Arc::new(AtomicBool::new(false)));
        let is_well = Arc::clone(&may);
        casemate.on("ui.register_block_type", move |_: Value| {
            count.fetch_add(1, Ordering::Relaxed);
            let answer = match is_well.load(Ordering::Relaxed) {
                true => Ok(Value::Null),
                false => Err(HostError::new("full", "no room for blocks")),
            };
            async { answer }
        });
        casemate.on("ui.farewell", |_: Value| async { Ok::<_, HostError>(Value::Null) });
        let name = "org.example.blocks";
        let plugin = ground
            .installed(&casemate, ("plugin.toml", MANIFEST), "blocks.wasm", "ideanet_blocks", name)
            .await;
        until("its end", async || plugin.status().state == State::Disabled).await;
        let status = plugin.status();
        assert_eq!((status.crashes, tried.load(Ordering::Relaxed)), (3, 3));
        let last = status.last_crash.unwrap();
        assert!(last.contains("it could not be set up") && last.contains("initialize"), "{last}");
        let why = status.disabled.unwrap();
        assert!(why.contains("restart.give_up_after") && why.contains(&last), "{why}");
        let failure = plugin.call::<_, Value>("render_block", &()).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::PluginDisabled { by_crashes: true, .. }), "{failure}");

        may.store(true, Ordering::Relaxed);
        plugin.reset().await.unwrap();
        until("its block type", async || tried.load(Ordering::Relaxed) == 4).await;
        let shown: Value = plugin.call("render_block", &json!({"text": "hi"})).await.unwrap();
        assert_eq!((shown["html"].as_str(), plugin.status().crashes), (Some("<p>hi</p>"), 0));
        ends(&ground, &casemate, &plugin).await;
    });
}

/// I9: a host that comes after its plugins is waited for, however long: that is nobody's crash.
#[test]
fn i09_a_plugin_waits_for_its_host() {
    block_on(async {
        let ground = Ground::new();
        let quick = "[defaults.restart.backoff]\nfirst = \"1ms\"\n";
        let casemate = ground.host(&format!("{GRANTED}{quick}"));
        let name = "org.example.blocks";
        let plugin = ground
            .installed(&casemate, ("plugin.toml", MANIFEST), "blocks.wasm", "ideanet_blocks", name)
            .await;
        let called = async || plugin.call::<_, Value>("render_block", &json!({"text": "hi"})).await;
        // More often than it takes to be given up.
        for _ in 0..5 {
            let failure = called().await.unwrap_err().to_string();
            assert!(failure.contains("nobody answered a host call of its"), "{failure}");
            assert!(failure.contains("ui.register_block_type"), "{failure}");
        }
        until("why it could not be polled", async || plugin.status().last_crash.is_some()).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        let status = plugin.status();
        assert_eq!((status.state, status.crashes), (State::Running, 0), "{status:?}");
        let tried = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&tried);
        casemate.on("ui.register_block_type", move |_: Value| {
            count.fetch_add(1, Ordering::Relaxed);
            async { Ok::<_, HostError>(Value::Null) }
        });
        casemate.on("ui.farewell", |_: Value| async { Ok::<_, HostError>(Value::Null) });
        until("its block type", async || tried.load(Ordering::Relaxed) > 0).await;
        assert_eq!(called().await.unwrap(), json!({"html": "<p>hi</p>"}));
        ends(&ground, &casemate, &plugin).await;
    });
}

/// I9: while it pauses, that is what it is said to do, with the reason.
#[test]
fn i09_a_denied_host_call_of_its_initialization_is_its_last_crash() {
    block_on(async {
        let ground = Ground::new();
        let long = "[defaults.restart.backoff]\nfirst = \"1h\"\nmax = \"1h\"\n";
        let casemate = ground.host(&format!("{GRANTED}{long}"));
        host(&casemate);
        let manifest = MANIFEST.replace("\"RegisterBlockType\", ", "");
        let name = "org.example.blocks";
        let plugin = ground
            .installed(&casemate, ("plugin.toml", &manifest), "blocks.wasm", "ideanet_blocks", name)
            .await;
        until("its pause", async || plugin.status().state == State::Backoff).await;
        let status = plugin.status();
        assert_eq!((status.crashes, status.retry_in.is_some()), (1, true));
        let last = status.last_crash.unwrap();
        let denied = "it was denied a host call: host method \"ui.register_block_type\" is not granted: its manifest does not ask \
                      for it: add it to permissions.host there";
        assert!(last.contains("could not be set up") && last.contains(denied), "{last}");
        assert!(!last.contains("load it with another one"), "{last}");
        ends(&ground, &casemate, &plugin).await;
    });
}

/// I7: what needs a person is denied until one says yes, or the operator in a person's place; an update that wants more
/// asks for that alone.
#[test]
fn i07_a_person_is_asked_once_and_again_for_more() {
    block_on(async {
        let ground = Ground::new();
        let wasm = std::fs::read(guests::rust("ideanet_blocks")).unwrap();
        let install = |version: &str, capabilities: &str| {
            let manifest = format!(
                "capabilities = [\"RegisterBlockType\", {capabilities}]\n[plugin]\nid = \"recorder\"\nname = \"R\"\n\
                 version = \"{version}\"\nwasm = \"r.wasm\"\n"
            );
            let folder = ground.package(version, &[("plugin.toml", manifest.as_bytes()), ("r.wasm", &wasm)]);
            ground.done(&["plugins", "install", folder.to_str().unwrap()]);
        };
        let asks = async |granted: &str, method: &str| -> Result<Value, String> {
            let casemate = ground.host(granted);
            for method in ["ui.register_block_type", "ui.farewell", "audio.record", "clipboard.read"] {
                casemate.on(method, |_: Value| async { Ok::<_, HostError>(json!("done")) });
            }
            let plugin = casemate.load_named("recorder").await.unwrap();
            let answer = plugin.call("ask", &json!({ "method": method })).await;
            casemate.shutdown().await;
            answer.map_err(|failure| failure.to_string())
        };
        install("1.0.0", "\"RecordAudio\"");
        let denied = asks(GRANTED, "audio.record").await.unwrap_err();
        assert!(denied.contains("denied"), "{denied}");
        // Nobody sits in front of this.
        let ran = ground.ran(&["consent", "recorder"]);
        assert!(ran.code == 2 && ran.err.contains("audio.record") && ran.err.contains("--yes"), "{ran:?}");
        let by_operator = format!("{GRANTED}[plugins.recorder]\nconsent = [\"audio.*\"]\n");
        // A table of its own has no path here: the package's is meant.
        assert_eq!(asks(&by_operator, "audio.record").await, Ok(json!("done")));

        let ran = ground.done(&["consent", "recorder", "--yes"]);
        assert_eq!(ran.out, "recorder: may call audio.record\n");
        assert_eq!(asks(GRANTED, "audio.record").await, Ok(json!("done")));
        // Asked once.
        let ran = ground.done(&["--json", "consent", "recorder"]);
        assert_eq!(ran.json()["waiting"], json!([]));

        install("1.1.0", "\"RecordAudio\", \"AccessClipboard\"");
        assert_eq!(asks(GRANTED, "audio.record").await, Ok(json!("done")), "what was said holds");
        let denied = asks(GRANTED, "clipboard.read").await.unwrap_err();
        assert!(denied.contains("denied"), "{denied}");
        let ran = ground.ran(&["consent", "recorder"]);
        assert!(ran.err.contains("clipboard.read") && !ran.err.contains("audio.record"), "{ran:?}");

        ground.done(&["consent", "recorder", "--revoke"]);
        let denied = asks(GRANTED, "audio.record").await.unwrap_err();
        assert!(denied.contains("denied"), "{denied}");

        // Whoever is called so after it was removed is somebody else.
        ground.done(&["consent", "recorder", "--yes"]);
        ground.done(&["plugins", "remove", "recorder"]);
        install("1.0.0", "\"RecordAudio\"");
        let denied = asks(GRANTED, "audio.record").await.unwrap_err();
        assert!(denied.contains("denied"), "{denied}");
    });
}
