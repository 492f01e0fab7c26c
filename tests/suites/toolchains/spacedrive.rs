//! An extension of Spacedrive in AssemblyScript: a job from its checkpoint on, and the one generic call.

use crate::life::{Ground, ends};
use crate::{built, is_there};
use casemate::{Cause, HostError, Plugin};
use casemate_tests::{block_on, processes};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MANIFEST: &str = r#"{
    "id": "counter", "name": "Counter", "version": "0.1.0", "description": "Counts", "author": "A",
    "wasm_file": "counter.wasm", "permissions": {"methods": ["ai."], "libraries": ["*"]}
}"#;
const GRANTED: &str =
    "[defaults.permissions]\nhost = [\"query:*\", \"action:*\", \"job.*\"]\n[defaults.instances]\nmax = 1\n";
const JOB: &str = "00010203-0405-0607-0809-0a0b0c0d0e0f";
const LIBRARY: &str = "ffeeddcc-bbaa-9988-7766-554433221100";

type Said = Arc<Mutex<Vec<(&'static str, Value)>>>;

/// What it said of this, in its order.
fn of(said: &Said, method: &str) -> Vec<Value> {
    said.lock().unwrap().iter().filter(|(one, _)| *one == method).map(|(_, said)| said.clone()).collect()
}

async fn ask(plugin: &Plugin, method: &str) -> Result<Value, casemate::Failure> {
    let state = json!({"method": method, "payload": "Übermut"});
    plugin.call("ask", &json!({"library_id": LIBRARY, "state": state})).await
}

/// S1, S2, S3, S7: registered, interrupted, killed, and on from its checkpoint; asked for what it may and may not have.
#[test]
fn s01_s03_an_extension_in_assemblyscript() {
    if !is_there("s01_s03_an_extension_in_assemblyscript", "assemblyscript") {
        return;
    }
    block_on(async {
        let ground = Ground::new();
        let wasm = built("spacedrive-as", ground.folder());
        let casemate = ground.host(GRANTED);
        let said = Said::default();
        for method in ["query:ai.classify_text", "job.progress", "job.checkpoint", "job.warning", "job.items"]
        {
            let said = Arc::clone(&said);
            casemate.on(method, move |input: Value| {
                said.lock().unwrap().push((method, input));
                async {
                    // Long enough to be killed in.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    Ok::<_, HostError>(json!({"label": "joy"}))
                }
            });
        }
        let interrupts = Arc::clone(&said);
        casemate.on("job.check_interrupt", move |_: Value| {
            let is_third = of(&interrupts, "job.items").len() == 3;
            async move { Ok::<_, HostError>(is_third) }
        });
        let plugin = ground
            .installed_file(&casemate, ("manifest.json", MANIFEST), "counter.wasm", &wasm, "counter")
            .await;

        let order = |state: &Value| json!({"job_id": JOB, "library_id": LIBRARY, "state": state});
        let answer: Value = plugin.call("count", &order(&json!({"to": 100}))).await.unwrap();
        assert_eq!(answer, json!({"status": "interrupted"}));
        assert_eq!(
            of(&said, "job.progress")[2],
            json!({"job_id": JOB, "progress": f64::from(0.03_f32), "message": "counted to 3"})
        );
        let state = of(&said, "job.checkpoint").pop().unwrap()["state"].clone();
        assert_eq!(state, json!({"at": 3, "to": 100}));

        let killing = async {
            while of(&said, "job.checkpoint").len() < 10 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            processes::youngest_worker(&casemate.marker()).unwrap().signal(Signal::KILL);
        };
        let going_on = order(&state);
        // It is interrupted at the third item of all, and this is no longer the third.
        said.lock().unwrap().push(("job.items", Value::Null));
        let (outcome, ()) = tokio::join!(plugin.call::<_, Value>("count", &going_on), killing);
        assert!(matches!(outcome.unwrap_err().cause, Cause::WorkerLost { .. }));
        let state = of(&said, "job.checkpoint").pop().unwrap()["state"].clone();
        let at = state["at"].as_u64().unwrap();
        assert!((4..100).contains(&at), "{state}");
        let before = of(&said, "job.checkpoint").len();
        let answer: Value = plugin.call("count", &order(&state)).await.unwrap();
        assert_eq!(answer, json!({"status": "done"}));
        let after = of(&said, "job.checkpoint").split_off(before);
        assert_eq!(after.len() as u64, 100 - at, "it begins where it was");

        assert_eq!(ask(&plugin, "query:ai.classify_text").await.unwrap(), json!({"status": "done"}));
        let asked = of(&said, "query:ai.classify_text").pop().unwrap();
        assert_eq!((&asked["library_id"], &asked["payload"]), (&json!(LIBRARY), &json!("Übermut")));
        // Not among its methods.
        let failure = ask(&plugin, "action:credentials.store").await.unwrap_err();
        assert!(matches!(failure.cause, Cause::GuestError { .. }), "{failure}");
        let lines = ground.lines();
        assert!(lines.iter().any(|line| line == r#"{"label":"joy"}"#), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains(r#""error":"#)), "{lines:?}");
        ends(&ground, &casemate, &plugin).await;
    });
}
