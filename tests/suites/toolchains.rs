//! Plugins from every language's own tools. `cargo xtask test toolchains` brings those and says which there are:
//!
//! | variable | what |
//! |---|---|
//! | `CASEMATE_TOOLCHAINS` | languages that can be built here, separated by commas; all of them without it |
//! | `CASEMATE_TOOLS` | folders of their programs, for the guide, which knows no variables |
//! | `CC`, `CXX`, `ASC`, `GO`, `COMPONENTIZE_QJS`, `COMPONENTIZE_PY` | those programs, as the projects' builds take them |
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate::{Casemate, Cause, Plugin, Policy};
use casemate_tests::command::{casemate, run};
use casemate_tests::{block_on, guests, guide, limits, scratch::Scratch, skip};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The languages besides Rust: as `casemate new` calls them, as the guide does, and where in `sdk` their statistics are.
const LANGUAGES: [(&str, &str, &str); 6] = [
    ("c", "C", "c/statistics"),
    ("cpp", "C++", "c/statistics-cpp"),
    ("assemblyscript", "AssemblyScript", "assemblyscript/statistics"),
    ("go", "Go", "go/statistics"),
    ("js", "JavaScript", "plugin-js/statistics"),
    ("python", "Python", "plugin-python/statistics"),
];

fn sdk() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk")
}

/// Whether a language can be built here; if not, its part of a test is skipped by name.
fn is_there(test: &str, language: &str) -> bool {
    let there = std::env::var("CASEMATE_TOOLCHAINS");
    let is_there = there.map_or(true, |list| list.split(',').any(|one| one == language));
    if !is_there {
        skip(&format!("{test}: {language}"), "its tools are not there: see what the group said at its start");
    }
    is_there
}

