//! Plugins made with Extism's own development kit, unchanged.

use super::is_of_core;
use casemate::{Casemate, Cause, HostReply, HostRequest, Plugin, Policy};
use casemate_tests::{block_on, casemate, guests, limits, policy};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

async fn text(plugin: &Plugin, method: &str, body: &str) -> String {
    String::from_utf8(plugin.call_raw(method, body.as_bytes()).await.unwrap()).unwrap()
}

fn alone() -> Policy {
    policy(|spec| spec.instances.max = 1)
}

#[test]
fn bytes_go_in_and_come_out_and_variables_stay() {
    block_on(async {
        let plugin = casemate().load(guests::rust("extism_vowels"), alone()).await.unwrap();
        is_of_core(&plugin);
        for total in [3, 6, 9] {
            let report: Value =
                serde_json::from_str(&text(&plugin, "count_vowels", "Hello, World!").await).unwrap();
            assert_eq!(report, json!({"count": 3, "total": total, "vowels": "aAeEiIoOuU"}));
        }
        let body: Vec<u8> = (0..=255).cycle().take(300_001).collect();
        assert_eq!(plugin.call_raw("echo", &body).await.unwrap(), body);
        assert_eq!(plugin.call_raw("echo", b"").await.unwrap(), b"");
    });
}

#[test]
fn errors_are_the_words_that_a_plugin_sets() {
    block_on(async {
        let plugin = casemate().load(guests::rust("extism_counter"), alone()).await.unwrap();
        assert_eq!(text(&plugin, "add", "40").await, "40");
        assert_eq!(text(&plugin, "add", "2").await, "42");
        let failure = plugin.call_raw("add", b"two").await.unwrap_err();
        let (code, message) = super::guest_error(failure);
        assert_eq!(code, "failed");
        assert!(message.contains("\"two\" is no number"), "{message}");
        plugin.call_raw("forget", b"").await.unwrap();
        assert_eq!(text(&plugin, "add", "1").await, "1");
        let failure = plugin.call_raw("malloc", b"").await.unwrap_err();
        assert!(failure.to_string().contains("no function malloc"), "{failure}");
    });
}

#[test]
fn the_network_is_denied_and_the_permission_is_named() {
    block_on(async {
        let plugin = casemate().load(guests::rust("extism_counter"), alone()).await.unwrap();
        let failure = plugin.call_raw("fetch", b"https://example.com").await.unwrap_err();
        assert!(failure.to_string().contains("permissions.network"), "{failure}");
    });
}

#[test]
fn its_configuration_is_its_hosts_over_its_manifests() {
    block_on(async {
        let said = |spec: &mut casemate::PolicySpec| {
            spec.options.insert("config".to_owned(), json!({"greeting": "Ahoy"}).to_string());
        };
        let casemate = casemate();
        let plugin = casemate.load(guests::rust("extism_greet"), policy(said)).await.unwrap();
        assert_eq!(text(&plugin, "greet", "Ada").await, "Ahoy, Ada!");
        plugin.close().await.unwrap();
        let config = Some(br#"{"greeting":"Moin"}"#.to_vec());
        let plugin = casemate.load_with(guests::rust("extism_greet"), policy(said), config).await.unwrap();
        assert_eq!(text(&plugin, "greet", "Ada").await, "Moin, Ada!");
    });
}

fn shouting() -> (Casemate, Arc<Mutex<u32>>) {
    let casemate = casemate();
    let asked = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&asked);
    casemate.on_raw("shout", move |request: HostRequest| {
        *seen.lock().unwrap() += 1;
        let body = String::from_utf8_lossy(&request.body).to_uppercase().into_bytes();
        async move { Ok(HostReply { content_type: 0, body }) }
    });
    (casemate, asked)
}

#[test]
fn functions_of_its_hosts_are_host_calls() {
    block_on(async {
        let (casemate, asked) = shouting();
        let granted = policy(|spec| spec.host = vec!["shout".to_owned()]);
        let plugin = casemate.load(guests::rust("extism_greet"), granted).await.unwrap();
        assert_eq!(text(&plugin, "greet_loudly", "Ada").await, "HELLO, ADA!");
        plugin.close().await.unwrap();

        let plugin = casemate.load(guests::rust("extism_greet"), Policy::default()).await.unwrap();
        let failure = plugin.call_raw("greet_loudly", b"Ada").await.unwrap_err();
        assert!(failure.to_string().contains("permissions.host"), "{failure}");
        assert_eq!(*asked.lock().unwrap(), 1, "what is denied does not get there");
    });
}

#[test]
fn blocks_of_the_hosts_count_as_the_plugins_memory() {
    block_on(async {
        let small = limits(|limits| {
            limits.memory_bytes = 4 << 20;
            limits.input_bytes = 8 << 20;
            limits.output_bytes = 8 << 20;
        });
        let plugin = casemate().load(guests::rust("extism_vowels"), small).await.unwrap();
        let failure = plugin.call_raw("echo", &vec![7; 5 << 20]).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::Limit { .. }), "{failure}");
        assert!(failure.to_string().contains("limits.memory"), "{failure}");
        assert_eq!(plugin.call_raw("echo", b"still here").await.unwrap(), b"still here");
    });
}
