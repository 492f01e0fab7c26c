//! How a call ended: whose fault it was, which limit fired and by how much, and whether a retry is safe.

use crate::certificate::LayerSet;
use crate::module::CompileError;
use std::fmt;
use std::time::Duration;

/// Who has to do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The plugin.
    Guest,
    /// The worker process broke its rules: the plugin has probably escaped the first wall.
    Worker,
    /// The program that made the call.
    Caller,
    /// Whoever wrote the policy or set the host up.
    Operator,
    /// The kernel lacks something or refused something.
    Kernel,
    /// Casemate itself.
    Us,
}

impl Fault {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Worker => "worker",
            Self::Caller => "caller",
            Self::Operator => "operator",
            Self::Kernel => "kernel",
            Self::Us => "us",
        }
    }
}

/// Whether the guest may have acted on the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// The guest never saw it; a retry is safe.
    NotStarted,
    /// It may have run, wholly or in part.
    MaybeRan,
    /// It ran to its end.
    Done,
}

impl Retry {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotStarted => "not_started",
            Self::MaybeRan => "maybe_ran",
            Self::Done => "done",
        }
    }
}

/// A limit of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum LimitName {
    /// `limits.memory`, bytes.
    Memory = 1,
    /// `limits.tables`, entries.
    Tables = 2,
    /// `limits.stack`, bytes.
    Stack = 3,
    /// `limits.input`, bytes.
    Input = 4,
    /// `limits.output`, bytes.
    Output = 5,
    /// `limits.fuel`, units.
    Fuel = 6,
    /// `limits.queue`, calls.
    Queue = 7,
    /// `limits.cpu`, milliseconds.
    Cpu = 8,
    /// `limits.cpu_total`, milliseconds.
    CpuTotal = 9,
    /// `limits.cgroup.memory`, bytes. Only the kernel says so: it is never on the link.
    CgroupMemory = 10,
    /// `limits.store`, bytes of a plugin's own files. The supervisor says so: it is never on the link.
    Store = 11,
    /// `limits.files`, of a plugin's own. The supervisor says so: it is never on the link.
    Files = 12,
}

impl LimitName {
    const ALL: [Self; 12] = [
        Self::Memory,
        Self::Tables,
        Self::Stack,
        Self::Input,
        Self::Output,
        Self::Fuel,
        Self::Queue,
        Self::Cpu,
        Self::CpuTotal,
        Self::CgroupMemory,
        Self::Store,
        Self::Files,
    ];

    /// From its number on the link.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| *limit as u32 == number)
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.name() == name)
    }

    /// Its name: `memory` for `limits.memory`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Tables => "tables",
            Self::Stack => "stack",
            Self::Input => "input",
            Self::Output => "output",
            Self::Fuel => "fuel",
            Self::Queue => "queue",
            Self::Cpu => "cpu",
            Self::CpuTotal => "cpu_total",
            Self::CgroupMemory => "cgroup.memory",
            Self::Store => "store",
            Self::Files => "files",
        }
    }

    /// The unit of its numbers.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Memory | Self::Stack | Self::Input | Self::Output | Self::CgroupMemory | Self::Store => {
                "bytes"
            }
            Self::Files => "files",
            Self::Tables => "entries",
            Self::Fuel => "units",
            Self::Queue => "calls",
            Self::Cpu | Self::CpuTotal => "ms",
        }
    }
}

/// A wasm trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum TrapKind {
    /// `unreachable`, also a guest's panic.
    Unreachable = 1,
    /// Memory access out of bounds.
    MemoryOutOfBounds = 2,
    /// Table access out of bounds.
    TableOutOfBounds = 3,
    /// Call through an empty table entry.
    IndirectCallToNull = 4,
    /// Call through a table entry of another type.
    BadSignature = 5,
    /// Integer overflow.
    IntegerOverflow = 6,
    /// Integer division by zero.
    DivisionByZero = 7,
    /// Float to integer out of range.
    BadConversion = 8,
    /// Wasm stack exhausted.
    StackOverflow = 9,
    /// Anything else.
    Other = 10,
}

impl TrapKind {
    const ALL: [Self; 10] = [
        Self::Unreachable,
        Self::MemoryOutOfBounds,
        Self::TableOutOfBounds,
        Self::IndirectCallToNull,
        Self::BadSignature,
        Self::IntegerOverflow,
        Self::DivisionByZero,
        Self::BadConversion,
        Self::StackOverflow,
        Self::Other,
    ];

    /// From its number on the link; an unknown number is [`TrapKind::Other`].
    pub fn from_number(number: u32) -> Self {
        Self::ALL.into_iter().find(|trap| *trap as u32 == number).unwrap_or(Self::Other)
    }

