//! IdeaNet's example in AssemblyScript answers what its own in Rust does.

use crate::life::{Ground, dies_and_comes_back, ends};
use crate::{built, is_there};
use casemate::{Casemate, Cause, Plugin};
use casemate_ideanet::UiRegistry;
use casemate_tests::{block_on, guests};
use serde_json::{Value, json};
use std::time::Duration;

const CAPABILITIES: &str = "capabilities = [\"RegisterBlockType\", \"ReadUserData\", \"WriteUserData\", \
                            { SubscribeEvents = [\"content.*\"] }, { PublishEvents = [\"data.processed\"] }]\n";
const ALL: &str = "[defaults.permissions]\nhost = [\"*\"]\npublish = [\"**\"]\nsubscribe = [\"**\"]\n\
                   [defaults.instances]\nmax = 1\n";

async fn created(plugin: &Plugin) -> u64 {
    let block: Value = plugin.call("render_block", &json!({"text": "a"})).await.unwrap();
    block["created"].as_u64().unwrap()
}

/// Everything that the example has, and what came of it.
async fn tried(casemate: &Casemate, plugin: &Plugin) -> Vec<Value> {
    let mut found = Vec::new();
    for (action, payload) in [
        ("render_block", json!({"text": "a < b & \"ß\" \u{1f600}"})),
        ("render_block", json!({"text": 7})),
        ("dance", json!(null)),
        ("process_data", json!("one")),
        ("process_data", json!("two\n\u{1f600}")),
    ] {
        let answer = plugin.call::<_, Value>(action, &payload).await;
        found.push(answer.unwrap_or_else(|failure| match failure.cause {
            Cause::GuestError { code, message, .. } => json!([code, message]),
            other => panic!("{action}: {other:?}"),
        }));
    }
    let mut heard = casemate.subscribe("data.processed").await.unwrap();
    plugin.call::<_, Value>("process_data", &json!("three")).await.unwrap();
    found.push(serde_json::from_slice(&heard.next().await.unwrap().body).unwrap());
    casemate.publish("content.created", &json!({"id": 1})).await.unwrap();
    for _ in 0..600 {
        if created(plugin).await == 1 {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("its event did not come");
}

/// I1, I2, I3: the block type, storage, events and answers, in two languages.
#[test]
fn i01_i02_i03_the_example_in_assemblyscript() {
    if !is_there("i01_i02_i03_the_example_in_assemblyscript", "assemblyscript") {
        return;
    }
    block_on(async {
        let mut answers = Vec::new();
        for name in ["ours", "theirs"] {
            let ground = Ground::new();
            let wasm = match name {
                "ours" => built("ideanet-as", ground.folder()),
                _ => guests::rust("ideanet_custom_block"),
            };
            let casemate = ground.host(ALL);
            let registry = UiRegistry::serve(&casemate);
            let manifest = format!(
                "{CAPABILITIES}[plugin]\nid = \"{name}\"\nname = \"Custom\"\nversion = \"0.1.0\"\nwasm = \"custom.wasm\"\n"
            );
            let manifest = ("plugin.toml", manifest.as_str());
            let plugin = ground.installed_file(&casemate, manifest, "custom.wasm", &wasm, name).await;
            dies_and_comes_back(&casemate, &plugin, "render_block", &json!({"text": "hi"})).await;
            answers.push(tried(&casemate, &plugin).await);
            let block = registry.find(name, "my-custom-block").unwrap();
            assert_eq!(
                (block.name.as_str(), block.component.as_str()),
                ("My Custom Block", "MyCustomBlockComponent")
            );
            ends(&ground, &casemate, &plugin).await;
        }
        assert_eq!(answers[0], answers[1]);
    });
}
