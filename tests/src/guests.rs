//! The built guests.

use std::path::{Path, PathBuf};

/// The folder of the built guests: `CASEMATE_GUESTS`, or `target/guests` of the checkout.
pub fn folder() -> PathBuf {
    match std::env::var_os("CASEMATE_GUESTS") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guests"),
    }
}

/// A guest written in Rust.
pub fn rust(name: &str) -> PathBuf {
    existing(folder().join(name).with_extension("wasm"))
}

/// A guest written by hand.
pub fn wat(name: &str) -> PathBuf {
    existing(folder().join("wat").join(name).with_extension("wasm"))
}

/// A guest for WASI.
pub fn wasi(name: &str) -> PathBuf {
    existing(folder().join("wasi").join(name).with_extension("wasm"))
}

/// A program that others wrote, if it was fetched.
pub fn foreign(name: &str) -> Option<PathBuf> {
    Some(folder().join("programs").join(name)).filter(|path| path.is_file())
}

/// A file that guests are tried on.
pub fn data(name: &str) -> PathBuf {
    existing(folder().join("data").join(name))
}

fn existing(path: PathBuf) -> PathBuf {
    assert!(path.is_file(), "{} is missing: run `cargo xtask guests`", path.display());
    path
}
