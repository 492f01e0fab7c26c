//! The test guests, from source to wasm: Rust plugins and programs by cargo, hand-written modules by `wat`; and programs
//! that others wrote, unchanged.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::problem::Problem;
use crate::programs;
use crate::project::Project;
use crate::setup::{WASI_TARGETS, WASM_TARGET};
use crate::step::Step;

/// Builds every guest into `target/guests`, with `data/`, the files they are tried on. What did not change keeps its
/// file untouched.
pub(crate) fn build(project: &Project) -> Result<(), Problem> {
    let shelf = project.guests();
    let rust = build_rust(project, &shelf)?;
    clear_others(&shelf, &rust)?;
    put_data(&project.root.join("tests/guests/data"), &shelf.join("data"))?;
    let shelf = shelf.join("wat");
    let wat = assemble(&project.root.join("tests/guests/wat"), &shelf)?;
    clear_others(&shelf, &wat)?;
    let wasi = build_wasi(project, &project.guests().join("wasi"))?;
    clear_others(&project.guests().join("wasi"), &wasi)?;
    println!(
        "guests: {} from Rust, {} for WASI, {} from wat, in {}",
        rust.len(),
        wasi.len(),
        wat.len(),
        project.guests().display()
    );
    if let Err(problem) = programs::fetch(project) {
        println!("guests: without programs that others wrote: {problem}");
    }
    Ok(())
}

/// Programs and components for WASI: which package is built for which target.
fn build_wasi(project: &Project, shelf: &Path) -> Result<BTreeSet<PathBuf>, Problem> {
    let [first, second] = WASI_TARGETS;
    let mut kept = BTreeSet::new();
    for (target, packages, ending) in [
        (first, &["cases", "fill", "reactor"][..], ""),
        (second, &["cases", "fill", "network", "plugin", "types"][..], "-p2"),
    ] {
        let named = packages.iter().flat_map(|package| ["--package", package]);
        for (name, bytes) in
            compile(project, "tests/guests-wasi/Cargo.toml", target, "guests-wasi-build", named)?
        {
            // What there is of it for one target only needs no name of its own.
            let both = matches!(name.as_str(), "cases" | "fill");
            let file = if both { format!("{name}{ending}.wasm") } else { format!("{name}.wasm") };
            kept.insert(put(shelf, Path::new(&file), &bytes)?);
        }
    }
    // What is a core module elsewhere, as a component.
    let named = ["statistics", "notebook"].iter().flat_map(|package| ["--package", package]);
    for (name, bytes) in compile(project, "tests/guests/Cargo.toml", second, "guests-build", named)? {
        kept.insert(put(shelf, Path::new(&format!("{name}-component.wasm")), &bytes)?);
    }
    Ok(kept)
}

/// Builds packages of a workspace of guests; returns their modules by name.
fn compile<'a>(
    project: &Project,
    manifest: &str,
    target: &str,
    folder: &str,
    packages: impl Iterator<Item = &'a str>,
) -> Result<Vec<(String, Vec<u8>)>, Problem> {
    let manifest = project.root.join(manifest);
    if !manifest.is_file() {
        return Err(Problem::new(format!("{} is missing: the guests are built from it", manifest.display())));
    }
    let mut modules = Vec::new();
    let built = Step::cargo(&project.root)
        .args(["build", "--release", "--target", target, "--manifest-path"])
        .arg(&manifest)
        .arg("--target-dir")
        .arg(project.target.join(folder))
        .arg("--message-format=json-render-diagnostics")
        .args(packages)
        .run_reading(|line| {
            modules.extend(serde_json::from_str(line).ok().and_then(|message| module_of(&message)));
            false
        })?;
    if !built {
        return Err(Problem::new(format!("the guests for {target} did not build")));
    }
    let read = |module: PathBuf| {
        let bytes = fs::read(&module).map_err(|error| Problem::file("read", &module, &error))?;
        Ok((module.file_stem().unwrap_or_default().to_string_lossy().into_owned(), bytes))
    };
    modules.into_iter().map(read).collect()
}

fn build_rust(project: &Project, shelf: &Path) -> Result<BTreeSet<PathBuf>, Problem> {
    let built = compile(project, "tests/guests/Cargo.toml", WASM_TARGET, "guests-build", std::iter::empty())?;
    let mut kept = BTreeSet::new();
    for (name, bytes) in built {
        kept.insert(put(shelf, &Path::new(&name).with_extension("wasm"), &bytes)?);
    }
    Ok(kept)
}

/// The wasm file that a cargo message says is finished.
fn module_of(message: &Value) -> Option<PathBuf> {
    if message.get("reason")? != "compiler-artifact" {
        return None;
    }
    let files = message.get("filenames")?.as_array()?;
    let wasm = |file: &&str| Path::new(file).extension().is_some_and(|ending| ending == "wasm");
    files.iter().filter_map(Value::as_str).find(wasm).map(PathBuf::from)
}

/// Puts the input files beside the guests.
fn put_data(from: &Path, shelf: &Path) -> Result<(), Problem> {
    if !from.is_dir() {
        return Ok(());
    }
    let entries = fs::read_dir(from).map_err(|error| Problem::file("read", from, &error))?;
    for file in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(|file| file.is_file())
    {
        let bytes = fs::read(&file).map_err(|error| Problem::file("read", &file, &error))?;
        put(shelf, Path::new(file.file_name().unwrap_or_default()), &bytes)?;
    }
    Ok(())
}

fn assemble(sources: &Path, shelf: &Path) -> Result<BTreeSet<PathBuf>, Problem> {
    let mut kept = BTreeSet::new();
    if !sources.is_dir() {
        return Ok(kept);
    }
    for source in files_with(sources, "wat")? {
        let bytes = wat::parse_file(&source)
            .map_err(|error| Problem::new(format!("{} does not assemble: {error}", source.display())))?;
        let name = source.file_stem().unwrap_or_default();
        kept.insert(put(shelf, &Path::new(name).with_extension("wasm"), &bytes)?);
    }
    Ok(kept)
}

/// Writes the file unless it already holds these bytes.
fn put(shelf: &Path, name: &Path, bytes: &[u8]) -> Result<PathBuf, Problem> {
    let file = shelf.join(name);
    if fs::read(&file).is_ok_and(|old| old == bytes) {
        return Ok(file);
    }
    fs::create_dir_all(shelf).map_err(|error| Problem::file("make", shelf, &error))?;
    fs::write(&file, bytes).map_err(|error| Problem::file("write", &file, &error))?;
    Ok(file)
}

/// Removes modules whose source is gone, so that no test goes on passing with one.
fn clear_others(shelf: &Path, kept: &BTreeSet<PathBuf>) -> Result<(), Problem> {
    if !shelf.is_dir() {
        return Ok(());
    }
    for file in files_with(shelf, "wasm")? {
        if !kept.contains(&file) {
            fs::remove_file(&file).map_err(|error| Problem::file("remove", &file, &error))?;
        }
    }
    Ok(())
}

/// The files of a folder with this ending, in the order of their names.
pub(crate) fn files_with(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, Problem> {
    let entries = fs::read_dir(folder).map_err(|error| Problem::file("read", folder, &error))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|file| file.is_file() && file.extension().is_some_and(|found| found == ending))
        .collect();
    files.sort();
    Ok(files)
}
