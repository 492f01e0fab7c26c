//! What plugin authors do: `casemate new`, `test` and `dev`, on modules that are built already.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate_tests::command::{Ran, casemate, program};
use casemate_tests::{guests, scratch::Scratch};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

const HEAD: &str = r#"
id = "sums"
name = "Sums"
version = "1.0.0"

[methods.stats]

[build]
command = ["sh", "build.sh"]
module = "sums.wasm"
watch = ["build.sh"]
"#;

const GOOD: &str = r#"
[[examples]]
method = "stats"
description = "three numbers"
input = { numbers = [1, 2, 3] }
output = { sum = 6, average = 2, min = 1, max = 3 }

[[examples]]
method = "stats"
description = "no number"
input = { numbers = [] }
error = "empty_input"
"#;

/// A project whose build is a copy of the guest that does sums.
fn project(examples: &str) -> Scratch {
    let folder = Scratch::new();
    fs::write(folder.join("plugin.toml"), format!("{HEAD}{examples}")).unwrap();
    build_copies(&folder, &guests::rust("statistics"));
    folder
}

fn build_copies(folder: &Path, module: &Path) {
    fs::write(folder.join("build.sh"), format!("cp '{}' sums.wasm\n", module.display())).unwrap();
}

fn test(folder: &Path, more: &[&str]) -> Ran {
    let folder = folder.display().to_string();
    casemate(&[&["test", folder.as_str()], more].concat())
}

