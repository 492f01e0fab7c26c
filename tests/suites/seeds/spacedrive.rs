//! Spacedrive, S1 to S7.

use crate::life::{Ground, ends};
use casemate::{Casemate, Cause, HostError, Plugin};
use casemate_spacedrive::{Core, Error, Library, PluginManager, Report};
use casemate_tests::daemon::Served;
use casemate_tests::{block_on, guests, processes};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MANIFEST: &str = r#"{
    "id": "finance", "name": "Finance", "version": "0.1.0", "description": "Receipts", "author": "A",
    "wasm_file": "finance.wasm",
    "permissions": {"methods": ["ai.", "vdfs.write_sidecar"], "libraries": ["*"]}
}"#;

const GRANTED: &str =
    "[defaults.permissions]\nhost = [\"query:*\", \"action:*\", \"job.*\"]\n[defaults.instances]\nmax = 1\n";

/// A host's operations, and the checkpoints that jobs have left.
fn operations(casemate: &Casemate) -> Arc<Mutex<Vec<Value>>> {
    let checkpoints = Arc::new(Mutex::new(Vec::new()));
    casemate.on("query:ai.ocr", |_: Value| async {
        // Long enough to be killed in.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok::<_, HostError>(json!({"text": "Shop\nTotal 2,50"}))
    });
    casemate.on("query:ai.classify_text", |_: Value| async { Ok::<_, HostError>(json!({"label": "other"})) });
    casemate.on("action:vdfs.write_sidecar", |_: Value| async { Ok::<_, HostError>(json!({})) });
    casemate.on("action:credentials.store", |_: Value| async { Ok::<_, HostError>(json!({})) });
    for method in ["job.progress", "job.warning", "job.bytes", "job.items"] {
        casemate.on(method, |_: Value| async { Ok::<_, HostError>(Value::Null) });
    }
    casemate.on("job.check_interrupt", |_: Value| async { Ok::<_, HostError>(false) });
    let kept = Arc::clone(&checkpoints);
    casemate.on("job.checkpoint", move |said: Value| {
        kept.lock().unwrap().push(said["state"].clone());
        async { Ok::<_, HostError>(Value::Null) }
    });
    checkpoints
}

/// The design's extension.
async fn finance(ground: &Ground, casemate: &Casemate) -> Plugin {
    let manifest = ("manifest.json", MANIFEST);
    ground.installed(casemate, manifest, "finance.wasm", "spacedrive_finance", "finance").await
}

/// S1, S2, S3, S5, S6: loaded by its name; a job that is killed goes on where it was.
#[test]
fn s01_s05_s06_a_job_goes_on_after_its_worker_was_killed() {
    block_on(async {
        let ground = Ground::new();
        let casemate = ground.host(GRANTED);
        let checkpoints = operations(&casemate);
        let plugin = finance(&ground, &casemate).await;
        let receipts: Vec<Value> =
            (0..20).map(|number| json!({"file": format!("{number}.png"), "data": "AA=="})).collect();
        let state = json!({ "receipts": receipts });
        let killing = async {
            while checkpoints.lock().unwrap().len() < 5 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            processes::youngest_worker(&casemate.marker()).unwrap().signal(Signal::KILL);
        };
        let order = json!({"state": state});
        let (outcome, ()) = tokio::join!(plugin.call::<_, Value>("scan_receipts", &order), killing);
        assert!(matches!(outcome.unwrap_err().cause, Cause::WorkerLost { .. }));
        let state = checkpoints.lock().unwrap().last().unwrap().clone();
        let done = state["ledger"].as_array().unwrap().len();
        assert!((5..20).contains(&done), "{done}");
        checkpoints.lock().unwrap().clear();
        let answer: Value = plugin.call("scan_receipts", &json!({"state": state})).await.unwrap();
        assert_eq!(answer, json!({"status": "done"}));
        let last = checkpoints.lock().unwrap().last().unwrap().clone();
        assert_eq!(last["ledger"].as_array().unwrap().len(), 20);
        assert_eq!(checkpoints.lock().unwrap().len(), 20 - done, "no receipt was read twice");
        ends(&ground, &casemate, &plugin).await;
    });
}

