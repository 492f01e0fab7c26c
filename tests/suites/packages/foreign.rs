//! Packages of other systems, by their own manifests: from the file to an answer.

use crate::ground::{Ground, NUMBERS};
use casemate::{Casemate, Configuration, Plugin};
use casemate_tests::{block_on, guests};
use serde_json::{Value, json};

/// Installs a package whose module is a guest, and loads it by the name that its manifest has.
async fn installed(
    ground: &Ground,
    manifest: (&str, &str),
    module: &str,
    guest: &str,
    name: &str,
) -> (Casemate, Plugin) {
    let wasm = std::fs::read(guests::rust(guest)).unwrap();
    let folder = ground.folder(name, &[(manifest.0, manifest.1.as_bytes()), (module, &wasm)]);
    let ran = ground.done(&["plugins", "install", &folder]);
    assert!(ran.out.starts_with(&format!("{name} ")), "{ran:?}");
    let casemate = Casemate::builder()
        .state_dir(ground.state())
        .configuration(Configuration::default())
        .build()
        .unwrap();
    let plugin = casemate.load_named(name).await.unwrap();
    (casemate, plugin)
}

#[test]
fn a_package_of_pocket() {
    let manifest = "name: statistics\nversion: 1.0.0\nruntime: wasm\nbinary: plugin.wasm\nnodes:\n  - type: statistics\n    \
                    category: math\n    description: Calculate statistics from number arrays\nrequirements:\n  pocket: \">=0.5.0\"\n  memory: 50MB\n";
    block_on(async {
        let ground = Ground::new();
        let given = installed(
            &ground,
            ("manifest.yaml", manifest),
            "dist/plugin.wasm",
            "pocket_statistics",
            "statistics",
        );
        let (casemate, plugin) = given.await;
        let request = json!({"node": "statistics", "input": {"numbers": NUMBERS}});
        let answer: Value = plugin.call("exec", &request).await.unwrap();
        assert_eq!((&answer["output"]["sum"], &answer["next"]), (&json!(6.0), &json!("done")));
        casemate.shutdown().await;
    });
}

#[test]
fn a_package_of_extism_with_its_configuration() {
    let manifest =
        json!({"wasm": [{"path": "greet.wasm"}], "config": {"greeting": "Moin"}, "timeout_ms": 20000});
    block_on(async {
        let ground = Ground::new();
        let text = manifest.to_string();
        let given = installed(&ground, ("extism.json", &text), "greet.wasm", "extism_greet", "greet");
        let (casemate, plugin) = given.await;
        let answer = plugin.call_raw("greet", b"Ada").await.unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), "Moin, Ada!");
        casemate.shutdown().await;
    });
}

#[test]
fn a_package_of_hielements_with_a_native_program_beside_it() {
    let manifest = "[libraries]\nmodules = { path = \"lib/modules.wasm\" }\npython = { executable = \"python3\", args = [\"p.py\"] }\n";
    block_on(async {
        let ground = Ground::new();
        let given =
            installed(&ground, ("hielements.toml", manifest), "lib/modules.wasm", "hielements", "modules");
        let (casemate, plugin) = given.await;
        let request = json!({"function": "module_selector", "args": ["src/"], "workspace": "."});
        let answer: Value = plugin.call("library.call", &request).await.unwrap();
        assert!(answer["Scope"].is_object(), "{answer}");
        casemate.shutdown().await;
        let list = ground.json(&["plugins", "list"]);
        assert_eq!(list["plugins"].as_array().unwrap().len(), 1, "the native program is left out: {list}");
    });
}
