//! Shows notes.

use ideanet_plugin_sdk::*;
use serde_json::{Value, json};

/// The plugin; what is in it stays between commands.
#[plugin_main]
pub struct Notes {
    host_api: HostApi,
}

impl Plugin for Notes {
    fn initialize(&mut self, host_api: HostApi) -> Result<(), PluginError> {
        self.host_api = host_api;
        // A host without a front-end has no registry, and that is no reason not to work.
        let _ = self.host_api.ui_registry.register_block_type(BlockTypeConfig {
            id: "note",
            name: "Note",
            component: "NoteComponent",
        });
        self.host_api.event_bus.subscribe("content.created", |event| {
            // What happens elsewhere.
            let _ = event.payload;
        })
    }

    fn handle_command(&mut self, command: Command) -> Result<CommandResponse, PluginError> {
        match command.action.as_str() {
            "render_block" => render(&command.payload),
            _ => Err(PluginError::UnknownCommand(command.action)),
        }
    }
}

fn render(payload: &Value) -> Result<CommandResponse, PluginError> {
    let text = payload.get("text").and_then(Value::as_str);
    let text = text.ok_or_else(|| PluginError::InvalidPayload("a block has a text".to_owned()))?;
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    Ok(json!({ "html": format!("<p>{text}</p>") }).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_a_paragraph() {
        assert_eq!(render(&json!({"text": "a < b"})).unwrap().0, json!({"html": "<p>a &lt; b</p>"}));
    }
}
