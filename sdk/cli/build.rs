//! Assembles the guests that `doctor` and `demo` carry, and lists the files that `new` writes, so that the installed
//! command needs no other file.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};

const GUESTS: [&str; 5] = ["echo", "hostile", "liar", "stuck", "stranger"];

/// What each language's project has of the SDKs: folders or files of `sdk/`, in a folder `sdk` of its own.
const SDKS: [(&str, &[&str]); 9] = [
    (
        "rust",
        &[
            "plugin/Cargo.toml",
            "plugin/README.md",
            "plugin/src",
            "plugin/macros/Cargo.toml",
            "plugin/macros/src",
            "wit",
        ],
    ),
    ("ideanet", &["ideanet/Cargo.toml", "ideanet/src", "ideanet/macros"]),
    ("c", &["c/casemate.h"]),
    ("cpp", &["c/casemate.h"]),
    ("assemblyscript", &["assemblyscript/casemate.ts", "assemblyscript/exports.ts"]),
    ("go", &["go/go.mod", "go/casemate.go", "go/abi.go", "go/native.go"]),
    ("js", &["plugin-js/casemate.js", "plugin-js/casemate.d.ts", "wit"]),
    ("ts", &["plugin-js/casemate.js", "plugin-js/casemate.d.ts", "wit"]),
    ("python", &["plugin-python/casemate_plugin.py", "wit"]),
];

fn main() -> Result<(), Box<dyn Error>> {
    #[expect(clippy::disallowed_methods, reason = "cargo tells a build script its folder by the environment")]
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    for guest in GUESTS {
        let source = Path::new("assets").join(guest).with_extension("wat");
        println!("cargo::rerun-if-changed={}", source.display());
        let wasm = wat::parse_file(&source)?;
        std::fs::write(out.join(guest).with_extension("wasm"), wasm)?;
    }
    println!("cargo::rerun-if-changed=build.rs");
    std::fs::write(out.join("templates.rs"), templates()?)?;
    Ok(())
}

/// `(language, path in the project, text)` of every file.
fn templates() -> Result<String, Box<dyn Error>> {
    let here = std::env::current_dir()?;
    let mut rows = String::new();
    for (language, sdk) in SDKS {
        let mut files = Vec::new();
        for folder in ["common", language] {
            let folder = here.join("templates").join(folder);
            // A system's template has a manifest of its own.
            if folder.ends_with("common")
                && here.join("templates").join(language).join("plugin.toml").exists()
            {
                continue;
            }
            find(&folder, &folder, Path::new(""), &mut files)?;
        }
        for path in sdk {
            let root = here.join("..");
            find(&root, &root.join(path), Path::new("sdk"), &mut files)?;
        }
        for (path, file) in files {
            writeln!(rows, "    ({language:?}, {path:?}, include_str!({file:?})),")?;
        }
    }
    Ok(format!("&[\n{rows}]\n"))
}

/// All files of a folder, or the one file, with their paths in the project.
fn find(
    root: &Path,
    path: &Path,
    under: &Path,
    files: &mut Vec<(PathBuf, PathBuf)>,
) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", path.display());
    if path.is_file() {
        files.push((under.join(path.strip_prefix(root)?), path.to_owned()));
        return Ok(());
    }
    let mut entries = std::fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        find(root, &entry.path(), under, files)?;
    }
    Ok(())
}
