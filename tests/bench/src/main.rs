//! The numbers of Casemate: each is measured through the public API, beside its baseline in the same run, behind every
//! wall. A row whose plugin lacks a wall is refused; a target that is missed is said to be.
//!
//! | module | holds |
//! |---|---|
//! | [`request`] | what was asked for on the command line |
//! | [`rows`] | what is measured |
//! | [`row`] | one measurement, its target and its verdict |
//! | [`baseline`] | the processes that are measured against |
//! | [`plugin`] | the guest, loaded behind the walls |
//! | [`processes`] | what is seen of workers from outside |
//! | [`machine`] | where this was measured, and on which core |
//! | [`report`] | the table and the JSON |
//! | [`keep`] | both of them put where readers find them |
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a developer's command: it reads the clock, starts processes to compare with, and talks on the terminal"
)]

mod baseline;
mod keep;
mod machine;
mod plugin;
mod processes;
mod report;
mod request;
mod row;
mod rows;

use request::{Plan, Request};
use std::error::Error;
use std::process::ExitCode;

/// What a developer's command may answer with: any error, in words.
type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let done = Request::parse(std::env::args().skip(1)).and_then(|request| match request {
        Request::Help => {
            println!("{}", request::HELP);
            Ok(true)
        }
        Request::Measure(plan) => measure(&plan),
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether no row was refused.
fn measure(plan: &Plan) -> Outcome<bool> {
    let machine = machine::Machine::here();
    println!("{machine}\n");
    let mut measured = Vec::new();
    for (name, measure) in rows::ALL {
        if plan.wants(name) {
            let found = measure(plan).map_err(|error| format!("{name}: {error}"))?;
            found.iter().for_each(report::show);
            measured.extend(found);
        }
    }
    if measured.is_empty() {
        return Err(format!("no row is named so; there are: {}", rows::names()).into());
    }
    println!("\n{}", report::table(&measured));
    if let Some(project) = &plan.keep {
        keep::keep(project, &machine, &measured)?;
    }
    Ok(!measured.iter().any(row::Row::is_refused))
}
