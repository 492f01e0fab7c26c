//! Spacedrive: `manifest.json` with `wasm_file` and `permissions`.

use super::ManifestReader;
use crate::package::document::{Document, Field};
use crate::package::draft::Draft;
use crate::package::{Files, PackageError, Program, Surroundings, is_plain};

/// What the project documents for extensions that do not say.
const REQUESTS_PER_MINUTE: u64 = 1000;
const CONCURRENT_JOBS: u64 = 10;

pub(super) struct Spacedrive;

impl ManifestReader for Spacedrive {
    fn system(&self) -> &'static str {
        "spacedrive"
    }

    fn files(&self) -> &'static [&'static str] {
        &["manifest.json"]
    }

    fn claims(&self, document: &Document) -> bool {
        document.has("wasm_file")
    }

    fn mark(&self) -> &'static str {
        "wasm_file"
    }

    fn read(&self, document: &Document, _: &dyn Files, _: &Surroundings) -> Result<Vec<Draft>, PackageError> {
        let top = document.top();
        let module = top.must("wasm_file")?;
        let path = module.text()?.trim_start_matches("./");
        if !is_plain(path) {
            return Err(module.shape("write a path below the folder of this file"));
        }
        let id = top.must("id")?.text()?;
        let mut draft = Draft::new(&document.file, Program::Module { path: path.to_owned() });
        draft.named(id, top.must("name")?.text()?, top.must("version")?.text()?);
        draft.put_some("description", top.text_of("description")?);
        draft.put("dialect", "spacedrive");
        draft.dialects = &["spacedrive"];
        draft.put_in("options", "id", id);
        if let Some(schema) = top.get("config_schema")? {
            draft.schema("config_schema", schema.value);
        }
        draft.note_others(&top, TOP)?;
        allow(&mut draft, &top.must("permissions")?)?;
        Ok(vec![draft])
    }
}

const TOP: &[&str] = &[
    "id",
    "name",
    "version",
    "description",
    "author",
    "homepage",
    "wasm_file",
    "permissions",
    "config_schema",
];
const PERMISSIONS: &[&str] = &["methods", "libraries", "rate_limits", "network_access", "max_memory_mb"];
const RATES: &[&str] = &["requests_per_minute", "concurrent_jobs"];

/// What an operation is called with in front of its name, as its manifest does not.
const KINDS: &[&str] = &["", "query:", "action:"];

/// What a job tells its host, which needs no permission there.
const JOBS: &str = "job.*";

fn allow(draft: &mut Draft, said: &Field<'_>) -> Result<(), PackageError> {
    draft.note_others(said, PERMISSIONS)?;
    // A method is granted by how it begins.
    for method in said.must("methods")?.list()? {
        let text = method.text()?;
        if text.trim_end_matches('*').contains('*') {
            return Err(method.shape("a method is granted by how it begins: a * stands at the end only"));
        }
        let beginning = text.trim_end_matches('*');
        let kinds = if beginning.contains(':') { &[""][..] } else { KINDS };
        draft.grow("permissions", "host", kinds.iter().map(|kind| format!("{kind}{beginning}*")));
    }
    draft.grow("permissions", "host", [JOBS.to_owned()]);
    let libraries = match said.get("libraries")? {
        Some(field) if field.value.is_string() => field.text()?.to_owned(),
        Some(field) => field.texts()?.join(","),
        None => String::new(),
    };
    draft.put_in("options", "libraries", libraries);
    let rates = said.get("rate_limits")?;
    rates.as_ref().map_or(Ok(()), |rates| draft.note_others(rates, RATES))?;
    let number = |name: &str, otherwise: u64| match &rates {
        Some(rates) => rates.number_of(name).map(|found| found.unwrap_or(otherwise)),
        None => Ok(otherwise),
    };
    draft.put_in(
        "limits",
        "host_calls",
        format!("{}/min", number("requests_per_minute", REQUESTS_PER_MINUTE)?),
    );
    draft.put_in("options", "concurrent_jobs", number("concurrent_jobs", CONCURRENT_JOBS)?.to_string());
    draft.grow("permissions", "network", said.texts_of("network_access")?);
    // Absent it is 0 to the project's own reader, which means nothing either.
    if let Some(mib) = said.number_of("max_memory_mb")?.filter(|mib| *mib > 0) {
        draft.limit_bytes("memory", mib.saturating_mul(1 << 20));
    }
    Ok(())
}
