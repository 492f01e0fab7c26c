//! Where a test finds guests, programs and the project's files.
//!
//! `cargo xtask test` runs the test executables from a staged copy, as users who may not be able to read the checkout,
//! and says in the environment where everything is. Under plain `cargo test` the same things are found beside the test
//! executable and in the checkout. So a test asks here and never writes down a path of its own.

use std::path::{Path, PathBuf};

/// The project's files: the checkout, or a copy of it without what was built.
pub fn repository() -> PathBuf {
    told("CASEMATE_ROOT").unwrap_or_else(|| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        here.parent().unwrap_or(here).to_owned()
    })
}

/// The built guest of this name: `statistics`, or `wat/loop` for a hand-written one. `cargo xtask guests` makes them.
pub fn guest(name: &str) -> PathBuf {
    guests().join(name).with_extension("wasm")
}

/// The folder of the built guests.
pub fn guests() -> PathBuf {
    told("CASEMATE_GUESTS").unwrap_or_else(|| {
        let beside = beside_tests();
        let shelf = beside.ancestors().map(|folder| folder.join("guests")).find(|folder| folder.is_dir());
        shelf.unwrap_or_else(|| repository().join("target/guests"))
    })
}

/// A program of this workspace, a command or an example, that was built with the tests.
pub fn program(name: &str) -> PathBuf {
    if let Some(folder) = told("CASEMATE_PROGRAMS") {
        return folder.join(name);
    }
    let beside = beside_tests();
    let example = beside.join("examples").join(name);
    if example.is_file() { example } else { beside.join(name) }
}

/// `target/debug`, two floors above `target/debug/deps/TEST`.
fn beside_tests() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.ancestors().nth(2).unwrap_or(Path::new("")).to_owned()
}

#[expect(clippy::disallowed_methods, reason = "this is the edge: the runner says it in the environment")]
fn told(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from)
}
