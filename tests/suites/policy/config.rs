//! A configuration that a plugin refuses, and what is tried before a plugin is relied on.

use casemate::{Casemate, Cause, Configuration, Failure, Fault, LoadError, Policy, Retry};
use casemate_tests::scratch::Scratch;
use casemate_tests::{block_on, casemate, guests, policy, processes};
use serde_json::{Value, json};
use std::time::Duration;

const MANIFEST: &str = r#"
id = "probe"
name = "Probe"
version = "1.0.0"
config_schema = '{"type": "object", "properties": {"depth": {"type": "integer"}}, "required": ["depth"]}'
"#;

/// A plugin by hand: what its initialisation and its description do, and an answer of nothing to each call. An answer is at
/// 16: status, content type, body.
fn by_hand(init: &str, describe: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
  (memory (export "memory") 2)
  (data (i32.const 16) "\00\00")
  (data (i32.const 32) "\01\01{{\"code\":\"no_key\",\"message\":\"where is\5cnthe key\"}}")
  (func (export "casemate_abi") (result i32) (i32.const 1))
  (func (export "casemate_alloc") (param i32 i32) (result i32) (i32.const 65536))
  (func (export "casemate_free") (param i32 i32 i32))
  (func (export "casemate_init") (param i32 i32) (result i64) {init})
  (func (export "casemate_describe") (result i64) {describe})
  (func (export "casemate_call") (param i32 i32) (result i64) (i64.const 0x200000010)))"#
    );
    wat::parse_str(text).unwrap()
}

const ANSWERS: &str = "(i64.const 0x200000010)";
/// 49 bytes at 32.
const REFUSES: &str = "(i64.const 0x3100000020)";

fn is_refused(failure: &Failure, expected: &str, words: &str) {
    let Cause::ConfigRefused { code, message, .. } = &failure.cause else { panic!("{failure}") };
    assert_eq!((code.as_str(), failure.code().as_str()), (expected, "config.refused"));
    assert!(message.contains(words), "{message}");
    assert_eq!((failure.retry, failure.fault()), (Retry::NotStarted, Fault::Operator));
}

#[test]
fn a_configuration_that_the_plugin_refuses_fails_its_load() {
    block_on(async {
        let casemate = casemate();
        let load = |wasm: Vec<u8>, config: Option<&str>| {
            casemate.load_with(wasm, Policy::default(), config.map(|text| text.as_bytes().to_vec()))
        };
        let failure = load(by_hand(REFUSES, ANSWERS), Some("{}")).await.unwrap_err();
        is_refused(&failure, "no_key", "where is\\u{a}the key");
        assert!(failure.to_string().contains("; load it with another one"), "{failure}");
        processes::await_none(&casemate.marker(), Duration::from_secs(60));
        // Without one no guest code runs before the first call, and that hears of it.
        let plugin = load(by_hand(REFUSES, ANSWERS), None).await.unwrap();
        for _ in 0..2 {
            let failure = plugin.call_raw("m", b"").await.unwrap_err();
            is_refused(&failure, "no_key", "the key");
            let line = failure.to_string();
            assert!(line.contains("no configuration") && !line.contains("with another one"), "{line}");
        }
        assert_eq!(plugin.status().crashes, 0);
        // What is no refusal is called by its name.
        let failure = load(by_hand("(unreachable)", ANSWERS), Some("{}")).await.unwrap_err();
        assert_eq!((failure.code().as_str(), failure.retry), ("trap.unreachable", Retry::NotStarted));
        let looping = format!("(loop $l (br $l)) {ANSWERS}");
        let quick = policy(|spec| spec.limits.call_timeout = Duration::from_millis(100));
        let failure =
            casemate.load_with(by_hand(&looping, ANSWERS), quick, Some(b"{}".to_vec())).await.unwrap_err();
        assert_eq!((failure.code().as_str(), failure.retry), ("timeout.soft", Retry::NotStarted));
        load(by_hand(ANSWERS, ANSWERS), Some("{}")).await.unwrap().call_raw("m", b"").await.unwrap();
    });
}

#[test]
fn a_plugin_of_the_sdk_says_what_it_cannot_read() {
    block_on(async {
        let casemate = casemate();
        let load = |config: &str| {
            casemate.load_with(guests::rust("probe"), Policy::default(), Some(config.as_bytes().to_vec()))
        };
        let failure = load("{\"depth\":").await.unwrap_err();
        is_refused(&failure, "bad_config", "EOF");
        let plugin = load("{\"depth\": 3}").await.unwrap();
        assert_eq!(plugin.call::<_, Value>("config", &()).await.unwrap(), json!({"depth": 3}));
        // The instance that it was tried in is not the one that answers.
        assert_eq!(plugin.call::<_, u64>("counter", &()).await.unwrap(), 1);
    });
}

