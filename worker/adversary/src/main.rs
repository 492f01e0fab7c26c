//! The hostile worker program, which is a hostile compiler too.

use casemate_adversary::Forgery;
use casemate_lockdown::Stage;
use std::process::ExitCode;

fn main() -> ExitCode {
    match casemate_lockdown::start() {
        Stage::Zygote(entered) => match Forgery::named(&std::env::args().next().unwrap_or_default()) {
            Some(forgery) => casemate_adversary::forge(entered, forgery),
            None => {
                let loading = casemate_adversary::attack_while_loading;
                casemate_worker::run_with(entered, loading, casemate_adversary::attack)
            }
        },
        Stage::Done(code) => code,
    }
}
