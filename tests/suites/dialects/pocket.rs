//! Nodes of Pocket.

use super::{error_of, is_of_core};
use casemate::Policy;
use casemate_tests::{block_on, casemate, guests};
use serde_json::{Value, json};

#[test]
fn the_designs_rust_example_answers_prep_exec_and_post() {
    block_on(async {
        let plugin = casemate().load(guests::rust("pocket_statistics"), Policy::default()).await.unwrap();
        is_of_core(&plugin);
        let input = json!({"numbers": [1.0, 2.0, 6.0]});
        let prepared: Value = plugin.call("prep", &json!({"input": input})).await.unwrap();
        assert_eq!(prepared, json!({"output": input, "next": "done"}));
        let result: Value = plugin.call("exec", &json!({"prepResult": prepared["output"]})).await.unwrap();
        let statistics = json!({"sum": 9.0, "average": 3.0, "min": 1.0, "max": 6.0});
        assert_eq!(result, json!({"output": statistics, "next": "done"}));
        let after = json!({"input": input, "execResult": result["output"]});
        let posted: Value = plugin.call("post", &after).await.unwrap();
        assert_eq!(posted, result);
    });
}

#[test]
fn what_a_node_refuses_is_its_error() {
    block_on(async {
        let plugin = casemate().load(guests::rust("pocket_statistics"), Policy::default()).await.unwrap();
        let (code, message) = error_of(&plugin, "exec", &json!({"input": {"numbers": []}})).await;
        assert_eq!((code.as_str(), message.as_str()), ("failed", "Input array is empty"));
        let (_, message) = error_of(&plugin, "exec", &json!({"input": {"digits": []}})).await;
        assert!(message.starts_with("Invalid input: missing field `numbers`"), "{message}");
        assert_eq!(error_of(&plugin, "exec", &json!([1])).await.0, "bad_input");
        assert_eq!(error_of(&plugin, "metadata", &json!({})).await.0, "no_method");
    });
}

#[test]
fn an_answer_larger_than_its_room_is_asked_for_again() {
    block_on(async {
        let plugin = casemate().load(guests::rust("pocket_statistics"), Policy::default()).await.unwrap();
        let numbers: Vec<u32> = (0..20_000).collect();
        let input = json!({"numbers": numbers});
        let prepared: Value = plugin.call("prep", &json!({"input": input})).await.unwrap();
        assert_eq!(prepared["output"], input);
    });
}
