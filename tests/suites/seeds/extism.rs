//! Extism.

use crate::life::Ground;
use casemate_tests::block_on;
use serde_json::{Value, json};

/// Three exports of a plugin that knows nothing of Casemate, by the manifest of Extism's own hosts.
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
        let answer = plugin.call_raw("count_vowels", "Übermut".as_bytes()).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["count"], 2);
        casemate.shutdown().await;
    });
}
