//! Plugins of IdeaNet.

use super::{error_of, is_of_core, until};
use casemate::{Casemate, HostError, Plugin, PolicySpec};
use casemate_tests::{block_on, casemate, guests, is_embedded, policy};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// What plugins have asked of the host, in its order.
type Asked = Arc<Mutex<Vec<(String, Value)>>>;

fn hosting() -> (Casemate, Asked) {
    let casemate = casemate();
    let asked = Asked::default();
    for method in ["ui.register_block_type", "ui.farewell", "storage.get"] {
        let asked = Arc::clone(&asked);
        casemate.on(method, move |input: Value| {
            asked.lock().unwrap().push((method.to_owned(), input));
            async { Ok::<_, HostError>(json!({"kept": 1})) }
        });
    }
    (casemate, asked)
}

fn granted(spec: &mut PolicySpec) {
    spec.host = vec!["ui.*".to_owned(), "storage.*".to_owned()];
    spec.subscribe = vec!["content.*".to_owned()];
    spec.instances.max = 1;
}

async fn load(casemate: &Casemate) -> Plugin {
    casemate.load(guests::rust("ideanet_blocks"), policy(granted)).await.unwrap()
}

#[test]
fn commands_are_answered_and_what_it_registers_is_heard() {
    block_on(async {
        let (casemate, asked) = hosting();
        let plugin = load(&casemate).await;
        is_of_core(&plugin);
        let block: Value = plugin.call("render_block", &json!({"text": "hi"})).await.unwrap();
        assert_eq!(block, json!({"html": "<p>hi</p>"}));
        let registered = json!({
            "id": "my-custom-block", "name": "My Custom Block", "component": "MyCustomBlockComponent"
        });
        assert!(asked.lock().unwrap().contains(&("ui.register_block_type".to_owned(), registered)));
        let (code, message) = error_of(&plugin, "dance", &json!(null)).await;
        assert_eq!((code.as_str(), message.as_str()), ("UnknownCommand", "dance"));
        assert_eq!(error_of(&plugin, "fault", &json!(null)).await.0, "failed");
    });
}

#[test]
fn what_is_not_granted_is_an_error_that_it_sees() {
    block_on(async {
        let (casemate, _) = hosting();
        let plugin = load(&casemate).await;
        let answer: Value =
            plugin.call("ask", &json!({"method": "storage.get", "payload": 1})).await.unwrap();
        assert_eq!(answer, json!({"kept": 1}));
        let (code, _) = error_of(&plugin, "ask", &json!({"method": "audio.record"})).await;
        assert_eq!(code, "denied");
    });
}

#[test]
fn events_reach_it_under_its_permission() {
    if !is_embedded("events_reach_it_under_its_permission") {
        return;
    }
    block_on(async {
        let (casemate, _) = hosting();
        let plugin = load(&casemate).await;
        plugin.subscribe_to(&["content.*"]).unwrap();
        for _ in 0..3 {
            casemate.publish("content.created", &json!({"id": 1})).await.unwrap();
            casemate.publish("system.stopped", &json!({"id": 1})).await.unwrap();
        }
        until("three events", || plugin.status().events.delivered == 3);
        let heard: u64 = plugin.call("heard", &json!(null)).await.unwrap();
        assert_eq!(heard, 3);
        let refused = plugin.subscribe_to(&["system.*"]).unwrap_err();
        assert!(refused.to_string().contains("system.*"), "{refused}");
    });
}

#[test]
fn it_is_told_of_its_end_and_can_refuse_its_beginning() {
    block_on(async {
        let (casemate, asked) = hosting();
        let plugin = load(&casemate).await;
        let _: Value = plugin.call("render_block", &json!({})).await.unwrap();
        plugin.close().await.unwrap();
        until("its farewell", || asked.lock().unwrap().iter().any(|(method, _)| method == "ui.farewell"));

        let config = Some(br#"{"refuse":1}"#.to_vec());
        let refused = casemate.load_with(guests::rust("ideanet_blocks"), policy(granted), config).await;
        assert!(refused.unwrap_err().to_string().contains("initialize answered 3"));
    });
}
