//! The guard's alarm clock: a timer of the kernel's. It rings to the microsecond, where waiting with a timeout counts whole
//! milliseconds, and whoever arms a deadline sets it without waking the guard.

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// The shortest time that is one: none would switch the timer off.
const AT_ONCE: Duration = Duration::from_nanos(1);

pub(super) struct Alarm {
    timer: OwnedFd,
    /// When it rings, if it is set.
    at: Option<Instant>,
}

impl Alarm {
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self { timer: crate::process::stub::off_the_standard_descriptors(timer)?, at: None })
    }

    /// When it rings.
    #[cfg(test)]
    pub(super) fn at(&self) -> Option<Instant> {
        self.at
    }

    pub(super) fn rings_by(&self, first: Instant) -> bool {
        self.at.is_some_and(|at| at <= first)
    }

    /// Sets it. Of these numbers the kernel refuses none.
    pub(super) fn set(&mut self, at: Instant, now: Instant) {
        let wait = at.saturating_duration_since(now).max(AT_ONCE);
        let once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let wait = Timespec {
            tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: wait.subsec_nanos().into(),
        };
        let value = Itimerspec { it_interval: once, it_value: wait };
        let set = timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &value);
        self.at = set.is_ok().then_some(at);
    }

    /// It has rung: it is not set any more.
    pub(super) fn has_rung(&mut self) {
        // Set anew in between, it has nothing to read.
        if rustix::io::read(&self.timer, &mut [0_u8; 8]).is_ok() {
            self.at = None;
        }
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}
