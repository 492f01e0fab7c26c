//! Why a guest did not give an answer.

use crate::abi::Answer;
use casemate_protocol::link::{CallResult, MESSAGE_BYTES_MAX, Status, cut};
use casemate_protocol::outcome::{LimitName, TrapKind};
use wasmtime::{Trap, WasmBacktrace};

/// Bytes of a function's name in a backtrace. Mangled names are long.
const NAME_BYTES_MAX: usize = 200;

/// Raised by our own code while a guest runs; travels through the engine as the cause of its trap.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// The guest broke its ABI.
    #[error("{0}")]
    Abi(String),
    /// The guest refused to be set up; its own error.
    #[error("it refused its configuration")]
    Refused { content_type: u32, body: Vec<u8> },
    /// The guest wanted more than a limit allows.
    #[error("limits.{} is {configured}, {observed} wanted", limit.name())]
    Limit { limit: LimitName, configured: u64, observed: u64 },
    /// Anything else that the engine says.
    #[error("{message}")]
    Trap { kind: TrapKind, message: String },
    /// The soft deadline.
    #[error("interrupted at the deadline")]
    Interrupted,
}

impl Fault {
    /// Whether a body that a guest gives away is not too long.
    pub(crate) fn unless_output_fits(bytes: usize, bytes_max: u32) -> Result<(), Self> {
        let (configured, observed) = (bytes_max.into(), u64::try_from(bytes).unwrap_or(u64::MAX));
        if observed > configured {
            return Err(Self::Limit { limit: LimitName::Output, configured, observed });
        }
        Ok(())
    }

    /// A function of the guest's that sets it up has answered with a number that is not 0.
    pub(crate) fn refused(function: &str, code: i32) -> Self {
        let message = format!("{function} answered {code}; what it says of that is in its log");
        let Answer { content_type, body, .. } = Answer::error("refused", &message);
        Self::Refused { content_type, body }
    }

    /// What an error of the engine means. `denied` is what the limiter refused during this call.
    pub(crate) fn from_engine(error: &wasmtime::Error, denied: Option<&Self>, fuel: Option<u64>) -> Self {
        if let Some(fault) = error.downcast_ref::<Self>() {
            return fault.clone();
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Self::Interrupted,
            Some(Trap::OutOfFuel) => {
                let configured = fuel.unwrap_or(0);
                Self::Limit { limit: LimitName::Fuel, configured, observed: configured.saturating_add(1) }
            }
            Some(trap) => match denied {
                // A guest that was refused memory mostly traps next: the refusal is the reason.
                Some(denied) => denied.clone(),
                None => Self::Trap { kind: kind(*trap), message: trap.to_string() },
            },
            None => match denied {
                Some(denied) => denied.clone(),
                None => Self::Trap { kind: TrapKind::Other, message: format!("{error:#}") },
            },
        }
    }

    /// As the end of a call on the link, with its body.
    pub(crate) fn into_result(self) -> (CallResult, Vec<u8>) {
        match self {
            Self::Refused { content_type, body } => {
                let status = Status::GuestError.into();
                (CallResult { status, content_type, ..CallResult::default() }, body)
            }
            other => (other.without_body(), Vec::new()),
        }
    }

    fn without_body(self) -> CallResult {
        let message = cut(&self.to_string(), MESSAGE_BYTES_MAX).to_owned();
        let result = |status: Status| CallResult { status: status.into(), message, ..CallResult::default() };
        match self {
            Self::Abi(_) | Self::Refused { .. } => result(Status::Abi),
            Self::Interrupted => result(Status::Interrupted),
            Self::Limit { limit, configured, observed } => CallResult {
                limit: limit as u32,
                limit_configured: configured,
                limit_observed: observed,
                ..result(Status::Limit)
            },
            Self::Trap { kind, .. } => CallResult { trap: kind as u32, ..result(Status::Trap) },
        }
    }
}

/// The guest's frames of an error, innermost first, one a line: name if the module has one, and place in the module.
pub(crate) fn backtrace(error: &wasmtime::Error) -> String {
    let frames = error.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames).unwrap_or_default();
    let mut text = String::new();
    for frame in frames {
        let name = match frame.func_name() {
            Some(name) => cut(name, NAME_BYTES_MAX).to_owned(),
            None => format!("function {}", frame.func_index()),
        };
        let line = match frame.module_offset() {
            Some(offset) => format!("{name} at {offset:#x}\n"),
            None => format!("{name}\n"),
        };
        if text.len() + line.len() > MESSAGE_BYTES_MAX {
            break;
        }
        text.push_str(&line);
    }
    text
}

fn kind(trap: Trap) -> TrapKind {
    match trap {
        Trap::StackOverflow => TrapKind::StackOverflow,
        Trap::MemoryOutOfBounds => TrapKind::MemoryOutOfBounds,
        Trap::TableOutOfBounds => TrapKind::TableOutOfBounds,
        Trap::IndirectCallToNull => TrapKind::IndirectCallToNull,
        Trap::BadSignature => TrapKind::BadSignature,
        Trap::IntegerOverflow => TrapKind::IntegerOverflow,
        Trap::IntegerDivisionByZero => TrapKind::DivisionByZero,
        Trap::BadConversionToInteger => TrapKind::BadConversion,
        Trap::UnreachableCodeReached => TrapKind::Unreachable,
        _ => TrapKind::Other,
    }
}
