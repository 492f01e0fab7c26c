//! Extism: the manifest that its SDKs take, as `extism.json` or `manifest.json`.

use super::ManifestReader;
use crate::package::document::{Document, Field};
use crate::package::draft::{Draft, as_json};
use crate::package::{Files, PackageError, Program, Surroundings, is_plain};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Bytes of a page of memory.
const PAGE_BYTES: u64 = 65_536;

pub(super) struct Extism;

impl ManifestReader for Extism {
    fn system(&self) -> &'static str {
        "extism"
    }

    fn files(&self) -> &'static [&'static str] {
        &["extism.json", "manifest.json"]
    }

    fn claims(&self, document: &Document) -> bool {
        document.value.get("wasm").is_some_and(|wasm| wasm.is_array() || document.file == "extism.json")
    }

    fn mark(&self) -> &'static str {
        "a list wasm"
    }

    fn read(
        &self,
        document: &Document,
        _: &dyn Files,
        surroundings: &Surroundings,
    ) -> Result<Vec<Draft>, PackageError> {
        let top = document.top();
        let modules = top.must("wasm")?;
        let list = modules.list()?;
        let [module] = list.as_slice() else {
            return Err(
                modules.shape("name one module: several that are linked together are not in this version")
            );
        };
        let mut draft = Draft::new(&document.file, program(module)?);
        // What a module is called inside of its own manifest ("main") is no name for a plugin.
        draft.named(&surroundings.name, &surroundings.name, "0.0.0");
        draft.sha256 = module.text_of("hash")?.map(str::to_owned);
        draft.dialects = &["extism"];
        draft.put("dialect", "extism");
        if let Some(memory) = top.get("memory")?
            && let Some(pages) = memory.number_of("max_pages")?
        {
            draft.limit_bytes("memory", pages.saturating_mul(PAGE_BYTES));
        }
        if let Some(ms) = top.number_of("timeout_ms")? {
            draft.limit_time("call_timeout", Duration::from_millis(ms));
        }
        if let Some(config) = top.get("config")? {
            let pair = |(name, field): (&str, Field<'_>)| Ok((name.to_owned(), field.text()?.to_owned()));
            let config: BTreeMap<String, String> =
                config.members()?.into_iter().map(pair).collect::<Result<_, PackageError>>()?;
            draft.put_in("options", "config", as_json(&config));
        }
        draft.grow("permissions", "network", top.texts_of("allowed_hosts")?);
        if let Some(paths) = top.get("allowed_paths")? {
            for (host, guest) in paths.members()? {
                draft.grow("permissions", "filesystem", [folder(host, &guest, surroundings)?]);
            }
        }
        Ok(vec![draft])
    }
}

fn program(module: &Field<'_>) -> Result<Program, PackageError> {
    match (module.get("path")?, module.get("url")?) {
        (Some(_), Some(url)) => Err(url.shape("a module has a path or a url, not both")),
        (Some(path), None) => {
            let text = path.text()?.trim_start_matches("./");
            match is_plain(text) {
                true => Ok(Program::Module { path: text.to_owned() }),
                false => Err(path.shape("write a path below the folder of this file")),
            }
        }
        (None, Some(url)) => Ok(Program::Remote { url: url.text()?.to_owned() }),
        (None, None) => Err(module.missing("path")),
    }
}

/// A folder of the host's; one that begins with `ro:` is for reading only.
fn folder(host: &str, guest: &Field<'_>, surroundings: &Surroundings) -> Result<String, PackageError> {
    let (rights, path) = host.strip_prefix("ro:").map_or(("write", host), |path| ("read", path));
    let path = match (&surroundings.folder, Path::new(path).is_absolute()) {
        (_, true) => path.to_owned(),
        (Some(folder), false) => folder.join(path.trim_start_matches("./")).display().to_string(),
        (None, false) => return Err(guest.shape("its folder on the host must be absolute in an archive")),
    };
    let guest = guest.text()?;
    let guest = if guest.starts_with('/') { guest.to_owned() } else { format!("/{guest}") };
    Ok(format!("{rights}:{path}={guest}"))
}
