//! What went wrong, in one line and in JSON.

use crate::exit::{self, Exit};
use casemate::config::{ConfigError, ConfigProblem};
use casemate::daemon::audit::AuditError;
use casemate::package::PackageError;
use casemate::{Cause, Failure, Fault};
use serde_json::{Map, Value, json};
use std::fmt;
use std::path::Path;

/// Bytes of a problem's line: a screenful, whatever a module or a file put into it.
const LINE_BYTES_MAX: usize = 4096;

/// The end of a command without what was asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Problem {
    /// A call or a load ended so.
    Failure {
        /// How.
        failure: Box<Failure>,
        /// Which file it is about, where its own words do not say.
        about: String,
        /// What else there is to say.
        hint: String,
    },
    /// A configuration or a manifest has a mistake.
    Config(ConfigError),
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
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::own(Exit::Usage, "usage", message)
    }

    /// Input for a call cannot be used.
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self::own(Exit::Usage, "call.input", message)
    }

    /// A policy, a unit or a layer's name is wrong.
    pub(crate) fn policy(message: impl Into<String>) -> Self {
        Self::own(Exit::Policy, "policy.invalid", message)
    }

    /// Something is not there.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::own(Exit::NotFound, "file.unreadable", message)
    }

    /// Somebody did not want to wait for the end.
    pub(crate) fn interrupted() -> Self {
        Self::own(Exit::Lost, "interrupted", "interrupted before its end")
    }

    /// A plugin's own build failed.
    pub(crate) fn build(message: impl Into<String>) -> Self {
        Self::own(Exit::Guest, "build.failed", message)
    }

    /// The code cache cannot be used.
    pub(crate) fn cache(exit: Exit, message: impl Into<String>) -> Self {
        Self::own(exit, "cache.unusable", message)
    }

    /// Entries of the code cache are not what was stored.
    pub(crate) fn bad_entries(bad: usize, all: usize) -> Self {
        let message = format!(
            "{bad} of {all} entries are not what was stored; nothing of them is ever run, and the next load of each puts it \
             into quarantine"
        );
        Self::own(Exit::Violation, "cache.bad_entries", message)
    }

    /// Something is no package, or cannot be installed.
    pub(crate) fn package(error: PackageError) -> Self {
        let (exit, code) = match &error {
            PackageError::Config(error) => return Self::Config(error.clone()),
            PackageError::NotInstalled { .. } | PackageError::InFolder { .. } => {
                (Exit::NotFound, "package.unknown")
            }
            PackageError::Hash { .. } => (Exit::Violation, "package.hash"),
            PackageError::Archive { .. } => (Exit::Violation, "package.archive"),
            error if error.is_about_files() => (Exit::NotFound, "file.unreadable"),
            PackageError::NotAvailable { .. } => (Exit::Policy, "policy.not_available"),
            _ => (Exit::Policy, "package.invalid"),
        };
        Self::own(exit, code, error.to_string())
    }

    /// A workflow has a mistake, or does not end.
    pub(crate) fn workflow(message: impl Into<String>) -> Self {
        Self::own(Exit::Policy, "workflow.invalid", message)
    }

    /// A workflow wants a node that no plugin has.
    pub(crate) fn unknown_node(message: impl Into<String>) -> Self {
        Self::own(Exit::NotFound, "workflow.unknown_node", message)
    }

    /// Something cannot be fetched.
    pub(crate) fn fetch(url: &str, why: impl fmt::Display) -> Self {
        Self::own(Exit::NotFound, "package.fetch", format!("{url}: {why}"))
    }

    /// The daemon's socket cannot be used.
    pub(crate) fn socket(message: impl Into<String>) -> Self {
        Self::own(Exit::NotFound, "socket.unusable", message)
    }

    /// The audit log is not what was written, or cannot be read or written.
    pub(crate) fn audit(error: &AuditError) -> Self {
        match error {
            AuditError::Broken { .. } => {
                let hint =
                    "somebody has changed it, or a disk was full: move it away, look into it, and start anew";
                Self::own(Exit::Violation, "audit.broken", format!("{error}; {hint}"))
            }
            _ => Self::own(Exit::NotFound, "audit.unreadable", error.to_string()),
        }
    }

    /// A policy does not allow what was tried.
    pub(crate) fn denied(plugin: &str, what: &[&str]) -> Self {
        let message = format!("{plugin} may not call {}", what.join(", "));
        Self::own(Exit::Violation, "policy.denied", message)
    }

    /// A required layer is missing.
    pub(crate) fn layers(message: impl Into<String>) -> Self {
        Self::own(Exit::Layer, "layers.missing", message)
    }

    /// An answer that cannot be written down.
    pub(crate) fn output(message: impl Into<String>) -> Self {
        Self::own(Exit::NotFound, "output.unwritable", message)
    }

    /// What became of a module: its failures do not know its file.
    pub(crate) fn of_module(failure: Failure, file: &Path, hint: &str) -> Self {
        let about = match failure.cause {
            Cause::Module(_) | Cause::Compiler { .. } => {
                format!("{}: ", casemate::outcome::escape(&file.display().to_string(), 512))
            }
            _ => String::new(),
        };
        Self::Failure { failure: Box::new(failure), about, hint: hint.to_owned() }
    }

    /// Our own fault.
    pub(crate) fn ours(message: impl Into<String>) -> Self {
        Self::own(Exit::Ours, "internal", message)
    }

    fn own(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        Self::Own { exit, code, message: message.into() }
    }

    /// How the command ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Failure { failure, .. } => exit::of(&failure.cause),
            Self::Config(error) => of_config(&error.problem).0,
            Self::Own { exit, .. } => *exit,
        }
    }

    fn code(&self) -> String {
        match self {
            Self::Failure { failure, .. } => failure.code(),
            Self::Config(error) => of_config(&error.problem).1.to_owned(),
            Self::Own { code, .. } => (*code).to_owned(),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Failure { failure, about, hint } => format!("{about}{}{hint}", failure.cause),
            Self::Config(error) => error.to_string(),
            Self::Own { message, .. } => message.clone(),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Failure { failure, .. } => failure.fault(),
            Self::Config(error) if self.exit() == Exit::NotFound => {
                if error.is_unreadable() {
                    Fault::Caller
                } else {
                    Fault::Operator
                }
            }
            Self::Config(_) => Fault::Operator,
            Self::Own { exit, .. } => match exit {
                Exit::Policy | Exit::Layer | Exit::Violation => Fault::Operator,
                Exit::Ours => Fault::Us,
                _ => Fault::Caller,
            },
        }
    }

    /// The documented shape of a failed command.
    pub(crate) fn to_json(&self) -> Value {
        let retry = match self {
            Self::Failure { failure, .. } => failure.retry.name(),
            Self::Config(_) | Self::Own { .. } => casemate::Retry::NotStarted.name(),
        };
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
        put("ok", json!(false));
        put("code", json!(self.code()));
        put("message", json!(self.message()));
        put("fault", json!(self.fault().name()));
        put("retry", json!(retry));
        put("exit_code", json!(self.exit().number()));
        match self {
            Self::Failure { failure, .. } => object.extend(failed(failure)),
            Self::Config(ConfigError { file, line, column, .. }) if *line > 0 => {
                put("place", json!({"file": file, "line": line, "column": column}));
            }
            _ => {}
        }
        Value::Object(object)
    }
}

