//! The `casemate` command, started as people start it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How the command ended and what it said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Ran {
    /// Its standard output, which is to be one JSON value.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }
}

/// Runs the command to its end.
pub fn casemate(arguments: &[&str]) -> Ran {
    run(&program(), arguments)
}

/// Runs a program to its end.
pub fn run<A: AsRef<OsStr>>(program: &Path, arguments: &[A]) -> Ran {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

/// Where an example of the client library is.
pub fn example(name: &str) -> PathBuf {
    let folder = program().with_file_name("");
    let beside = [folder.join(name), folder.join("examples").join(name)];
    let found = beside.iter().find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is missing: run `cargo build --examples`")).clone()
}

/// Where the command is: in `CASEMATE_PROGRAMS`, or where cargo puts it, one folder above the tests.
pub fn program() -> PathBuf {
    let folder = std::env::var_os("CASEMATE_PROGRAMS").map(PathBuf::from).or_else(|| {
        let tests = std::env::current_exe().ok()?;
        tests.parent().and_then(Path::parent).map(Path::to_owned)
    });
    let path = folder.unwrap_or_default().join("casemate");
    assert!(path.is_file(), "{} is missing: run `cargo build --package casemate-cli`", path.display());
    path
}
