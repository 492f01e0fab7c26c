//! `policy`, and `run` with a configuration; the change that `explain` names makes the call pass.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a suite fails loudly, in its helpers too, and starts the command itself"
)]

use casemate::{Casemate, Configuration};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// `grow` needs 4 MiB more than it begins with; `host` asks the host for the time; anything else is answered.
const GUEST: &str = r#"(module
    (import "casemate" "host_call" (func $host_call (param i32 i32) (result i64)))
    (memory (export "memory") 1)
    (data (i32.const 16) "\00\01true")
    (data (i32.const 64) "\09\00clock.now\01null")
    (func (export "casemate_abi") (result i32) (i32.const 1))
    (func (export "casemate_alloc") (param i32 i32) (result i32) (i32.const 4096))
    (func (export "casemate_free") (param i32 i32 i32))
    (func (export "casemate_call") (param $ptr i32) (param $len i32) (result i64)
      (local $case i32)
      (local.set $case (i32.load8_u offset=2 (local.get $ptr)))
      (if (i32.eq (local.get $case) (i32.const 103))
        (then (if (i32.eq (memory.grow (i32.const 64)) (i32.const -1)) (then (unreachable)))))
      (if (i32.eq (local.get $case) (i32.const 104))
        (then (return (call $host_call (i32.const 64) (i32.const 16)))))
      (i64.const 0x0000000600000010)))"#;

const POLICY: &str = r#"[ceiling.limits]
memory = "64MiB"

[plugins.guest]
path = "guest.wasm"

[plugins.guest.limits]
memory = "1MiB"

[plugins.wide.limits]
memory = "1GiB"
"#;

