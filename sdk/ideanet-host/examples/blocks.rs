//! IdeaNet in small: one of its plugins registers a type of block, hears of what is created, and renders it.
//!
//! ```sh
//! cargo run --package casemate-ideanet --example blocks -- ideanet_custom_block.wasm "a first idea" "and < another"
//! ```
#![expect(clippy::print_stdout, reason = "an example: it talks on the terminal")]

use casemate::{Casemate, Plugin, Policy, PolicySpec};
use casemate_ideanet::{REGISTER, UiRegistry};
use serde_json::{Value, json};
use std::error::Error;
use std::time::Duration;

/// How long a plugin may take to register what it has: it is initialized as soon as it is loaded.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let module = arguments.next().ok_or("name a module, and texts to make blocks of")?;
    let state = std::env::temp_dir().join(format!("casemate-blocks-{}", std::process::id()));
    let casemate = Casemate::builder().state_dir(state.clone()).build()?;
    let registry = UiRegistry::serve(&casemate);
    let mut processed = casemate.subscribe("data.processed").await?;

    let mut capabilities = PolicySpec {
        host: vec![REGISTER.to_owned(), "kv.*".to_owned()],
        publish: vec!["data.processed".to_owned()],
        subscribe: vec!["content.*".to_owned()],
        ..PolicySpec::default()
    };
    // It keeps what it hears in its memory.
    capabilities.instances.max = 1;
    let plugin = casemate.load(module.as_str(), Policy::new(capabilities)?).await?;
    tokio::time::timeout(PATIENCE, registered(&registry)).await?;
    for block in registry.block_types() {
        println!("{}: {} is shown by {}", block.id, block.name, block.component_key());
    }
    for (number, text) in arguments.enumerate() {
        casemate.publish("content.created", &json!({ "id": number, "text": text })).await?;
        println!("{}", shown(&plugin, &text).await?);
        let _: Value = plugin.call("process_data", &json!({ "text": text })).await?;
        let event = processed.next().await.ok_or("the events have ended")?;
        println!("  {} {}", event.topic, String::from_utf8_lossy(&event.body));
    }
    casemate.shutdown().await;
    std::fs::remove_dir_all(state)?;
    Ok(())
}

async fn registered(registry: &UiRegistry) {
    while registry.block_types().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn shown(plugin: &Plugin, text: &str) -> Result<String, Box<dyn Error>> {
    let block: Value = plugin.call("render_block", &json!({ "text": text })).await?;
    Ok(block.get("html").and_then(Value::as_str).unwrap_or_default().to_owned())
}
