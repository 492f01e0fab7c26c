//! How a plugin is, in words and numbers.

use super::driver::{Core, Driver};
use crate::lifecycle::{DisabledBy, Refusal, State};
use casemate_protocol::outcome::{Cause, Failure, LimitName};
use std::time::Duration;

/// How a plugin is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// What it does as a whole.
    pub state: State,
    /// Why it is disabled, or about to be.
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
}

impl Driver {
    pub(super) fn status(&self) -> Status {
        let now = self.now();
        let core = self.lock();
        let report = core.machine.report();
        Status {
            state: report.state,
            disabled: report.disabled_by.map(|by| self.reason(by, &core)),
            generation: report.generation.map(|generation| generation.0),
            reloading: report.reloading,
            idle: report.idle,
            busy: report.busy,
            starting: report.starting,
            waiting: report.waiting,
            dropped: report.dropped,
            crashes: report.crashes,
            last_crash: core.last_crash.clone(),
            retry_in: report.retry_at.map(|at| at.saturating_sub(now)),
        }
    }

    fn reason(&self, by: DisabledBy, core: &Core) -> String {
        match by {
            DisabledBy::Operator => match &core.withheld {
                Some(withheld) => withheld.reason.clone(),
                None => "by its operator".to_owned(),
            },
            DisabledBy::Crashes(crashes) => format!(
                "{crashes} crashes within {} s (restart.give_up_after, restart.within), of which the last was: {}",
                self.shared().policy().restart().within.as_secs_f64(),
                core.last_crash.as_deref().unwrap_or("unknown")
            ),
        }
    }

    /// What a caller is told instead of an answer.
    pub(super) fn failure(&self, refusal: Refusal, core: &Core) -> Failure {
        Failure::not_started(match refusal {
            Refusal::Overloaded { waiting } => Cause::Limit {
                limit: LimitName::Queue,
                configured: self.shared().policy().limits().queue.into(),
                observed: u64::from(waiting) + 1,
            },
            Refusal::Disabled(by) => Cause::PluginDisabled {
                reason: self.reason(by, core),
                by_crashes: matches!(by, DisabledBy::Crashes(_)),
            },
            Refusal::Stopped => Cause::PluginStopped {
                reason: match &core.withheld {
                    Some(withheld) if withheld.is_removed => Some(withheld.reason.clone()),
                    _ => None,
                },
            },
            Refusal::Reloading => Cause::PluginReloading,
            Refusal::Closed => Cause::Closed,
        })
    }
}
