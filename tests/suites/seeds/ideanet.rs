//! IdeaNet, I1 to I9.

use crate::life::{Ground, dies_and_comes_back, ends};
use casemate::{Casemate, HostError};
use casemate_ideanet::UiRegistry;
use casemate_tests::{block_on, guests, processes};
use rustix::process::Signal;
use serde_json::{Value, json};
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
