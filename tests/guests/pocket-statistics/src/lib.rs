//! The Rust example of Pocket's design, mended: `mended.diff` beside this has each change with its reason.

use pocket_plugin_sdk::{JSONSchema, NodeMetadata, PluginNode, export_plugin};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Input {
    numbers: Vec<f64>,
}

#[derive(Serialize)]
struct Output {
    sum: f64,
    average: f64,
    min: f64,
    max: f64,
}

struct StatisticsNode;

impl PluginNode for StatisticsNode {
    type Input = Input;
    type Output = Output;

    fn exec(&self, input: Input) -> Result<Output, String> {
        if input.numbers.is_empty() {
            return Err("Input array is empty".to_string());
        }

        let sum: f64 = input.numbers.iter().sum();
        let average = sum / input.numbers.len() as f64;
        let min = input.numbers.iter().fold(f64::INFINITY, |a, &b| a.min(b));
        let max = input.numbers.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));

        Ok(Output { sum, average, min, max })
    }

    fn metadata(&self) -> NodeMetadata {
        NodeMetadata {
            node_type: "statistics".to_string(),
            category: "math".to_string(),
            description: "Calculate statistics from number arrays".to_string(),
            config_schema: JSONSchema::default(),
            ..NodeMetadata::default()
        }
    }
}

export_plugin!(StatisticsNode);
