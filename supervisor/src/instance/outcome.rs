//! What the end of a call means for its caller.

use super::{Instance, Reply, Stop};
use crate::process::guard::{Allowance, Fate, Spent};
use crate::scope::Deadline;
use crate::tree::cause_of;
use casemate_protocol::link::{CallResult, Status};
use casemate_protocol::outcome::{Cause, Exit, Failure, LimitName, Retry, Trail, TrapKind, escape};
use casemate_protocol::policy::{Sandbox, millis};
use std::time::{Duration, Instant};

/// How long the end of a worker that broke its link is waited for, to say how it ended.
const END_PATIENCE: Duration = Duration::from_secs(5);
/// The same for a program without walls.
const UNWALLED_PATIENCE: Duration = Duration::from_millis(500);
/// Lines of a backtrace, and bytes of one.
const BACKTRACE_LINES_MAX: usize = 64;
const LINE_BYTES_MAX: usize = 512;
/// Bytes of a guest's own words in an outcome.
const MESSAGE_BYTES_MAX: usize = 8 * 1024;

/// How long a call ran, and what it might have used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ran {
    pub(super) allowance: Allowance,
    pub(super) elapsed: Duration,
    /// The caller's own deadline, if that was the shorter one.
    pub(super) callers: Option<Deadline>,
}

impl Ran {
    /// What its end by time is: of the policy's, or of the caller's.
    fn out_of_time(&self, policys: Cause) -> Cause {
        match self.callers {
            #[expect(clippy::disallowed_methods, reason = "how late it has become is measured here")]
            Some(deadline) => deadline.passed(Instant::now()),
            None => policys,
        }
    }
}

impl Instance {
    /// Why a link ended: what the kernel says of the process comes before what its bytes say.
    pub(super) async fn explain(&mut self, stop: Stop, ran: Option<Ran>) -> Cause {
        // A worker whose socket is gone is mostly gone itself, or about to be; one that lied is not.
        if matches!(stop, Stop::Violation(_)) {
            self.process.kill();
        }
        // A program without walls can end its bridge, which speaks for it, and go on.
        let unwalled = self.given.sandbox() == Sandbox::None;
        let patience = if unwalled { UNWALLED_PATIENCE } else { END_PATIENCE };
        let mut fate = match tokio::time::timeout(patience, self.process.ended()).await {
            Ok(fate) => fate,
            Err(_elapsed) => self.process.fate(),
        };
        self.process.kill();
        if unwalled && fate.exit.is_none() && matches!(stop, Stop::Gone) {
            let message =
                "the bridge to the program has ended, and the program had not: it was killed".to_owned();
            return Cause::Link { message };
        }
        if fate.exit.is_none() {
            fate.exit = Some(Exit::Unknown);
        }
        if let Some(cause) = cause_of(&fate) {
            return cause;
        }
        if let (true, Some(ran)) = (fate.overdue, ran) {
            let hard = Cause::HardTimeout {
                limit_ms: millis(ran.allowance.wall),
                grace_ms: millis(ran.allowance.grace),
                observed_ms: millis(ran.elapsed),
            };
            return spent(&fate, &ran.allowance).unwrap_or_else(|| ran.out_of_time(hard));
        }
        // A native program need not have a word for the signal that asks it to stop: then it ends by it.
        if let (true, Some(Exit::USR1), Some(ran)) = (fate.interrupted, fate.exit, ran) {
            let soft =
                Cause::SoftTimeout { limit_ms: millis(ran.allowance.wall), observed_ms: millis(ran.elapsed) };
            return spent(&fate, &ran.allowance).unwrap_or_else(|| ran.out_of_time(soft));
        }
        // The kernel's own limit comes a second after ours, which is there unless our thread could not run.
        if let (Some(Exit::XCPU), Some(total)) = (fate.exit, self.given.limits().cpu_total) {
            let configured = millis(total);
            return Cause::Limit { limit: LimitName::CpuTotal, configured, observed: configured };
        }
        if let (Some(Exit::KILLED | Exit::Unknown), Stop::Gone) = (fate.exit, &stop)
            && let Some(cause) =
                self.cgroup.as_ref().and_then(|cgroup| cgroup.out_of_memory(self.killed_before))
        {
            return cause;
        }
        match stop {
            Stop::Violation(violation) => Cause::Link { message: violation.to_string() },
            Stop::Gone => Cause::WorkerLost { exit: fate.exit.unwrap_or(Exit::Unknown) },
        }
    }