/// A folder of one test's own, with a plugin and a configuration.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("casemate-cli-policy-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        let folder = Self(path);
        fs::write(folder.0.join("guest.wasm"), wat::parse_str(GUEST).unwrap()).unwrap();
        folder.write("casemate.toml", POLICY);
        folder
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }

    /// Exit code and standard output of a command.
    fn plain(&self, arguments: &[&str], input: &str) -> (i32, String) {
        let program = match std::env::var_os("CASEMATE_PROGRAMS") {
            Some(folder) => PathBuf::from(folder).join("casemate"),
            None => env!("CARGO_BIN_EXE_casemate").into(),
        };
        let mut child = Command::new(program)
            .args(["--cache-dir", "cache", "--state-dir", "state"])
            .args(arguments)
            .current_dir(&self.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Nobody reads it where the command ends early.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    }

    fn casemate(&self, arguments: &[&str]) -> (i32, Value) {
        self.casemate_with(arguments, "")
    }

    /// Exit code and answer of a command with `--json`.
    fn casemate_with(&self, arguments: &[&str], input: &str) -> (i32, Value) {
        let (exit, text) = self.plain(&[&["--json"], arguments].concat(), input);
        (exit, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}")))
    }

    /// Writes what `explain` or `test` say is to be written.
    fn apply(&self, change: &Value) {
        let file = change["file"].as_str().unwrap();
        let text = self.read(file);
        let mut lines: Vec<&str> = text.lines().collect();
        let (line, header) =
            (change["line"].as_str().unwrap(), format!("[{}]", change["table"].as_str().unwrap()));
        match change["place"]["line"].as_u64() {
            Some(number) => lines[usize::try_from(number).unwrap() - 1] = line,
            None => match lines.iter().position(|line| *line == header) {
                Some(at) => lines.insert(at + 1, line),
                None => lines.extend([header.as_str(), line]),
            },
        }
        self.write(file, &(lines.join("\n") + "\n"));
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const CONFIG: [&str; 2] = ["--config", "casemate.toml"];

fn with_config<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [&CONFIG, arguments].concat()
}

#[test]
fn check_says_valid_and_what_does_not_hold() {
    let folder = Folder::new("check");
    let (exit, answer) = folder.casemate(&["policy", "check", "casemate.toml"]);
    assert_eq!((exit, &answer["ok"], &answer["plugins"]), (0, &json!(true), &json!(["guest", "wide"])));
    let note = &answer["notes"][0];
    assert_eq!((&note["kind"], &note["line"]), (&json!("clipped"), &json!(11)));
    assert!(
        note["message"].as_str().unwrap().contains("clipped to \"64MiB\" (ceiling.limits.memory, "),
        "{note}"
    );
    let (exit, text) = folder.plain(&["policy", "check", "casemate.toml"], "");
    assert!(exit == 0 && text.ends_with("casemate.toml: valid, 2 plugins: guest, wide\n"), "{text}");
}

#[test]
fn a_mistake_has_exit_code_three_and_a_place() {
    let folder = Folder::new("mistake");
    folder.write("bad.toml", "[plugins.a.limits]\nmemmory = 1\n");
    let (exit, answer) = folder.casemate(&["policy", "check", "bad.toml"]);
    assert_eq!((exit, &answer["code"], &answer["fault"]), (3, &json!("policy.invalid"), &json!("operator")));
    assert_eq!(answer["place"], json!({"file": "bad.toml", "line": 2, "column": 1}));
    assert!(answer["message"].as_str().unwrap().ends_with("did you mean plugins.a.limits.memory?"));
    folder.write("plugin.toml", "id = \"a\"\nname = \"a\"\nversion = \"one\"\n");
    let (exit, answer) = folder.casemate(&["policy", "check", "plugin.toml"]);
    assert_eq!((exit, &answer["place"]["line"]), (3, &json!(3)));
    let (exit, answer) = folder.casemate(&["policy", "check", "none.toml"]);
    assert_eq!((exit, &answer["code"]), (8, &json!("file.unreadable")));
    let (exit, answer) =
        folder.casemate(&with_config(&["policy", "test", "gest", "--host", "a", "--manifest", "m"]));
    assert_eq!((exit, &answer["code"]), (8, &json!("file.unreadable")));
    fs::remove_file(folder.0.join("plugin.toml")).unwrap();
    let (exit, answer) = folder.casemate(&with_config(&["policy", "show", "gest"]));
    assert_eq!((exit, &answer["code"]), (8, &json!("plugin.unknown")));
    assert!(answer["message"].as_str().unwrap().ends_with("did you mean guest?"));
}

#[test]
fn show_says_where_each_value_comes_from() {
    let folder = Folder::new("show");
    folder.write("plugin.toml", "id = \"a\"\nname = \"a\"\nversion = \"1.0.0\"\nlimits.stack = \"256KiB\"\n");
    let (exit, answer) = folder.casemate(&with_config(&["policy", "show", "guest", "--syscalls"]));
    assert_eq!((exit, &answer["plugin"]), (0, &json!("guest")));
    let value = |key: &str| {
        let values = answer["values"].as_array().unwrap();
        values.iter().find(|value| value["key"] == key).unwrap_or_else(|| panic!("{key}")).clone()
    };
    assert_eq!(value("limits.memory")["value"], "1MiB");
    let origin = json!({"from": "plugin", "key": "plugins.guest.limits.memory", "file": "casemate.toml", "line": 8, "column": 10});
    assert_eq!(value("limits.memory")["origin"], origin);
    assert_eq!(
        (&value("limits.stack")["value"], &value("limits.stack")["origin"]["from"]),
        (&json!("256KiB"), &json!("manifest"))
    );
    assert_eq!(value("limits.queue")["origin"], json!({"from": "default"}));
    assert_eq!(value("limits.cpu")["value"], Value::Null);
    let syscalls = answer["syscalls"].as_array().unwrap();
    assert!(
        syscalls
            .iter()
            .any(|call| call["name"] == "exit_group" && !call["reason"].as_str().unwrap().is_empty())
    );
    let (_, text) = folder.plain(&with_config(&["policy", "show", "guest"]), "");
    let line = text.lines().find(|line| line.starts_with("limits.memory")).unwrap();
    assert!(
        line.contains("\"1MiB\"") && line.ends_with("plugins.guest.limits.memory, casemate.toml:8:10"),
        "{line}"
    );
    let (_, text) = folder.plain(&with_config(&["policy", "show", "guest", "--syscalls"]), "");
    assert!(text.contains("exit_group") && !text.contains("limits.memory"), "{text}");
}

#[test]
fn a_limit_is_explained_and_the_change_lets_the_call_pass() {
    let folder = Folder::new("limit");
    let call = ["run", "guest.wasm", "--call", "grow", "--policy", "casemate.toml"];
    let (exit, outcome) = folder.casemate(&call);
    assert_eq!((exit, &outcome["code"]), (5, &json!("limit.memory")), "{outcome}");
    let explain = with_config(&["policy", "explain", "--plugin", "guest"]);
    let (exit, answer) = folder.casemate_with(&explain, &outcome.to_string());
    assert_eq!(
        (exit, &answer["rule"]["key"], &answer["rule"]["origin"]["line"]),
        (0, &json!("limits.memory"), &json!(8))
    );
    assert!(answer["layer"].as_str().unwrap().contains("limiter"));
    assert_eq!(answer["changes"].as_array().unwrap().len(), 1, "{answer}");
    let (_, text) = folder.plain(&explain, &outcome.to_string());
    assert!(text.contains("in place of line 8 of casemate.toml"), "{text}");
    folder.apply(&answer["changes"][0]);
    let (exit, outcome) = folder.casemate(&call);
    assert_eq!((exit, &outcome["reply"]), (0, &json!(true)), "{outcome}");
}

#[test]
fn what_was_denied_is_explained_and_the_change_lets_the_call_pass() {
    let folder = Folder::new("denied");
    let call = ["run", "guest.wasm", "--call", "host", "--policy", "casemate.toml"];
    let (exit, outcome) = folder.casemate(&call);
    assert_eq!((exit, &outcome["guest"]["code"]), (1, &json!("denied")), "{outcome}");
    folder.write("outcome.json", &outcome.to_string());
    let (_, answer) =
        folder.casemate(&with_config(&["policy", "explain", "outcome.json", "--plugin", "guest"]));
    assert_eq!(answer["rule"]["key"], "permissions.host");
    folder.apply(&answer["changes"][0]);
    // The command has no host to answer; a program that links the library has.
    let path = folder.0.join("casemate.toml");
    let effective = Configuration::read(&path).unwrap().plugin("guest", None).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let casemate = Casemate::embedded().unwrap();
        casemate.on("clock.now", |_: Value| async { Ok(json!("12:00")) });
        let plugin =
            casemate.load(folder.0.join("guest.wasm"), effective.policy().unwrap().clone()).await.unwrap();
        let reply: Value = plugin.call("host", &json!(null)).await.unwrap();
        assert_eq!(reply, json!("12:00"));
        casemate.shutdown().await;
    });
}

