//! CPU time: of one call, and of a process in all. There is no timer that runs on another process's CPU time, so the guard
//! looks when the time can have run out at the earliest, and looks again after what is left.

use std::time::Duration;

/// The shortest time between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// What a process may use from now on until its deadline is disarmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Wall time.
    pub(crate) wall: Duration,
    /// From the interrupt to SIGKILL.
    pub(crate) grace: Duration,
    /// CPU time until then.
    pub(crate) cpu: Option<Duration>,
    /// CPU time since the process was made.
    pub(crate) cpu_total: Option<Duration>,
}

/// A limit of CPU time that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spent {
    /// That of the call: what it had used.
    Call(Duration),
    /// That of the process: what it had used in all.
    Total(Duration),
}

/// Compares a process's CPU clock with its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meter {
    /// What the clock showed at the start.
    from: Duration,
    call: Duration,
    total: Duration,
}

impl Meter {
    /// `None` if there is no limit.
    pub(super) fn new(allowance: &Allowance, clock: impl FnOnce() -> Option<Duration>) -> Option<Self> {
        if allowance.cpu.is_none() && allowance.cpu_total.is_none() {
            return None;
        }
        // A process that has ended needs no limit any more.
        let from = clock()?;
        let call = allowance.cpu.unwrap_or(Duration::MAX);
        Some(Self { from, call, total: allowance.cpu_total.unwrap_or(Duration::MAX) })
    }

    pub(super) fn from(&self) -> Duration {
        self.from
    }

    /// When to look next, or what is spent.
    pub(super) fn look(&self, clock: Duration) -> Result<Duration, Spent> {
        let used = clock.saturating_sub(self.from);
        if used >= self.call {
            return Err(Spent::Call(used));
        }
        if clock >= self.total {
            return Err(Spent::Total(clock));
        }
        Ok((self.call - used).min(self.total - clock).max(LOOK_AGAIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn allowance(cpu: Option<u64>, cpu_total: Option<u64>) -> Allowance {
        Allowance { wall: ms(1), grace: ms(1), cpu: cpu.map(ms), cpu_total: cpu_total.map(ms) }
    }

    #[test]
    fn without_a_limit_nothing_is_measured() {
        assert_eq!(Meter::new(&allowance(None, None), || panic!("the clock was read")), None);
    }

    #[test]
    fn looks_again_when_the_rest_can_be_used_at_the_earliest() {
        let meter = Meter::new(&allowance(Some(100), None), || Some(ms(1000))).unwrap();
        assert_eq!(meter.look(ms(1000)), Ok(ms(100)));
        assert_eq!(meter.look(ms(1070)), Ok(ms(30)));
        assert_eq!(meter.look(ms(1099) + Duration::from_micros(900)), Ok(LOOK_AGAIN));
        assert_eq!(meter.look(ms(1103)), Err(Spent::Call(ms(103))));
    }

    #[test]
    fn what_was_used_before_counts_for_the_total_alone() {
        let meter = Meter::new(&allowance(Some(100), Some(1050)), || Some(ms(1000))).unwrap();
        assert_eq!(meter.look(ms(1020)), Ok(ms(30)));
        assert_eq!(meter.look(ms(1050)), Err(Spent::Total(ms(1050))));
        assert_eq!(meter.look(ms(1100)), Err(Spent::Call(ms(100))));
    }
}
