//! The zygote: builds the program's root, raises the walls, and forks a program and its bridge whenever it is asked to.

use crate::bridge;
use casemate_lockdown::{Entered, Launched, Launcher, LockdownError};
use casemate_protocol::spawn::{LoadSpec, LoadedReport};
use casemate_sys::process::exit_now;
use std::convert::Infallible;

/// The supervisor has been told already.
struct Told;

impl From<LockdownError> for Told {
    fn from(_: LockdownError) -> Self {
        Self
    }
}

/// Runs the zygote to its end. It ends here and not in `main`: what the standard library does after that, the filters do not
/// allow.
pub(crate) fn run(entered: Entered) -> ! {
    let Err(Told) = try_run(entered);
    exit_now(1)
}

fn try_run(entered: Entered) -> Result<Infallible, Told> {
    let (launcher, spec) = entered.wall_up_program()?;
    let (load, launched) = match launcher {
        Launcher::Walled(walled) => {
            let (load, _) = walled.receive::<LoadSpec>(0)?;
            let locked = walled.filter(load.processes_max)?.lock(&(0..0))?;
            locked.loaded(LoadedReport { instantiated: true, memory_bytes: 0 })?;
            (load, locked.next_program()?)
        }
        Launcher::Unwalled(unwalled) => (unwalled.receive()?, unwalled.next_program()?),
    };
    match launched {
        Some(Launched::Program(program)) => program.execute(&spec),
        Some(Launched::Bridge(ends)) => bridge::serve(ends, &load),
        // It does not come back from there.
        Some(Launched::Canary(canary)) => {
            let _ = canary.confine();
            exit_now(6)
        }
        None => exit_now(0),
    }
}
