//! Pocket: `manifest.yaml` or `manifest.json` with `runtime: wasm`, a `binary` and `nodes`.
//!
//! Permissions are a map, or a list of maps with one entry each; both are what the project's own pages show. The methods are a
//! node's functions, called with `{"node": …, "config": …, "input": …}`; which nodes there are is an option, as JSON.

use super::ManifestReader;
use crate::package::document::{Document, Field};
use crate::package::draft::Draft;
use crate::package::{Files, PackageError, Program, Surroundings, is_plain};
use semver::{Version, VersionReq};
use serde_json::{Value, json};

/// What of Pocket this speaks.
const POCKET: Version = Version::new(0, 5, 0);

/// What a node can be asked for.
const FUNCTIONS: [(&str, &str); 3] = [
    ("prep", "What a node does before, if it has anything to do"),
    ("exec", "What a node does: of node, config, input and prepResult"),
    ("post", "What a node does with its result, and where it goes on"),
];

/// What fits into an option.
const NODES_BYTES_MAX: usize = 60_000;

pub(super) struct Pocket;

impl ManifestReader for Pocket {
    fn system(&self) -> &'static str {
        "pocket"
    }

    fn files(&self) -> &'static [&'static str] {
        &["manifest.json", "manifest.yaml", "manifest.yml"]
    }

    fn claims(&self, document: &Document) -> bool {
        document.has("nodes") || document.has("runtime") || document.has("binary")
    }

    fn mark(&self) -> &'static str {
        "runtime, binary and nodes"
    }

    fn read(
        &self,
        document: &Document,
        files: &dyn Files,
        _: &Surroundings,
    ) -> Result<Vec<Draft>, PackageError> {
        let top = document.top();
        let runtime = top.must("runtime")?;
        if runtime.text()? != "wasm" {
            return Err(runtime.shape("write \"wasm\""));
        }
        let name = top.must("name")?.text()?;
        let mut draft = Draft::new(&document.file, binary(&top.must("binary")?, files)?);
        draft.named(name, name, top.must("version")?.text()?);
        draft.put_some("description", top.text_of("description")?);
        draft.put_some("license", top.text_of("license")?);
        draft.dialects = &["pocket-host", "pocket-buffer", "pocket-stdio"];
        for (function, what) in FUNCTIONS {
            draft.method(function, Some(what), None);
        }
        let mut nodes = Vec::new();
        for node in top.must("nodes")?.list()? {
            nodes.push(describe(&mut draft, &node)?);
        }
        let nodes = Value::Array(nodes).to_string();
        match nodes.len() <= NODES_BYTES_MAX {
            true => draft.put_in("options", "nodes", nodes),
            false => {
                draft.note(format!("its nodes are described in more than {NODES_BYTES_MAX} bytes: left out"))
            }
        }
        if let Some(permissions) = top.get("permissions")? {
            allow(&mut draft, &permissions)?;
        }
        if let Some(timeout) = top.get("timeout")? {
            draft.limit_time("call_timeout", timeout.time()?);
        }
        if let Some(requirements) = top.get("requirements")? {
            require(&mut draft, &requirements)?;
        }
        Ok(vec![draft])
    }
}

/// The module: as named, or below `dist`, where the project's own packages have it.
fn binary(field: &Field<'_>, files: &dyn Files) -> Result<Program, PackageError> {
    let text = field.text()?.trim_start_matches("./");
    if !is_plain(text) {
        return Err(field.shape("write a path below the folder of this file"));
    }
    let below = format!("dist/{text}");
    let is_there = |path: &str| files.read(path, u64::MAX >> 1).map(|found| found.is_some());
    let path = if !is_there(text)? && is_there(&below)? { below } else { text.to_owned() };
    Ok(Program::Module { path })
}

/// What a workflow has to know of a node; its examples are the package's.
fn describe(draft: &mut Draft, node: &Field<'_>) -> Result<Value, PackageError> {
    let kind = node.must("type")?.text()?;
    let mut described = serde_json::Map::new();
    for key in ["type", "category", "description"] {
        described.insert(key.to_owned(), node.must(key)?.text()?.into());
    }
    described
        .extend(node.get("configSchema")?.map(|schema| ("configSchema".to_owned(), schema.value.clone())));
    let examples = node.get("examples")?.map(|examples| examples.list()).transpose()?;
    for example in examples.unwrap_or_default() {
        let mut input = serde_json::Map::from_iter([("node".to_owned(), kind.into())]);
        for key in ["config", "input"] {
            input.extend(example.get(key)?.map(|field| (key.to_owned(), field.value.clone())));
        }
        let next = example.text_of("next")?.unwrap_or("done");
        let output = example.get("output")?.map(|field| json!({"output": field.value, "next": next}));
        let shown = example.text_of("name")?.or(example.text_of("description")?);
        if !draft.example("exec", shown, &Value::Object(input), output.as_ref()) {
            draft.note(format!("{} has a null, which our manifests cannot say: it is left out", example.key));
        }
    }
    Ok(Value::Object(described))
}

/// A map, or a list of maps with one entry each.
fn allow(draft: &mut Draft, permissions: &Field<'_>) -> Result<(), PackageError> {
    let maps = match permissions.value {
        Value::Array(_) => permissions.list()?,
        _ => vec![permissions.clone()],
    };
    for (name, field) in maps.iter().map(Field::members).collect::<Result<Vec<_>, _>>()?.into_iter().flatten()
    {
        match name {
            _ if field.value.is_null() => {}
            "network" => draft.grow("permissions", "network", field.texts()?),
            "env" => draft.grow("permissions", "env", field.texts()?),
            "filesystem" => draft.grow("permissions", "filesystem", field.texts()?),
            "memory" => draft.limit_bytes("memory", field.bytes()?),
            "cpu" => draft.limit_time("cpu", field.time()?),
            "timeout" => draft.limit_time("call_timeout", field.time()?),
            _ => {
                let known = "network, env, filesystem, memory, cpu and timeout";
                return Err(field.shape(format!("{name:?} is none of {known}")));
            }
        }
    }
    Ok(())
}

fn require(draft: &mut Draft, requirements: &Field<'_>) -> Result<(), PackageError> {
    if let Some(memory) = requirements.get("memory")? {
        draft.memory_needed = Some(memory.bytes()?);
    }
    let Some(pocket) = requirements.get("pocket")? else { return Ok(()) };
    let wanted = pocket.text()?;
    let range = VersionReq::parse(wanted)
        .map_err(|error| pocket.shape(format!("write as in \">=0.5.0\": {error}")))?;
    match range.matches(&POCKET) {
        true => Ok(()),
        false => Err(PackageError::TooNew {
            file: pocket.file.to_owned(),
            key: pocket.key.clone(),
            wanted: wanted.to_owned(),
            have: format!("Pocket {POCKET}"),
        }),
    }
}
