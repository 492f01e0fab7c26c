//! A plugin from plain threads, without a line of async: by an embedded supervisor, or by a daemon where its socket is given.
//!
//! ```sh
//! cargo run --package casemate --example thread -- statistics.wasm
//! cargo run --package casemate --example thread -- statistics.wasm /run/user/1000/casemate.sock
//! ```
#![expect(clippy::print_stdout, clippy::expect_used, reason = "an example: it talks on the terminal")]

use casemate::blocking::Casemate;
use casemate::{Failure, Policy};
use serde_json::{Value, json};

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let module = arguments.next().unwrap_or_else(|| "statistics.wasm".to_owned());
    let casemate = match arguments.next() {
        Some(socket) => Casemate::connect(socket)?,
        None => Casemate::embedded()?,
    };
    let plugin = casemate.load(module, Policy::default())?;
    // Each thread calls on its own; the supervisor starts workers as they are needed.
    let averages = std::thread::scope(|scope| {
        let calls: Vec<_> = (1..=4)
            .map(|last| {
                let plugin = &plugin;
                scope.spawn(move || {
                    let numbers: Vec<i32> = (1..=last).collect();
                    let stats: Value = plugin.call("stats", &json!({"numbers": numbers}))?;
                    Ok(stats.get("average").cloned().unwrap_or_default())
                })
            })
            .collect();
        calls
            .into_iter()
            .map(|call| call.join().expect("a call does not panic"))
            .collect::<Result<Vec<Value>, Failure>>()
    })?;
    println!("{}", Value::from(averages));
    Ok(())
}
