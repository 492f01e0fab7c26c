//! Plugins of Signal K, in the buffer dialect.

use super::{is_of_core, until};
use casemate::{Casemate, HostError, Plugin, PolicySpec};
use casemate_tests::{block_on, casemate, guests, is_embedded, policy};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

type Asked = Arc<Mutex<Vec<(String, Value)>>>;

const PUT: &str = "handle_put_vessels_self_navigation_anchor_position";

fn hosting() -> (Casemate, Asked) {
    let casemate = casemate();
    let asked = Asked::default();
    for method in ["sk.set_status", "sk.handle_message", "sk.publish_notification", "sk.register_put_handler"]
    {
        let asked = Arc::clone(&asked);
        casemate.on(method, move |input: Value| {
            asked.lock().unwrap().push((method.to_owned(), input));
            async { Ok::<_, HostError>(Value::Null) }
        });
    }
    casemate.on("sk.get_self_path", |_: Value| async {
        Ok::<_, HostError>(json!({"latitude": 54.5, "longitude": 10.1}))
    });
    (casemate, asked)
}

fn granted(spec: &mut PolicySpec) {
    spec.host = vec!["sk.*".to_owned(), "config.save".to_owned()];
    spec.subscribe = vec!["**".to_owned()];
    spec.instances.max = 1;
}

async fn load(casemate: &Casemate) -> Plugin {
    let config = Some(br#"{"radius":50}"#.to_vec());
    casemate.load_with(guests::rust("signalk_anchor"), policy(granted), config).await.unwrap()
}

fn told(asked: &Asked, method: &str) -> Vec<Value> {
    asked.lock().unwrap().iter().filter(|(one, _)| one == method).map(|(_, said)| said.clone()).collect()
}

async fn status(plugin: &Plugin) -> Value {
    let reply: Value = plugin.call("http_status", &json!({"method": "GET"})).await.unwrap();
    assert_eq!(reply["statusCode"], 200);
    reply["body"].clone()
}

#[test]
fn its_handlers_answer_and_its_host_tells_it_what_it_asks() {
    block_on(async {
        let (casemate, asked) = hosting();
        let plugin = load(&casemate).await;
        is_of_core(&plugin);
        let status = status(&plugin).await;
        assert_eq!(status["radius"], 50.0);
        assert_eq!(status["config"], json!({"radius": 50}));
        assert_eq!(status["position"], json!({"latitude": 54.5, "longitude": 10.1}));
        assert_eq!(status["network"], 0, "no capability that it was not given");
        assert_eq!(status["socket"], -1, "the network is closed");
        assert!(told(&asked, "sk.set_status").contains(&json!({"message": "watching"})));
        let registered = json!({"context": "vessels.self", "path": "navigation.anchor.position"});
        assert!(told(&asked, "sk.register_put_handler").contains(&registered));
        // What a toolchain exports for itself is no handler.
        let failure = plugin.call::<_, Value>("allocate", &json!(1)).await.unwrap_err();
        assert!(failure.to_string().contains("http_endpoints"), "{failure}");
    });
}

#[test]
fn a_put_changes_what_it_keeps() {
    block_on(async {
        let (casemate, _) = hosting();
        let plugin = load(&casemate).await;
        let answer: Value = plugin.call(PUT, &json!({"value": 75})).await.unwrap();
        assert_eq!(answer, json!({"state": "COMPLETED", "statusCode": 200}));
        let kept: Value = serde_json::from_slice(&plugin.config().await.unwrap()).unwrap();
        assert_eq!(kept, json!({"radius": 75}));
        assert_eq!(status(&plugin).await["config"], json!({"radius": 75}));
    });
}

#[test]
fn deltas_come_and_go_and_it_is_polled() {
    if !is_embedded("deltas_come_and_go_and_it_is_polled") {
        return;
    }
    block_on(async {
        let (casemate, asked) = hosting();
        let plugin = load(&casemate).await;
        plugin.subscribe_to(&["navigation.*"]).unwrap();
        for distance in [10, 60] {
            casemate.publish("navigation.position", &json!({"distance": distance})).await.unwrap();
            casemate.publish("environment.wind", &json!({"distance": 1000})).await.unwrap();
        }
        until("both deltas", || plugin.status().events.delivered == 2);
        assert_eq!(told(&asked, "sk.handle_message").len(), 2, "only what it subscribed to");
        assert_eq!(told(&asked, "sk.handle_message")[0]["version"], 1);
        let alarms = told(&asked, "sk.publish_notification");
        assert_eq!(
            alarms,
            [json!({"path": "navigation.anchor", "value": {"state": "alarm", "message": "it drags"}})]
        );
        for _ in 0..30 {
            if status(&plugin).await["polls"].as_u64() >= Some(2) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        let status = status(&plugin).await;
        assert!(status["polls"].as_u64() >= Some(2), "{status}");
        assert_eq!((status["deltas"].as_u64(), status["dragging"].as_bool()), (Some(2), Some(true)));
        plugin.close().await.unwrap();
        until("its end", || told(&asked, "sk.set_status").contains(&json!({"message": "stopped"})));
    });
}

#[test]
fn a_start_that_fails_is_the_plugins_word() {
    block_on(async {
        let (casemate, _) = hosting();
        let config = Some(br#"{"refuse":true}"#.to_vec());
        let refused = casemate.load_with(guests::rust("signalk_anchor"), policy(granted), config).await;
        assert!(refused.unwrap_err().to_string().contains("plugin_start answered 7"));
    });
}
