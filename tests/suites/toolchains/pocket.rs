//! Pocket's TypeScript example: from its source and its manifest to a workflow.

use super::{copy_of, is_there};
use casemate_tests::command::{self, Ran};
use casemate_tests::scratch::Scratch;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The design's own workflow.
const WORKFLOW: &str = r#"
name: customer-feedback-analysis
nodes:
  - name: analyze-feedback
    type: sentiment  # Your plugin node!
    config:
      threshold: 0.15

  - name: route-by-sentiment
    type: conditional
    config:
      conditions:
        - if: "{{eq .sentiment \"positive\"}}"
          then: thank-customer
        - if: "{{eq .sentiment \"negative\"}}"
          then: escalate-to-support
      else: archive-feedback
"#;

/// Builds it in a copy; the folder of its project.
fn build(copy: &Scratch) -> PathBuf {
    let folder = copy.join("tests/guests/pocket-sentiment");
    let mut build = Command::new("sh");
    build.arg(folder.join("build.sh"));
    // QuickJS takes minutes: what was made of it is kept.
    build.envs(std::env::var_os("QUICKJS_TARGET").map(|target| ("CARGO_TARGET_DIR", target)));
    let output = build.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    folder
}

fn casemate(home: &Path, arguments: &[&str]) -> Ran {
    let [state, cache] = ["state", "cache"].map(|name| home.join(name).display().to_string());
    let mut all = vec!["--state-dir", &state, "--cache-dir", &cache];
    all.extend(arguments);
    command::casemate(&all)
}

/// P1, P4, P6.
#[test]
fn the_node_in_typescript_is_built_installed_called_and_used_in_a_workflow() {
    let test = "the_node_in_typescript";
    if !is_there(test, "quickjs") {
        return;
    }
    let copy = copy_of(&["tests/guests/pocket-sentiment"]);
    let folder = build(&copy);
    let module = folder.join("dist/plugin.wasm");
    let home = Scratch::new();

    // What it is can be told by its name only, and is known from whose package it is.
    let inspect = |more: &[&str]| {
        let mut arguments = vec!["--json", "inspect", module.to_str().unwrap()];
        arguments.extend(more);
        casemate(&home, &arguments).json()["dialect"].clone()
    };
    assert_eq!(
        (inspect(&[]), inspect(&["--dialect", "pocket-stdio"])),
        (json!("wasi-command"), json!("pocket-stdio"))
    );
    // Asked nothing, it says what it is.
    let ran = casemate(&home, &["run", module.to_str().unwrap(), "--", "plugin.wasm"]);
    let metadata: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    assert_eq!(
        metadata["examples"][0]["output"],
        json!({"sentiment": "positive", "score": 0.2, "confidence": 0.4})
    );
    let ran = casemate(&home, &["plugins", "install", folder.to_str().unwrap()]);
    assert_eq!(ran.out, "sentiment-analyzer 1.0.0 installed (pocket, pocket-stdio)\n", "{ran:?}");

    let workflow = folder.join("workflow.yaml");
    std::fs::write(&workflow, WORKFLOW).unwrap();
    let file = workflow.to_str().unwrap();
    let run = |text: &str| {
        let input = json!({ "text": text }).to_string();
        let ran = casemate(&home, &["--json", "workflow", "run", file, "--input", &input]);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.json()
    };
    // The example of its own metadata, and the three ways.
    let done = run("This product is absolutely wonderful");
    assert_eq!(done["output"], json!({"sentiment": "positive", "score": 0.2, "confidence": 0.4}));
    for (text, next, sentiment) in [
        ("This product is absolutely wonderful", "thank-customer", "positive"),
        ("what an awful thing", "escalate-to-support", "negative"),
        ("it is there", "archive-feedback", "neutral"),
        // As the design's own code has it: a word with a mark is another word.
        ("This product is absolutely wonderful!", "archive-feedback", "neutral"),
    ] {
        let done = run(text);
        assert_eq!(
            (&done["next"], &done["output"]["sentiment"]),
            (&json!(next), &json!(sentiment)),
            "{text}"
        );
        let steps: Vec<(&Value, &Value)> =
            done["steps"].as_array().unwrap().iter().map(|step| (&step["node"], &step["plugin"])).collect();
        let analyzed = (&json!("analyze-feedback"), &json!("sentiment-analyzer"));
        assert_eq!(steps, [analyzed, (&json!("route-by-sentiment"), &Value::Null)]);
    }
    // A fault of the script's is the node's error, in its words.
    let ran = casemate(&home, &["workflow", "run", file, "--input", "{}"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("analyze-feedback, exec") && ran.err.contains("TypeError"), "{ran:?}");
}