    /// What a result means for the caller, and whether the instance may be used again.
    pub(super) fn outcome(
        &self,
        result: CallResult,
        status: Status,
        body: Vec<u8>,
        ran: Ran,
    ) -> (Result<Reply, Failure>, bool) {
        let fate = self.process.fate();
        // Signalled at the last moment: it answered in time, but nothing more is expected of it.
        let reusable = !fate.interrupted && !self.is_worn_out() && !self.is_command && !result.retire;
        let message = escape(&result.message, MESSAGE_BYTES_MAX);
        let cause = match status {
            Status::Ok => {
                let CallResult { content_type, exit_code, .. } = result;
                return (Ok(Reply { content_type, body, exit_code }), reusable);
            }
            // Each further call would hear the same.
            Status::GuestError if result.in_setup => {
                let cause = match guest_error(result.content_type, &body) {
                    Cause::GuestError { code, message, .. } => self.refused_setup(code, &message),
                    other => other,
                };
                return (Err(self.failure(cause, Retry::NotStarted)), false);
            }
            Status::GuestError => {
                let cause = guest_error(result.content_type, &body);
                return (Err(self.failure(cause, Retry::Done)), reusable);
            }
            Status::Interrupted => spent(&fate, &ran.allowance).unwrap_or_else(|| {
                ran.out_of_time(Cause::SoftTimeout {
                    limit_ms: millis(ran.allowance.wall),
                    observed_ms: millis(ran.elapsed),
                })
            }),
            Status::Trap => Cause::Trap { kind: TrapKind::from_number(result.trap), message },
            Status::Limit => match LimitName::from_number(result.limit) {
                Some(limit) => Cause::Limit {
                    limit,
                    configured: result.limit_configured,
                    observed: result.limit_observed,
                },
                None => Cause::Abi { message },
            },
            Status::Abi => Cause::Abi { message },
            Status::None => Cause::Link { message: "a result without a status".to_owned() },
        };
        let retry = if result.in_setup { Retry::NotStarted } else { Retry::MaybeRan };
        let mut failure = self.failure(cause, retry);
        failure.trail.backtrace = escape_lines(&result.backtrace);
        (Err(failure), false)
    }

    /// It did not let itself be set up: what it was denied on the way is the likelier reason.
    fn refused_setup(&self, code: String, words: &str) -> Cause {
        let has_config = self.shared.config().is_some();
        let message = match (&self.first_denial, &self.first_unserved) {
            (Some(denial), _) => format!("{words}; it was denied a host call: {denial}"),
            (None, Some(unserved)) => format!("{words}; nobody answered a host call of its: {unserved}"),
            _ if has_config => format!("{words}; load it with another one"),
            _ => words.to_owned(),
        };
        Cause::ConfigRefused { code, message, has_config }
    }

    /// With what the guest had asked for.
    pub(super) fn failure(&self, cause: Cause, retry: Retry) -> Failure {
        let host_calls = self.asked.iter().cloned().collect();
        Failure { cause, retry, trail: Box::new(Trail { host_calls, backtrace: String::new() }) }
    }

    /// Whoever of its group is killed for want of memory from here on may be it.
    pub(super) fn count_killed(&mut self) {
        self.killed_before = self.cgroup.as_ref().map_or(0, |cgroup| cgroup.killed_for_memory());
    }

    /// Whether it has used all the CPU time that it may have in its life: the next call would end at once.
    fn is_worn_out(&self) -> bool {
        let total = self.given.limits().cpu_total;
        total.is_some_and(|total| self.process.cpu_time().is_none_or(|used| used >= total))
    }
}

/// The limit of CPU time that ended a call, if one did.
fn spent(fate: &Fate, allowance: &Allowance) -> Option<Cause> {
    let (limit, configured, observed) = match fate.spent? {
        Spent::Call(used) => (LimitName::Cpu, allowance.cpu?, used),
        Spent::Total(used) => (LimitName::CpuTotal, allowance.cpu_total?, used),
    };
    Some(Cause::Limit { limit, configured: millis(configured), observed: millis(observed) })
}

/// One line a frame, each escaped for itself.
fn escape_lines(text: &str) -> String {
    let lines: Vec<String> =
        text.lines().take(BACKTRACE_LINES_MAX).map(|line| escape(line, LINE_BYTES_MAX)).collect();
    lines.join("\n")
}

/// `{"code","message","retryable"}` as guests send it; anything else becomes the message.
fn guest_error(content_type: u32, body: &[u8]) -> Cause {
    let json: Option<serde_json::Value> = match content_type {
        1 => serde_json::from_slice(body).ok(),
        _ => None,
    };
    let text = |key: &str| json.as_ref()?.get(key)?.as_str().map(|text| escape(text, MESSAGE_BYTES_MAX));
    let whole = || escape(&String::from_utf8_lossy(body), MESSAGE_BYTES_MAX);
    Cause::GuestError {
        code: text("code").unwrap_or_else(|| "unknown".to_owned()),
        message: text("message").unwrap_or_else(whole),
        retryable: json.as_ref().and_then(|json| json.get("retryable")?.as_bool()).unwrap_or(false),
    }
}
