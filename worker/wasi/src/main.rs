//! The worker program.

use casemate_lockdown::Stage;
use std::process::ExitCode;

fn main() -> ExitCode {
    match casemate_lockdown::start() {
        Stage::Zygote(entered) => casemate_worker::run(entered, casemate_worker::serve),
        Stage::Done(code) => code,
    }
}
