//! Plugins from every language's own tools. `cargo xtask test toolchains` brings those and says which there are:
//!
//! | variable | what |
//! |---|---|
//! | `CASEMATE_TOOLCHAINS` | languages that can be built here, separated by commas; all of them without it |
//! | `CASEMATE_TOOLS` | folders of their programs, for the guide, which knows no variables |
//! | `QUICKJS_TARGET` | where cargo keeps what it made of QuickJS |
//! | `EXTISM_PYTHON` | a Python that has Extism |
//! | `CC`, `CXX`, `ASC`, `ESBUILD`, `TSC`, `WASM_OPT`, `GO`, `COMPONENTIZE_QJS`, `COMPONENTIZE_PY` | those programs, as the projects' builds take them |
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

#[path = "toolchains/extism.rs"]
mod extism;
#[path = "toolchains/graphviz.rs"]
mod graphviz;
#[path = "toolchains/hielements.rs"]
mod hielements;
#[path = "toolchains/ideanet.rs"]
mod ideanet;
#[path = "seeds/life.rs"]
#[expect(dead_code, reason = "modules of this suite are made just now, and found on no shelf")]
mod life;
#[path = "toolchains/pocket.rs"]
mod pocket;
#[path = "toolchains/signalk.rs"]
mod signalk;
#[path = "toolchains/spacedrive.rs"]
mod spacedrive;

use casemate::{Casemate, Cause, Plugin, Policy};
use casemate_tests::command::{casemate, run};
use casemate_tests::{block_on, guests, guide, limits, policy, scratch::Scratch, skip};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The languages besides Rust: as `casemate new` calls them, as the guide does, and where in `sdk` their statistics are.
const LANGUAGES: [(&str, &str, &str); 7] = [
    ("c", "C", "c/statistics"),
    ("cpp", "C++", "c/statistics-cpp"),
    ("assemblyscript", "AssemblyScript", "assemblyscript/statistics"),
    ("go", "Go", "go/statistics"),
    ("js", "JavaScript", "plugin-js/statistics"),
    ("ts", "TypeScript", "plugin-js/statistics-ts"),
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
        copy_folder(&sdk().join(folder), &copy);
    }
    copy
}

/// A copy of these folders of the checkout, each where it is there.
fn copy_of(folders: &[&str]) -> Scratch {
    let copy = Scratch::new();
    for folder in folders {
        let above = copy.join(folder).parent().unwrap().to_owned();
        fs::create_dir_all(&above).unwrap();
        copy_folder(&sdk().join("..").join(folder), &above);
    }
    copy
}

