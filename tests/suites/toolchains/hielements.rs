//! Hielements: its library in three languages, and the way from one of its programs to wasm.

use super::{copy_of, is_there, sdk, tools};
use casemate::{Casemate, Cause, Policy};
use casemate_tests::command::{casemate, run};
use casemate_tests::{block_on, guests, guide};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Hielements' own example: its request, its results and its errors in three languages, and so the three ways to return a pair.
#[test]
fn a_library_of_hielements_is_the_same_in_three_languages() {
    let test = "a_library_of_hielements_is_the_same_in_three_languages";
    let copy =
        copy_of(&["sdk/c", "sdk/assemblyscript", "tests/guests/hielements-c", "tests/guests/hielements-as"]);
    let mut modules = vec![("rust", guests::rust("hielements"))];
    for (language, guest) in [("c", "hielements-c"), ("assemblyscript", "hielements-as")] {
        // wasm-opt comes with AssemblyScript.
        if !is_there(test, language) || !is_there(test, "assemblyscript") {
            continue;
        }
        let folder = copy.join("tests/guests").join(guest);
        let ran = run(Path::new("sh"), &[folder.join("build.sh")]);
        assert_eq!(ran.code, 0, "{language}: {ran:?}");
        modules.push((language, folder.join("modules.wasm")));
    }
    let shape = |module: &Path| {
        let facts = casemate(&["--json", "inspect", &module.display().to_string()]).json();
        assert_eq!(facts["dialect"], "hielements", "{facts}");
        let exports = facts["module"]["exports"].as_array().unwrap().clone();
        exports.into_iter().find(|export| export["name"] == "library_call").unwrap()["type"].clone()
    };
    for (language, module) in &modules {
        let wanted = match *language {
            "c" => "(i32, i32) -> (i32, i32)",
            "assemblyscript" => "(i32, i32) -> i64",
            _ => "(i32, i32, i32) -> ()",
        };
        assert_eq!(shape(module), wanted, "{language}");
    }
    block_on(async {
        let host = Casemate::embedded().unwrap();
        let mut plugins = Vec::new();
        for (language, module) in &modules {
            plugins.push((*language, host.load(module, Policy::default()).await.unwrap()));
        }
        let request = |function: &str, args: Value| json!({"function": function, "args": args, "workspace": "/workspace"});
        for (method, request) in [
            ("library.call", request("module_selector", json!(["src/"]))),
            ("library.call", request("module_selector", json!(["ß/\"quoted\"\n\u{1f600}\u{1}"]))),
            ("library.call", request("module_selector", json!([]))),
            ("library.call", request("module_selector", json!([7, "src/"]))),
            ("library.call", request("nothing", json!([{"deep": [1, null, true, 2.5e-3]}]))),
            ("library.check", request("is_module", json!(["src/"]))),
            ("library.check", request("is_module", json!(["a.rs"]))),
            ("library.check", request("nothing", json!([]))),
        ] {
            let mut answers = Vec::new();
            for (language, plugin) in &plugins {
                let answer = plugin.call::<_, Value>(method, &request).await;
                let answer = answer.map_err(|failure| match failure.cause {
                    Cause::GuestError { code, message, .. } => (code, message),
                    other => panic!("{language}: {other:?}"),
                });
                answers.push((language, answer));
            }
            for (language, answer) in &answers {
                assert_eq!(*answer, answers[0].1, "{language}: {request}");
            }
        }
        // What is no request is refused in words of each language's own.
        for (language, plugin) in &plugins {
            for wrong in
                [json!([]), json!({"function": "f"}), json!({"function": 1, "args": [], "workspace": ""})]
            {
                let failure = plugin.call::<_, Value>("library.call", &wrong).await.unwrap_err();
                assert!(failure.to_string().contains("Failed to parse request: "), "{language}: {failure}");
            }
        }
        host.shutdown().await;
    });
}

/// From a Python program to wasm: the page's files and commands, as they stand there.
#[test]
fn the_page_from_an_external_library_of_hielements_to_wasm_is_right() {
    if is_there("the page", "assemblyscript") {
        let page = fs::read_to_string(sdk().join("../docs/systems/hielements-migration.md")).unwrap();
        guide::walk(&page, &tools());
    }
}
