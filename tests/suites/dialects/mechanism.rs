//! How a dialect is found, named, and linked.

use casemate::{Policy, PolicySpec};
use casemate_tests::scratch::Scratch;
use casemate_tests::{block_on, casemate, guests, policy};
use serde_json::{Value, json};
use std::path::PathBuf;

/// A module of two systems at once, and of none wholly: what it imports nobody has.
const BOTH: &str = r#"(module
    (import "env" "fly" (func $fly (param i32) (result i64)))
    (memory (export "memory") 2)
    (global $next (mut i32) (i32.const 1024))
    (func (export "alloc") (param i32) (result i32)
        global.get $next
        global.get $next local.get 0 i32.add global.set $next)
    (data (i32.const 16) "{\"Pass\":null}")
    (func $pass (result i64) (i64.or (i64.shl (i64.const 16) (i64.const 32)) (i64.const 13)))
    (func (export "library_call") (param i32 i32) (result i32 i32)
        (drop (call $fly (i32.const 7)))
        i32.const 16 i32.const 13)
    (func (export "library_check") (param i32 i32) (result i64) (call $pass))
    (data (i32.const 64) "{\"success\":true,\"output\":[1]}")
    (func (export "metadata") (param i32 i32) (result i32) i32.const 0)
    (func (export "call") (param i32 i32 i32 i32) (result i32)
        (memory.copy (local.get 2) (i32.const 64) (i32.const 29))
        i32.const 29))"#;

fn module(folder: &Scratch, text: &str) -> PathBuf {
    let path = folder.join("both.wasm");
    std::fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
    path
}

fn named(dialect: &str) -> Policy {
    let dialect = casemate::module::Dialect::from_name(dialect);
    policy(|spec: &mut PolicySpec| spec.dialect = dialect)
}

#[test]
fn two_that_fit_are_refused_until_one_is_named() {
    let folder = Scratch::new();
    let both = module(&folder, BOTH);
    block_on(async {
        let casemate = casemate();
        let failure = casemate.load(&*both, Policy::default()).await.unwrap_err();
        assert!(failure.to_string().contains("fits hielements and pocket-buffer equally well"), "{failure}");

        let plugin = casemate.load(&*both, named("pocket-buffer")).await.unwrap();
        let answer: Value = plugin.call("exec", &json!({})).await.unwrap();
        assert_eq!(answer, json!({"output": [1], "next": "done"}));
        plugin.close().await.unwrap();

        let plugin = casemate.load(&*both, named("hielements")).await.unwrap();
        // Packed, as address and length.
        let answer: Value = plugin.call("library.check", &json!({})).await.unwrap();
        assert_eq!(answer, json!({"Pass": null}));
        plugin.close().await.unwrap();

        let failure = casemate.load(&*both, named("spacedrive")).await.unwrap_err();
        assert!(failure.to_string().contains("does not export wasm_alloc, plugin_init"), "{failure}");
    });
}

#[test]
fn what_nobody_has_is_linked_and_traps_when_it_is_called() {
    let folder = Scratch::new();
    let both = module(&folder, BOTH);
    block_on(async {
        let plugin = casemate().load(&*both, named("hielements")).await.unwrap();
        let failure = plugin.call::<_, Value>("library.call", &json!({})).await.unwrap_err();
        assert!(failure.to_string().contains("env.fly, which this host does not have"), "{failure}");
        // What does not call it goes on.
        let _: Value = plugin.call("library.check", &json!({})).await.unwrap();
    });
}

#[test]
fn what_a_module_is_found_to_be_is_told_with_the_reason() {
    block_on(async {
        let casemate = casemate();
        let rows = [
            ("hielements", "hielements", "library_call, library_check"),
            ("pocket_statistics", "pocket-buffer", "metadata, call, also dealloc"),
            ("extism_greet", "extism", "it exports memory and imports"),
        ];
        for (guest, dialect, why) in rows {
            let report = casemate.inspect(guests::rust(guest)).await.unwrap().into_result().unwrap();
            assert_eq!(report.dialect().name(), dialect);
            assert!(report.why().contains(why), "{guest}: {}", report.why());
        }
    });
}
