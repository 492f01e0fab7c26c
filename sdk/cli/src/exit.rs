//! Exit codes, the same for every command.

use casemate::Cause;
use std::process::ExitCode;

/// How the command ends. Scripts rely on these numbers; `COMMANDS.md` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// The guest answered with an error, or its module was not accepted; a demonstration that let something through.
    Guest,
    /// The command line is wrong.
    Usage,
    /// A configuration or policy is wrong.
    Policy,
    /// Something was denied, or guest or worker broke a rule.
    Violation,
    /// A limit or a deadline.
    Limit,
    /// A trap, or the worker is lost.
    Lost,
    /// A required layer is missing.
    Layer,
    /// Something was not found or not reachable.
    NotFound,
    /// Our own fault.
    Ours,
    /// A WASI program has run to its end: this is its own code.
    Program(u8),
}

impl Exit {
    /// The number.
    pub fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Guest => 1,
            Self::Usage => 2,
            Self::Policy => 3,
            Self::Violation => 4,
            Self::Limit => 5,
            Self::Lost => 6,
            Self::Layer => 7,
            Self::NotFound => 8,
            Self::Ours => 70,
            Self::Program(code) => code,
        }
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
        Cause::ConfigRefused { .. } | Cause::Configuration { .. } => Exit::Policy,
        Cause::Abi { .. }
        | Cause::Syscall(_)
        | Cause::SyscallSignal
        | Cause::Link { .. }
        | Cause::Denied { .. }
        | Cause::Inspection { .. } => Exit::Violation,
        Cause::SoftTimeout { .. }
        | Cause::HardTimeout { .. }
        | Cause::Deadline { .. }
        | Cause::InFlight { .. }
        | Cause::Limit { .. } => Exit::Limit,
        Cause::Trap { .. } | Cause::WorkerLost { .. } | Cause::Compiler { .. } => Exit::Lost,
        // A process that cannot be walled in: the kernel or the machine lacks something.
        Cause::LayersMissing { .. } | Cause::Unavailable { .. } | Cause::Spawn { .. } => Exit::Layer,
        Cause::File { .. }
        | Cause::PluginDisabled { .. }
        | Cause::PluginStopped { .. }
        | Cause::PluginReloading
        | Cause::UnknownPlugin { .. }
        | Cause::Connection { .. }
        | Cause::Closed => Exit::NotFound,
        _ => Exit::Ours,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casemate::module::CompileError;
    use casemate::{Layer, LimitName, SyscallReport, TrapKind};

    /// Every cause; whoever adds one gives it its row.
    fn causes() -> Vec<(Cause, Exit)> {
        let message = String::new;
        let limit = |limit| Cause::Limit { limit, configured: 1, observed: 2 };
        let trap = |kind| Cause::Trap { kind, message: message() };
        let report = SyscallReport { arch: 0, number: 0, name: None, args: [0; 6], instruction_pointer: 0 };
        let mut causes = vec![
            (Cause::GuestError { code: message(), message: message(), retryable: false }, Exit::Guest),
            (Cause::Module(CompileError::Component), Exit::Guest),
            (Cause::SoftTimeout { limit_ms: 1, observed_ms: 2 }, Exit::Limit),
            (Cause::HardTimeout { limit_ms: 1, grace_ms: 1, observed_ms: 2 }, Exit::Limit),
            (Cause::Abi { message: message() }, Exit::Violation),
            (Cause::Syscall(Box::new(report)), Exit::Violation),
            (Cause::SyscallSignal, Exit::Violation),
            (Cause::Link { message: message() }, Exit::Violation),
            (Cause::Inspection { message: message() }, Exit::Violation),
            (Cause::WorkerLost { exit: casemate::Exit::Signal(9) }, Exit::Lost),
            (Cause::Compiler { message: message() }, Exit::Lost),
            (Cause::File { path: message(), message: message() }, Exit::NotFound),
            (
                Cause::LayersMissing { missing: [Layer::Landlock].into_iter().collect(), reasons: message() },
                Exit::Layer,
            ),
            (Cause::Unavailable { keys: message(), message: message() }, Exit::Layer),
            (Cause::Spawn { step: message(), message: message() }, Exit::Layer),
            (Cause::Input { message: message() }, Exit::Usage),
            (Cause::Reply { message: message() }, Exit::Usage),
            (Cause::ConfigRefused { code: message(), message: message(), has_config: true }, Exit::Policy),
            (Cause::PluginDisabled { reason: message(), by_crashes: true }, Exit::NotFound),
            (Cause::PluginStopped { reason: None }, Exit::NotFound),
            (Cause::PluginReloading, Exit::NotFound),
            (Cause::Deadline { deadline_ms: 1, observed_ms: 2 }, Exit::Limit),
            (Cause::InFlight { configured: 1 }, Exit::Limit),
            (Cause::Configuration { message: message() }, Exit::Policy),
            (Cause::Denied { what: message(), message: message() }, Exit::Violation),
            (Cause::UnknownPlugin { name: message() }, Exit::NotFound),
            (Cause::Connection { socket: message(), message: message() }, Exit::NotFound),
            (Cause::Closed, Exit::NotFound),
        ];
        let limits = (1..=10).filter_map(LimitName::from_number);
        causes.extend(limits.map(|name| (limit(name), Exit::Limit)));
        causes.extend((1..=10).map(|number| (trap(TrapKind::from_number(number)), Exit::Lost)));
        causes
    }

    #[test]
    fn every_cause_has_its_exit_code() {
        for (cause, exit) in causes() {
            assert_eq!(of(&cause), exit, "{}", cause.code());
        }
        assert_eq!(causes().len(), 28 + 10 + 10);
    }

    #[test]
    fn no_cause_is_our_own_fault_by_accident() {
        assert!(causes().iter().all(|(cause, _)| of(cause) != Exit::Ours));
    }
}
