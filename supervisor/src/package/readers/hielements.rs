//! Hielements: `hielements.toml`, whose `[libraries]` are modules and native programs.
//!
//! ```toml
//! [libraries]
//! typescript = { type = "wasm", path = "lib/typescript.wasm" }
//! golang = { path = "lib/golang.wasm" }
//! python = { executable = "python3", args = ["plugins/python_plugin.py"] }
//!
//! [libraries.golang.permissions]
//! filesystem = ["read", "workspace-only"]
//! environment = ["HOME"]
//! ```

use super::ManifestReader;
use crate::package::document::{Document, Field};
use crate::package::draft::Draft;
use crate::package::{Files, PackageError, Program, Surroundings, is_plain};

/// What `sandbox` may be.
const WALLED: &str = "walled";
const UNWALLED: &str = "none";

/// What a library may have.
const KEYS: [&str; 10] = [
    "type",
    "path",
    "executable",
    "args",
    "files",
    "version",
    "description",
    "sandbox",
    "arg_encoding",
    "permissions",
];

pub(super) struct Hielements;

impl ManifestReader for Hielements {
    fn system(&self) -> &'static str {
        "hielements"
    }

    fn files(&self) -> &'static [&'static str] {
        &["hielements.toml"]
    }

    fn claims(&self, document: &Document) -> bool {
        document.has("libraries")
    }

    fn mark(&self) -> &'static str {
        "a table libraries"
    }

    fn read(
        &self,
        document: &Document,
        files: &dyn Files,
        surroundings: &Surroundings,
    ) -> Result<Vec<Draft>, PackageError> {
        let libraries = document.top().must("libraries")?;
        let read = |(name, library): &(&str, Field<'_>)| self.library(name, library, files, surroundings);
        libraries.members()?.iter().map(read).collect()
    }
}

impl Hielements {
    fn library(
        &self,
        name: &str,
        library: &Field<'_>,
        files: &dyn Files,
        surroundings: &Surroundings,
    ) -> Result<Draft, PackageError> {
        if let Some((unknown, _)) = library.members()?.iter().find(|(key, _)| !KEYS.contains(key)) {
            return Err(library.shape(format!("{unknown:?} is none of {}", KEYS.join(", "))));
        }
        let program = program(library)?;
        let mut draft = Draft::new(library.file, program.clone());
        draft.named(name, name, library.text_of("version")?.unwrap_or("0.0.0"));
        draft.put_some("description", library.text_of("description")?);
        match &program {
            Program::External { command } => {
                draft.put_in("options", "arg_encoding", "tagged");
                let own = command.iter().enumerate().filter(|(at, word)| is_own(files, *at, word));
                draft.files = own.map(|(_, word)| plain(word).to_owned()).collect();
                draft.files.extend(library.texts_of("files")?);
            }
            Program::Module { .. } | Program::Remote { .. } => {
                draft.dialects = &["hielements"];
                draft.put("dialect", "hielements");
                draft.put_in("options", "arg_encoding", "plain");
            }
        }
        if let Some(sandbox) = library.get("sandbox")? {
            match (sandbox.text()?, &program) {
                (WALLED, _) => {}
                // Its operator has the last word.
                (UNWALLED, Program::External { .. }) => {
                    draft.put("sandbox", UNWALLED);
                    draft.note("its program wants no walls around it: sandbox = \"none\"");
                }
                (UNWALLED, _) => {
                    return Err(sandbox.shape("leave it out: a module always runs behind its walls"));
                }
                _ => return Err(sandbox.shape("write \"walled\" or \"none\"")),
            }
        }
        if let Some(encoding) = library.get("arg_encoding")? {
            match encoding.text()? {
                word @ ("plain" | "tagged") => draft.put_in("options", "arg_encoding", word),
                _ => return Err(encoding.shape("write \"plain\" or \"tagged\"")),
            }
        }
        let folder = surroundings.workspace.as_ref().or(surroundings.folder.as_ref());
        let workspace = folder.map(|folder| folder.display().to_string());
        if let Some(workspace) = &workspace {
            draft.put_in("options", "workspace", workspace.clone());
        }
        if let Some(permissions) = library.get("permissions")? {
            allow(&mut draft, &permissions, workspace.as_deref())?;
        }
        Ok(draft)
    }
}

/// A path without the `./` that shells want.
fn plain(word: &str) -> &str {
    word.strip_prefix("./").unwrap_or(word)
}

/// Whether a word of a program is a file of the package: the program itself as a path, and an argument that is there or looks like a
/// script, which then has to be.
fn is_own(files: &dyn Files, at: usize, word: &str) -> bool {
    if !is_plain(plain(word)) {
        return false;
    }
    let looks_like_a_file =
        if at == 0 { word.contains('/') } else { word.contains('.') && !word.starts_with('-') };
    looks_like_a_file || at > 0 && files.read(plain(word), u64::MAX >> 1).is_ok_and(|found| found.is_some())
}

/// What a library is, by its type or by what it has.
fn program(library: &Field<'_>) -> Result<Program, PackageError> {
    let (path, executable) = (library.get("path")?, library.get("executable")?);
    let kind = library.get("type")?;
    let said = kind.as_ref().map(Field::text).transpose()?;
    match (said, path, executable) {
        (_, Some(_), Some(executable)) => {
            Err(executable.shape("a library has a path or an executable, not both"))
        }
        (Some("wasm"), Some(path), None) => module(&path),
        (None, Some(path), None) if path.text()?.ends_with(".wasm") => module(&path),
        (None, Some(path), None) => Err(path.shape("write type = \"wasm\", or a path that ends in .wasm")),
        (Some("external" | "executable") | None, None, Some(executable)) => {
            let mut command = vec![executable.text()?.to_owned()];
            command.extend(library.texts_of("args")?);
            Ok(Program::External { command })
        }
        (Some("wasm"), None, _) => Err(library.missing("path")),
        (None | Some("external" | "executable"), None, None) => Err(library.missing("path")),
        (Some(_), ..) => match kind {
            Some(kind) => Err(kind.shape("write \"wasm\", or an executable")),
            None => Err(library.missing("type")),
        },
    }
}

fn module(path: &Field<'_>) -> Result<Program, PackageError> {
    let text = path.text()?.trim_start_matches("./");
    match is_plain(text) {
        true => Ok(Program::Module { path: text.to_owned() }),
        false => Err(path.shape("write a path below the folder of this file")),
    }
}

/// The words of `permissions`: the workspace is all of the files that can be granted.
fn allow(draft: &mut Draft, permissions: &Field<'_>, workspace: Option<&str>) -> Result<(), PackageError> {
    for (name, field) in permissions.members()? {
        match name {
            "filesystem" => {
                let mut rights = None;
                for word in field.list()? {
                    rights = match word.text()? {
                        "read" => rights.or(Some("read")),
                        "write" => Some("write"),
                        "workspace-only" => rights,
                        _ => return Err(word.shape("write \"read\", \"write\" or \"workspace-only\"")),
                    };
                }
                match (rights, workspace) {
                    (Some(rights), Some(workspace)) => {
                        draft.grow("permissions", "filesystem", [format!("{rights}:{workspace}")]);
                    }
                    (Some(_), None) => draft
                        .note("it wants the files of its workspace, and no workspace is named (--workspace)"),
                    (None, _) => {}
                }
            }
            "environment" => draft.grow("permissions", "env", field.texts()?),
            "network" => draft.grow("permissions", "network", field.texts()?),
            _ => {
                return Err(
                    permissions.shape(format!("{name:?} is none of filesystem, environment and network"))
                );
            }
        }
    }
    Ok(())
}
