//! Casemate's own: `plugin.toml` beside a module, which is `build.module` or the only `.wasm` at the top.

use super::ManifestReader;
use crate::package::document::Document;
use crate::package::draft::Draft;
use crate::package::{Files, PackageError, Program, Surroundings};
use crate::policy::{MANIFEST_FILE, Manifest};

pub(super) struct Native;

impl ManifestReader for Native {
    fn system(&self) -> &'static str {
        "casemate"
    }

    fn files(&self) -> &'static [&'static str] {
        &[MANIFEST_FILE]
    }

    fn claims(&self, document: &Document) -> bool {
        !document.has("plugin")
    }

    fn mark(&self) -> &'static str {
        "id, name and version"
    }

    fn read(
        &self,
        document: &Document,
        files: &dyn Files,
        _: &Surroundings,
    ) -> Result<Vec<Draft>, PackageError> {
        let manifest = Manifest::parse(&document.text, &document.file)?;
        let path = match &manifest.build.module {
            Some(module) => module.clone(),
            None => only_module(&document.file, files)?,
        };
        let mut draft = Draft::native(&document.file, Program::Module { path }, &document.text);
        draft.files.clone_from(&manifest.build.files);
        Ok(vec![draft])
    }
}

fn only_module(file: &str, files: &dyn Files) -> Result<String, PackageError> {
    let mut modules: Vec<String> = files.top()?.into_iter().filter(|name| name.ends_with(".wasm")).collect();
    let why = match (modules.pop(), modules.is_empty()) {
        (Some(module), true) => return Ok(module),
        (None, _) => "there is no .wasm file beside it: build the plugin, or name its module by build.module",
        (Some(_), false) => "there are several .wasm files beside it: name the module by build.module",
    };
    Err(PackageError::NoModule { file: file.to_owned(), why: why.to_owned() })
}
