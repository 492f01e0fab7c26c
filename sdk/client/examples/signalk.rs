//! A Signal K server in small: plays a recorded track to two of its plugins, and prints what they emit.
//!
//! ```sh
//! cargo run --package casemate --example signalk -- signalk_anchor.wasm signalk_units.wasm track.jsonl
//! ```
#![expect(clippy::print_stdout, reason = "an example: it talks on the terminal")]

use casemate::{Casemate, HostError, HostReply, HostRequest, Plugin, Policy, PolicySpec};
use serde_json::{Value, json};
use std::error::Error;
use std::time::Duration;

/// A plugin, the paths that it hears of, and how often it was told.
struct Listener {
    plugin: Plugin,
    paths: &'static [&'static str],
    told: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut file = |otherwise: &str| arguments.next().unwrap_or_else(|| otherwise.to_owned());
    let (anchor, units) = (file("signalk_anchor.wasm"), file("signalk_units.wasm"));
    let track = std::fs::read_to_string(file("track.jsonl"))?;
    let casemate = Casemate::embedded()?;
    for method in ["sk.set_status", "sk.handle_message", "sk.publish_notification", "sk.register_put_handler"]
    {
        casemate.on_raw(method, |request| async move { take(&request) });
    }
    let mut listeners = [
        listen(&casemate, anchor, &["navigation.position"], &json!({"radius": 30})).await?,
        listen(&casemate, units, &["navigation.*", "environment.water.temperature"], &json!({})).await?,
    ];
    for line in track.lines() {
        let delta: Value = serde_json::from_str(line)?;
        let path = delta.pointer("/updates/0/values/0/path").and_then(Value::as_str).unwrap_or_default();
        println!("{path}");
        casemate.publish(&format!("sk.{path}"), &delta).await?;
        for listener in &mut listeners {
            listener.heard(path).await;
        }
    }
    // Each is told of its end.
    casemate.shutdown().await;
    Ok(())
}

async fn listen(
    casemate: &Casemate,
    module: String,
    paths: &'static [&'static str],
    config: &Value,
) -> Result<Listener, Box<dyn Error>> {
    let mut spec = PolicySpec {
        host: vec!["sk.*".to_owned()],
        subscribe: vec!["sk.**".to_owned()],
        ..PolicySpec::default()
    };
    // It keeps what it knows in its memory.
    spec.instances.max = 1;
    let policy = Policy::new(spec)?;
    let plugin = casemate.load_with(module, policy, Some(config.to_string().into_bytes())).await?;
    let patterns: Vec<String> = paths.iter().map(|path| format!("sk.{path}")).collect();
    plugin.subscribe_to(&patterns.iter().map(String::as_str).collect::<Vec<_>>())?;
    Ok(Listener { plugin, paths, told: 0 })
}

impl Listener {
    /// Waits until it has heard of a path, so that what is printed comes in the order of the track. A server would not.
    async fn heard(&mut self, path: &str) {
        let matches = |pattern: &&str| match pattern.strip_suffix(".*") {
            Some(before) => path.strip_prefix(before).is_some_and(|rest| rest.starts_with('.')),
            None => path == *pattern,
        };
        if !self.paths.iter().any(matches) {
            return;
        }
        self.told += 1;
        loop {
            let events = self.plugin.status().events;
            if events.delivered + events.failed >= self.told {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// What a plugin emits.
fn take(request: &HostRequest) -> Result<HostReply, HostError> {
    let said: Value = serde_json::from_slice(&request.body)
        .map_err(|error| HostError::new("bad_input", error.to_string()))?;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let plugin = &request.plugin;
    match request.method.as_str() {
        "sk.handle_message" => {
            let updates = said.pointer("/delta/updates").and_then(Value::as_array).into_iter().flatten();
            for value in updates.filter_map(|update| update.get("values")?.as_array()).flatten() {
                let path = value.get("path").map(text).unwrap_or_default();
                println!("  {plugin}: {path} = {}", value.get("value").unwrap_or(&Value::Null));
            }
        }
        "sk.publish_notification" => {
            let of = |pointer: &str| said.pointer(pointer).map(text).unwrap_or_default();
            println!("  {plugin}: {} {}: {}", of("/path"), of("/value/state"), of("/value/message"));
        }
        "sk.set_status" => println!("  {plugin}: {}", said.get("message").map(text).unwrap_or_default()),
        _ => println!("  {plugin}: takes PUT of {}", said.get("path").map(text).unwrap_or_default()),
    }
    Ok(HostReply { content_type: 1, body: b"null".to_vec() })
}
