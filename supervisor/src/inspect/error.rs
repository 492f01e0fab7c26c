//! What can come of looking at a process.

use super::text::ParseError;
use casemate_protocol::certificate::Layer;
use std::io;

/// The look found something else than was ordered, or could not be taken. Either way the process gets no work.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The walled process is not as it must be.
    #[error("a walled process is not as ordered ({layer}): {what} must be {expected} and is {found}")]
    Disagrees {
        /// The layer that would not stand.
        layer: Layer,
        /// What was looked at.
        what: &'static str,
        /// As ordered.
        expected: String,
        /// As seen.
        found: String,
    },
    /// It ended before the look was complete.
    #[error("the process ended while the supervisor looked at it")]
    Ended,
    /// What must be readable is not.
    #[error("cannot look at a walled process: reading /proc/PID/{file}: {source}")]
    Unreadable {
        /// Its name below /proc/PID.
        file: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// /proc said something that the kernel does not say.
    #[error("cannot understand what /proc says of a walled process: {0}")]
    Malformed(#[from] ParseError),
    /// There is no usable /proc; the supervisor cannot work without one.
    #[error(transparent)]
    NoProc(#[from] ProcError),
}

/// Why /proc is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ProcError {
    /// Nothing of the kind is mounted there.
    #[error("/proc is no proc file system: mount one (`mount -t proc proc /proc`)")]
    Absent,
    /// It shows another pid namespace than the one we are in.
    #[error("/proc belongs to another pid namespace: mount one of our own (`mount -t proc proc /proc`)")]
    OtherNamespace,
    /// It is there and hides what we need.
    #[error(
        "/proc hides the supervisor's own children: mount it without hidepid, or with a gid= that we have"
    )]
    Hidden,
    /// It cannot be read.
    #[error("{path}: {source}: the supervisor needs a readable /proc")]
    Unreadable {
        /// The file.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
}
