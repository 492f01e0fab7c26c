//! Signal K: a `package.json` with `wasmManifest`, which names the module, and `wasmCapabilities`.

use super::ManifestReader;
use crate::package::document::{Document, Field};
use crate::package::draft::Draft;
use crate::package::{Files, PackageError, Program, Surroundings, is_plain};
use serde_json::Value;

pub(super) struct SignalK;

/// Host methods that any of its plugins asks for.
const ALWAYS: [&str; 5] =
    ["sk.set_status", "sk.set_error", "sk.read_config", "config.save", "sk.has_capability"];

/// What a capability is worth: host methods, and topics to hear and to publish.
struct Capability {
    name: &'static str,
    /// Where a manifest says nothing of it.
    by_default: bool,
    host: &'static [&'static str],
    subscribe: &'static [&'static str],
    publish: &'static [&'static str],
}

const fn capability(name: &'static str, host: &'static [&'static str]) -> Capability {
    Capability { name, by_default: false, host, subscribe: &[], publish: &[] }
}

const CAPABILITIES: [Capability; 7] = [
    Capability {
        by_default: true,
        subscribe: &["sk.**"],
        ..capability("dataRead", &["sk.get_self_path", "sk.get_path"])
    },
    Capability {
        by_default: true,
        publish: &["sk.**"],
        ..capability("dataWrite", &["sk.handle_message", "sk.publish_notification", "sk.emit_binary_stream"])
    },
    capability("putHandlers", &["sk.register_put_handler"]),
    capability("resourceProvider", &["sk.register_resource_provider"]),
    capability("weatherProvider", &["sk.register_weather_provider"]),
    capability("radarProvider", &["sk.register_radar_provider", "sk.radar_emit_spokes"]),
    // What it answers is called by the host; it calls nothing for that itself.
    capability("httpEndpoints", &[]),
];

/// Capabilities that nobody has here: what they would reach.
const DENIED: [(&str, &str); 3] =
    [("network", "the network"), ("rawSockets", "sockets"), ("serialPorts", "serial ports")];

impl ManifestReader for SignalK {
    fn system(&self) -> &'static str {
        "signalk"
    }

    fn files(&self) -> &'static [&'static str] {
        &["package.json"]
    }

    fn claims(&self, document: &Document) -> bool {
        document.has("wasmManifest")
    }

    fn mark(&self) -> &'static str {
        "wasmManifest"
    }

    fn read(&self, document: &Document, _: &dyn Files, _: &Surroundings) -> Result<Vec<Draft>, PackageError> {
        let top = document.top();
        let module = top.must("wasmManifest")?;
        let path = module.text()?.trim_start_matches("./");
        if !is_plain(path) {
            return Err(module.shape("write a path below the folder of this file"));
        }
        let name = top.must("name")?.text()?;
        let mut draft = Draft::new(&document.file, Program::Module { path: path.to_owned() });
        let id = name.replace(['@', '/'], "_");
        let shown = match top.get("signalk")? {
            Some(signalk) => signalk.text_of("displayName")?.unwrap_or(name),
            None => name,
        };
        draft.named(&id, shown, top.must("version")?.text()?);
        draft.put_some("description", top.text_of("description")?);
        draft.put_some("license", top.text_of("license")?);
        draft.put_in("options", "id", id);
        draft.dialects = &["signalk-as", "signalk-buffer"];
        draft.grow("permissions", "host", ALWAYS.map(str::to_owned));
        let nothing = Value::Object(serde_json::Map::new());
        let key = "wasmCapabilities".to_owned();
        let none = Field { file: &document.file, key, value: &nothing };
        allow(&mut draft, &top.get("wasmCapabilities")?.unwrap_or(none))?;
        Ok(vec![draft])
    }
}

fn allow(draft: &mut Draft, said: &Field<'_>) -> Result<(), PackageError> {
    for Capability { name, by_default, host, subscribe, publish } in CAPABILITIES {
        if said.flag_of(name)?.unwrap_or(by_default) {
            for (key, texts) in [("host", host), ("subscribe", subscribe), ("publish", publish)] {
                draft.grow("permissions", key, texts.iter().map(|&text| text.to_owned()));
            }
        }
    }
    match said.get("storage")? {
        Some(storage) => match storage.text()? {
            "vfs-only" => draft.put("storage", "vfs"),
            "none" => draft.put("storage", "none"),
            _ => return Err(storage.shape("write \"vfs-only\" or \"none\"")),
        },
        None => draft.put("storage", "none"),
    }
    for (name, what) in DENIED {
        if said.flag_of(name)? == Some(true) {
            draft.note(format!("{}.{name}: {what} is denied to all in this version", said.key));
            if name == "network" {
                draft.grow("permissions", "network", ["*".to_owned()]);
            }
        }
    }
    let known = |name: &str| {
        name == "storage"
            || CAPABILITIES.iter().any(|capability| capability.name == name)
            || ["staticFiles"].contains(&name)
            || DENIED.iter().any(|(denied, _)| *denied == name)
    };
    for (name, field) in said.members()? {
        if !known(name) {
            draft.note(format!("{} is no capability that is known here: it grants nothing", field.key));
        }
    }
    Ok(())
}
