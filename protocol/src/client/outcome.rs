//! A failure as a frame, and back. What a decoded one says is what the encoded one said, to the last value.

use super::{Detail, Fault, HostCallNote, Retry, SystemCall, detail};
use crate::certificate::LayerSet;
use crate::link::cut;
use crate::module::CompileReport;
use crate::outcome::{self, Cause, Exit, LimitName, SyscallReport, Trail, TrapKind};
use crate::syscalls;
use std::time::Duration;

/// Bytes of one text: together they fit into a message of the longest kind.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// A failure's message and body.
pub fn encode_failure(failure: &outcome::Failure) -> (super::Failure, Vec<u8>) {
    let message = super::Failure {
        code: failure.code(),
        message: text(&failure.cause.to_string()),
        fault: fault(failure.fault()) as i32,
        retry: match failure.retry {
            outcome::Retry::NotStarted => Retry::NotStarted,
            outcome::Retry::MaybeRan => Retry::MaybeRan,
            outcome::Retry::Done => Retry::Done,
        } as i32,
        detail: Some(detail(&failure.cause)),
        host_calls: failure.trail.host_calls.iter().map(note).collect(),
        backtrace: text(&failure.trail.backtrace),
    };
    let body = match &failure.cause {
        Cause::Module(error) => CompileReport::Refused { error: error.clone(), facts: None }.encode(),
        _ => Vec::new(),
    };
    (message, body)
}

fn text(text: &str) -> String {
    cut(text, TEXT_BYTES_MAX).to_owned()
}

fn note(note: &outcome::HostCallNote) -> HostCallNote {
    HostCallNote {
        method: note.method.clone(),
        code: note.code.clone(),
        elapsed_us: u64::try_from(note.elapsed.as_micros()).unwrap_or(u64::MAX),
    }
}

fn fault(fault: outcome::Fault) -> Fault {
    match fault {
        outcome::Fault::Guest => Fault::Guest,
        outcome::Fault::Worker => Fault::Worker,
        outcome::Fault::Caller => Fault::Caller,
        outcome::Fault::Operator => Fault::Operator,
        outcome::Fault::Kernel => Fault::Kernel,
        outcome::Fault::Us => Fault::Us,
    }
}

fn detail(cause: &Cause) -> Detail {
    let about = |subject: &str, words: &str| Detail {
        subject: text(subject),
        words: text(words),
        ..Detail::default()
    };
    match cause {
        Cause::GuestError { code, message, retryable } => {
            Detail { retryable: *retryable, ..about(code, message) }
        }
        Cause::Trap { message, .. }
        | Cause::Abi { message }
        | Cause::Link { message }
        | Cause::Inspection { message }
        | Cause::Compiler { message }
        | Cause::Input { message }
        | Cause::Reply { message }
        | Cause::Configuration { message }
        | Cause::Other { message, .. } => about("", message),
        Cause::SoftTimeout { limit_ms, observed_ms } => {
            Detail { configured: *limit_ms, observed: *observed_ms, ..Detail::default() }
        }
        Cause::HardTimeout { limit_ms, grace_ms, observed_ms } => {
            Detail { configured: *limit_ms, observed: *observed_ms, grace_ms: *grace_ms, ..Detail::default() }
        }
        Cause::Limit { configured, observed, .. } => {
            Detail { configured: *configured, observed: *observed, ..Detail::default() }
        }
        Cause::Deadline { deadline_ms, observed_ms } => {
            Detail { configured: *deadline_ms, observed: *observed_ms, ..Detail::default() }
        }
        Cause::InFlight { configured } => Detail { configured: *configured, ..Detail::default() },
        Cause::Syscall(report) => Detail { system_call: Some(system_call(report)), ..Detail::default() },
        Cause::WorkerLost { exit } => Detail { exit: exit_detail(*exit), ..Detail::default() },
        Cause::ConfigRefused { code, message, has_config } => {
            Detail { configured: (*has_config).into(), ..about(code, message) }
        }
        Cause::File { path, message } => about(path, message),
        Cause::LayersMissing { missing, reasons } => {
            Detail { configured: missing.bits().into(), ..about("", reasons) }
        }
        Cause::Unavailable { keys, message } => about(keys, message),
        Cause::Spawn { step, message } => about(step, message),
        Cause::PluginDisabled { reason, by_crashes } => {
            Detail { by_crashes: *by_crashes, ..about("", reason) }
        }
        Cause::Connection { socket, message } => about(socket, message),
        Cause::Denied { what, message } => about(what, message),
        Cause::UnknownPlugin { name } => about(name, ""),
        Cause::PluginStopped { reason } => about("", reason.as_deref().unwrap_or_default()),
        Cause::Module(_) | Cause::SyscallSignal | Cause::PluginReloading | Cause::Closed => Detail::default(),
    }
}

fn system_call(report: &SyscallReport) -> SystemCall {
    SystemCall {
        arch: report.arch,
        number: report.number,
        args: report.args.to_vec(),
        instruction_pointer: report.instruction_pointer,
    }
}

fn exit_detail(exit: Exit) -> Option<detail::Exit> {
    match exit {
        Exit::Code(code) => Some(detail::Exit::ExitCode(code)),
        Exit::Signal(signal) => Some(detail::Exit::ExitSignal(signal)),
        Exit::Unknown => None,
    }
}