/// S3, S7: what its manifest does not name is denied, whatever the operator grants, on every call.
#[test]
fn s03_s07_methods_that_its_manifest_does_not_name_are_denied() {
    block_on(async {
        let ground = Ground::new();
        let casemate = ground.host(GRANTED);
        operations(&casemate);
        let plugin = finance(&ground, &casemate).await;
        for _ in 0..3 {
            let failure =
                plugin.call::<_, Value>("secret", &json!({"state": {"secret": "x"}})).await.unwrap_err();
            assert!(matches!(failure.cause, Cause::GuestError { .. }), "{failure}");
        }
        casemate.shutdown().await;
    });
}

/// S7: a thousand requests in a minute are granted to who says nothing of it; the next one is answered with an error, and the job
/// that made it goes on.
#[test]
fn s07_the_request_after_a_thousand_in_a_minute_is_an_error() {
    block_on(async {
        let ground = Ground::new();
        let casemate = ground.host(GRANTED);
        operations(&casemate);
        let plugin = finance(&ground, &casemate).await;
        let order = json!({"state": {"method": "query:ai.classify_text", "times": 1001}});
        let failure = plugin.call::<_, Value>("ask_often", &order).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::GuestError { .. }), "{failure}");
        // What it was told, it says as its checkpoint would: the answers that were errors, and the first of them.
        let lines = ground.lines();
        let said = lines.iter().find(|line| line.starts_with("1000 answered, 1 refused: ")).unwrap();
        assert!(said.contains("1000 host calls in 60000 ms is the most (limits.host_calls)"), "{said}");
        casemate.shutdown().await;
    });
}

const LIBRARY: &str = "ffeeddcc-bbaa-9988-7766-554433221100";
const OTHER: &str = "00000000-0000-0000-0000-000000000001";

/// A core that writes down which operations it carried out, and how jobs do.
#[derive(Default)]
struct Ledger {
    done: Mutex<Vec<(String, Option<String>, Value)>>,
    reports: Mutex<Vec<(String, String, Value)>>,
    interrupts: Mutex<bool>,
}

impl Core for Ledger {
    async fn execute(
        &self,
        method: &str,
        library: Option<&Library>,
        payload: Value,
    ) -> Result<Value, String> {
        let library = library.map(Library::to_string);
        self.done.lock().unwrap().push((method.to_owned(), library, payload));
        match method {
            "query:ai.ocr" => Ok(json!({"text": "Shop\nTotal 2,50"})),
            "query:ai.classify_text" => Ok(json!({"label": "other"})),
            "action:vdfs.write_sidecar" => Ok(json!({})),
            _ => Err(format!("{method} is out of order")),
        }
    }

    fn report(&self, report: Report<'_>) {
        let said = (report.extension.to_owned(), report.kind.to_owned(), report.said.clone());
        self.reports.lock().unwrap().push(said);
    }

    fn is_interrupted(&self, extension: &str, _: &str) -> bool {
        assert_eq!(extension, "finance");
        *self.interrupts.lock().unwrap()
    }
}

/// A folder of extensions with the finance one in it.
fn plugins(ground: &Ground, libraries: &Value) -> std::path::PathBuf {
    let mut manifest: Value = serde_json::from_str(MANIFEST).unwrap();
    manifest["permissions"]["libraries"] = libraries.clone();
    let (manifest, wasm) = (manifest.to_string(), std::fs::read(guests::rust("spacedrive_finance")).unwrap());
    ground.package("plugins/finance", &[("manifest.json", manifest.as_bytes()), ("finance.wasm", &wasm)]);
    ground.folder().join("plugins")
}

