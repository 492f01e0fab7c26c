//! How often something may happen: so many times within any window of time. Pure; whoever asks brings the time.

use casemate_protocol::policy::{Policy, Rate};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// What happened within the last window. It never holds more than the rate allows.
#[derive(Debug, Default)]
pub(crate) struct Window {
    times: VecDeque<Instant>,
}

impl Window {
    /// Whether it may happen once more now; if so it has.
    pub(crate) fn admit(&mut self, rate: Rate, now: Instant) -> bool {
        while self.times.front().is_some_and(|then| now.duration_since(*then) >= rate.window) {
            self.times.pop_front();
        }
        let count = usize::try_from(rate.count).unwrap_or(usize::MAX);
        let admitted = self.times.len() < count;
        if admitted {
            self.times.push_back(now);
        }
        admitted
    }
}

/// The host calls of one plugin: all of them, and those during calls of methods that have a rate of their own.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    windows: Mutex<(Window, BTreeMap<String, Window>)>,
}

impl Rates {
    /// Whether a host call may be made now; if not, the key of the policy that is against it. A plugin without rates
    /// takes no lock.
    pub(crate) fn admit(&self, policy: &Policy, during: &str, now: Instant) -> Result<(), (String, Rate)> {
        let (all, own) = (policy.limits().host_calls, policy.host_calls(during));
        if all.is_none() && own.is_none() {
            return Ok(());
        }
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let (plugin, methods) = &mut *windows;
        if let Some(rate) = own
            && !methods.entry(during.to_owned()).or_default().admit(rate, now)
        {
            return Err((format!("methods.{during}.host_calls"), rate));
        }
        match all {
            Some(rate) if !plugin.admit(rate, now) => Err(("limits.host_calls".to_owned(), rate)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to begin with")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn the_window_slides() {
        let rate = Rate { count: 2, window: Duration::from_secs(60) };
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut window = Window::default();
        let admitted: Vec<bool> =
            [0, 30, 59, 60, 61, 89, 90].into_iter().map(|s| window.admit(rate, at(s))).collect();
        assert_eq!(admitted, [true, true, false, true, false, false, true]);
        assert!(!Window::default().admit(Rate { count: 0, ..rate }, start), "never");
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more(steps in proptest::collection::vec(0_u64..400, 1..300), count in 1_u32..20) {
            let rate = Rate { count, window: Duration::from_millis(1000) };
            let start = Instant::now();
            let (mut window, mut now, mut admitted) = (Window::default(), start, Vec::new());
            for step in steps {
                now += Duration::from_millis(step);
                if window.admit(rate, now) {
                    admitted.push(now);
                }
            }
            for (n, first) in admitted.iter().enumerate() {
                let within = admitted[n..].iter().take_while(|then| then.duration_since(*first) < rate.window);
                prop_assert!(within.count() <= usize::try_from(count).unwrap());
            }
        }
    }
}