#[test]
fn test_says_what_would_happen() {
    let folder = Folder::new("test");
    let order = with_config(&["policy", "test", "guest", "--host", "query:ai.ocr"]);
    let (exit, answer) = folder.casemate(&order);
    assert_eq!(
        (exit, &answer["code"], &answer["tried"][0]["allowed"]),
        (4, &json!("policy.denied"), &json!(false))
    );
    assert_eq!(answer["tried"][0]["changes"][0]["line"], "host = [\"query:ai.ocr\"]");
    folder.apply(&answer["tried"][0]["changes"][0]);
    let (exit, answer) = folder.casemate(&order);
    assert_eq!((exit, &answer["tried"][0]["by"]), (0, &json!("query:ai.ocr")));
    assert_eq!(answer["tried"][0]["origin"]["key"], "plugins.guest.permissions.host");
}

#[test]
fn diff_says_wider_and_narrower() {
    let folder = Folder::new("diff");
    folder.write("new.toml", &POLICY.replace("1MiB", "2MiB").replace("64MiB", "32MiB"));
    let (exit, answer) = folder.casemate(&["policy", "diff", "casemate.toml", "new.toml"]);
    let widths: Vec<_> = answer["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|value| {
            (value["plugin"].as_str(), value["key"].as_str().unwrap(), value["width"].as_str().unwrap())
        })
        .collect();
    assert_eq!(exit, 0);
    // All others have the default of 100 MB, clipped.
    assert_eq!(
        widths,
        [
            (None, "limits.memory", "narrower"),
            (Some("guest"), "limits.memory", "wider"),
            (Some("wide"), "limits.memory", "narrower"),
        ]
    );
    let (_, text) = folder.plain(&["policy", "diff", "casemate.toml", "casemate.toml"], "");
    assert_eq!(text, "no difference\n");
}

#[test]
fn schemas_are_printed() {
    let folder = Folder::new("schema");
    let (_, schema) = folder.casemate(&["policy", "schema"]);
    assert_eq!((&schema["title"], &schema["additionalProperties"]), (&json!("casemate.toml"), &json!(false)));
    assert_eq!(folder.casemate(&["policy", "schema", "--manifest"]).1["title"], "plugin.toml");
}

#[test]
fn run_takes_the_table_of_the_plugin_and_what_the_manifest_asks_for() {
    let folder = Folder::new("run");
    let run =
        |arguments: &[&str]| folder.casemate(&[&["run", "guest.wasm", "--call", "grow"], arguments].concat());
    assert_eq!(run(&[]).0, 0, "no policy");
    assert_eq!(run(&["--policy", "casemate.toml", "--plugin", "wide"]).0, 0);
    assert_eq!(run(&["--policy", "casemate.toml", "--memory", "8MiB"]).0, 0, "flags go over it");
    let (exit, answer) = run(&["--policy", "casemate.toml", "--plugin", "gues"]);
    assert_eq!((exit, &answer["code"]), (8, &json!("plugin.unknown")));
    folder.write("plugin.toml", "id = \"a\"\nname = \"a\"\nversion = \"1.0.0\"\nlimits.memory = \"2MiB\"\n");
    let (exit, answer) = run(&[]);
    assert_eq!((exit, &answer["limit"]["configured"]), (5, &json!(2 << 20)), "{answer}");
    fs::remove_file(folder.0.join("plugin.toml")).unwrap();
    folder.write("flat.toml", "[limits]\nmemory = \"8MiB\"\n");
    let (exit, answer) = run(&["--policy", "flat.toml"]);
    assert!(
        exit == 3 && answer["message"].as_str().unwrap().contains("write it under [plugins.NAME]"),
        "{answer}"
    );
    folder.write("later.toml", "[plugins.guest]\ntransport = \"shared\"\n");
    let (exit, answer) = run(&["--policy", "later.toml"]);
    assert_eq!(
        (exit, &answer["code"], &answer["place"]["line"]),
        (3, &json!("policy.not_available"), &json!(2))
    );
    folder.write("off.toml", "[plugins.guest]\nenabled = false\n");
    let (exit, answer) = run(&["--policy", "off.toml"]);
    assert_eq!((exit, &answer["code"]), (3, &json!("plugin.disabled")));
}