#[test]
fn examples_that_are_right_pass_and_the_module_may_be_named_too() {
    let folder = project(GOOD);
    let ran = test(&folder, &[]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out, "✓ stats three numbers\n✓ stats no number\nsums: 2 passed, 0 failed\n");
    let ran = test(&folder.join("sums.wasm"), &["--json"]);
    assert_eq!((ran.code, &ran.json()["ok"]), (0, &serde_json::json!(true)));
    assert_eq!(ran.json()["examples"][0]["found"], r#"{"sum":6.0,"average":2.0,"min":1.0,"max":3.0}"#);
}

#[test]
fn every_way_to_be_wrong_is_told() {
    let wrong = r#"
[[examples]]
method = "stats"
input = { numbers = [1] }
output = { sum = 2 }

[[examples]]
method = "stats"
input = { numbers = [1] }
error = "empty_input"

[[examples]]
method = "stats"
input = { numbers = [] }
error = "too_many"

[[examples]]
method = "stats"
input = { numbers = [] }
"#;
    let ran = test(&project(wrong), &["--json"]);
    assert_eq!(ran.code, 1);
    let value = ran.json();
    assert_eq!(value["ok"], false);
    let whys: Vec<_> = value["examples"].as_array().unwrap().iter().map(|example| &example["why"]).collect();
    assert_eq!(whys, ["it answered something else", "it answered", "it ended otherwise", "guest.error"]);
    assert_eq!(value["examples"][0]["expected"], r#"{"sum":2}"#);
    assert!(value["examples"][3]["found"].as_str().unwrap().contains("Input array is empty"), "{value}");
}

#[test]
fn an_answer_must_fit_its_methods_schema() {
    let schema = "\n[methods.stats.output.properties.sum]\nmaximum = 5\n[[examples]]\nmethod = \"stats\"\ninput = { numbers = [6] }\n";
    let ran = test(&project(schema), &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("maximum of 5") && ran.out.contains("0 passed, 1 failed"), "{ran:?}");
}

#[test]
fn a_project_that_is_not_whole_says_what_it_lacks() {
    let folder = project(GOOD);
    fs::write(folder.join("build.sh"), "echo 'nothing compiles here' >&2\nexit 3\n").unwrap();
    let ran = test(&folder, &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("nothing compiles here") && ran.err.contains("[build.failed]"), "{ran:?}");

    fs::write(folder.join("build.sh"), "true\n").unwrap();
    let ran = test(&folder, &[]);
    assert_eq!(ran.code, 8);
    assert!(ran.err.contains("sums.wasm is not there after the build"), "{ran:?}");

    let ran = test(&project(""), &[]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("write [[examples]]"), "{ran:?}");

    let empty = Scratch::new();
    assert_eq!(test(&empty, &[]).code, 8, "no plugin.toml");
    assert_eq!(test(&guests::rust("statistics"), &[]).code, 8, "none beside the module either");
}

/// The author is who grants, where no file does: what the manifest asks for, and nothing else.
#[test]
fn a_plugin_under_test_may_what_its_manifest_asks_for() {
    let method =
        "\n[methods.host]\n[[examples]]\nmethod = \"host\"\ninput = { method = \"clock.now\", input = 1 }\n";
    let found = |asked: &str| {
        let folder = project(&format!("{method}{asked}"));
        build_copies(&folder, &guests::rust("probe"));
        test(&folder, &["--json"]).json()["examples"][0]["found"].to_string()
    };
    let (denied, granted) = (found(""), found("[permissions]\nhost = [\"clock.*\"]\n"));
    assert!(denied.contains("denied"), "{denied}");
    assert!(!granted.contains("denied") && granted.contains("clock.now"), "{granted}");
}

#[test]
fn what_a_plugin_under_test_puts_away_is_there_until_the_end() {
    let folder = Scratch::new();
    fs::write(folder.join("plugin.toml"), include_str!("../../sdk/c/notebook/plugin.toml")).unwrap();
    fs::copy(guests::rust("notebook"), folder.join("notebook.wasm")).unwrap();
    for _ in 0..2 {
        let ran = test(&folder, &["--no-build"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.out.ends_with("notebook: 3 passed, 0 failed\n"), "{ran:?}");
    }
}

/// `casemate dev`, and what it says.
struct Dev {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Dev {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(program())
            .arg("dev")
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next line that holds this text.
    fn until(&mut self, text: &str) -> String {
        self.lines
            .by_ref()
            .map(Result::unwrap)
            .find(|line| line.contains(text))
            .unwrap_or_else(|| panic!("it ended without a line that has {text:?}"))
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_change_is_made_reloaded_and_tried() {
    let folder = project(GOOD);
    let mut dev = Dev::start(&folder);
    assert_eq!(dev.until("passed"), "sums: 2 passed, 0 failed");
    // The same manifest, another module: one without that method.
    build_copies(&folder, &guests::rust("wordcount"));
    // A round may begin between two writes, and is then followed by one more: what counts is where it ends.
    dev.until("sums: 0 passed, 2 failed");
    // A build that fails, which the next change mends; then another manifest.
    fs::write(folder.join("build.sh"), "exit 1\n").unwrap();
    dev.until("changed");
    build_copies(&folder, &guests::rust("statistics"));
    dev.until("sums: 2 passed, 0 failed");
    fs::write(folder.join("plugin.toml"), format!("{HEAD}{GOOD}{GOOD}")).unwrap();
    dev.until("sums: 4 passed, 0 failed");
}

#[test]
fn a_new_project_is_written_once_and_a_checkout_is_referred_to() {
    let scratch = Scratch::new();
    let folder = scratch.join("my-plugin").display().to_string();
    for language in ["rust", "c", "cpp", "assemblyscript", "go", "js", "ts", "python"] {
        let ran = casemate(&["new", &folder, "--lang", language, "--json"]);
        assert_eq!(ran.code, 0, "{language}: {ran:?}");
        let manifest = fs::read_to_string(Path::new(&folder).join("plugin.toml")).unwrap();
        assert!(manifest.contains("id = \"my-plugin\""), "{language}: {manifest}");
        let again = casemate(&["new", &folder, "--lang", language]);
        assert_eq!(again.code, 2, "{language}: {again:?}");
        fs::remove_dir_all(&folder).unwrap();
    }
    let bad = casemate(&["new", &folder, "--lang", "rust", "--sdk", &scratch.display().to_string()]);
    assert_eq!(bad.code, 8, "{bad:?}");
    assert_eq!(casemate(&["new", "No Name", "--lang", "rust"]).code, 2);
}