/// The failure that a message and its body say. A code that this build does not know is [`Cause::Other`].
pub fn decode_failure(message: super::Failure, body: &[u8]) -> outcome::Failure {
    let retry = match Retry::try_from(message.retry) {
        Ok(Retry::NotStarted) => outcome::Retry::NotStarted,
        Ok(Retry::Done) => outcome::Retry::Done,
        Ok(Retry::MaybeRan | Retry::Unknown) | Err(_) => outcome::Retry::MaybeRan,
    };
    let trail =
        Trail { host_calls: message.host_calls.iter().map(noted).collect(), backtrace: message.backtrace };
    let detail = message.detail.unwrap_or_default();
    let cause = cause(&message.code, detail, body).unwrap_or_else(|| Cause::Other {
        code: message.code,
        fault: at_fault(message.fault),
        message: message.message,
    });
    outcome::Failure { cause, retry, trail: Box::new(trail) }
}

fn noted(note: &HostCallNote) -> outcome::HostCallNote {
    outcome::HostCallNote {
        method: note.method.clone(),
        code: note.code.clone(),
        elapsed: Duration::from_micros(note.elapsed_us),
    }
}

fn at_fault(number: i32) -> outcome::Fault {
    match Fault::try_from(number) {
        Ok(Fault::Guest) => outcome::Fault::Guest,
        Ok(Fault::Worker) => outcome::Fault::Worker,
        Ok(Fault::Caller) => outcome::Fault::Caller,
        Ok(Fault::Operator) => outcome::Fault::Operator,
        Ok(Fault::Kernel) => outcome::Fault::Kernel,
        Ok(Fault::Us | Fault::Unknown) | Err(_) => outcome::Fault::Us,
    }
}

fn cause(code: &str, detail: Detail, body: &[u8]) -> Option<Cause> {
    let Detail { configured, observed, grace_ms, subject, words, retryable, .. } = detail;
    let limit = |limit| Some(Cause::Limit { limit, configured, observed });
    Some(match code {
        "guest.error" => Cause::GuestError { code: subject, message: words, retryable },
        "timeout.soft" => Cause::SoftTimeout { limit_ms: configured, observed_ms: observed },
        "timeout.hard" => Cause::HardTimeout { limit_ms: configured, grace_ms, observed_ms: observed },
        "timeout.deadline" => Cause::Deadline { deadline_ms: configured, observed_ms: observed },
        "overloaded.queue" => return limit(LimitName::Queue),
        "overloaded.client" => Cause::InFlight { configured },
        "guest.abi" => Cause::Abi { message: words },
        "violation.syscall" => Cause::Syscall(Box::new(reported(&detail.system_call?)?)),
        "violation.signal" => Cause::SyscallSignal,
        "violation.link" => Cause::Link { message: words },
        "violation.inspection" => Cause::Inspection { message: words },
        "worker.lost" => Cause::WorkerLost {
            exit: match detail.exit {
                Some(detail::Exit::ExitCode(code)) => Exit::Code(code),
                Some(detail::Exit::ExitSignal(signal)) => Exit::Signal(signal),
                None => Exit::Unknown,
            },
        },
        "file.unreadable" => Cause::File { path: subject, message: words },
        "config.refused" => {
            Cause::ConfigRefused { code: subject, message: words, has_config: configured > 0 }
        }
        "compiler.lost" => Cause::Compiler { message: words },
        "layers.missing" => Cause::LayersMissing {
            missing: LayerSet::from_bits(u32::try_from(configured).ok()?),
            reasons: words,
        },
        "limits.unavailable" => Cause::Unavailable { keys: subject, message: words },
        "spawn.failed" => Cause::Spawn { step: subject, message: words },
        "call.input" => Cause::Input { message: words },
        "call.reply" => Cause::Reply { message: words },
        "plugin.disabled" => Cause::PluginDisabled { reason: words, by_crashes: detail.by_crashes },
        "plugin.stopped" => Cause::PluginStopped { reason: Some(words).filter(|words| !words.is_empty()) },
        "plugin.reloading" => Cause::PluginReloading,
        "plugin.unknown" => Cause::UnknownPlugin { name: subject },
        "policy.invalid" => Cause::Configuration { message: words },
        "connection.lost" => Cause::Connection { socket: subject, message: words },
        "denied.client" => Cause::Denied { what: subject, message: words },
        "closed" => Cause::Closed,
        _ => match code.split_once('.')? {
            ("limit", name) => return limit(LimitName::from_name(name)?),
            ("trap", _) => Cause::Trap { kind: TrapKind::from_code(code)?, message: words },
            ("module", _) => match CompileReport::decode(body).ok()? {
                CompileReport::Refused { error, .. } => Cause::Module(error),
                CompileReport::Accepted(_) => return None,
            },
            _ => return None,
        },
    })
}

fn reported(call: &SystemCall) -> Option<SyscallReport> {
    Some(SyscallReport {
        arch: call.arch,
        number: call.number,
        name: syscalls::name(call.arch, call.number),
        args: call.args.as_slice().try_into().ok()?,
        instruction_pointer: call.instruction_pointer,
    })
}

#[cfg(test)]
mod tests;
