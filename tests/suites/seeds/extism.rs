//! Extism.

use crate::life::{Ground, dies_in, ends};
use casemate_tests::block_on;
use serde_json::{Value, json};

/// A plugin that knows nothing of Casemate, by the manifest of Extism's own hosts, from its installation to its end.
#[test]
fn x01_a_plugin_by_its_manifest() {
    block_on(async {
        let ground = Ground::new();
        let casemate = ground.host("");
        let manifest =
            json!({"wasm": [{"path": "count.wasm"}], "memory": {"max_pages": 64}, "timeout_ms": 5000});
        let manifest = manifest.to_string();
        let plugin = ground
            .installed(&casemate, ("extism.json", &manifest), "count.wasm", "extism_vowels", "count")
            .await;
        // A new worker has none of the variables of the one before: it counts from the beginning.
        let count = async || {
            let answer = plugin.call_raw("count_vowels", "Übermut".as_bytes()).await?;
            Ok(serde_json::from_slice(&answer).unwrap())
        };
        dies_in(&casemate, count).await;
        let answer: Value = count().await.unwrap();
        assert_eq!((&answer["count"], &answer["total"]), (&json!(2), &json!(4)));
        ends(&ground, &casemate, &plugin).await;
    });
}
