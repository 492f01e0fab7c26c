//! A guest that computes, in the worker and in this process.

mod inside;

use crate::Outcome;
use crate::machine::OneCore;
use crate::plugin::{Loaded, guest};
use crate::request::Plan;
use crate::row::{Baseline, Row, Target, Unit};
use inside::Inside;
use serde_json::{Value, json};
use std::time::Instant;

const ROUNDS: u32 = 200;
/// Copies of the text, so that the call takes some milliseconds.
const COPIES: usize = 8;

pub(crate) fn measure(plan: &Plan) -> Outcome<Vec<Row>> {
    let _one_core = OneCore::take()?;
    let sieve = Job { method: "sieve", wasm: guest()?, request: Vec::new() };
    let words = Job {
        method: "count",
        wasm: read(&plan.guests.join("wordcount.wasm"))?,
        request: text(&read(&plan.guests.join("data/alice.json"))?)?,
    };
    let note = format!("words of a text, by a regular expression: {} bytes of JSON in", words.request.len());
    Ok(vec![
        Row {
            target: Target::Ratio(1.03),
            note: "a sieve of Eratosthenes, 40 times; nothing to carry".to_owned(),
            ..row(plan, "a module computing, in a worker", &sieve)?
        },
        Row { note, ..row(plan, "a module computing on what it is sent", &words)? },
    ])
}

/// What is computed.
struct Job {
    wasm: Vec<u8>,
    method: &'static str,
    request: Vec<u8>,
}

fn row(plan: &Plan, what: &'static str, job: &Job) -> Outcome<Row> {
    let loaded = Loaded::new(job.wasm.clone(), |spec| spec.limits.input_bytes = 64 << 20)?;
    let mut inside = Inside::new(&job.wasm)?;
    let (mut subject, mut baseline) = (Vec::new(), Vec::new());
    for round in 0..=plan.rounds(ROUNDS) {
        let start = Instant::now();
        let expected = inside.call(job.method, &job.request)?;
        let there = start.elapsed();
        let start = Instant::now();
        let (answer, _) = loaded.runtime.block_on(loaded.plugin.call_json_text(job.method, &job.request))?;
        let here = start.elapsed();
        if answer != expected {
            return Err("the worker computed something else than this process".into());
        }
        // The first makes the instance and grows its memory.
        if round > 0 {
            baseline.push(there.as_secs_f64() * 1e3);
            subject.push(here.as_secs_f64() * 1e3);
        }
    }
    Ok(Row {
        what,
        unit: Unit::Millis,
        samples: subject.into_iter().collect(),
        baseline: Some(Baseline {
            what: "in this process, same engine configuration",
            samples: baseline.into_iter().collect(),
        }),
        target: Target::None,
        certificate: loaded.plugin.certificate(),
        note: String::new(),
    })
}

fn read(path: &std::path::Path) -> Outcome<Vec<u8>> {
    std::fs::read(path)
        .map_err(|error| format!("{}: {error}; `cargo xtask bench` builds it", path.display()).into())
}

/// The text several times over, as JSON.
fn text(request: &[u8]) -> Outcome<Vec<u8>> {
    let input: Value = serde_json::from_slice(request)?;
    let text = input.get("text").and_then(Value::as_str).ok_or("the input has no text")?;
    Ok(serde_json::to_vec(&json!({ "text": text.repeat(COPIES) }))?)
}
