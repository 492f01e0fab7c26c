//! A worker without a call has nothing to compute, and no deadline: its CPU time is looked at instead.

use super::State;
use super::book::{Due, Entry};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// How often. The first look after a call only notes where its CPU time stands.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// CPU time between two looks from which on a worker is not idle. Going back to its read takes microseconds.
const CPU_TIME_MAX: Duration = Duration::from_millis(50);

/// Whether a process has a call, and if not, how much CPU time it had used when it was looked at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Calm {
    /// A deadline watches over it, or the time limit of its start.
    #[default]
    Works,
    /// It starts by itself, and rests from then on.
    StartsUntil(Instant),
    /// It has not been looked at since.
    Rests,
    /// It had used this much.
    RestsSince(Duration),
}

impl Calm {
    pub(super) fn work(&mut self) {
        *self = Self::Works;
    }

    pub(super) fn rest(&mut self) {
        *self = Self::Rests;
    }

    pub(super) fn rest_from(&mut self, at: Instant) {
        *self = Self::StartsUntil(at);
    }

    /// Looks at its CPU time; what it has used too much.
    fn look(&mut self, used: Duration, now: Instant) -> Option<Duration> {
        match *self {
            Self::Works => None,
            Self::StartsUntil(at) if now < at => None,
            Self::StartsUntil(_) => {
                *self = Self::RestsSince(used);
                None
            }
            Self::Rests => {
                *self = Self::RestsSince(used);
                None
            }
            Self::RestsSince(before) => Some(used.saturating_sub(before)).filter(|more| *more > CPU_TIME_MAX),
        }
    }
}

impl State {
    /// Orders a look, if none is in the book.
    #[expect(clippy::disallowed_methods, reason = "the guard is the driver of deadlines")]
    pub(super) fn look_at_idle(&mut self) {
        if !std::mem::replace(&mut self.looks_at_idle, true) {
            self.book.insert(Instant::now() + LOOK_EVERY, Entry { key: 0, due: Due::Idle });
        }
    }

    /// Ends every worker that computes without a call. The next look is due as long as there is a worker.
    pub(super) fn on_idle(&mut self, now: Instant) {
        let mut workers = false;
        for (key, watched) in &mut self.processes {
            if watched.canary || watched.tree == *key {
                continue;
            }
            workers = true;
            // A number that is another's by now gives another's time; the signal goes to the descriptor.
            let used = casemate_sys::process::cpu_time(watched.pid);
            if let Some(more) = used.and_then(|used| watched.calm.look(used, now)) {
                watched.fate.send_modify(|fate| fate.restless = Some(more));
                watched.signal(Signal::KILL);
            }
        }
        self.looks_at_idle = workers;
        if workers {
            self.book.insert(now + LOOK_EVERY, Entry { key: 0, due: Due::Idle });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to begin with")]
    fn a_start_is_no_rest_and_ends() {
        let (ms, now) = (Duration::from_millis, Instant::now());
        let mut calm = Calm::default();
        calm.rest_from(now + ms(500));
        assert_eq!(calm.look(ms(400), now + ms(499)), None, "it starts");
        assert_eq!(calm.look(ms(900), now + ms(500)), None, "what it used for that");
        assert_eq!(calm.look(ms(951), now + ms(600)), Some(ms(51)));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to begin with")]
    fn only_time_used_between_two_looks_without_a_call_counts() {
        let (ms, now) = (Duration::from_millis, Instant::now());
        let mut calm = Calm::default();
        assert_eq!(calm.look(ms(800), now), None, "it is being started");
        calm.rest();
        assert_eq!(calm.look(ms(900), now), None, "what it used before");
        assert_eq!(calm.look(ms(950), now), None, "as much as it may");
        calm.work();
        assert_eq!(calm.look(ms(5000), now), None, "it has a call");
        calm.rest();
        assert_eq!(calm.look(ms(9000), now), None, "its call");
        assert_eq!(calm.look(ms(9051), now), Some(ms(51)));
    }
}
