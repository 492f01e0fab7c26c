//! Resource limits, every one set afresh: nothing a host happened to have reaches a worker.

use crate::error::{LockdownError, Step};
use crate::experiment::raise;
use casemate_protocol::spawn::SpawnLimits;
use nix::errno::Errno;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

const STEP: &str = "setting resource limits";

/// What stub and zygote start with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Initial {
    pub(crate) stack_bytes: u64,
    pub(crate) data_bytes: u64,
    pub(crate) cpu_seconds: Option<u64>,
    pub(crate) file_bytes: u64,
    pub(crate) open_files: u64,
}

/// Signals that may queue: SIGUSR1 does not queue, so this is for nobody.
const PENDING_SIGNALS: u64 = 16;

/// Sets every limit there is, soft and hard.
pub(crate) fn set_initial(initial: &Initial) -> Result<(), LockdownError> {
    let limits = [
        // No core file: it would hold the guest's memory and our code.
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_CPU, initial.cpu_seconds.unwrap_or(RLIM_INFINITY)),
        (Resource::RLIMIT_DATA, initial.data_bytes),
        (Resource::RLIMIT_FSIZE, initial.file_bytes),
        (Resource::RLIMIT_NOFILE, initial.open_files),
        (Resource::RLIMIT_STACK, initial.stack_bytes),
        // The kernel (6.18) holds what becomes writable to RLIMIT_DATA only as long as there is room for it here once more,
        // so this one is never set.
        (Resource::RLIMIT_AS, RLIM_INFINITY),
        (Resource::RLIMIT_RSS, RLIM_INFINITY),
        (Resource::RLIMIT_MEMLOCK, 0),
        (Resource::RLIMIT_LOCKS, 0),
        (Resource::RLIMIT_MSGQUEUE, 0),
        (Resource::RLIMIT_NICE, 0),
        (Resource::RLIMIT_RTPRIO, 0),
        (Resource::RLIMIT_RTTIME, RLIM_INFINITY),
        (Resource::RLIMIT_SIGPENDING, PENDING_SIGNALS),
    ];
    limits.into_iter().try_for_each(|(resource, value)| set(resource, value))
}

/// How many processes a zygote and its workers are together, in a user namespace of their own.
pub(crate) fn set_zygote(processes_max: u64) -> Result<(), LockdownError> {
    set(Resource::RLIMIT_NPROC, processes_max)
}

/// What a worker may still do: open nothing (or, with WASI, so many files), fork nothing, have this much data, and use so much CPU time.
pub(crate) fn set_worker(limits: &SpawnLimits) -> Result<(), LockdownError> {
    lower(Resource::RLIMIT_NPROC, 0)?;
    lower(Resource::RLIMIT_DATA, limits.data_bytes)?;
    if let Some(seconds) = limits.cpu_seconds {
        // The first is a signal that says what it is for; nothing survives the second.
        setrlimit(Resource::RLIMIT_CPU, seconds, seconds.saturating_add(1)).step(STEP)?;
    }
    lower(Resource::RLIMIT_NOFILE, limits.open_files.into())
}

/// What a native program may still do: have so much data, so many files and so much CPU time. Its threads are counted with
/// those of all its zygote's, [`set_zygote`].
pub(crate) fn set_program(limits: &SpawnLimits) -> Result<(), LockdownError> {
    lower(Resource::RLIMIT_DATA, limits.data_bytes)?;
    if let Some(seconds) = limits.cpu_seconds {
        setrlimit(Resource::RLIMIT_CPU, seconds, seconds.saturating_add(1)).step(STEP)?;
    }
    lower(Resource::RLIMIT_NOFILE, limits.open_files.into())
}

/// No process and no descriptor above its own five, for a bridge: `poll` wants as many to be allowed as it is asked for.
pub(crate) fn set_bridge() -> Result<(), LockdownError> {
    set(Resource::RLIMIT_NPROC, 0)?;
    set(Resource::RLIMIT_NOFILE, 5)
}

/// No process and no new descriptor, for a program that does its job in place.
pub(crate) fn set_job() -> Result<(), LockdownError> {
    set(Resource::RLIMIT_NPROC, 0)?;
    set(Resource::RLIMIT_NOFILE, 0)
}

/// Those that an experiment can leave out.
fn name(resource: Resource) -> &'static str {
    match resource {
        Resource::RLIMIT_CORE => "limit-core",
        Resource::RLIMIT_DATA => "limit-data",
        Resource::RLIMIT_FSIZE => "limit-file-size",
        Resource::RLIMIT_NOFILE => "limit-open-files",
        Resource::RLIMIT_NPROC => "limit-processes",
        Resource::RLIMIT_STACK => "limit-stack",
        _ => "another limit",
    }
}

/// Soft and hard together; a hard limit that is lower already stays.
fn set(resource: Resource, wanted: u64) -> Result<(), LockdownError> {
    let (_, hard) = getrlimit(resource).step(STEP)?;
    let value = wanted.min(hard);
    raise(name(resource), || setrlimit(resource, value, value)).step(STEP)
}

/// The same where no capability is left to raise a limit with: it is only asked for when it is in the way.
fn lower(resource: Resource, wanted: u64) -> Result<(), LockdownError> {
    match raise(name(resource), || setrlimit(resource, wanted, wanted)) {
        Err(Errno::EPERM) => set(resource, wanted),
        done => done.step(STEP),
    }
}
