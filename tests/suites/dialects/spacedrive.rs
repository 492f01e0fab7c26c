//! Extensions of Spacedrive.

use super::{error_of, is_of_core};
use casemate::{Casemate, HostError, Plugin};
use casemate_protocol::policy::Rate;
use casemate_tests::{block_on, casemate, guests, policy};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const JOB: &str = "00010203-0405-0607-0809-0a0b0c0d0e0f";
const LIBRARY: &str = "ffeeddcc-bbaa-9988-7766-554433221100";

/// What a host answers.
type Operation = fn(&Value) -> Result<Value, HostError>;
type Asked = Arc<Mutex<Vec<(String, Value)>>>;

/// A host with the operations of the design; what `interrupt` says, jobs are told.
fn hosting(interrupt: fn(&[(String, Value)]) -> bool) -> (Casemate, Asked) {
    let casemate = casemate();
    let asked = Asked::default();
    let answers: [(&str, Operation); 9] = [
        ("query:ai.ocr", |input| {
            Ok(json!({"text": format!("Shop {}\nTotal 12.50", input["payload"]["data"])}))
        }),
        ("query:ai.classify_text", |_| Ok(json!({"label": "groceries"}))),
        ("action:vdfs.write_sidecar", |_| Ok(json!({}))),
        ("query:fails", |_| Err(HostError::new("no_space", "the disk is full"))),
        ("job.progress", |_| Ok(Value::Null)),
        ("job.checkpoint", |_| Ok(Value::Null)),
        ("job.warning", |_| Ok(Value::Null)),
        ("job.bytes", |_| Ok(Value::Null)),
        ("job.items", |_| Ok(Value::Null)),
    ];
    for (method, answer) in answers {
        let asked = Arc::clone(&asked);
        casemate.on(method, move |input: Value| {
            let answer = answer(&input);
            asked.lock().unwrap().push((method.to_owned(), input));
            async { answer }
        });
    }
    let seen = Arc::clone(&asked);
    casemate.on("job.check_interrupt", move |_: Value| {
        let interrupt = interrupt(&seen.lock().unwrap());
        async move { Ok::<_, HostError>(interrupt) }
    });
    (casemate, asked)
}

async fn load(casemate: &Casemate, change: impl FnOnce(&mut casemate::PolicySpec)) -> Plugin {
    let granted = policy(|spec| {
        spec.host = ["query:*", "action:vdfs.*", "job.*"].map(str::to_owned).to_vec();
        change(spec);
    });
    casemate.load(guests::rust("spacedrive_finance"), granted).await.unwrap()
}

fn receipts() -> Value {
    json!({"receipts": [{"file": "a.png", "data": "AA=="}, {"file": "b.png", "data": "BB=="}]})
}

fn count(asked: &Asked, method: &str) -> usize {
    asked.lock().unwrap().iter().filter(|(one, _)| one == method).count()
}

#[test]
fn receipts_go_in_and_a_ledger_comes_out() {
    block_on(async {
        let (casemate, asked) = hosting(|_| false);
        let plugin = load(&casemate, |_| ()).await;
        is_of_core(&plugin);
        let order = json!({"job_id": JOB, "library_id": LIBRARY, "state": receipts()});
        let done: Value = plugin.call("scan_receipts", &order).await.unwrap();
        assert_eq!(done, json!({"status": "done"}));
        let asked = asked.lock().unwrap();
        let (_, sidecar) = asked.iter().find(|(method, _)| method == "action:vdfs.write_sidecar").unwrap();
        assert_eq!(sidecar["library_id"], LIBRARY);
        assert_eq!(sidecar["payload"]["content"]["total"], 25.0);
        assert_eq!(sidecar["payload"]["content"]["rows"][0]["label"], "groceries");
        let progress: Vec<&Value> =
            asked.iter().filter(|(method, _)| method == "job.progress").map(|(_, said)| said).collect();
        assert_eq!(progress[1], &json!({"job_id": JOB, "progress": 1.0, "message": "receipts"}));
    });
}

#[test]
fn an_interrupted_job_goes_on_at_its_checkpoint() {
    block_on(async {
        let (casemate, asked) = hosting(|asked| asked.iter().any(|(method, _)| method == "job.items"));
        let plugin = load(&casemate, |_| ()).await;
        let order = json!({"job_id": JOB, "state": receipts()});
        let done: Value = plugin.call("execute_scan_receipts", &order).await.unwrap();
        assert_eq!(done, json!({"status": "interrupted"}));
        let state = {
            let mut asked = asked.lock().unwrap();
            let checkpoint = asked.iter().rfind(|(method, _)| method == "job.checkpoint").unwrap().1.clone();
            asked.clear();
            checkpoint["state"].clone()
        };
        assert_eq!(state["ledger"].as_array().unwrap().len(), 1);
        let done: Value =
            plugin.call("scan_receipts", &json!({"job_id": JOB, "state": state})).await.unwrap();
        assert_eq!(done, json!({"status": "done"}));
        assert_eq!(count(&asked, "query:ai.ocr"), 1, "the first receipt was not read again");
    });
}

#[test]
fn errors_and_denials_come_back_as_the_design_has_them() {
    block_on(async {
        let (casemate, _) = hosting(|_| false);
        let plugin = load(&casemate, |_| ()).await;
        for method in ["query:fails", "credentials.get", "query:nobody"] {
            let (code, message) = error_of(&plugin, "ask", &json!({"state": {"method": method}})).await;
            assert_eq!(code, "failed", "{method}: {message}");
        }
        assert_eq!(error_of(&plugin, "dance", &json!(null)).await.0, "no_method");
    });
}

#[test]
fn the_call_after_the_last_of_a_minute_is_an_error_too() {
    block_on(async {
        let (casemate, asked) = hosting(|_| false);
        let plugin = load(&casemate, |spec| {
            spec.limits.host_calls = Some(Rate { count: 5, window: Duration::from_secs(60) })
        })
        .await;
        for _ in 0..5 {
            let ask = json!({"state": {"method": "query:ai.classify_text"}});
            let _: Value = plugin.call("ask", &ask).await.unwrap();
        }
        let ask = json!({"state": {"method": "query:ai.classify_text"}});
        assert_eq!(error_of(&plugin, "ask", &ask).await.0, "failed");
        assert_eq!(count(&asked, "query:ai.classify_text"), 5);
    });
}