    /// From its code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trap| trap.code() == code)
    }

    fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "trap.unreachable",
            Self::MemoryOutOfBounds => "trap.memory_out_of_bounds",
            Self::TableOutOfBounds => "trap.table_out_of_bounds",
            Self::IndirectCallToNull => "trap.indirect_call_to_null",
            Self::BadSignature => "trap.bad_signature",
            Self::IntegerOverflow => "trap.integer_overflow",
            Self::DivisionByZero => "trap.division_by_zero",
            Self::BadConversion => "trap.bad_conversion",
            Self::StackOverflow => "trap.stack_overflow",
            Self::Other => "trap.other",
        }
    }
}

/// A system call that the kernel reported and did not perform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyscallReport {
    /// AUDIT_ARCH value.
    pub arch: u32,
    /// Its number there.
    pub number: i32,
    /// Its name, if there is one.
    pub name: Option<&'static str>,
    /// Its six arguments.
    pub args: [u64; 6],
    /// Where in the process it was tried.
    pub instruction_pointer: u64,
}

impl fmt::Display for SyscallReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.args;
        write!(
            f,
            "{}({a:#x}, {b:#x}, {c:#x}, {d:#x}, {e:#x}, {g:#x}) [number {}, arch {:#010x}] at {:#x}",
            self.name.unwrap_or("unknown"),
            self.number,
            self.arch,
            self.instruction_pointer
        )
    }
}

/// How a process ended, as the kernel says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// It is gone and this kernel does not say how.
    Unknown,
}

/// The signals whose sender or reason an outcome looks at; their numbers are the same on both architectures.
impl Exit {
    /// SIGKILL: somebody ended it.
    pub const KILLED: Self = Self::Signal(9);
    /// SIGUSR1: it was asked to stop, and had no handler for that.
    pub const USR1: Self = Self::Signal(10);
    /// SIGSEGV.
    pub const SEGV: Self = Self::Signal(11);
    /// SIGXCPU: the kernel's limit of CPU time.
    pub const XCPU: Self = Self::Signal(24);
    /// SIGXFSZ: the kernel's limit of a file's size.
    pub const XFSZ: Self = Self::Signal(25);
    /// SIGSYS: a filter ended it.
    pub const SYS: Self = Self::Signal(31);
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::Unknown => f.write_str("for a reason this kernel does not report"),
        }
    }
}

