//! The hostile worker program, in the place of the worker with WASI.

use casemate_lockdown::Stage;
use std::process::ExitCode;

fn main() -> ExitCode {
    match casemate_lockdown::start() {
        Stage::Zygote(entered) => casemate_worker::run_with(
            entered,
            casemate_adversary::attack_while_loading,
            casemate_adversary::attack,
        ),
        Stage::Done(code) => code,
    }
}
