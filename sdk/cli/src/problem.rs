//! What went wrong, in one line and in JSON.

use crate::exit::{self, Exit};
use casemate::{Cause, Failure, Fault};
use serde_json::{Map, Value, json};
use std::fmt;

/// Bytes of a problem's line: a screenful, whatever a module or a file put into it.
const LINE_BYTES_MAX: usize = 4096;

/// The end of a command without what was asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Problem {
    /// A call or a load ended so.
    Failure(Box<Failure>),
    /// The command itself found it.
    Own {
        /// The exit code.
        exit: Exit,
        /// A stable dotted code.
        code: &'static str,
        /// What it is about and what to do.
        message: String,
    },
}

impl Problem {
    /// The command line is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::own(Exit::Usage, "usage", message)
    }

    /// Input for a call cannot be used.
    pub fn input(message: impl Into<String>) -> Self {
        Self::own(Exit::Usage, "call.input", message)
    }

    /// A policy, a unit or a layer's name is wrong.
    pub fn policy(message: impl Into<String>) -> Self {
        Self::own(Exit::Policy, "policy.invalid", message)
    }

    /// Something is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::own(Exit::NotFound, "file.unreadable", message)
    }

    /// A required layer is missing.
    pub fn layers(message: impl Into<String>) -> Self {
        Self::own(Exit::Layer, "layers.missing", message)
    }

    /// Our own fault.
    pub fn ours(message: impl Into<String>) -> Self {
        Self::own(Exit::Ours, "internal", message)
    }

    fn own(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        Self::Own { exit, code, message: message.into() }
    }

    /// How the command ends.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Failure(failure) => exit::of(&failure.cause),
            Self::Own { exit, .. } => *exit,
        }
    }

    fn code(&self) -> String {
        match self {
            Self::Failure(failure) => failure.code(),
            Self::Own { code, .. } => (*code).to_owned(),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Failure(failure) => failure.cause.to_string(),
            Self::Own { message, .. } => message.clone(),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Failure(failure) => failure.fault(),
            Self::Own { exit, .. } => match exit {
                Exit::Policy | Exit::Layer => Fault::Operator,
                Exit::Ours => Fault::Us,
                _ => Fault::Caller,
            },
        }
    }

    /// The documented shape of a failed command.
    pub fn to_json(&self) -> Value {
        let retry = match self {
            Self::Failure(failure) => failure.retry.name(),
            Self::Own { .. } => casemate::Retry::NotStarted.name(),
        };
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
        put("ok", json!(false));
        put("code", json!(self.code()));
        put("message", json!(self.message()));
        put("fault", json!(self.fault().name()));
        put("retry", json!(retry));
        put("exit_code", json!(self.exit().number()));
        if let Self::Failure(failure) = self {
            object.extend(details(&failure.cause));
        }
        Value::Object(object)
    }
}

/// What a program may want to know beyond the code.
fn details(cause: &Cause) -> Map<String, Value> {
    let value = match cause {
        Cause::GuestError { code, message, retryable } => {
            json!({"guest": {"code": code, "message": message, "retryable": retryable}})
        }
        Cause::Trap { message, backtrace, .. } => json!({"trap": {"message": message, "backtrace": backtrace}}),
        Cause::SoftTimeout { limit_ms, observed_ms } => {
            json!({"timeout": {"limit_ms": limit_ms, "observed_ms": observed_ms}})
        }
        Cause::HardTimeout { limit_ms, grace_ms, observed_ms } => {
            json!({"timeout": {"limit_ms": limit_ms, "grace_ms": grace_ms, "observed_ms": observed_ms}})
        }
        Cause::Limit { limit, configured, observed } => {
            json!({"limit": {"name": limit.name(), "unit": limit.unit(), "configured": configured, "observed": observed}})
        }
        Cause::Syscall(report) => json!({"syscall": {
            "name": report.name,
            "number": report.number,
            "arch": report.arch,
            "args": report.args,
            "instruction_pointer": report.instruction_pointer,
        }}),
        Cause::WorkerLost { exit } => json!({"exit": exit.to_string()}),
        Cause::LayersMissing { missing, .. } => {
            json!({"missing": missing.iter().map(casemate::Layer::name).collect::<Vec<_>>()})
        }
        Cause::Spawn { step, .. } => json!({"step": step}),
        _ => Value::Null,
    };
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::Failure(Box::new(failure))
    }
}

impl From<std::io::Error> for Problem {
    /// Of standard output, which is all the command writes to.
    fn from(error: std::io::Error) -> Self {
        Self::not_found(format!("standard output cannot be written: {error}"))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = casemate::outcome::escape(&self.message(), LINE_BYTES_MAX);
        write!(f, "{message} [{}]", self.code())
    }
}
