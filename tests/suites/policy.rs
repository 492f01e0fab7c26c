//! What policies say is what stands there, also when they change.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

#[path = "policy/config.rs"]
mod config;
#[path = "policy/reload.rs"]
mod reload;

use casemate::certificate::Profile;
use casemate::config::syscalls;
use casemate_lockdown::seccomp::{Arch, effective_worker_on};

/// The supervisor may not name the worker's crates, and so has its list in a file.
#[test]
fn the_list_of_system_calls_is_that_of_the_filters() {
    for (arch, profile, file) in [
        (Arch::X86_64, Profile::Core, "x86_64"),
        (Arch::Aarch64, Profile::Core, "aarch64"),
        (Arch::X86_64, Profile::Wasi, "wasi-x86_64"),
        (Arch::Aarch64, Profile::Wasi, "wasi-aarch64"),
        (Arch::X86_64, Profile::External, "external-x86_64"),
        (Arch::Aarch64, Profile::External, "external-aarch64"),
    ] {
        let filters = effective_worker_on(arch, profile).0;
        let told: Vec<_> = syscalls::of_worker(arch, profile).collect();
        let rows = filters.iter().map(|row| format!("{}\t{}\t{}\n", row.name, row.arguments, row.reason));
        let text: String = rows.collect();
        let same = told.len() == filters.len()
            && told.iter().zip(&filters).all(|(told, row)| {
                (told.name, told.arguments, told.reason) == (row.name, row.arguments.as_str(), row.reason)
            });
        assert!(same, "write this to supervisor/src/policy/syscalls/{file}.txt:\n\n{text}\n");
        assert!(!told.is_empty());
    }
}
