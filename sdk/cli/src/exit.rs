//! Exit codes, the same for every command.

use casemate::Cause;
use std::process::ExitCode;

/// How the command ends. Scripts rely on these numbers; `COMMANDS.md` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The guest answered with an error, or its module was not accepted; a demonstration that let something through.
    Guest = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A configuration or policy is wrong.
    Policy = 3,
    /// Something was denied, or guest or worker broke a rule.
    Violation = 4,
    /// A limit or a deadline.
    Limit = 5,
    /// A trap, or the worker is lost.
    Lost = 6,
    /// A required layer is missing.
    Layer = 7,
    /// Something was not found or not reachable.
    NotFound = 8,
    /// Our own fault.
    Ours = 70,
}

impl Exit {
    /// The number.
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// The exit code for the end of a call or load.
pub fn of(cause: &Cause) -> Exit {
    match cause {
        Cause::GuestError { .. } | Cause::Module(_) => Exit::Guest,
        Cause::Input { .. } | Cause::Reply { .. } => Exit::Usage,
        Cause::Abi { .. }
        | Cause::Syscall(_)
        | Cause::SyscallSignal
        | Cause::Link { .. }
        | Cause::Inspection { .. } => Exit::Violation,
        Cause::SoftTimeout { .. } | Cause::HardTimeout { .. } | Cause::Limit { .. } => Exit::Limit,
        Cause::Trap { .. } | Cause::WorkerLost { .. } | Cause::Compiler { .. } => Exit::Lost,
        // A process that cannot be walled in: the kernel or the machine lacks something.
        Cause::LayersMissing { .. } | Cause::Spawn { .. } => Exit::Layer,
        Cause::File { .. } | Cause::Closed => Exit::NotFound,
        _ => Exit::Ours,
    }
}
