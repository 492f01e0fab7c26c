//! What the machine is told, and what it wants done.

use super::State;
use casemate_protocol::ids::ClientId;
use casemate_protocol::policy::{Instances, Isolation, Policy, Restart};
use std::time::Duration;

/// One call of one plugin; later calls have larger numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CallNo(pub(crate) u64);

/// One instance of one plugin, numbered by its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct InstanceNo(pub(crate) u64);

/// One zygote of one plugin, numbered by its machine: a restart and a reload each make a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Generation(pub(crate) u64);

/// What a policy says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) instances: Instances,
    pub(crate) isolation: Isolation,
    pub(crate) restart: Restart,
    /// Calls that may wait.
    pub(crate) queue: u32,
}

impl From<&Policy> for Rules {
    fn from(policy: &Policy) -> Self {
        Self {
            instances: policy.instances().clone(),
            isolation: policy.isolation(),
            restart: policy.restart().clone(),
            queue: policy.limits().queue,
        }
    }
}

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// A call has come.
    Call { call: CallNo, client: ClientId },
    /// The caller of a call that waits has given up.
    GaveUp { call: CallNo },
    /// An instance that was to be forked is ready and has been looked at.
    Forked { instance: InstanceNo },
    /// It is not.
    ForkFailed { instance: InstanceNo, why: ForkFailure },
    /// An idle or handed instance turned out to be of no use, before it got a byte.
    Unfit { instance: InstanceNo, crashed: bool },
    /// The call of an instance is over.
    Finished { instance: InstanceNo, end: End },
    /// A zygote is loaded and proven.
    Started { generation: Generation },
    /// It could not be started.
    StartFailed { generation: Generation },
    /// It ended.
    Ended { generation: Generation },
    /// The operator wants it to run.
    Enable,
    /// The operator wants it off.
    Disable,
    /// The operator wants it to finish what it has.
    Drain,
    /// The operator has seen its crashes.
    Reset,
    /// The operator has a new version.
    Reload,
    /// The new version's probe has answered.
    Probed { generation: Generation },
    /// It has not, or its loader has given up.
    ProbeFailed { generation: Generation },
    /// It is to end for good.
    Close,
    /// A time that was asked for has come.
    Tick,
}

/// Why there is no instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForkFailure {
    /// It did not become ready.
    Failed,
    /// Its zygote is gone: nobody is to blame but that.
    ZygoteGone,
    /// The caller for whom it was forked has given up.
    GaveUp,
}

/// How a call in an instance ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It answered and may be used again; its linear memories together, in bytes.
    Reusable { memory_bytes: u64 },
    /// Trapped, interrupted or at a limit: never used again.
    Spent,
    /// It broke a rule or died by itself: never used again, and counted.
    Crashed,
    /// It could not be set up for what nobody has asked for: never used again, and counted as a start that failed.
    NotSetUp,
    /// The same for want of a host that answers, which may come later: never used again, and not counted.
    NotServed,
    /// Its caller has given up: never used again.
    GaveUp,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Start a zygote of the version that is active.
    Start { generation: Generation },
    /// Load, start and probe the new version beside the active one.
    Probe { generation: Generation },
    /// The new version is the active one from here on.
    Adopt { generation: Generation },
    /// There will be no new version.
    RefuseReload { why: Refusal },
    /// End a zygote, with all that is left of it.
    EndZygote { generation: Generation },
    /// Fork an instance; with a call: it will be given that one.
    Fork { instance: InstanceNo, generation: Generation, call: Option<CallNo> },
    /// Give a call to an idle instance.
    Hand { call: CallNo, instance: InstanceNo },
    /// The one answer of a call.
    Answer { call: CallNo, answer: Answer },
    /// End an instance, if it has not ended by itself.
    Kill { instance: InstanceNo },
    /// Tell the time then.
    Arm { at: Duration },
    /// Say that so many calls were dropped since this was last said.
    Say { dropped: u64 },
}

/// What a caller gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// What its instance, or the fork of it, gave.
    Outcome,
    /// A refusal; the guest never saw the call.
    Refused(Refusal),
}

/// Why something is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// So many wait already.
    Overloaded { waiting: u32 },
    /// The plugin is disabled, or about to be.
    Disabled(DisabledBy),
    /// The plugin is stopped, or about to be.
    Stopped,
    /// The plugin is closed.
    Closed,
    /// Another reload is on its way.
    Reloading,
}

/// Who disabled a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisabledBy {
    /// The operator.
    Operator,
    /// So many crashes within `restart.within`.
    Crashes(u32),
}

/// How a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) state: State,
    pub(crate) disabled_by: Option<DisabledBy>,
    pub(crate) generation: Option<Generation>,
    pub(crate) reloading: bool,
    pub(crate) idle: u32,
    pub(crate) busy: u32,
    pub(crate) starting: u32,
    pub(crate) waiting: u32,
    pub(crate) dropped: u64,
    pub(crate) crashes: u32,
    pub(crate) retry_at: Option<Duration>,
}