/// Why a call or a load did not give an answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Cause {
    /// The guest answered with an error of its own.
    GuestError {
        /// The guest's code, escaped.
        code: String,
        /// The guest's words, escaped.
        message: String,
        /// Whether the guest thinks a retry helps.
        retryable: bool,
    },
    /// The guest trapped.
    Trap {
        /// Which trap.
        kind: TrapKind,
        /// The engine's words.
        message: String,
    },
    /// The guest was interrupted at its deadline.
    SoftTimeout {
        /// `limits.call_timeout`.
        limit_ms: u64,
        /// When the interrupted call ended.
        observed_ms: u64,
    },
    /// The guest did not stop within the grace time and was killed.
    HardTimeout {
        /// `limits.call_timeout`.
        limit_ms: u64,
        /// `limits.grace`.
        grace_ms: u64,
        /// When it was dead.
        observed_ms: u64,
    },
    /// A limit of the policy.
    Limit {
        /// Which.
        limit: LimitName,
        /// Its value.
        configured: u64,
        /// What was wanted.
        observed: u64,
    },
    /// The guest broke its ABI.
    Abi {
        /// What it did.
        message: String,
    },
    /// A forbidden system call, as the kernel reported it.
    Syscall(Box<SyscallReport>),
    /// A forbidden system call that ended in SIGSYS: one that only the zygote may make, or a host without reports.
    SyscallSignal,
    /// The worker broke the link protocol.
    Link {
        /// What it did.
        message: String,
    },
    /// The worker is not walled in as it says.
    Inspection {
        /// What was seen.
        message: String,
    },
    /// The worker process is gone.
    WorkerLost {
        /// How it ended.
        exit: Exit,
    },
    /// The module's file cannot be read.
    File {
        /// Its path, escaped.
        path: String,
        /// The system's words.
        message: String,
    },
    /// The module was not accepted.
    Module(CompileError),
    /// The compiler process hit one of its caps or died.
    Compiler {
        /// Which and how.
        message: String,
    },
    /// A layer that the policy demands is not there.
    LayersMissing {
        /// The layers.
        missing: LayerSet,
        /// Why they are off, one after the other.
        reasons: String,
    },
    /// This machine cannot keep a limit that the policy asks for.
    Unavailable {
        /// The keys that ask for it.
        keys: String,
        /// Why not, and what helps.
        message: String,
    },
    /// A process could not be started or walled in.
    Spawn {
        /// What failed.
        step: String,
        /// The system's words.
        message: String,
    },
    /// The value given cannot be sent.
    Input {
        /// Why.
        message: String,
    },
    /// The reply is not what the caller asked for.
    Reply {
        /// Why.
        message: String,
    },
    /// The plugin does not start with the configuration that it is given, or without one.
    ConfigRefused {
        /// The plugin's code, escaped; `config_schema` where its manifest is against it already.
        code: String,
        /// The plugin's words, escaped, and what helps.
        message: String,
        /// Whether it was given one.
        has_config: bool,
    },
    /// The plugin is disabled.
    PluginDisabled {
        /// By whom or what, and since when it is known: a sentence.
        reason: String,
        /// Whether a reset is what helps; otherwise it has to be enabled.
        by_crashes: bool,
    },
    /// The plugin was drained and has not been enabled since.
    PluginStopped {
        /// Why, where it was not simply its operator's order: a sentence with what helps.
        reason: Option<String>,
    },
    /// A new version of the plugin is being loaded already.
    PluginReloading,
    /// The supervisor or plugin is closed.
    Closed,
    /// The caller's own deadline passed.
    Deadline {
        /// How long the caller wanted to wait.
        deadline_ms: u64,
        /// When the call was given up.
        observed_ms: u64,
    },
    /// The daemon cannot be reached, or not any more.
    Connection {
        /// Its socket, escaped.
        socket: String,
        /// What happened.
        message: String,
    },
    /// The daemon does not let this client do that.
    Denied {
        /// What was to be done.
        what: String,
        /// The key of the daemon's configuration that would allow it.
        message: String,
    },
    /// The daemon has no such plugin.
    UnknownPlugin {
        /// Its name, escaped.
        name: String,
    },
    /// The client has too much open at once.
    InFlight {
        /// `daemon.clients.in_flight`.
        configured: u64,
    },
    /// The daemon's configuration, or a manifest, does not allow that.
    Configuration {
        /// Where and why.
        message: String,
    },
    /// Something that a newer daemon says.
    Other {
        /// Its code.
        code: String,
        /// Whose fault.
        fault: Fault,
        /// Its words.
        message: String,
    },
}

impl Cause {
    /// The stable dotted code.
    pub fn code(&self) -> String {
        match self {
            Self::GuestError { .. } => "guest.error",
            Self::Trap { kind, .. } => kind.code(),
            Self::SoftTimeout { .. } => "timeout.soft",
            Self::HardTimeout { .. } => "timeout.hard",
            Self::Limit { limit: LimitName::Queue, .. } => "overloaded.queue",
            Self::Limit { limit, .. } => return format!("limit.{}", limit.name()),
            Self::Abi { .. } => "guest.abi",
            Self::Syscall(_) => "violation.syscall",
            Self::SyscallSignal => "violation.signal",
            Self::Link { .. } => "violation.link",
            Self::Inspection { .. } => "violation.inspection",
            Self::WorkerLost { .. } => "worker.lost",
            Self::File { .. } => "file.unreadable",
            Self::Module(error) => return format!("module.{}", error.code()),
            Self::Compiler { .. } => "compiler.lost",
            Self::LayersMissing { .. } => "layers.missing",
            Self::Unavailable { .. } => "limits.unavailable",
            Self::Spawn { .. } => "spawn.failed",
            Self::Input { .. } => "call.input",
            Self::Reply { .. } => "call.reply",
            Self::ConfigRefused { .. } => "config.refused",
            Self::PluginDisabled { .. } => "plugin.disabled",
            Self::PluginStopped { .. } => "plugin.stopped",
            Self::PluginReloading => "plugin.reloading",
            Self::Closed => "closed",
            Self::Deadline { .. } => "timeout.deadline",
            Self::Connection { .. } => "connection.lost",
            Self::Denied { .. } => "denied.client",
            Self::UnknownPlugin { .. } => "plugin.unknown",
            Self::InFlight { .. } => "overloaded.client",
            Self::Configuration { .. } => "policy.invalid",
            Self::Other { code, .. } => return code.clone(),
        }
        .to_owned()
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::GuestError { .. }
            | Self::Trap { .. }
            | Self::SoftTimeout { .. }
            | Self::HardTimeout { .. }
            | Self::Abi { .. }
            | Self::Module(_)
            | Self::Compiler { .. } => Fault::Guest,
            Self::Limit { limit: LimitName::Input | LimitName::Queue, .. } => Fault::Caller,
            Self::Limit { .. } => Fault::Guest,
            Self::Syscall(_) | Self::SyscallSignal | Self::Link { .. } | Self::Inspection { .. } => {
                Fault::Worker
            }
            Self::WorkerLost { .. } => Fault::Worker,
            // It had crashed too often.
            Self::PluginDisabled { by_crashes: true, .. } => Fault::Guest,
            Self::LayersMissing { .. }
            | Self::Unavailable { .. }
            | Self::ConfigRefused { .. }
            | Self::PluginDisabled { .. }
            | Self::PluginStopped { .. } => Fault::Operator,
            Self::Spawn { .. } => Fault::Kernel,
            Self::File { .. }
            | Self::Input { .. }
            | Self::Reply { .. }
            | Self::PluginReloading
            | Self::Deadline { .. }
            | Self::Denied { .. }
            | Self::UnknownPlugin { .. }
            | Self::InFlight { .. }
            | Self::Closed => Fault::Caller,
            Self::Connection { .. } | Self::Configuration { .. } => Fault::Operator,
            Self::Other { fault, .. } => *fault,
        }
    }
}