/// S1, S2, S6: the manager as the design has it, over a core with its operations.
#[test]
fn s01_s02_s06_the_manager_loads_runs_and_unloads() {
    block_on(async {
        let ground = Ground::new();
        let core = Arc::new(Ledger::default());
        let mut manager = PluginManager::new(Arc::clone(&core), plugins(&ground, &json!(["*"]))).unwrap();
        let finance = manager.load_plugin("finance").await.unwrap();
        assert_eq!(manager.load_plugin("finance").await.unwrap().plugin().name(), "finance");
        assert_eq!(manager.plugins().map(|(name, _)| name).collect::<Vec<_>>(), ["finance"]);
        let state =
            json!({"receipts": [{"file": "a.png", "data": "AA=="}, {"file": "b.png", "data": "AA=="}]});
        let order = json!({"job_id": OTHER, "library_id": LIBRARY, "state": state});
        assert_eq!(finance.run("scan_receipts", order.clone()).await.unwrap(), json!({"status": "done"}));
        let (method, library, sidecar) = core.done.lock().unwrap().last().unwrap().clone();
        assert_eq!((method.as_str(), library.as_deref()), ("action:vdfs.write_sidecar", Some(LIBRARY)));
        assert_eq!(sidecar["content"]["total"], 5.0);
        let last = |kind: &str| {
            let reports = core.reports.lock().unwrap();
            reports.iter().rfind(|(_, one, _)| one == kind).map(|(_, _, said)| said.clone()).unwrap()
        };
        assert_eq!(last("progress"), json!({"job_id": OTHER, "progress": 1.0, "message": "receipts"}));
        assert_eq!(last("checkpoint")["state"]["ledger"].as_array().unwrap().len(), 2);
        *core.interrupts.lock().unwrap() = true;
        assert_eq!(finance.run("scan_receipts", order).await.unwrap(), json!({"status": "interrupted"}));
        manager.unload_plugin("finance").await.unwrap();
        finance.start("scan_receipts").await.unwrap_err();
        assert!(matches!(manager.unload_plugin("finance").await, Err(Error::NotLoaded { .. })));
        let missing = manager.load_plugin("nobody").await.unwrap_err();
        assert!(missing.to_string().contains("nobody/manifest.json"), "{missing}");
        let marker = manager.casemate().marker();
        manager.shutdown().await;
        processes::await_none(&marker, Duration::from_secs(10));
    });
}

/// S6: a folder with another's name in its manifest is not taken for it, and nobody is taken in its place.
#[test]
fn s06_two_of_one_name_are_none() {
    block_on(async {
        let ground = Ground::new();
        let folder = plugins(&ground, &json!(["*"]));
        let (manifest, wasm) =
            (std::fs::read(folder.join("finance/manifest.json")), std::fs::read(guests::rust("probe")));
        let impostor = [("manifest.json", manifest.unwrap()), ("finance.wasm", wasm.unwrap())];
        let files: Vec<(&str, &[u8])> =
            impostor.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        ground.package("plugins/aaa", &files);
        let mut manager = PluginManager::new(Arc::new(Ledger::default()), folder.clone()).unwrap();
        let refused = manager.load_plugin("finance").await.unwrap_err();
        assert!(refused.to_string().contains("finance"), "{refused}");
        std::fs::remove_dir_all(folder.join("aaa")).unwrap();
        manager.load_plugin("finance").await.unwrap();
        manager.shutdown().await;
    });
}

/// S3, S7: a library that the manifest does not name is denied before the operation, on every call.
#[test]
fn s03_s07_libraries_that_its_manifest_does_not_name_are_denied() {
    block_on(async {
        for (libraries, is_granted) in
            [(json!([LIBRARY.to_uppercase()]), true), (json!([OTHER]), false), (json!(null), false)]
        {
            let ground = Ground::new();
            let core = Arc::new(Ledger::default());
            let mut manager = PluginManager::new(Arc::clone(&core), plugins(&ground, &libraries)).unwrap();
            let finance = manager.load_plugin("finance").await.unwrap();
            for _ in 0..3 {
                let ask = |library: Option<&str>| {
                    let state = json!({"method": "query:ai.classify_text"});
                    finance.run("ask", json!({"library_id": library, "state": state}))
                };
                assert_eq!(ask(Some(LIBRARY)).await.is_ok(), is_granted, "{libraries}");
                // An operation on no library is its method's business alone.
                ask(None).await.unwrap();
            }
            let done = core.done.lock().unwrap();
            assert_eq!(done.len(), if is_granted { 6 } else { 3 });
            assert!(done.iter().all(|(_, library, _)| library.is_none() || is_granted));
        }
        let ground = Ground::new();
        let folder = plugins(&ground, &json!(["mine"]));
        let mut manager = PluginManager::new(Arc::new(Ledger::default()), folder).unwrap();
        let refused = manager.load_plugin("finance").await.unwrap_err().to_string();
        assert!(refused.contains("\"mine\" is no library") && refused.contains("manifest.json"), "{refused}");
    });
}

