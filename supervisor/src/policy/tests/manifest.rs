//! What plugins say about themselves.

use super::MANIFEST_REFERENCE;
use crate::policy::*;
use serde_json::json;

const HEAD: &str = "id = \"a\"\nname = \"A\"\nversion = \"1.0.0\"\n";

#[test]
fn the_reference_is_read_as_a_whole() {
    let manifest = Manifest::parse(MANIFEST_REFERENCE, "plugin.toml").unwrap();
    assert_eq!((manifest.id.as_str(), manifest.version.as_str()), ("org.example.sentiment", "1.2.0"));
    assert_eq!(manifest.license.as_deref(), Some("Apache-2.0"));
    assert_eq!(manifest.subscriptions, ["content.saved"]);
    let rate = &manifest.methods["rate"];
    assert_eq!(rate.output, Some(json!({"type": "number", "minimum": -1, "maximum": 1})));
    assert_eq!(rate.input.as_ref().unwrap()["properties"]["text"]["type"], "string");
    assert_eq!(manifest.examples[0].output, Some(json!(0.9)));
    assert_eq!(manifest.examples[1].error.as_deref(), Some("empty_text"));
    assert_eq!(manifest.build.command, ["sh", "build.sh"]);
    assert_eq!(manifest.build.module.as_deref(), Some("sentiment.wasm"));
    assert_eq!(manifest.build.watch, ["src", "build.sh"]);
    assert!(manifest.check_output("rate", &json!(1)).is_ok());
    assert!(manifest.check_output("rate", &json!(2)).unwrap_err().contains('2'));
    assert_eq!(manifest.asked()[0], ("permissions.host", vec!["query:ai.ocr".to_owned()]));
    assert!(manifest.check_config(b"{\"language\": \"de\"}").is_ok());
    let error = manifest.check_config(b"{\"language\": \"fr\"}").unwrap_err().to_string();
    assert!(
        error.contains("the configuration does not fit config_schema") && error.contains("/language"),
        "{error}"
    );
    assert!(manifest.check_config(b"{").is_err());
}

#[test]
fn mistakes_have_a_place() {
    for (text, error) in [
        ("[methods.m.input]\ntype = \"sting\"", ":4:1: methods.m.input is no JSON Schema: "),
        ("[methods.m]\ninput = \"{\"", ":5:9: methods.m.input is no JSON Schema: EOF"),
        (
            "[methods.m]\ninput = { \"$ref\" = \"https://example.org/s\" }",
            ":5:9: methods.m.input is no JSON Schema: ",
        ),
        ("[methods.m]\ninput = { pattern = \"(\" }", ":5:9: methods.m.input is no JSON Schema: "),
        ("[[examples]]\nmethod = \"m\"", ":5:10: examples[0].method = \"m\" is no method of this manifest"),
        (
            "[methods.scan]\n[[examples]]\nmethod = \"scam\"",
            ":6:10: examples[0].method = \"scam\" is no method of this manifest; did you mean \"scan\"?",
        ),
        ("[[examples]]\n", ":4:1: examples[0].method is missing"),
        (
            "[methods.m]\ninput = { type = \"number\" }\n[[examples]]\nmethod = \"m\"\ninput = \"x\"",
            ":8:9: examples[0].input does not fit methods.m.input: ",
        ),
        (
            "[methods.m]\n[[examples]]\nmethod = \"m\"\noutput = 1\nerror = \"no\"",
            ":8:9: examples[0].error and examples[0].output exclude each other",
        ),
        ("[build]\nmodule = \"../a.wasm\"", ":5:10: build.module has \"../a.wasm\": write the name of a"),
        ("[build]\nwatch = [\"src\", \"/\"]", ":5:17: build.watch has \"/\": write a path below"),
        ("[build]\ncommand = []", ":5:11: build.command"),
        ("[methods.m]\nmemory = 1", ":5:1: unknown key methods.m.memory; did you mean limits.memory?"),
        ("limits.memory = \"1 potato\"", ":4:17: limits.memory: "),
        ("[permissions]\nhosts = []", ":5:1: unknown key permissions.hosts; did you mean permissions.host?"),
        ("require.layers = []", ":4:1: unknown key require"),
    ] {
        let found = Manifest::parse(&format!("{HEAD}{text}"), "plugin.toml").unwrap_err().to_string();
        assert!(found.starts_with(&format!("plugin.toml{error}")), "{found}\n{error}");
        assert!(!found.contains('\n'), "{found}");
    }
    for (text, error) in [
        ("", "plugin.toml: id is missing"),
        ("id = \"a\"\nname = \"A\"\n", "plugin.toml: version is missing"),
        ("id = \"a b\"\nname = \"A\"\nversion = \"1.0.0\"", "plugin.toml:1:6: \"a b\" is no plugin name"),
        (
            "id = \"a\"\nname = \"A\"\nversion = \"1.0\"",
            "plugin.toml:3:11: version has \"1.0\": write MAJOR.MINOR.PATCH",
        ),
    ] {
        let found = Manifest::parse(text, "plugin.toml").unwrap_err().to_string();
        assert!(found.starts_with(error), "{found}");
    }
}

/// A hostile manifest must not keep a supervisor busy.
#[test]
fn patterns_of_schemas_are_matched_in_linear_time() {
    let text = format!("{HEAD}[config_schema]\npattern = \"^(a+)+$\"");
    let manifest = Manifest::parse(&text, "plugin.toml").unwrap();
    let config = format!("\"{}b\"", "a".repeat(50_000));
    assert!(manifest.check_config(config.as_bytes()).is_err());
}

#[test]
fn methods_have_a_number() {
    let methods = |count: usize| (0..count).map(|n| format!("[methods.m{n}]\n")).collect::<String>();
    let many = Manifest::parse(&format!("{HEAD}{}", methods(1000)), "plugin.toml").unwrap();
    assert_eq!(many.methods.len(), 1000);
    let error = Manifest::parse(&format!("{HEAD}{}", methods(1001)), "plugin.toml").unwrap_err();
    assert!(error.to_string().ends_with(": methods has more than 1000 tables"), "{error}");
}

/// Nor end it: what is nested as deep as a file is long must not be walked to its end.
#[test]
fn depth_has_an_end() {
    let deep = |unit: &str, times: usize| unit.repeat(times);
    for text in [
        format!("config_schema{} = 1", deep(".a", 60_000)),
        format!("[config_schema{}]", deep(".a", 60_000)),
        format!("examples = [{{ method = \"m\", input = {}1 }}]", deep("{a=", 40_000)),
        format!("examples = [{{ method = \"m\", input = {}", deep("[", 100_000)),
        format!("config_schema = '{}'", deep("[", 100_000)),
        format!("config_schema = '{}true{}'", deep("{\"not\":", 10_000), deep("}", 10_000)),
        format!("[config_schema]\n\"$ref\" = \"#\"\nx{} = true", deep(".not", 100)),
    ] {
        if let Err(error) = Manifest::parse(&format!("{HEAD}{text}"), "plugin.toml") {
            assert!(!error.to_string().contains('\n'));
        }
        let _any = Configuration::parse(&text, "c.toml");
    }
    let endless = Manifest::parse(&format!("{HEAD}[config_schema]\n\"$ref\" = \"#\""), "plugin.toml");
    if let Ok(manifest) = endless {
        let _any = manifest.check_config(b"1");
    }
}