impl Cause {
    /// What only clients of a daemon see.
    fn fmt_of_daemon(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadline { deadline_ms, observed_ms } => write!(
                f,
                "the call was given up after {observed_ms} ms; the caller's own deadline is {deadline_ms} ms: wait longer or ask for less"
            ),
            Self::Connection { socket, message } => {
                write!(f, "no connection to the daemon at {socket}: {message}")
            }
            Self::Denied { what, message } => write!(f, "this client may not {what}: {message}"),
            Self::UnknownPlugin { name } => {
                write!(f, "the daemon has no plugin {name}; load it, or look at `casemate plugins list`")
            }
            Self::InFlight { configured } => write!(
                f,
                "this client has {configured} calls, requests and followings open already (daemon.clients.in_flight): wait for one or raise it"
            ),
            Self::Configuration { message } => write!(f, "the configuration does not allow that: {message}"),
            Self::Other { message, .. } => f.write_str(message),
            // The others have their words above.
            _ => f.write_str(&self.code()),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GuestError { code, message, .. } => write!(f, "the plugin answered with error {code}: {message}"),
            Self::Trap { message, .. } => write!(f, "the plugin trapped: {message}"),
            Self::SoftTimeout { limit_ms, observed_ms } => write!(
                f,
                "the call was interrupted after {observed_ms} ms; limits.call_timeout is {limit_ms} ms: make the plugin quicker or raise it"
            ),
            Self::HardTimeout { limit_ms, grace_ms, observed_ms } => write!(
                f,
                "the worker was killed after {observed_ms} ms; limits.call_timeout is {limit_ms} ms and it did not stop within limits.grace, {grace_ms} ms"
            ),
            Self::Limit { limit: LimitName::Queue, configured, .. } => {
                write!(f, "{configured} calls are waiting already (limits.queue): call less often or raise it")
            }
            Self::Limit { limit: limit @ (LimitName::Store | LimitName::Files), configured, observed } => write!(
                f,
                "limits.{} is {configured} {unit} and the plugin's own files are {observed} {unit} or more, which it cannot \
                 have done by WASI: look at them, and remove some or raise it",
                limit.name(),
                unit = limit.unit()
            ),
            Self::Limit { limit, configured, observed } => write!(
                f,
                "limits.{} is {configured} {unit} and {observed} {unit} were wanted: use less or raise it",
                limit.name(),
                unit = limit.unit()
            ),
            Self::Abi { message } => write!(f, "the plugin broke its ABI: {message}"),
            Self::Syscall(report) => write!(f, "the worker tried a forbidden system call and was killed: {report}"),
            Self::SyscallSignal => f.write_str(
                "the worker was killed with SIGSYS for a forbidden system call of which the kernel gives no details",
            ),
            Self::Link { message } => write!(f, "the worker broke the link protocol and was killed: {message}"),
            Self::Inspection { message } => {
                write!(f, "the worker is not walled in as it must be and was killed: {message}")
            }
            Self::WorkerLost { exit } => write!(f, "the worker process ended during the call: {exit}"),
            Self::File { path, message } => write!(f, "{path} cannot be read: {message}"),
            Self::Module(error) => write!(f, "{error}"),
            Self::Compiler { message } => write!(f, "the compiler process did not finish: {message}"),
            Self::LayersMissing { missing, reasons } => {
                write!(f, "the policy demands layers that are not there: {missing} ({reasons}); `casemate doctor` says more")
            }
            Self::Unavailable { keys, message } => {
                write!(f, "the policy asks for {keys}, which is not available: {message}")
            }
            Self::Spawn { step, message } => write!(f, "starting a walled process failed at {step}: {message}"),
            Self::Input { message } => write!(f, "the input cannot be sent: {message}"),
            Self::Reply { message } => write!(f, "the reply is not what was asked for: {message}"),
            Self::ConfigRefused { code, message, has_config: true } => {
                write!(f, "the plugin refused its configuration with {code}: {message}")
            }
            Self::ConfigRefused { code, message, .. } => {
                write!(f, "the plugin, which has no configuration, refused to be set up with {code}: {message}")
            }
            Self::PluginDisabled { reason, by_crashes: true } => {
                write!(f, "the plugin is disabled: {reason}; reset it to start it again, with its crashes forgotten")
            }
            Self::PluginDisabled { reason, .. } => write!(f, "the plugin is disabled: {reason}; enable it to use it"),
            Self::PluginStopped { reason: Some(reason) } => write!(f, "the plugin is stopped: {reason}"),
            Self::PluginStopped { reason: None } => f.write_str("the plugin is stopped, since it was drained; enable it to use it"),
            Self::PluginReloading => {
                f.write_str("a new version of the plugin is being loaded already; try again when that is done")
            }
            Self::Closed => f.write_str("the plugin is closed"),
            _ => self.fmt_of_daemon(f),
        }
    }
}

