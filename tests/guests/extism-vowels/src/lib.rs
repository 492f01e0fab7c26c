//! Counts vowels, as the first plugin of everybody who comes to Extism does.

use extism_pdk::*;
use serde::Serialize;

#[derive(Serialize)]
struct Report {
    count: usize,
    total: usize,
    vowels: &'static str,
}

const VOWELS: &str = "aAeEiIoOuU";

/// How many vowels a text has, and how many all texts had together.
#[plugin_fn]
pub fn count_vowels(input: String) -> FnResult<Json<Report>> {
    let count = input.chars().filter(|c| VOWELS.contains(*c)).count();
    let total: u64 = var::get::<String>("total")?.and_then(|total| total.parse().ok()).unwrap_or(0);
    let total = total + count as u64;
    var::set("total", total.to_string())?;
    Ok(Json(Report { count, total: total as usize, vowels: VOWELS }))
}

/// Gives back what it gets, however much that is.
#[plugin_fn]
pub fn echo(input: Vec<u8>) -> FnResult<Vec<u8>> {
    Ok(input)
}
