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

    /// Looks at its CPU time; what it has used too much.
    fn look(&mut self, used: Duration) -> Option<Duration> {
        match *self {
            Self::Works => None,
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
            if let Some(more) = used.and_then(|used| watched.calm.look(used)) {
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
    fn only_time_used_between_two_looks_without_a_call_counts() {
        let ms = Duration::from_millis;
        let mut calm = Calm::default();
        assert_eq!(calm.look(ms(800)), None, "it is being started");
        calm.rest();
        assert_eq!(calm.look(ms(900)), None, "what it used before");
        assert_eq!(calm.look(ms(950)), None, "as much as it may");
        calm.work();
        assert_eq!(calm.look(ms(5000)), None, "it has a call");
        calm.rest();
        assert_eq!(calm.look(ms(9000)), None, "its call");
        assert_eq!(calm.look(ms(9051)), Some(ms(51)));
    }
}
