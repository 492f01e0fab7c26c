//! Pocket, P1 to P10 without signatures and registries.

use crate::life::{Ground, dies_and_comes_back, ends};
use casemate_tests::{block_on, guests};
use serde_json::{Value, json};
use std::process::Command;

const MANIFEST: &str = "name: statistics\nversion: 1.0.0\ndescription: Statistics\nauthor: Your Name\nlicense: MIT\n\
                        runtime: wasm\nbinary: plugin.wasm\nnodes:\n  - type: statistics\n    category: math\n    \
                        description: Calculate statistics from number arrays\nrequirements:\n  pocket: \">=0.5.0\"\n  \
                        memory: 50MB\npermissions:\n  memory: 50MB\n  cpu: 1000ms\n";

fn exec() -> Value {
    json!({"node": "statistics", "config": {}, "input": {"numbers": [1, 2, 3, 4]}})
}

/// P2, P5, P7: the design's Rust node, from its manifest to its end.
#[test]
fn p02_p05_p07_a_node_from_its_manifest_to_its_end() {
    block_on(async {
        let ground = Ground::new();
        let casemate = ground.host("");
        let manifest = ("manifest.yaml", MANIFEST);
        let plugin =
            ground.installed(&casemate, manifest, "plugin.wasm", "pocket_statistics", "statistics").await;
        let answer: Value = plugin.call("exec", &exec()).await.unwrap();
        let statistics = json!({"sum": 10.0, "average": 2.5, "min": 1.0, "max": 4.0});
        assert_eq!(answer, json!({"output": statistics, "next": "done"}));
        dies_and_comes_back(&casemate, &plugin, "exec", &exec()).await;
        ends(&ground, &casemate, &plugin).await;
    });
}

/// P2: the examples that a manifest has of its nodes are what `casemate test` runs.
#[test]
fn p02_the_examples_of_nodes_are_tested() {
    let ground = Ground::new();
    let wasm = std::fs::read(guests::rust("pocket_statistics")).unwrap();
    let example = |sum: u32| {
        let output = format!("{{sum: {sum}, average: 1.5, min: 1, max: 2}}");
        let examples = format!(
            "number arrays\n    examples:\n      - name: two\n        input: {{numbers: [1, 2]}}\n        output: {output}\n"
        );
        let manifest = MANIFEST.replace("number arrays\n", &examples);
        ground.package("p", &[("manifest.yaml", manifest.as_bytes()), ("dist/plugin.wasm", &wasm)])
    };
    let ran = ground.done(&["test", example(3).to_str().unwrap()]);
    assert!(ran.out.contains("statistics: 1 passed, 0 failed"), "{ran:?}");
    let ran = ground.ran(&["test", example(4).to_str().unwrap()]);
    assert!(ran.code == 1 && ran.out.contains("statistics: 0 passed, 1 failed"), "{ran:?}");
}

/// P3: permissions as a list and as a map are the same.
#[test]
fn p03_permissions_as_a_list_and_as_a_map() {
    let wasm = std::fs::read(guests::rust("pocket_statistics")).unwrap();
    let list = "permissions:\n  - memory: 50MB\n  - cpu: 1000ms\n";
    let head = MANIFEST.split("permissions:").next().unwrap();
    for text in [MANIFEST.to_owned(), format!("{head}{list}")] {
        let ground = Ground::new();
        let folder = ground.package("p", &[("manifest.yaml", text.as_bytes()), ("plugin.wasm", &wasm)]);
        ground.done(&["plugins", "install", folder.to_str().unwrap()]);
        let ours = std::fs::read_to_string(
            folder.parent().unwrap().join("state/plugins/statistics/package/plugin.toml"),
        );
        let ours = ours.unwrap();
        assert!(ours.contains("memory = \"50000000B\"") && ours.contains("cpu = \"1000ms\""), "{ours}");
    }
}

/// P6: the design's own way to pack, with the module below `dist`.
#[test]
fn p06_a_tar_as_the_design_packs_it() {
    let wasm = std::fs::read(guests::rust("pocket_statistics")).unwrap();
    let ground = Ground::new();
    let folder = ground.package("p", &[("manifest.yaml", MANIFEST.as_bytes()), ("dist/plugin.wasm", &wasm)]);
    let packed = Command::new("tar")
        .args(["-czf", "statistics.tar.gz", "manifest.yaml", "dist/plugin.wasm"])
        .current_dir(&folder)
        .status()
        .unwrap();
    assert!(packed.success());
    let archive = folder.join("statistics.tar.gz");
    let ran = ground.done(&["plugins", "install", archive.to_str().unwrap()]);
    assert!(ran.out.starts_with("statistics 1.0.0 installed (pocket, pocket-buffer)"), "{ran:?}");
}

