//! Experiments with walls left out: what the inspection finds wrong is written down, and the process lives on.
//!
//! Only a build with the feature `adversary` can do that, and only where the adversary stands in the worker's place.

use crate::inspect::InspectError;
use crate::process::control::broken;
use casemate_protocol::outcome::{Cause, Failure};
#[cfg(feature = "adversary")]
use std::sync::Arc;

/// Takes what an inspection found wrong.
#[cfg(feature = "adversary")]
pub type Findings = Arc<dyn Fn(String) + Send + Sync>;

/// Whether a process that is not as it must be may live on. It may not, by default.
#[derive(Clone, Default)]
pub(crate) struct Leniency {
    #[cfg(feature = "adversary")]
    findings: Option<Findings>,
}

impl Leniency {
    /// Writes everything down.
    #[cfg(feature = "adversary")]
    pub(crate) fn writing_to(findings: Findings) -> Self {
        Self { findings: Some(findings) }
    }

    /// What was seen; where something is not as it must be the failure, or nothing seen.
    pub(crate) fn judge<T: Default>(&self, seen: Result<T, InspectError>) -> Result<T, Failure> {
        match seen {
            Ok(seen) => Ok(seen),
            Err(error @ InspectError::Disagrees { .. }) => {
                self.finds(error.to_string()).map(|()| T::default())
            }
            // Somebody has killed it: nothing was seen that must not be.
            Err(error @ InspectError::Ended) => Err(broken("looking at a walled process", error)),
            Err(error) => Err(not_walled_in(error.to_string())),
        }
    }

    /// Something is not as it must be.
    pub(crate) fn finds(&self, what: String) -> Result<(), Failure> {
        #[cfg(feature = "adversary")]
        if let Some(findings) = &self.findings {
            findings(what);
            return Ok(());
        }
        Err(not_walled_in(what))
    }
}

fn not_walled_in(message: String) -> Failure {
    Failure::not_started(Cause::Inspection { message })
}

impl std::fmt::Debug for Leniency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Leniency")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_ended_meanwhile_has_broken_no_rule() {
        let failure = Leniency::default().judge::<()>(Err(InspectError::Ended)).unwrap_err();
        assert_eq!(failure.code(), "spawn.failed", "{failure}");
    }
}
