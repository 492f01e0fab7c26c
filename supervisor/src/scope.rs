//! What a call has around it: how long its caller waits, who answers what it asks the host for, and its bodies while they are
//! still under way.

use crate::host::{HostFuture, HostRequest};
use crate::pipe::Pipe;
use casemate_protocol::host::Trace;
use casemate_protocol::outcome::Cause;
use casemate_protocol::policy::millis;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a caller waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// From when on.
    pub began: Instant,
    /// How long at most.
    pub within: Duration,
}

impl Deadline {
    /// What is left of it.
    pub fn remaining(&self, now: Instant) -> Duration {
        self.within.saturating_sub(now.saturating_duration_since(self.began))
    }

    /// When it is over.
    pub fn at(&self) -> Option<Instant> {
        self.began.checked_add(self.within)
    }

    /// What its end is for the caller.
    pub(crate) fn passed(&self, now: Instant) -> Cause {
        let observed = now.saturating_duration_since(self.began);
        Cause::Deadline { deadline_ms: millis(self.within), observed_ms: millis(observed) }
    }
}

/// Answers host methods for some calls, before the host's own handlers are asked.
pub trait Desk: Send + Sync {
    /// Whether it answers this method.
    fn answers(&self, method: &str) -> bool;

    /// The answer to come; an error, if it has stopped answering the method meanwhile.
    fn answer(&self, request: HostRequest) -> HostFuture;
}

/// The bodies of a call that reads and writes while they are under way.
#[derive(Debug, Clone)]
pub struct Bodies {
    /// What the guest reads with `stream.read`.
    pub input: Arc<Pipe>,
    /// What it writes with `stream.write`.
    pub output: Arc<Pipe>,
    /// What a WASI program complains about; without it that goes to the log.
    pub errors: Option<Arc<Pipe>>,
}

/// What a call has around it.
#[derive(Clone, Default)]
pub struct Scope {
    /// How long its caller waits; waiting for an instance counts.
    pub deadline: Option<Deadline>,
    /// Who answers its host calls first.
    pub desk: Option<Arc<dyn Desk>>,
    /// Where it belongs.
    pub trace: Trace,
    /// Its bodies, if it streams.
    pub bodies: Option<Bodies>,
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("deadline", &self.deadline)
            .field("has_desk", &self.desk.is_some())
            .field("trace", &self.trace)
            .field("bodies", &self.bodies)
            .finish()
    }
}