/// P6: a workflow of nodes and ways, in the design's YAML.
const WORKFLOW: &str = r#"
name: measurements
nodes:
  - name: measure
    type: statistics
    config: {digits: 2}
  - name: route
    type: conditional
    config:
      conditions:
        - if: "{{and (ge .average 2.5) (lt .max 100)}}"
          then: again
        - if: "{{eq .min .max}}"
          then: nowhere
      else: done
  - name: again
    type: statistics
"#;

#[test]
fn p06_a_workflow_of_installed_nodes() {
    let wasm = std::fs::read(guests::rust("pocket_statistics")).unwrap();
    let ground = Ground::new();
    let folder = ground.package("p", &[("manifest.yaml", MANIFEST.as_bytes()), ("plugin.wasm", &wasm)]);
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (written, input) = (file("w.yaml", WORKFLOW), file("input.json", r#"{"numbers": [1, 2]}"#));
    // Before the plugin is there, and a file with a mistake.
    let ran = ground.ran(&["workflow", "run", &written]);
    assert_eq!(ran.code, 8, "{ran:?}");
    assert!(ran.err.contains("\"measure\"") && ran.err.contains("nodes of type \"statistics\""), "{ran:?}");
    ground.done(&["plugins", "install", folder.to_str().unwrap()]);
    let mistake = file("mistake.yaml", &WORKFLOW.replace("eq .min .max", "len .min"));
    let ran = ground.ran(&["workflow", "run", &mistake]);
    assert!(
        ran.code == 3 && ran.err.contains("\"route\"") && ran.err.contains("len is not done here"),
        "{ran:?}"
    );

    let run = |input: &str| {
        let ran = ground.ran(&["--json", "workflow", "run", &written, "--input", input]);
        let value = ran.json();
        let nodes = value["steps"].as_array().cloned().unwrap_or_default();
        let nodes: Vec<String> = nodes.iter().map(|step| step["node"].as_str().unwrap().to_owned()).collect();
        (ran.code, nodes.join(" "), value)
    };
    // `else: done` leads on to the node below; a way that is no node's ends it, and is told.
    let (code, nodes, value) = run(&input);
    assert_eq!((code, nodes.as_str()), (1, ""), "the last node's input is the first one's output: {value}");
    assert!(value["message"].as_str().unwrap().contains("node again, exec: "), "{value}");
    let (code, nodes, value) = run(r#"{"numbers": [2, 2]}"#);
    assert_eq!((code, nodes.as_str(), &value["next"]), (0, "measure route", &json!("nowhere")), "{value}");
    assert_eq!(value["output"], json!({"sum": 4.0, "average": 2.0, "min": 2.0, "max": 2.0}));
    assert_eq!(value["steps"][0]["plugin"], "statistics");
    let ran = ground.done(&["workflow", "run", &written, "--input", r#"{"numbers": [2, 2]}"#]);
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), value["output"]);
    assert!(ran.err.contains("on its way to nowhere, which is no node of it"), "{ran:?}");
    // A node's refusal is the workflow's end.
    let (code, _, value) = run(r#"{"numbers": []}"#);
    assert_eq!((code, value["code"].as_str()), (1, Some("guest.error")), "{value}");
    assert!(value["message"].as_str().unwrap().contains("Input array is empty"), "{value}");
}

/// P8: the design's commands.
#[test]
fn p08_list_info_validate_remove() {
    let wasm = std::fs::read(guests::rust("pocket_statistics")).unwrap();
    let ground = Ground::new();
    let folder = ground.package("p", &[("manifest.yaml", MANIFEST.as_bytes()), ("plugin.wasm", &wasm)]);
    let folder = folder.to_str().unwrap();
    ground.done(&["plugins", "validate", folder]);
    assert!(!ground.done(&["plugins", "list"]).out.contains("statistics"), "nothing was installed by that");
    ground.done(&["plugins", "install", folder]);
    assert!(ground.done(&["plugins", "list"]).out.contains("statistics"));
    assert!(ground.done(&["plugins", "info", "statistics"]).out.contains("of pocket"));
    ground.done(&["plugins", "remove", "statistics"]);
    assert!(!ground.done(&["plugins", "list"]).out.contains("statistics"));
}

/// P9: memory as the manifest says, and no more than the operator's.
#[test]
fn p09_memory_is_the_manifests_below_the_operators() {
    let wasm = std::fs::read(guests::rust("pocket_statistics")).unwrap();
    let ground = Ground::new();
    let greedy = MANIFEST.replace("  memory: 50MB\npermissions:", "  memory: 900MB\npermissions:");
    let folder = ground.package("p", &[("manifest.yaml", greedy.as_bytes()), ("plugin.wasm", &wasm)]);
    let ran = ground.ran(&["plugins", "install", folder.to_str().unwrap()]);
    assert!(ran.code == 3 && ran.err.contains("memory"), "{ran:?}");
}
