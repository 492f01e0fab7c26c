//! A package from wherever it lies.

use super::fetch::{self, Trust};
use crate::problem::Problem;
use crate::screen::Screen;
use casemate::config::MANIFEST_FILE;
use casemate::package::{
    ARCHIVE_BYTES_MAX, Files, Folder, Package, PackageError, Surroundings, Unpacked, sha256, unpack,
};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Its files, and what surrounds them.
pub(crate) struct Opened {
    pub(super) files: Box<dyn Files>,
    pub(super) surroundings: Surroundings,
    /// The module, where there is nothing else.
    pub(super) bare: Option<String>,
    /// Where it comes from, as it is kept.
    pub(super) said: String,
}

impl Opened {
    /// The plugins of it.
    pub(crate) fn packages(&self) -> Result<Vec<Package>, Problem> {
        let read = match &self.bare {
            Some(path) => Package::of_module(path, &self.surroundings.name).map(|package| vec![package]),
            None => Package::read(self.files.as_ref(), &self.surroundings),
        };
        read.map_err(Problem::package)
    }
}

/// A folder, a file, or what is fetched.
pub(super) fn open(
    source: &str,
    pinned: Option<&str>,
    trust: &Trust,
    workspace: Option<&Path>,
    screen: &Screen,
) -> Result<Opened, Problem> {
    if let Some(pinned) = pinned
        && (pinned.len() != 64 || !pinned.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        return Err(Problem::usage("--sha256 takes 64 hexadecimal digits"));
    }
    if !fetch::is_address(source) {
        return at(Path::new(source), pinned, workspace);
    }
    let working = screen.working(&format!("fetching {source}"));
    let fetched = fetch::fetch(source, trust, ARCHIVE_BYTES_MAX);
    drop(working);
    of_bytes(fetched?, pinned, &fetch::name_of(source), source.to_owned(), workspace)
}

/// A folder or a file.
pub(crate) fn at(path: &Path, pinned: Option<&str>, workspace: Option<&Path>) -> Result<Opened, Problem> {
    let unreadable = |error: std::io::Error| Problem::not_found(format!("{}: {error}", path.display()));
    let whole = std::fs::canonicalize(path).map_err(unreadable)?;
    let said = whole.display().to_string();
    if whole.is_dir() {
        if pinned.is_some() {
            return Err(Problem::usage("--sha256 is for a file: a folder has none"));
        }
        let surroundings =
            Surroundings { name: stem(&whole), folder: Some(whole.clone()), workspace: absolute(workspace)? };
        let files = Box::new(Folder::open(&whole).map_err(Problem::package)?);
        return Ok(Opened { files, surroundings, bare: None, said });
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(&whole).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(Problem::not_found(format!(
            "{}: it is neither a folder nor a regular file",
            path.display()
        )));
    }
    file.take(ARCHIVE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let beside = whole.with_file_name(MANIFEST_FILE);
    let mut opened = of_bytes(bytes, pinned, &whole, said, workspace)?;
    // As everywhere: what lies beside a module and is a manifest of ours is its manifest.
    if let (Some(module), Ok(text)) = (opened.bare.clone(), std::fs::read(&beside)) {
        let wasm =
            opened.files.read(&module, ARCHIVE_BYTES_MAX).map_err(Problem::package)?.unwrap_or_default();
        let files = [(module, wasm), (MANIFEST_FILE.to_owned(), text)].into();
        (opened.files, opened.bare) = (Box::new(Unpacked { files }), None);
    }
    Ok(opened)
}

fn of_bytes(
    bytes: Vec<u8>,
    pinned: Option<&str>,
    path: &Path,
    said: String,
    workspace: Option<&Path>,
) -> Result<Opened, Problem> {
    if let Some(wanted) = pinned {
        let found = sha256(&bytes);
        if !wanted.eq_ignore_ascii_case(&found) {
            let (what, wanted) = (said, wanted.to_owned());
            return Err(Problem::package(PackageError::Hash { what, wanted, found }));
        }
    }
    let surroundings = Surroundings { name: stem(path), folder: None, workspace: absolute(workspace)? };
    if bytes.starts_with(b"\0asm") {
        let module = format!("{}.wasm", surroundings.name);
        let files = Box::new(Unpacked { files: [(module.clone(), bytes)].into() });
        return Ok(Opened { files, surroundings, bare: Some(module), said });
    }
    let files = Box::new(unpack(&bytes).map_err(Problem::package)?);
    Ok(Opened { files, surroundings, bare: None, said })
}

/// A name for what has none: that of its file without what says what it is.
fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let ends = [".tar.gz", ".tgz", ".zip", ".wasm"];
    let stem = ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    if stem.is_empty() { "plugin".to_owned() } else { stem.to_owned() }
}

fn absolute(workspace: Option<&Path>) -> Result<Option<PathBuf>, Problem> {
    let whole = |path: &Path| {
        std::fs::canonicalize(path)
            .map_err(|error| Problem::not_found(format!("{}: {error}", path.display())))
    };
    workspace.map(whole).transpose()
}
