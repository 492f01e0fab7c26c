//! How a plugin is, in words and numbers.

use super::driver::{Core, Driver};
use crate::lifecycle::{DisabledBy, Refusal};
use casemate_protocol::outcome::{Cause, Failure, LimitName};
use casemate_protocol::status::Status;

/// Why the policy file has taken it away, where it has.
fn stopped_by_file(core: &Core) -> Option<String> {
    core.withheld.as_ref().filter(|withheld| withheld.is_removed).map(|withheld| withheld.reason.clone())
}

impl Driver {
    pub(super) fn status(&self) -> Status {
        let now = self.now();
        let core = self.lock();
        let report = core.machine.report();
        Status {
            state: report.state,
            disabled: report.disabled_by.map(|by| self.reason(by, &core)).or_else(|| stopped_by_file(&core)),
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
            events: self.inbox().counts(),
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
            Refusal::Stopped => Cause::PluginStopped { reason: stopped_by_file(core) },
            Refusal::Reloading => Cause::PluginReloading,
            Refusal::Closed => Cause::Closed,
        })
    }
}
