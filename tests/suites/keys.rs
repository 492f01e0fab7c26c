//! Every key of `casemate.toml`: set in a file, crossed for real, and what came of it read to the word. A key without a row
//! fails; so does a row without a key.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

#[path = "keys/calls.rs"]
mod calls;
#[path = "keys/daemon.rs"]
mod daemon;
#[path = "keys/file.rs"]
mod file;
#[path = "keys/ground.rs"]
mod ground;
#[path = "keys/lives.rs"]
mod lives;
#[path = "keys/wasi.rs"]
mod wasi;

use casemate::config::reference;
use casemate_tests::block_on;
use ground::{Ground, Row};
use std::collections::BTreeSet;

fn rows() -> Vec<Row> {
    [file::rows(), calls::rows(), lives::rows(), daemon::rows(), wasi::rows()].concat()
}

#[test]
fn every_key_has_a_row_and_every_row_a_key() {
    let keys: BTreeSet<String> = reference::keys().into_iter().collect();
    let rows: Vec<Row> = rows();
    let told: BTreeSet<String> = rows.iter().map(|row| row.key.to_owned()).collect();
    let without: Vec<_> = keys.difference(&told).collect();
    assert!(
        without.is_empty(),
        "give these a row in tests/suites/keys/, which sets and crosses them: {without:?}"
    );
    let unknown: Vec<_> = told.difference(&keys).collect();
    assert!(unknown.is_empty(), "no such keys: {unknown:?}");
    assert_eq!(rows.len(), told.len(), "a key has two rows");
    for row in rows {
        let last = row.key.rsplit(['.', ']']).next().unwrap();
        assert!(row.set.contains(last), "the row of {} does not set it", row.key);
    }
}

/// All of them are looked at before the test fails.
fn cross(rows: Vec<Row>) {
    let mut wrong = Vec::new();
    block_on(async {
        for row in rows {
            let outcome = (row.cross)(Ground::new(&row)).await;
            if outcome != row.outcome && outcome != ground::SKIPPED {
                wrong.push(format!("{}\n    expected: {}\n    found:    {outcome}", row.key, row.outcome));
            }
        }
    });
    assert!(wrong.is_empty(), "{} keys do not do what they say:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn keys_of_the_file_and_of_what_is_not_built_yet() {
    cross(file::rows());
}

#[test]
fn keys_of_calls() {
    cross(calls::rows());
}

#[test]
fn keys_of_instances_and_of_crashes() {
    cross(lives::rows());
}

#[test]
fn keys_of_the_daemon() {
    cross(daemon::rows());
}
