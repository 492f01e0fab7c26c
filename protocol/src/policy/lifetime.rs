//! How long instances live, who shares them, and what happens after a crash.

use super::{PolicyError, count, in_range, millis, show_ms, units};
use std::time::Duration;

/// Who shares an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// Every caller of the plugin.
    #[default]
    Plugin,
    /// One client: no instance serves two.
    Client,
    /// Nobody: a fresh process a call.
    Call,
}

/// How many instances a plugin has, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instances {
    /// Alive even without calls.
    pub min: u32,
    /// At once.
    pub max: u32,
    /// Forked before somebody wants them.
    pub spare: u32,
    /// One that had no call for so long is ended, down to `min`.
    pub idle_timeout: Duration,
    /// One that has answered so many calls is replaced.
    pub max_calls: u64,
    /// One whose linear memories are larger after a call is replaced; `None`: at no size.
    pub recycle_memory_bytes: Option<u64>,
}

impl Default for Instances {
    fn default() -> Self {
        Self {
            min: 0,
            max: 4,
            spare: 0,
            idle_timeout: Duration::from_secs(30),
            max_calls: 100_000,
            recycle_memory_bytes: None,
        }
    }
}

impl Instances {
    pub(super) fn check(&self) -> Result<(), PolicyError> {
        in_range("instances.max", self.max.into(), 1, 10_000, count)?;
        in_range("instances.min", self.min.into(), 0, self.max.into(), count)?;
        in_range("instances.spare", self.spare.into(), 0, self.max.into(), count)?;
        in_range("instances.idle_timeout", millis(self.idle_timeout), 1, 24 * 3_600_000, show_ms)?;
        in_range("instances.max_calls", self.max_calls, 1, u64::MAX >> 1, count)?;
        match self.recycle_memory_bytes {
            Some(bytes) => in_range("instances.recycle_memory", bytes, 1 << 16, 4 << 30, units::show_bytes),
            None => Ok(()),
        }
    }
}

/// What happens after a crash: a pause that grows, and an end of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restart {
    /// The pause after the first crash.
    pub first: Duration,
    /// What each further pause is multiplied with, in hundredths.
    pub factor_percent: u32,
    /// The longest pause.
    pub max: Duration,
    /// How far a pause may be off by chance, either way, in hundredths of it: so that plugins that died together do not
    /// start together.
    pub jitter_percent: u32,
    /// Crashes after which the plugin is disabled.
    pub give_up_after: u32,
    /// Within this time.
    pub within: Duration,
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            factor_percent: 200,
            max: Duration::from_secs(30),
            jitter_percent: 20,
            give_up_after: 3,
            within: Duration::from_secs(300),
        }
    }
}

impl Restart {
    pub(super) fn check(&self) -> Result<(), PolicyError> {
        in_range("restart.backoff.first", millis(self.first), 0, 3_600_000, show_ms)?;
        in_range("restart.backoff.factor", self.factor_percent.into(), 100, 10_000, hundredths)?;
        in_range("restart.backoff.max", millis(self.max), millis(self.first), 24 * 3_600_000, show_ms)?;
        in_range("restart.backoff.jitter", self.jitter_percent.into(), 0, 100, hundredths)?;
        in_range("restart.give_up_after", self.give_up_after.into(), 1, 1000, count)?;
        in_range("restart.within", millis(self.within), 1, 24 * 3_600_000, show_ms)
    }
}

fn hundredths(value: u64) -> String {
    format!("{}.{:02}", value / 100, value % 100)
}
