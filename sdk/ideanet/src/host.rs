//! What the host does for a plugin.

use crate::PluginError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;

/// The host's services.
#[derive(Debug, Clone, Default)]
pub struct HostApi {
    /// What the front-end shows.
    pub ui_registry: UiRegistry,
    /// What happens elsewhere, and what this plugin tells of.
    pub event_bus: EventBus,
    /// What outlives this instance.
    pub storage: Storage,
    pub(crate) configuration: Value,
}

impl HostApi {
    /// What the plugin is configured with; null is nothing.
    pub fn configuration(&self) -> &Value {
        &self.configuration
    }
}

/// Types of blocks; capability `RegisterBlockType`.
#[derive(Debug, Clone, Default)]
pub struct UiRegistry;

/// A type of block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BlockTypeConfig<'a> {
    /// Its name among the plugin's.
    pub id: &'a str,
    /// What people call it.
    pub name: &'a str,
    /// The component that shows it.
    pub component: &'a str,
}

impl UiRegistry {
    /// Has the host know a type of block. To say it again changes nothing.
    pub fn register_block_type(&self, config: BlockTypeConfig<'_>) -> Result<(), PluginError> {
        call("ui.register_block_type", json!(config)).map(drop)
    }
}

/// Events; capabilities `SubscribeEvents` and `PublishEvents`.
#[derive(Debug, Clone, Default)]
pub struct EventBus;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Event {
    /// What it is about: parts with dots between.
    pub topic: String,
    /// What it carries.
    #[serde(default)]
    pub payload: Value,
}

impl EventBus {
    /// Has `hear` called with each event of these topics: `content.*`.
    pub fn subscribe(&self, topic: &str, hear: impl FnMut(Event) + 'static) -> Result<(), PluginError> {
        call("events.subscribe", json!({ "topic": topic }))?;
        LISTENERS.with_borrow_mut(|listeners| {
            listeners.push(Listener { pattern: topic.to_owned(), hear: Rc::new(RefCell::new(hear)) });
        });
        Ok(())
    }

    /// Tells everybody who has subscribed to the topic.
    pub fn publish(&self, topic: &str, payload: Value) -> Result<(), PluginError> {
        call("events.publish", json!({ "topic": topic, "payload": payload })).map(drop)
    }
}

#[derive(Clone)]
struct Listener {
    pattern: String,
    hear: Rc<RefCell<dyn FnMut(Event)>>,
}

thread_local! {
    static LISTENERS: RefCell<Vec<Listener>> = const { RefCell::new(Vec::new()) };
}

/// Tells everybody in this plugin who listens. Whoever subscribes meanwhile hears the next one.
pub(crate) fn tell(event: &Event) {
    let listeners = LISTENERS.with_borrow(|listeners| listeners.clone());
    for Listener { hear, .. } in listeners.iter().filter(|listener| matches(&listener.pattern, &event.topic))
    {
        if let Ok(mut hear) = hear.try_borrow_mut() {
            hear(event.clone());
        }
    }
}

/// `*` is any part, `**` all that follow.
fn matches(pattern: &str, topic: &str) -> bool {
    let mut parts = topic.split('.');
    for wanted in pattern.split('.') {
        if wanted == "**" {
            return true;
        }
        match parts.next() {
            Some(part) if wanted == "*" || wanted == part => {}
            _ => return false,
        }
    }
    parts.next().is_none()
}

/// Bytes by key, of this plugin alone; capabilities `ReadUserData` and `WriteUserData`.
#[derive(Debug, Clone, Default)]
pub struct Storage;

impl Storage {
    /// What is kept under a key.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, PluginError> {
        match call("kv.get", json!({ "key": key }))?.get("value").and_then(Value::as_str) {
            Some(text) => {
                let value = STANDARD.decode(text);
                value.map(Some).map_err(|error| PluginError::Failed(format!("the kept value: {error}")))
            }
            None => Ok(None),
        }
    }

    /// Keeps a value.
    pub fn set(&self, key: &str, value: &[u8]) -> Result<(), PluginError> {
        call("kv.set", json!({ "key": key, "value": STANDARD.encode(value) })).map(drop)
    }

    /// Forgets a value.
    pub fn delete(&self, key: &str) -> Result<(), PluginError> {
        call("kv.delete", json!({ "key": key })).map(drop)
    }
}

/// Calls any method of the host's: those of other capabilities, such as `audio.record`.
pub fn call(method: &str, payload: Value) -> Result<Value, PluginError> {
    let request = json!({ "method": method, "payload": payload });
    let mut reply: Value = serde_json::from_slice(&exchange(request.to_string().as_bytes()))?;
    match reply.get_mut("ok") {
        Some(answer) => Ok(answer.take()),
        None => Err(PluginError::of_host(reply.get("error").unwrap_or(&Value::Null))),
    }
}

#[cfg(target_arch = "wasm32")]
fn exchange(request: &[u8]) -> Vec<u8> {
    #[link(wasm_import_module = "ideanet")]
    unsafe extern "C" {
        fn host_call(request: *const u8, bytes: usize) -> *mut u8;
    }
    // SAFETY: the host reads the request while the call lasts, and answers with a block of `alloc`'s, its length in front.
    unsafe {
        let block = host_call(request.as_ptr(), request.len());
        let length = u32::from_le_bytes(*block.cast::<[u8; 4]>()) as usize;
        let mut whole = crate::exports::take(block, length + 4);
        whole.drain(..4);
        whole
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn exchange(request: &[u8]) -> Vec<u8> {
    crate::testing::answer(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_match_as_the_host_matches_them() {
        for (pattern, topic, is_one) in [
            ("content.created", "content.created", true),
            ("content.*", "content.created", true),
            ("content.*", "content.a.b", false),
            ("content.**", "content.a.b", true),
            ("content", "content.a", false),
            ("*.created", "content.created", true),
        ] {
            assert_eq!(matches(pattern, topic), is_one, "{pattern} {topic}");
        }
    }

    #[test]
    fn what_is_kept_comes_back() {
        let _host = crate::testing::host(|method, payload| match method {
            "kv.get" if payload["key"] == "a" => Ok(json!({ "value": "AP8=" })),
            "kv.get" => Ok(json!({ "value": null })),
            _ => Err(PluginError::PermissionDenied("no".to_owned())),
        });
        let storage = Storage;
        assert_eq!(storage.get("a"), Ok(Some(vec![0, 255])));
        assert_eq!(storage.get("b"), Ok(None));
        assert_eq!(storage.set("a", b"").unwrap_err().code(), "PermissionDenied");
    }
}
