//! Debian's 6.1 kernel, from inside of a virtual machine that runs it, and a clock that may be set. The group `vm` starts
//! this suite there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

#[path = "vm/clocks.rs"]
mod clocks;

use casemate_tests::claims::{Off, hold, without_namespaces};
use casemate_tests::{command, is_root, skip};
use std::collections::BTreeSet;
use std::fs;

/// What came after 6.1.
const NEWER: [Off; 2] = [
    Off { layer: "deny-new-executable", why: "no MDWE", how: "6.3", reason: "no MDWE (6.3)" },
    Off { layer: "sealed-code", why: "no mseal", how: "6.10", reason: "no mseal (6.10)" },
];

/// Whether this is the machine that the suite is for.
fn is_here(test: &str) -> bool {
    let here = std::env::var_os("CASEMATE_VM").is_some();
    if !here {
        skip(test, "it is for the virtual machine of `cargo xtask test vm`");
    }
    here
}

#[test]
fn a_kernel_6_1() {
    if !is_here("a_kernel_6_1") {
        return;
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert!(release.starts_with("6.1."), "{release}");
    hold(command::casemate, &NEWER, &BTreeSet::new());
}

/// Debian's own switch, which only its kernels have.
#[test]
fn no_user_namespaces_for_ordinary_users() {
    let test = "no_user_namespaces_for_ordinary_users";
    if !is_here(test) {
        return;
    }
    if !is_root() {
        skip(test, "it takes root to turn them off");
        return;
    }
    let _off = Switch::turn_off("/proc/sys/kernel/unprivileged_userns_clone");
    let mut off = without_namespaces(
        "kernel.unprivileged_userns_clone is 0",
        "sysctl -w kernel.unprivileged_userns_clone=1",
        "a setting",
    );
    off.extend(NEWER);
    hold(command::casemate, &off, &BTreeSet::new());
}

/// A setting of the machine that is off for as long as this lives: the machine has other suites to run.
struct Switch {
    file: &'static str,
    was: String,
}

impl Switch {
    fn turn_off(file: &'static str) -> Self {
        let was = fs::read_to_string(file).unwrap();
        fs::write(file, "0").unwrap();
        Self { file, was }
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        fs::write(self.file, &self.was).unwrap();
    }
}
