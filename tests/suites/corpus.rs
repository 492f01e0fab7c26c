//! The fuzz targets' seeds, replayed on stable: the same oracles, whatever the toolchain.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use std::path::{Path, PathBuf};

type Oracle = fn(&[u8]);

const TARGETS: [(&str, Oracle); 9] = [
    ("frame", casemate_protocol::oracle::frame),
    ("client", casemate_protocol::oracle::client),
    ("link", casemate_protocol::oracle::link),
    ("control", casemate_protocol::oracle::control),
    ("module_report", casemate_protocol::oracle::module_report),
    ("inspection", casemate_supervisor::inspect::oracle),
    ("cache_entry", casemate_supervisor::cache::oracle),
    ("manifest", casemate_supervisor::package::manifest_oracle),
    ("archive", casemate_supervisor::package::archive_oracle),
];

fn seeds() -> PathBuf {
    match std::env::var_os("CASEMATE_ROOT") {
        Some(root) => Path::new(&root).join("fuzz/seeds"),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds"),
    }
}

#[test]
fn every_seed_of_every_target() {
    for (target, oracle) in TARGETS {
        let files: Vec<PathBuf> =
            std::fs::read_dir(seeds().join(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() >= 3, "{target} has {} seeds", files.len());
        for file in files {
            let bytes = std::fs::read(&file).unwrap();
            // Cut at every byte, and with every byte flipped.
            for cut in 0..=bytes.len() {
                oracle(&bytes[..cut]);
            }
            for offset in 0..bytes.len() {
                let mut flipped = bytes.clone();
                flipped[offset] ^= 0xff;
                oracle(&flipped);
            }
        }
    }
}