fn copy_folder(from: &Path, into: &Path) {
    let ran = run(Path::new("cp"), &["-R".as_ref(), from.as_os_str(), into.as_os_str()]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// Makes a guest as its own script does.
fn built(guest: &str, folder: &Path) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests").join(guest).join("build.sh");
    let wasm = folder.join(guest).with_extension("wasm");
    let ran = run(Path::new("sh"), &[script.as_os_str(), wasm.as_os_str()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    wasm
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
    for example in ["statistics", "notebook"] {
        let mut manifests = LANGUAGES.iter().filter_map(|(_, _, folder)| {
            let folder = sdk().join(folder);
            let own = folder.with_file_name(folder.file_name()?.to_str()?.replace("statistics", example));
            fs::read_to_string(own.join("plugin.toml")).ok()
        });
        let first = manifests.next().unwrap();
        assert!(manifests.clone().count() >= 4);
        assert!(manifests.all(|other| other == first), "{example}");
    }
}

#[test]
fn the_statistics_of_every_language_are_the_same() {
    let test = "the_statistics_of_every_language_are_the_same";
    let sdks = copy_of_sdks();
    let component = guests::wasi("statistics-component");
    let mut modules = vec![("rust", guests::rust("statistics")), ("rust, as a component", component)];
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

/// Everything else that the SDKs have: configuration, host calls, kv, events, log, raw bytes; the same in every language.
#[test]
fn a_notebook_is_the_same_in_every_language() {
    let test = "a_notebook_is_the_same_in_every_language";
    let sdks = copy_of_sdks();
    // Beside a manifest, which says what it wants to hear.
    let rust = sdks.join("c/notebook/rust");
    fs::create_dir(&rust).unwrap();
    fs::copy(sdks.join("c/notebook/plugin.toml"), rust.join("plugin.toml")).unwrap();
    let mut modules = Vec::new();
    for (language, from, to) in [
        ("rust", guests::rust("notebook"), "notebook.wasm"),
        ("rust, as a component", guests::wasi("notebook-component"), "component.wasm"),
    ] {
        fs::copy(from, rust.join(to)).unwrap();
        modules.push((language, rust.join(to)));
    }
    for (language, _, folder) in LANGUAGES {
        // C++ has the header of C.
        if language == "cpp" || !is_there(test, language) {
            continue;
        }
        let folder = sdks.join(folder).with_file_name("notebook");
        let ran = casemate(&["test", &folder.display().to_string()]);
        assert_eq!(ran.code, 0, "{language}: {ran:?}");
        modules.push((language, folder.join("notebook.wasm")));
    }
    for (language, module) in modules {
        block_on(keep_notes(language, &module));
    }
}

async fn keep_notes(language: &str, module: &Path) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let state = Scratch::new();
    let host = Casemate::builder()
        .state_dir(state.to_path_buf())
        .on_log(move |record| sink.lock().unwrap().push(record.message.to_string()))
        .build()
        .unwrap();
    host.on("clock.now", |_: Value| async { Ok(json!("12:00")) });
    let granted = policy(|spec| {
        spec.limits.call_timeout = Duration::from_secs(60);
        spec.limits.memory_bytes = 512 << 20;
        // What it has heard, it has heard alone.
        spec.instances.max = 1;
        spec.host = vec!["kv.*".to_owned(), "clock.now".to_owned()];
        spec.publish = vec!["notes.written".to_owned()];
        spec.subscribe = vec!["notes.asked".to_owned()];
    });
    let load = |config: &str| host.load_with(module, granted.clone(), Some(config.as_bytes().to_vec()));
    let failure = load(r#"{"owner": ""}"#).await.unwrap_err();
    assert!(
        matches!(&failure.cause, Cause::ConfigRefused { code, .. } if code == "no_owner"),
        "{language}: {failure}"
    );

    let plugin = load(r#"{"owner": "Ada"}"#).await.unwrap_or_else(|failure| panic!("{language}: {failure}"));
    let mut written = host.subscribe("notes.written").await.unwrap();
    let text = "Grüße, \u{1f600} \"quoted\"\n\\ \u{1}";
    for (method, input, expected) in [
        ("read", json!({"page": "a"}), json!({"text": null})),
        ("write", json!({"page": "b", "text": text}), json!({"owner": "Ada", "page": "b"})),
        ("write", json!({"page": "ä", "text": ""}), json!({"owner": "Ada", "page": "ä"})),
        ("read", json!({"page": "b"}), json!({"text": text})),
        ("read", json!({"page": "ä"}), json!({"text": ""})),
        ("pages", json!(null), json!({"pages": ["b", "ä"]})),
        ("erase", json!({"page": "b"}), json!({"erased": true})),
        ("erase", json!({"page": "b"}), json!({"erased": false})),
        ("now", json!(null), json!({"now": "12:00"})),
        ("heard", json!(null), json!({"heard": 0})),
    ] {
        let answer: Result<Value, _> = plugin.call(method, &input).await;
        let answer = answer.unwrap_or_else(|failure| panic!("{language}: {method} {input}: {failure}"));
        assert_eq!(answer, expected, "{language}: {method} {input}");
    }
    for page in ["b", "ä"] {
        let event = written.next().await.unwrap();
        let body: Value = serde_json::from_slice(&event.body).unwrap();
        assert_eq!((event.content_type, body), (1, json!({"page": page})), "{language}");
    }
    assert_eq!(plugin.call_raw("reverse", b"\x00\xffab").await.unwrap(), b"ba\xff\x00", "{language}");
    assert_eq!(plugin.call_raw("reverse", b"").await.unwrap(), b"", "{language}");

    host.publish("notes.asked", &json!({"who": "Eve"})).await.unwrap();
    // It is told in its own time, between calls; a thousand tries are more than it takes.
    for _ in 0..1000 {
        if plugin.call::<_, Value>("heard", &()).await.unwrap() != json!({"heard": 0}) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(plugin.call::<_, Value>("heard", &()).await.unwrap(), json!({"heard": 1}), "{language}");
    host.shutdown().await;
    assert_eq!(*lines.lock().unwrap(), ["wrote b", "wrote ä", "heard notes.asked"], "{language}");
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

/// Folders of programs that a guide finds before all others.
fn tools() -> Vec<PathBuf> {
    std::env::split_paths(&std::env::var_os("CASEMATE_TOOLS").unwrap_or_default()).collect()
}

/// What the guide says of a language, as it says it.
fn follow(language: &str) {
    let (_, heading, _) = LANGUAGES.into_iter().find(|(name, ..)| *name == language).unwrap();
    if is_there("the guide", language) {
        guide::follow(heading, &tools());
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
fn the_guide_for_typescript_is_right() {
    follow("ts");
}

#[test]
fn the_guide_for_python_is_right() {
    follow("python");
}
