//! The hostile worker program.

use casemate_lockdown::Stage;
use std::process::ExitCode;

fn main() -> ExitCode {
    match casemate_lockdown::start() {
        Stage::Zygote(entered) => {
            let loading = casemate_adversary::attack_while_loading;
            casemate_worker::run_with(entered, loading, casemate_adversary::attack)
        }
        Stage::Done(code) => code,
    }
}
