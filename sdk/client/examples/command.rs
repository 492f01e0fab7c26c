//! A plugin in a command-line program: what it answers is printed, and how it failed is the exit code.
//!
//! ```sh
//! cargo run --package casemate --example command -- statistics.wasm 1 2 3
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example: it talks on the terminal")]

use casemate::{Casemate, Failure, Fault, Policy, Retry};
use serde::{Deserialize, Serialize};
use std::process::ExitCode;

#[derive(Serialize)]
struct Numbers {
    numbers: Vec<f64>,
}

#[derive(Deserialize)]
struct Stats {
    average: f64,
    min: f64,
    max: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(module) = arguments.next() else {
        eprintln!("command MODULE NUMBER…");
        return ExitCode::from(2);
    };
    let numbers: Result<Vec<f64>, _> = arguments.map(|number| number.parse()).collect();
    let Ok(numbers) = numbers else {
        eprintln!("these are not all numbers");
        return ExitCode::from(2);
    };
    match stats(&module, Numbers { numbers }).await {
        Ok(Stats { average, min, max }) => {
            println!("average {average}, from {min} to {max}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            let advice = match failure.retry {
                Retry::NotStarted => "nothing has happened: trying again is safe",
                Retry::MaybeRan => "it may have run",
                Retry::Done => "it has run",
            };
            eprintln!("{failure} [{}]; {advice}", failure.code());
            // Whose fault it is decides what a script does next.
            ExitCode::from(match failure.fault() {
                Fault::Guest => 1,
                Fault::Caller => 2,
                _ => 3,
            })
        }
    }
}

async fn stats(module: &str, numbers: Numbers) -> Result<Stats, Failure> {
    let casemate = Casemate::embedded()?;
    let plugin = casemate.load(module, Policy::default()).await?;
    plugin.call("stats", &numbers).await
}
