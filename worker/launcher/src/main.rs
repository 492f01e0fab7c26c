//! The launcher: starts a native program for each instance, and stands between it and the supervisor.
//!
//! ```text
//! main ─► zygote::run ── root, walls, filter A ──┬─ forked ─► Program::execute     the program, by its one exec
//!                                                └─ forked ─► bridge::serve        link ◄─► JSON-RPC lines
//! ```
//! The bridge is a worker as the supervisor knows them: one link, one call at a time. What the program writes is hostile to it.

mod answer;
mod bridge;
mod fault;
mod streams;
mod zygote;

use casemate_lockdown::Stage;
use std::process::ExitCode;

fn main() -> ExitCode {
    match casemate_lockdown::start() {
        Stage::Zygote(entered) => zygote::run(entered),
        Stage::Done(code) => code,
    }
}
