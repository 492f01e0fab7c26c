//! What `describe` tells of types.

#![cfg(feature = "schemas")]
#![expect(missing_docs, reason = "these plugins are for the tests alone")]

use casemate_plugin::__private::Instance;
use casemate_plugin::{Error, plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Deserialize, JsonSchema)]
pub struct Numbers {
    /// At least one.
    numbers: Vec<f64>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Sum {
    sum: f64,
}

#[derive(Debug, Default)]
pub struct Summing;

#[plugin(schemas)]
impl Summing {
    pub fn sum(&self, numbers: Numbers) -> Result<Sum, Error> {
        Ok(Sum { sum: numbers.numbers.iter().sum() })
    }

    pub fn several(&self, name: String, times: Option<u32>) -> String {
        name.repeat(times.unwrap_or(1) as usize)
    }

    pub fn nothing(&self) {}

    #[raw]
    fn bytes(&self, body: &[u8]) -> Vec<u8> {
        body.to_vec()
    }
}

#[test]
fn schemas_are_made_from_the_types() {
    let described = Instance::<Summing>::describe();
    let described: Value = serde_json::from_slice(&described[2..]).unwrap();
    let method = |name: &str| {
        let methods = described["methods"].as_array().unwrap();
        methods.iter().find(|method| method["name"] == name).unwrap().clone()
    };
    let sum = method("sum");
    assert_eq!(sum["input"]["properties"]["numbers"]["description"], "At least one.");
    assert_eq!(sum["input"]["required"], json!(["numbers"]));
    assert_eq!(sum["output"]["properties"]["sum"]["type"], "number");
    let several = method("several");
    assert_eq!(several["input"]["required"], json!(["name"]));
    assert_eq!(several["output"]["type"], "string");
    assert_eq!(method("nothing")["output"], json!({"type": "null"}));
    assert_eq!(method("bytes"), json!({"name": "bytes", "content": "raw"}));
}
