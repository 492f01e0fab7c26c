//! IdeaNet: a `plugin.toml` with a table `plugin`. The project writes its types down, and no file: this is them as TOML.
//!
//! ```toml
//! capabilities = ["RegisterBlockType", { PublishEvents = ["content.*"] }]
//!
//! [plugin]
//! id = "org.example.notes"
//! name = "Notes"
//! version = "0.1.0"
//! wasm = "notes.wasm"
//!
//! [resource_limits]
//! max_memory = 67108864
//! max_cpu_time = "1s"
//! allowed_network_domains = []
//! file_access_scope = { ReadOnly = "/data" }
//! ```

use super::ManifestReader;
use crate::package::document::{Document, Field};
use crate::package::draft::Draft;
use crate::package::{Files, PackageError, Program, Surroundings, is_plain};
use serde_json::Value;
use std::time::Duration;

pub(super) struct IdeaNet;

/// What a capability without a list is worth: host methods, and whether a person is asked.
const CAPABILITIES: [(&str, &[&str], bool); 7] = [
    ("RegisterBlockType", &["ui.register_block_type"], false),
    ("RenderBlocks", &["ui.render_blocks"], false),
    ("ReadUserData", &["kv.get", "kv.list"], false),
    ("WriteUserData", &["kv.set", "kv.delete"], false),
    ("RecordAudio", &["audio.record"], true),
    ("AccessClipboard", &["clipboard.read", "clipboard.write"], true),
    ("RunTerminalCommands", &["terminal.run"], true),
];

const PLUGIN: &[&str] = &[
    "id",
    "name",
    "version",
    "description",
    "author",
    "license",
    "homepage",
    "wasm",
    "wasm_url",
    "frontend_assets",
];
const LIMITS: &[&str] = &["max_memory", "max_cpu_time", "allowed_network_domains", "file_access_scope"];

const KNOWN: &str = "write one of RegisterBlockType, RenderBlocks, ReadUserData, WriteUserData, RecordAudio, \
                     AccessClipboard, RunTerminalCommands, or { PublishEvents = […] }, { SubscribeEvents = […] }, \
                     { HttpRequest = […] }";

impl ManifestReader for IdeaNet {
    fn system(&self) -> &'static str {
        "ideanet"
    }

    fn files(&self) -> &'static [&'static str] {
        &["plugin.toml"]
    }

    fn claims(&self, document: &Document) -> bool {
        document.has("plugin")
    }

    fn mark(&self) -> &'static str {
        "a table plugin"
    }

    fn read(&self, document: &Document, _: &dyn Files, _: &Surroundings) -> Result<Vec<Draft>, PackageError> {
        let top = document.top();
        let plugin = top.must("plugin")?;
        let module = plugin.get("wasm")?.or(plugin.get("wasm_url")?).ok_or_else(|| plugin.missing("wasm"))?;
        let text = module.text()?;
        let path = text.trim_start_matches("./");
        let program = match text {
            url if url.starts_with("https://") => Program::Remote { url: url.to_owned() },
            _ if is_plain(path) => Program::Module { path: path.to_owned() },
            _ => {
                return Err(
                    module.shape("write a path below the folder of this file, or an https:// address")
                );
            }
        };
        let id = plugin.must("id")?.text()?;
        let mut draft = Draft::new(&document.file, program);
        draft.named(id, plugin.must("name")?.text()?, plugin.must("version")?.text()?);
        draft.put_some("description", plugin.text_of("description")?);
        draft.put_some("license", plugin.text_of("license")?);
        draft.put("dialect", "ideanet");
        draft.dialects = &["ideanet"];
        draft.put_in("options", "id", id);
        if plugin.get("frontend_assets")?.is_some() {
            draft.note("plugin.frontend_assets: a front-end is not in this version");
        }
        draft.note_others(&top, &["capabilities", "plugin", "resource_limits"])?;
        draft.note_others(&plugin, PLUGIN)?;
        if let Some(limits) = top.get("resource_limits")? {
            draft.note_others(&limits, LIMITS)?;
            limit(&mut draft, &limits)?;
        }
        if let Some(capabilities) = top.get("capabilities")? {
            for capability in capabilities.list()? {
                allow(&mut draft, &capability)?;
            }
        }
        Ok(vec![draft])
    }
}

fn limit(draft: &mut Draft, limits: &Field<'_>) -> Result<(), PackageError> {
    if let Some(memory) = limits.get("max_memory")? {
        draft.limit_bytes("memory", memory.bytes()?);
    }
    if let Some(time) = limits.get("max_cpu_time")? {
        draft.limit_time("cpu", duration(&time)?);
    }
    draft.grow("permissions", "network", limits.texts_of("allowed_network_domains")?);
    let Some(scope) = limits.get("file_access_scope")? else { return Ok(()) };
    let wanted = "write \"None\", { ReadOnly = \"/folder\" } or { ReadWrite = \"/folder\" }";
    match scope.value {
        Value::String(word) if word == "None" => {}
        Value::Object(_) => match scope.members()?.as_slice() {
            [("ReadOnly", folder)] => {
                draft.grow("permissions", "filesystem", [format!("read:{}", folder.text()?)])
            }
            [("ReadWrite", folder)] => {
                draft.grow("permissions", "filesystem", [format!("write:{}", folder.text()?)])
            }
            _ => return Err(scope.shape(wanted)),
        },
        _ => return Err(scope.shape(wanted)),
    }
    Ok(())
}

/// A text with units, or seconds and nanoseconds, as Rust's own type is written.
fn duration(field: &Field<'_>) -> Result<Duration, PackageError> {
    match field.value {
        Value::Object(_) => {
            let number = |name| field.number_of(name).map(Option::unwrap_or_default);
            Ok(Duration::from_millis(
                number("secs")?.saturating_mul(1000).saturating_add(number("nanos")? / 1_000_000),
            ))
        }
        _ => field.time(),
    }
}

fn allow(draft: &mut Draft, capability: &Field<'_>) -> Result<(), PackageError> {
    let host = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    if let Value::String(word) = capability.value {
        let Some((_, methods, asks)) = CAPABILITIES.iter().find(|(name, ..)| name == word) else {
            return Err(capability.shape(KNOWN));
        };
        draft.grow("permissions", "host", host(methods));
        if *asks {
            draft.list("consent", host(methods));
        }
        return Ok(());
    }
    match capability.members()?.as_slice() {
        [("PublishEvents", topics)] => draft.grow("permissions", "publish", topics.texts()?),
        [("SubscribeEvents", topics)] => {
            draft.grow("permissions", "subscribe", topics.texts()?);
        }
        [("HttpRequest", domains)] => {
            draft.grow("permissions", "network", domains.texts()?);
            draft.grow("permissions", "host", host(&["http.request"]));
        }
        _ => return Err(capability.shape(KNOWN)),
    }
    Ok(())
}