#[test]
fn a_configuration_that_the_manifest_refuses_fails_the_load_too() {
    block_on(async {
        let folder = Scratch::new();
        let module = folder.join("probe.wasm");
        std::fs::copy(guests::rust("probe"), &module).unwrap();
        std::fs::write(folder.join("plugin.toml"), MANIFEST).unwrap();
        let file = folder.join("casemate.toml");
        std::fs::write(&file, "[plugins.p]\npath = \"probe.wasm\"").unwrap();
        let configuration = Configuration::read(&file).unwrap();
        let casemate = Casemate::builder().configuration(configuration).build().unwrap();
        let config = |text: &str| Some(text.as_bytes().to_vec());
        for bad in ["{}", "{\"depth\": \"deep\"}", "{"] {
            let failure = casemate.load_with(&module, Policy::default(), config(bad)).await.unwrap_err();
            is_refused(&failure, "config_schema", "plugin.toml:5:");
            let Err(LoadError::Config(error)) = casemate.load_named_with("p", config(bad)).await else {
                panic!("{bad} was taken")
            };
            assert!(error.to_string().contains("config_schema"), "{error}");
        }
        let plugin = casemate.load_named_with("p", config("{\"depth\": 3}")).await.unwrap();
        assert_eq!(plugin.call::<_, Value>("config", &()).await.unwrap(), json!({"depth": 3}));
        casemate.load_with(&module, Policy::default(), config("{\"depth\": 4}")).await.unwrap();
    });
}

#[test]
fn a_configuration_that_a_plugin_saves_must_fit_its_schema() {
    block_on(async {
        let folder = Scratch::new();
        std::fs::copy(guests::rust("probe"), folder.join("probe.wasm")).unwrap();
        let asks = "[permissions]\nhost = [\"config.save\"]\n";
        std::fs::write(folder.join("plugin.toml"), format!("{MANIFEST}{asks}")).unwrap();
        let file = folder.join("casemate.toml");
        std::fs::write(&file, "[plugins.p]\npath = \"probe.wasm\"\npermissions.host = [\"*\"]\n").unwrap();
        let builder = Casemate::builder().configuration(Configuration::read(&file).unwrap());
        let casemate = builder.state_dir(folder.join("state")).build().unwrap();
        let plugin = casemate.load_named_with("p", Some(b"{\"depth\": 3}".to_vec())).await.unwrap();
        let save = async |config: Value| {
            plugin.call::<_, Value>("host", &json!({"method": "config.save", "payload": config})).await
        };
        let record = folder.join("state/plugins/p/p.json");
        for bad in [json!({"depth": "deep"}), json!({}), json!(null)] {
            let failure = save(bad).await.unwrap_err();
            let Cause::GuestError { code, message, .. } = &failure.cause else { panic!("{failure}") };
            assert_eq!(code, "config_schema");
            assert!(
                message.contains("plugin.toml:5:") && message.contains("depth") || message.contains("object")
            );
            assert!(!record.exists(), "nothing is written");
        }
        assert_eq!(plugin.config().await.unwrap(), b"{\"depth\": 3}");
        save(json!({"depth": 4})).await.unwrap();
        assert_eq!(plugin.config().await.unwrap(), b"{\"depth\":4}");
        let kept: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
        assert_eq!(kept["config"], json!({"depth": 4}));
        // Nor may its operator set what does not fit.
        let failure = plugin.set_config(b"{\"depth\": \"deep\"}".to_vec()).await.unwrap_err();
        is_refused(&failure, "config_schema", "plugin.toml:5:");
    });
}

#[test]
fn a_new_version_is_set_up_and_asked_what_it_is_before_it_takes_over() {
    block_on(async {
        let plugin = casemate().load(guests::rust("probe"), Policy::default()).await.unwrap();
        assert_eq!(plugin.call::<_, u64>("counter", &()).await.unwrap(), 1);
        for (init, describe, code) in [
            (REFUSES, ANSWERS, "config.refused"),
            ("(unreachable)", ANSWERS, "trap.unreachable"),
            (ANSWERS, "(unreachable)", "trap.unreachable"),
            (ANSWERS, REFUSES, "guest.error"),
            (ANSWERS, "(i64.const -1)", "guest.abi"),
        ] {
            let failure = plugin.reload(by_hand(init, describe)).await.unwrap_err();
            assert_eq!(failure.code(), code, "{failure}");
        }
        let failure = plugin.reload(guests::wat("wrong_abi")).await.unwrap_err();
        assert_eq!(failure.code(), "guest.abi", "{failure}");
        assert_eq!(plugin.call::<_, u64>("counter", &()).await.unwrap(), 2);
        plugin.reload(by_hand(ANSWERS, ANSWERS)).await.unwrap();
        assert_eq!(plugin.call_raw("m", b"").await.unwrap(), b"");
    });
}