/// What a program may want to know beyond the code, and what led there.
fn failed(failure: &Failure) -> Map<String, Value> {
    let mut object = details(&failure.cause);
    if !failure.trail.backtrace.is_empty() {
        object.insert("backtrace".to_owned(), json!(failure.trail.backtrace));
    }
    let calls: Vec<Value> = failure
        .trail
        .host_calls
        .iter()
        .map(|call| {
            let elapsed_ms = u64::try_from(call.elapsed.as_millis()).unwrap_or(u64::MAX);
            json!({"method": call.method, "code": call.code, "elapsed_ms": elapsed_ms})
        })
        .collect();
    if !calls.is_empty() {
        object.insert("host_calls".to_owned(), Value::Array(calls));
    }
    object
}

/// What a program may want to know beyond the code.
fn details(cause: &Cause) -> Map<String, Value> {
    let value = match cause {
        Cause::GuestError { code, message, retryable } => {
            json!({"guest": {"code": code, "message": message, "retryable": retryable}})
        }
        Cause::Trap { message, .. } => json!({"trap": {"message": message}}),
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

/// The exit code and the stable dotted code of a mistake in a file.
fn of_config(problem: &ConfigProblem) -> (Exit, &'static str) {
    match problem {
        ConfigProblem::Unreadable { .. } => (Exit::NotFound, "file.unreadable"),
        ConfigProblem::UnknownPlugin { .. } => (Exit::NotFound, "plugin.unknown"),
        ConfigProblem::NotAvailable { .. } => (Exit::Policy, "policy.not_available"),
        ConfigProblem::Disabled { .. } => (Exit::Policy, "plugin.disabled"),
        _ => (Exit::Policy, "policy.invalid"),
    }
}

impl From<ConfigError> for Problem {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::Failure { failure: Box::new(failure), about: String::new(), hint: String::new() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = casemate::outcome::escape(&self.message(), LINE_BYTES_MAX);
        write!(f, "{message} [{}]", self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casemate::{LimitName, SyscallReport, TrapKind};

    fn json(cause: Cause) -> Value {
        Problem::from(Failure::maybe_ran(cause)).to_json()
    }

    #[test]
    fn a_failure_in_json() {
        let value = json(Cause::Limit { limit: LimitName::Memory, configured: 10, observed: 20 });
        assert_eq!(
            value,
            json!({
                "ok": false,
                "code": "limit.memory",
                "message": "limits.memory is 10 bytes and 20 bytes were wanted: use less or raise it",
                "fault": "guest",
                "retry": "maybe_ran",
                "exit_code": 5,
                "limit": {"name": "memory", "unit": "bytes", "configured": 10, "observed": 20},
            })
        );
    }

    #[test]
    fn a_module_is_named_by_its_file() {
        let failure = |cause| Failure::not_started(cause);
        let module = Cause::Module(casemate::module::CompileError::Component);
        let line = Problem::of_module(failure(module), Path::new("a\nb.wasm"), "; and so on").to_string();
        assert!(
            line.starts_with("a\\u{a}b.wasm: ") && line.ends_with("; and so on [module.component]"),
            "{line}"
        );
        let closed = Problem::of_module(failure(Cause::Closed), Path::new("a.wasm"), "");
        assert_eq!(closed.to_string(), "the plugin is closed [closed]");
    }

    #[test]
    fn details_by_cause() {
        let guest = Cause::GuestError { code: "empty".into(), message: "no numbers".into(), retryable: true };
        assert_eq!(
            json(guest)["guest"],
            json!({"code": "empty", "message": "no numbers", "retryable": true})
        );
        let kind = TrapKind::Unreachable;
        let trap = Cause::Trap { kind, message: "unreachable".into() };
        assert_eq!(json(trap)["trap"], json!({"message": "unreachable"}));
        let timeout = Cause::HardTimeout { limit_ms: 5, grace_ms: 1, observed_ms: 7 };
        assert_eq!(json(timeout)["timeout"], json!({"limit_ms": 5, "grace_ms": 1, "observed_ms": 7}));
        let report =
            SyscallReport { arch: 1, number: 2, name: Some("open"), args: [3; 6], instruction_pointer: 4 };
        assert_eq!(json(Cause::Syscall(Box::new(report)))["syscall"]["name"], "open");
    }

    #[test]
    fn a_problem_is_one_line_whatever_is_in_it() {
        let problem = Problem::usage("a\nb\u{1b}[31m");
        assert_eq!(problem.to_string(), "a\\u{a}b\\u{1b}[31m [usage]");
        let value = problem.to_json();
        assert_eq!((&value["ok"], &value["exit_code"]), (&json!(false), &json!(2)));
        assert_eq!(value["fault"], "caller");
        let guest = Cause::GuestError { code: "x".into(), message: "y".repeat(100_000), retryable: false };
        assert!(Problem::from(Failure::done(guest)).to_string().len() < 2 * LINE_BYTES_MAX);
    }
}
