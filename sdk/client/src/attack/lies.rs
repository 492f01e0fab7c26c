//! Workers that break the link, by the name of their behaviour, and how each must end.

use crate::{Casemate, Limits, Policy, PolicySpec};
use casemate_protocol::outcome::{Cause, Failure, Retry};
use casemate_protocol::policy::Restart;
use std::time::Duration;

/// A worker that lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lie {
    /// Its behaviour.
    pub behaviour: &'static str,
    /// The failure's stable code.
    pub code: &'static str,
    /// What is known of the call.
    pub retry: Retry,
}

const fn lie(behaviour: &'static str, code: &'static str, retry: Retry) -> Lie {
    Lie { behaviour, code, retry }
}

/// Lies that are found out when they are told.
pub const FOUND_OUT: &[Lie] = &[
    // While it still has the rights of its zygote.
    lie("ready-too-early", "violation.inspection", Retry::NotStarted),
    lie("forged-version", "violation.link", Retry::NotStarted),
    lie("early-result", "violation.link", Retry::NotStarted),
    lie("garbage", "violation.link", Retry::NotStarted),
    lie("huge-length", "violation.link", Retry::NotStarted),
    lie("ready-twice", "violation.link", Retry::MaybeRan),
    lie("other-call", "violation.link", Retry::MaybeRan),
    lie("exit", "worker.lost", Retry::MaybeRan),
];

/// Workers that take a call and never answer it.
pub const NO_ANSWER: &[Lie] = &[
    lie("never-answers", "timeout.hard", Retry::MaybeRan),
    lie("log-flood", "timeout.hard", Retry::MaybeRan),
];

/// Workers that never say that they are ready.
pub const NEVER_READY: &[Lie] =
    &[lie("silent", "spawn.failed", Retry::NotStarted), lie("half-frame", "spawn.failed", Retry::NotStarted)];

/// What a worker that is never ready is given.
const UNREADY: Duration = Duration::from_secs(1);
/// What a call is given that only its deadline ends, and any other.
const HASTY: Duration = Duration::from_millis(200);
const PATIENT: Duration = Duration::from_secs(30);

impl Lie {
    /// Starts a supervisor with this worker, loads a plugin in whose place it stands and calls it, which must fail.
    pub async fn tell(&self, module: &[u8]) -> Result<(Casemate, Option<Failure>), Failure> {
        let builder = Casemate::builder().configure(|config| {
            config.use_adversary(self.behaviour);
            if NEVER_READY.contains(self) {
                config.spawn_timeout = UNREADY;
            }
        });
        let host = builder.build()?;
        let policy = timed(if NO_ANSWER.contains(self) { HASTY } else { PATIENT })?;
        // A worker that lies before it is ready fails the first of the two that needs it.
        let failure = match host.load(module, policy).await {
            Ok(plugin) => plugin.call_raw("m", b"x").await.err(),
            Err(failure) => Some(failure),
        };
        Ok((host, failure))
    }

    /// Whether the failure is the one it must be.
    pub fn is_found_out(&self, failure: Option<&Failure>) -> bool {
        failure.is_some_and(|failure| failure.code() == self.code && failure.retry == self.retry)
    }
}

/// Small memory, and calls that may take so long.
pub(super) fn timed(call_timeout: Duration) -> Result<Policy, Failure> {
    let limits = Limits { memory_bytes: 16 << 20, call_timeout, ..Limits::default() };
    // Its workers are to die again and again.
    let restart = Restart { within: Duration::from_millis(1), ..Restart::default() };
    Policy::new(PolicySpec { limits, restart, ..PolicySpec::default() })
        .map_err(|error| Failure::not_started(Cause::Input { message: error.to_string() }))
}
