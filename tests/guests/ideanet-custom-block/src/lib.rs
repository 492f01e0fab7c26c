//! IdeaNet's example of its development kit, with what it leaves out: the two commands' own work, and a listener that does
//! something. `mended.diff` has every line that differs.

use ideanet_plugin_sdk::*;
use serde_json::{Value, json};
use std::cell::Cell;
use std::rc::Rc;

/// The plugin.
#[plugin_main]
pub struct MyPlugin {
    host_api: HostApi,
    created: Rc<Cell<u64>>,
}

impl Plugin for MyPlugin {
    fn initialize(&mut self, host_api: HostApi) -> Result<(), PluginError> {
        self.host_api = host_api;

        // Register UI components
        self.host_api.ui_registry.register_block_type(BlockTypeConfig {
            id: "my-custom-block",
            name: "My Custom Block",
            component: "MyCustomBlockComponent",
        })?;

        // Register event handlers
        let created = Rc::clone(&self.created);
        self.host_api.event_bus.subscribe("content.created", move |_event| {
            created.set(created.get() + 1);
        })?;

        Ok(())
    }

    fn handle_command(&mut self, command: Command) -> Result<CommandResponse, PluginError> {
        match command.action.as_str() {
            "render_block" => self.render_custom_block(command.payload),
            "process_data" => self.process_data(command.payload),
            _ => Err(PluginError::UnknownCommand(command.action)),
        }
    }
}

impl MyPlugin {
    fn render_custom_block(&self, payload: Value) -> Result<CommandResponse, PluginError> {
        let text = payload.get("text").and_then(Value::as_str);
        let text = text.ok_or_else(|| PluginError::InvalidPayload("a block has a text".to_owned()))?;
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        Ok(json!({ "html": format!("<p>{text}</p>"), "created": self.created.get() }).into())
    }

    /// Keeps what it was given last, and tells of it.
    fn process_data(&self, payload: Value) -> Result<CommandResponse, PluginError> {
        let before = self.host_api.storage.get("last")?;
        self.host_api.storage.set("last", payload.to_string().as_bytes())?;
        self.host_api.event_bus.publish("data.processed", payload)?;
        let before = before.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok(json!({ "before": before }).into())
    }
}
