//! `run` keeps what it compiled, and `cache` looks after it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a suite fails loudly, in its helpers too, and starts the command itself"
)]

use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Answers what it is called with.
const ECHO: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "casemate_abi") (result i32) (i32.const 1))
    (func (export "casemate_alloc") (param i32 i32) (result i32) (i32.const 1024))
    (func (export "casemate_free") (param i32 i32 i32))
    (func (export "casemate_call") (param $ptr i32) (param $len i32) (result i64)
      (local $before i32)
      (local.set $before (i32.add (i32.load16_u (local.get $ptr)) (i32.const 1)))
      (i32.store8 (i32.add (local.get $ptr) (local.get $before)) (i32.const 0))
      (i64.or
        (i64.shl (i64.extend_i32_u (i32.sub (local.get $len) (local.get $before))) (i64.const 32))
        (i64.extend_i32_u (i32.add (local.get $ptr) (local.get $before))))))"#;

/// A folder with a plugin, a cache and a state directory.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("casemate-cli-cache-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("echo.wasm"), wat::parse_str(ECHO).unwrap()).unwrap();
        Self(path)
    }

    fn casemate(&self, arguments: &[&str]) -> (i32, Value) {
        self.casemate_with("state", arguments)
    }

    /// Exit code and answer of a command with `--json`.
    fn casemate_with(&self, state: &str, arguments: &[&str]) -> (i32, Value) {
        let program = match std::env::var_os("CASEMATE_PROGRAMS") {
            Some(folder) => PathBuf::from(folder).join("casemate"),
            None => env!("CARGO_BIN_EXE_casemate").into(),
        };
        let output = Command::new(program)
            .args(["--json", "--cache-dir", "cache", "--state-dir", state])
            .args(arguments)
            .current_dir(&self.0)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}")))
    }

    fn echoes(&self) {
        let (exit, answer) = self.casemate(&["run", "echo.wasm", "--call", "m", "--input", "[1]"]);
        assert_eq!((exit, answer["reply"].to_string().as_str()), (0, "[1]"), "{answer}");
    }

    fn ls(&self) -> Value {
        let (exit, listing) = self.casemate(&["cache", "ls"]);
        assert_eq!(exit, 0, "{listing}");
        listing
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn count(listing: &Value, what: &str) -> usize {
    listing[what].as_array().unwrap().len()
}

#[test]
fn a_life_of_an_entry() {
    let folder = Folder::new();
    let (exit, _) = folder.casemate(&["run", "echo.wasm", "--call", "m", "--no-cache"]);
    assert_eq!(exit, 0);
    assert_eq!(count(&folder.ls(), "entries"), 0, "nothing is kept with --no-cache");
    folder.echoes();
    let listing = folder.ls();
    assert_eq!((count(&listing, "entries"), count(&listing, "quarantined")), (1, 0));
    folder.echoes();
    assert_eq!(folder.ls()["entries"][0]["name"], listing["entries"][0]["name"]);
    assert_eq!(folder.casemate(&["cache", "verify"]).0, 0);

    let name = listing["entries"][0]["name"].as_str().unwrap();
    let path = folder.0.join(listing["directory"].as_str().unwrap()).join(name);
    let mut bytes = fs::read(&path).unwrap();
    bytes[999] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (exit, answer) = folder.casemate(&["cache", "verify"]);
    assert_eq!((exit, &answer["code"]), (4, &"cache.bad_entries".into()), "{answer}");
    assert_eq!(answer["entries"][0]["why"], "mac");
    folder.echoes();
    let listing = folder.ls();
    assert_eq!((count(&listing, "entries"), count(&listing, "quarantined")), (1, 1), "{listing}");

    let (exit, answer) = folder.casemate(&["cache", "gc", "--max", "0B"]);
    assert_eq!((exit, count(&answer, "removed")), (0, 2), "{answer}");
    let listing = folder.ls();
    assert_eq!((count(&listing, "entries"), count(&listing, "quarantined")), (0, 0), "{listing}");
    assert_eq!(folder.casemate(&["cache", "gc", "--max", "much"]).0, 3);

    // A directory that was named and cannot be used is a mistake, and not a slow success.
    let (exit, answer) = folder.casemate_with("cache/state", &["run", "echo.wasm", "--call", "m"]);
    assert_eq!((exit, &answer["code"]), (3, &"cache.unusable".into()), "{answer}");
}
