//! For authors: a plugin's project on disk, which `new` writes, and `test` and `dev` make and run.
//!
//! | module | holds |
//! |---|---|
//! | `new` | the command, and `templates`: the files that it writes |
//! | `making` | the project's own build |
//! | `keeping` | what plugins put away while they are tried |
//! | `examples` | the examples of a manifest, run and compared |
//! | `foreign` | plugins of other systems, by their own manifests |
//! | `test`, `dev` | the commands; `changes` is what `dev` waits for |

mod changes;
pub(crate) mod dev;
mod examples;
mod foreign;
mod keeping;
mod making;
pub(crate) mod new;
mod templates;
pub(crate) mod test;

use crate::args::Cli;
use crate::grant;
use crate::input::{self, Input};
use crate::problem::Problem;
use casemate::config::MANIFEST_FILE;
use casemate::package::manifest_beside;
use casemate::{Manifest, Policy};
use foreign::Foreign;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A manifest, its folder, and the module it is about.
#[derive(Debug)]
pub(crate) struct Project {
    folder: PathBuf,
    module: PathBuf,
    manifest: Manifest,
    /// Whether the project was named, and not its module: only then is anything made.
    is_folder: bool,
}

impl Project {
    /// A folder with a manifest, or a module with one beside it.
    pub(crate) fn open(path: &Path) -> Result<Self, Problem> {
        if path.is_dir() {
            if let Some(foreign) = Foreign::of(path)? {
                return foreign.project();
            }
            let manifest = Manifest::read(&path.join(MANIFEST_FILE))?;
            let Some(module) = &manifest.build.module else {
                return Err(Problem::policy(format!(
                    "{}: without build.module there is no saying what to run: write it, or name a .wasm file",
                    path.join(MANIFEST_FILE).display()
                )));
            };
            return Ok(Self {
                folder: path.to_owned(),
                module: path.join(module),
                manifest,
                is_folder: true,
            });
        }
        if !path.exists() {
            return Err(Problem::not_found(format!(
                "{} is not there: name a folder or a module",
                path.display()
            )));
        }
        let Some(manifest) = manifest_beside(path).map_err(Problem::package)? else {
            return Err(Problem::not_found(format!(
                "{} has no {MANIFEST_FILE} beside it, nor another manifest that is about it, which says what to try",
                path.display()
            )));
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(Self { folder: folder.to_owned(), module: path.to_owned(), manifest, is_folder: false })
    }

    fn policy(&self, cli: &Cli, file: Option<&Path>) -> Result<Policy, Problem> {
        policy(cli, file, &self.module, &self.manifest)
    }
}

/// What a plugin may: what a file grants, or all host methods and topics that its own manifest asks for.
fn policy(cli: &Cli, file: Option<&Path>, module: &Path, manifest: &Manifest) -> Result<Policy, Problem> {
    grant::resolve(&grant::Flags {
        memory: None,
        timeout: None,
        require: None,
        file: file.or(cli.config.as_deref()),
        plugin: None,
        module,
        manifest: Some(manifest),
        by_author: true,
        outside: grant::Outside::default(),
    })
}

/// The end of what goes on until it is done or interrupted; nothing where it was interrupted.
async fn until_interrupted<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        _ = tokio::signal::ctrl_c() => None,
    }
}

/// What `--with` says.
fn configuration(text: Option<&OsStr>) -> Result<Option<Vec<u8>>, Problem> {
    let Some(text) = text else { return Ok(None) };
    match input::resolve(Some(text), false, std::io::stdin())? {
        Input::Json(text) | Input::Raw(text) => Ok(Some(text)),
    }
}