/// A copy of the SDKs, so that what builds leave is not in the checkout.
fn copy_of_sdks() -> Scratch {
    let copy = Scratch::new();
    for folder in ["c", "assemblyscript", "go", "plugin-js", "plugin-python", "wit"] {
        let from = sdk().join(folder);
        let ran = run(Path::new("cp"), &["-R".as_ref(), from.as_os_str(), copy.as_os_str()]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    copy
}

/// Compiling a language's whole runtime takes a while, and so may its first call.
fn patient() -> Policy {
    limits(|limits| {
        limits.call_timeout = Duration::from_secs(60);
        limits.memory_bytes = 512 << 20;
    })
}

#[test]
fn every_example_says_of_itself_what_the_others_do() {
    let [first, others @ ..] = LANGUAGES.map(|(_, _, folder)| {
        let path = sdk().join(folder).join("plugin.toml");
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    });
    for other in others {
        assert_eq!(first, other);
    }
}

#[test]
fn the_statistics_of_every_language_are_the_same() {
    let test = "the_statistics_of_every_language_are_the_same";
    let sdks = copy_of_sdks();
    let mut modules = vec![("rust", guests::rust("statistics"))];
    for (language, _, folder) in LANGUAGES {
        if !is_there(test, language) {
            continue;
        }
        let folder = sdks.join(folder);
        let ran = casemate(&["test", &folder.display().to_string()]);
        assert_eq!(ran.code, 0, "{language}: {ran:?}");
        assert!(ran.out.ends_with("statistics: 3 passed, 0 failed\n"), "{language}: {ran:?}");
        modules.push((language, folder.join("statistics.wasm")));
    }
    block_on(async {
        let host = Casemate::embedded().unwrap();
        let mut plugins = Vec::new();
        for (language, module) in modules {
            let plugin = host.load(&module, patient()).await;
            plugins.push((language, plugin.unwrap_or_else(|failure| panic!("{language}: {failure}"))));
        }
        let measured = fs::read_to_string(guests::data("numbers.json")).unwrap();
        // Not one whole number in the answers, and no exponent: those are the same to the byte.
        for input in [measured.as_str(), r#"{"numbers": [0.1, 0.2]}"#, r#"{"numbers": [-12.75, 1234.5678]}"#]
        {
            let (_, first) = answer(&plugins[0].1, input).await;
            for (language, plugin) in &plugins {
                let (_, text) = answer(plugin, input).await;
                assert_eq!(text, first, "{language}");
            }
        }
        // Whole numbers have a point in some languages and exponents a zero, and that is all.
        for numbers in [
            json!([1, 2, 3]),
            json!([0]),
            json!([-5, 5.5]),
            json!([1e21, 1e-7]),
            json!([4e15, 0.5]),
            json!([1.5e30, -2.5e-7]),
        ] {
            let input = json!({"numbers": numbers}).to_string();
            let (first, _) = answer(&plugins[0].1, &input).await;
            for (language, plugin) in &plugins {
                let (value, text) = answer(plugin, &input).await;
                assert_eq!(value.to_string(), first.to_string(), "{language} of {input}: {text}");
            }
        }
        for (language, plugin) in &plugins {
            let failure = plugin.call_json_text("stats", br#"{"numbers": []}"#).await.unwrap_err();
            let Cause::GuestError { code, message, retryable } = failure.cause else {
                panic!("{language}: {failure}")
            };
            let told = (code.as_str(), message.as_str(), retryable);
            assert_eq!(told, ("empty_input", "Input array is empty", false), "{language}");
            let failure = plugin.call_json_text("sats", b"{}").await.unwrap_err();
            let words = failure.to_string();
            assert!(words.contains("unknown_method") && words.contains("`stats`"), "{language}: {words}");
            let failure = plugin.call_json_text("stats", b"7").await.unwrap_err();
            assert!(matches!(failure.cause, Cause::GuestError { .. }), "{language}: {failure}");
        }
        host.shutdown().await;
    });
}

/// The answer as it is, and as a value in which whole numbers have no point.
async fn answer(plugin: &Plugin, input: &str) -> (Value, String) {
    let (body, is_json) = plugin.call_json_text("stats", input.as_bytes()).await.unwrap();
    assert!(is_json);
    let text = String::from_utf8(body).unwrap();
    let mut value: Value = serde_json::from_str(&text).unwrap();
    for member in value.as_object_mut().unwrap().values_mut() {
        *member = json!(member.as_f64().unwrap());
    }
    (value, text)
}

/// What goes in comes out with the fewest digits that read back the same, at the edges of what a double can be.
#[test]
fn numbers_are_exact_where_the_sdk_reads_and_writes_them() {
    for (language, _, folder) in [LANGUAGES[0], LANGUAGES[2]] {
        if is_there("numbers_are_exact", language) {
            numbers_are_exact(folder);
        }
    }
}

fn numbers_are_exact(folder: &str) {
    let sdks = copy_of_sdks();
    let folder = sdks.join(folder);
    assert_eq!(casemate(&["test", &folder.display().to_string()]).code, 0);
    block_on(async {
        let host = Casemate::embedded().unwrap();
        let plugin = host.load(folder.join("statistics.wasm"), patient()).await.unwrap();
        let mut numbers = vec![
            f64::MIN_POSITIVE,
            f64::MAX,
            5e-324,
            2.225_073_858_507_201e-308,
            2_f64.powi(-44),
            9_007_199_254_740_993.0,
            1e23,
            1e-6,
            1e-7,
            1e21,
        ];
        // Any bits, the same ones each time.
        let mut state = 7_u64;
        numbers.extend(
            std::iter::repeat_with(|| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                f64::from_bits(state ^ (state >> 29))
            })
            .filter(|number| number.is_finite())
            .take(500),
        );
        for number in numbers {
            let text = json!({"numbers": [number]}).to_string();
            let (_, answered) = answer(&plugin, &text).await;
            let written = answered.split("\"min\":").nth(1).unwrap().split(',').next().unwrap().to_owned();
            assert_eq!(written.parse::<f64>().unwrap().to_bits(), number.to_bits(), "{number:e}: {written}");
            let digits = |text: &str| {
                let mantissa = text.split('e').next().unwrap_or_default();
                let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
                digits.trim_start_matches('0').trim_end_matches('0').len()
            };
            assert_eq!(digits(&written), digits(&format!("{number:e}")), "{number:e}: {written}");
        }
        host.shutdown().await;
    });
}

/// What the guide says of a language, as it says it.
fn follow(language: &str) {
    let tools = std::env::var_os("CASEMATE_TOOLS").unwrap_or_default();
    let tools: Vec<PathBuf> = std::env::split_paths(&tools).collect();
    let (_, heading, _) = LANGUAGES.into_iter().find(|(name, ..)| *name == language).unwrap();
    if is_there("the guide", language) {
        guide::follow(heading, &tools);
    }
}

#[test]
fn the_guide_for_c_is_right() {
    follow("c");
}

#[test]
fn the_guide_for_cpp_is_right() {
    follow("cpp");
}

#[test]
fn the_guide_for_assemblyscript_is_right() {
    follow("assemblyscript");
}

#[test]
fn the_guide_for_go_is_right() {
    follow("go");
}

#[test]
fn the_guide_for_javascript_is_right() {
    follow("js");
}

#[test]
fn the_guide_for_python_is_right() {
    follow("python");
}