/// An extension by hand, with an initialisation and an end of its own.
fn extension(ground: &Ground, name: &str, init: &str, cleanup: &str) -> String {
    let text = format!(
        r#"(module (memory (export "memory") 1)
  (func (export "wasm_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "plugin_init") (result i32) {init})
  (func (export "plugin_cleanup") (result i32) {cleanup}))"#
    );
    let manifest = MANIFEST.replace("\"id\": \"finance\"", &format!("\"id\": \"{name}\""));
    let wasm = wat::parse_str(text).unwrap();
    let files = [("manifest.json", manifest.as_bytes()), ("finance.wasm", wasm.as_slice())];
    ground.package(name, &files).to_str().unwrap().to_owned()
}

/// S1, S6: what `plugin_init` and `plugin_cleanup` say is what `extension load` says, where no daemon runs.
#[test]
fn s01_s06_extension_load_sets_up_and_ends() {
    let ground = Ground::new();
    let good = extension(&ground, "good", "(i32.const 0)", "(i32.const 0)");
    assert!(ground.done(&["extension", "load", &good]).out.contains("was set up and ended as it should"));
    for (name, init, cleanup, code, words) in [
        ("refuses", "(i32.const 7)", "(i32.const 0)", 3, "plugin_init"),
        ("traps", "(unreachable)", "(i32.const 0)", 6, "trap.unreachable"),
        ("stays", "(i32.const 0)", "(i32.const 5)", 1, "plugin_cleanup"),
    ] {
        let folder = extension(&ground, name, init, cleanup);
        let ran = ground.ran(&["extension", "load", &folder]);
        assert_eq!(ran.code, code, "{name}: {ran:?}");
        assert!(ran.err.contains(&format!("{name} is installed")) && ran.err.contains(words), "{ran:?}");
        assert!(!ran.err.contains("load it with another one"), "it has no configuration: {ran:?}");
    }
}

/// S6: what a daemon says of what it was to load decides how the command ends, as with `policy reload`.
#[test]
fn s06_extension_load_ends_as_the_daemon_says() {
    let ground = Ground::new();
    let served = Served::start("version = 1\n");
    let ran = |arguments: &[&str]| served.command(arguments);
    let good = extension(&ground, "finance", "(i32.const 0)", "(i32.const 0)");
    let loaded = ran(&["extension", "load", &good]);
    assert_eq!(loaded.code, 0, "{loaded:?}");
    // A version that does not let itself be set up does not take over.
    let bad = extension(&ground, "finance", "(i32.const 7)", "(i32.const 0)");
    for json in [false, true] {
        let flag: &[&str] = if json { &["--json"] } else { &[] };
        let failed = ran(&[flag, &["extension", "load", &bad]].concat());
        assert_eq!(failed.code, 3, "{failed:?}");
        assert!(failed.out.contains("failed") && failed.out.contains("plugin_init"), "{failed:?}");
        assert!(!json || failed.json()["ok"] == json!(false), "{failed:?}");
    }
}

/// S6: `extension load DIR`, where no daemon runs: installed, and seen to work.
#[test]
fn s06_extension_load_takes_a_folder() {
    block_on(async {
        let ground = Ground::new();
        let folder = plugins(&ground, &json!(["*"])).join("finance");
        let folder = folder.to_str().unwrap();
        let ran = ground.done(&["extension", "load", folder]);
        assert!(ran.out.starts_with("finance 0.1.0 installed (spacedrive, spacedrive)\n"), "{ran:?}");
        assert!(ran.out.contains("  here: was set up and ended as it should, behind: "), "{ran:?}");
        assert!(ran.out.contains("\"name\":\"scan_receipts\""), "what plugin_init registered: {ran:?}");
        let ran = ground.done(&["--json", "extension", "load", folder]);
        let here = ran.json()["plugins"][0]["here"].as_str().unwrap().to_owned();
        assert!(here.starts_with("was set up and ended as it should, behind: "), "{here}");
        let casemate = ground.host(GRANTED);
        operations(&casemate);
        let plugin = casemate.load_named("finance").await.unwrap();
        let ask = json!({"state": {"method": "query:ai.classify_text"}});
        let _: Value = plugin.call("ask", &ask).await.unwrap();
        ends(&ground, &casemate, &plugin).await;
        let ran = ground.ran(&["extension", "load", "/nonexistent"]);
        assert_eq!(ran.code, 8, "{ran:?}");
    });
}