/// The end of a call without an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// What happened.
    pub cause: Cause,
    /// Whether a retry is safe.
    pub retry: Retry,
    /// What led to it.
    pub trail: Box<Trail>,
}

/// What led to a failure, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trail {
    /// The last host calls of the call, at most [`HOST_CALLS_MAX`], the latest last.
    pub host_calls: Vec<HostCallNote>,
    /// Where the guest was, escaped: a frame a line, innermost first; empty if it was outside of it.
    pub backtrace: String,
}

/// How many host calls a failure remembers.
pub const HOST_CALLS_MAX: usize = 8;

/// A host call that a guest made before its call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCallNote {
    /// The method, escaped.
    pub method: String,
    /// `ok`, or the code of the error that it got, escaped.
    pub code: String,
    /// How long it took.
    pub elapsed: Duration,
}

impl Failure {
    fn new(cause: Cause, retry: Retry) -> Self {
        Self { cause, retry, trail: Box::default() }
    }

    /// The guest never saw the call.
    pub fn not_started(cause: Cause) -> Self {
        Self::new(cause, Retry::NotStarted)
    }

    /// The guest may have acted on the call.
    pub fn maybe_ran(cause: Cause) -> Self {
        Self::new(cause, Retry::MaybeRan)
    }

    /// The guest answered.
    pub fn done(cause: Cause) -> Self {
        Self::new(cause, Retry::Done)
    }

    /// The stable dotted code.
    pub fn code(&self) -> String {
        self.cause.code()
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        self.cause.fault()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.cause, self.code())
    }
}

impl std::error::Error for Failure {}

/// Makes hostile text fit for a log, a terminal and a JSON string: control, bidirectional and other invisible
/// characters become escapes, the rest is cut to `bytes_max`.
pub fn escape(text: &str, bytes_max: usize) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let hidden = c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}')
            || matches!(c, '\u{e0000}'..='\u{e007f}');
        let before = out.len();
        if hidden {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
        if out.len() > bytes_max {
            out.truncate(before);
            out.push('…');
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_escaped_and_bounded() {
        assert_eq!(escape("a\u{1b}[31m\n\0\u{202e}z", 100), "a\\u{1b}[31m\\u{a}\\u{0}\\u{202e}z");
        assert_eq!(escape(&"x".repeat(100), 10), format!("{}…", "x".repeat(10)));
    }

    #[test]
    fn numbers_on_the_link_come_back() {
        for limit in LimitName::ALL {
            assert_eq!(LimitName::from_number(limit as u32), Some(limit));
        }
        for trap in TrapKind::ALL {
            assert_eq!(TrapKind::from_number(trap as u32), trap);
        }
        assert_eq!(TrapKind::from_number(999), TrapKind::Other);
    }

    #[test]
    fn a_limit_names_the_key_both_values_and_what_to_do() {
        let failure =
            Failure::maybe_ran(Cause::Limit { limit: LimitName::Memory, configured: 10, observed: 20 });
        assert_eq!(
            failure.to_string(),
            "limits.memory is 10 bytes and 20 bytes were wanted: use less or raise it [limit.memory]"
        );
    }
}
