//! Debian's 6.1 kernel, from inside of a virtual machine that runs it. The group `vm` starts this suite there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate_tests::claims::{Off, hold};
use casemate_tests::{command, skip};
use std::collections::BTreeSet;

#[test]
fn a_kernel_6_1() {
    if std::env::var_os("CASEMATE_VM").is_none() {
        skip("a_kernel_6_1", "it is for the virtual machine of `cargo xtask test vm`");
        return;
    }
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert!(release.starts_with("6.1."), "{release}");
    let off = [
        Off { layer: "deny-new-executable", why: "no MDWE", how: "6.3", reason: "no MDWE (6.3)" },
        Off { layer: "sealed-code", why: "no mseal", how: "6.10", reason: "no mseal (6.10)" },
    ];
    hold(command::casemate, &off, &BTreeSet::new());
}
