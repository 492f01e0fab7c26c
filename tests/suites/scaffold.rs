//! A Rust plugin from nothing, as its author makes it: with cargo, and so in a group of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate_tests::command::casemate;
use casemate_tests::{guide, scratch::Scratch};
use std::path::Path;

#[test]
fn the_guide_for_rust_is_right() {
    guide::follow("Rust", &[]);
}

/// IdeaNet, I8: its template builds, passes its own tests and `casemate test`.
#[test]
fn the_template_for_ideanet_is_right() {
    let folder = Scratch::new();
    let project = folder.join("notes").display().to_string();
    let ran = casemate(&["new", &project, "--template", "ideanet"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = casemate(&["test", &project]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.ends_with("notes: 2 passed, 0 failed\n"), "{ran:?}");
    let native = std::process::Command::new("cargo").arg("test").current_dir(&project).output().unwrap();
    assert!(native.status.success(), "{native:?}");
}

#[test]
fn a_project_on_a_checkout_passes_too() {
    let folder = Scratch::new();
    let project = folder.join("greeter-2").display().to_string();
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").display().to_string();
    let ran = casemate(&["new", &project, "--lang", "rust", "--sdk", &checkout]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!Path::new(&project).join("sdk").exists(), "the SDK is the checkout's");
    let ran = casemate(&["test", &project]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.ends_with("greeter-2: 2 passed, 0 failed\n"), "{ran:?}");
}
