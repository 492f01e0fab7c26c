//! Assembles the guests that `doctor` and `demo` carry, so that the installed command needs no other file.

use std::error::Error;
use std::path::{Path, PathBuf};

const GUESTS: [&str; 5] = ["echo", "hostile", "liar", "stuck", "stranger"];

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
    Ok(())
}
