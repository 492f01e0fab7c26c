//! How a plugin is, in words and numbers.

use std::time::Duration;

/// How a plugin is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What it does as a whole.
    pub state: State,
    /// Why it is disabled, or stopped by its operator's file, or about to be.
    pub disabled: Option<String>,
    /// Which of its zygotes is active, counted from 1; a restart and a reload each make a new one.
    pub generation: Option<u64>,
    /// Whether a new version is being loaded.
    pub reloading: bool,
    /// Instances that wait for calls.
    pub idle: u32,
    /// Instances that run one.
    pub busy: u32,
    /// Instances that are being forked.
    pub starting: u32,
    /// Calls that wait.
    pub waiting: u32,
    /// Calls that were refused because too many waited, or waited and were refused then; since it was loaded.
    pub dropped: u64,
    /// Crashes that count: up to `restart.give_up_after`.
    pub crashes: u32,
    /// What the last crash was.
    pub last_crash: Option<String>,
    /// Until its next start, after a crash.
    pub retry_in: Option<Duration>,
    /// What became of the events that it has subscribed to.
    pub events: EventStatus,
}

/// What became of a plugin's events, since it was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventStatus {
    /// They wait for it, now.
    pub waiting: u32,
    /// It has taken them.
    pub delivered: u64,
    /// It was told them, and answered an error, trapped, hit a limit or died.
    pub failed: u64,
    /// It was never told them: too many waited, or it was disabled, stopped or closed.
    pub dropped: u64,
}

/// What a plugin as a whole does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// It has no process and takes no calls until it is enabled.
    Stopped,
    /// Its zygote is being started; calls wait.
    Starting,
    /// Its zygote is proven; calls run.
    Running,
    /// What it has accepted runs to its end; new calls are refused.
    Draining,
    /// It has crashed and waits before it is started again; calls wait with it.
    Backoff,
    /// It has no process, and a reason for it.
    Disabled,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Stopped, Self::Starting, Self::Running, Self::Draining, Self::Backoff, Self::Disabled];

    /// Its name, in documents and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Backoff => "backoff",
            Self::Disabled => "disabled",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
