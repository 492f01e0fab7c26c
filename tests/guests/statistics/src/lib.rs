//! Sum, average, minimum and maximum of an array of numbers.

use casemate_plugin::{Error, log, plugin};
use serde::{Deserialize, Serialize};

/// What `stats` takes.
#[derive(Debug, Deserialize)]
pub struct Input {
    numbers: Vec<f64>,
}

/// What `stats` answers.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    sum: f64,
    average: f64,
    min: f64,
    max: f64,
}

/// The plugin; it keeps nothing between calls.
#[derive(Debug, Default)]
pub struct Summary;

#[plugin]
impl Summary {
    /// `{"numbers": [..]}` to its statistics.
    pub fn stats(&self, input: Input) -> Result<Statistics, Error> {
        let numbers = input.numbers;
        if numbers.is_empty() {
            return Err(Error::new("empty_input", "Input array is empty"));
        }
        log::debug!("{} numbers", numbers.len());
        let sum: f64 = numbers.iter().sum();
        // An array that fits in memory has far fewer elements than a double can count.
        let average = sum / numbers.len() as f64;
        let min = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let max = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Ok(Statistics { sum, average, min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(numbers: &[f64]) -> Result<Statistics, Error> {
        Summary.stats(Input { numbers: numbers.to_vec() })
    }

    #[test]
    fn four_numbers() {
        let expected = Statistics { sum: 6.0, average: 1.5, min: -1.0, max: 4.0 };
        assert_eq!(stats(&[1.0, 4.0, -1.0, 2.0]), Ok(expected));
    }

    #[test]
    fn real_measurements() {
        let input = serde_json::from_str(include_str!("../../data/numbers.json")).unwrap();
        let statistics = Summary.stats(input).unwrap();
        assert_eq!((statistics.min, statistics.max), (3.15, 15.49));
        assert!((statistics.average - 9.42175).abs() < 1e-9);
        assert!((statistics.sum - 3391.83).abs() < 1e-6);
    }

    #[test]
    fn nothing_has_no_average() {
        assert_eq!(stats(&[]), Err(Error::new("empty_input", "Input array is empty")));
    }
}
