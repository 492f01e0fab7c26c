//! Crashes: how long to wait after one, and when to give up.

use casemate_protocol::policy::Restart;
use std::collections::VecDeque;
use std::time::Duration;

/// The crashes that still count, oldest first. That a start succeeded takes none of them back.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    crashes: VecDeque<Duration>,
}

impl Breaker {
    /// Counts a crash and forgets what is longer ago than `within`.
    pub(super) fn crash(&mut self, rules: &Restart, now: Duration) {
        self.crashes.push_back(now);
        while self.crashes.front().is_some_and(|at| now.saturating_sub(*at) > rules.within)
            || self.count() > rules.give_up_after
        {
            self.crashes.pop_front();
        }
    }

    /// Whether it is time to give up.
    pub(super) fn is_open(&self, rules: &Restart) -> bool {
        self.count() >= rules.give_up_after
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.crashes.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn reset(&mut self) {
        self.crashes.clear();
    }
}

/// The pause after the `nth` crash in a row, the first being 1; `random` is any number.
pub(super) fn pause(rules: &Restart, nth: u32, random: u64) -> Duration {
    let mut nanos = rules.first.as_nanos();
    let max = rules.max.as_nanos();
    // Beyond 64 times nothing grows that is not at the top already, unless it does not grow at all.
    for _ in 1..nth.min(64) {
        nanos = (nanos * u128::from(rules.factor_percent) / 100).min(max);
    }
    let nanos = nanos.min(max);
    let reach = nanos * u128::from(rules.jitter_percent) / 100;
    // From `nanos - reach` to `nanos + reach`.
    let off = (2 * reach).saturating_mul(u128::from(random)) / u128::from(u64::MAX);
    Duration::from_nanos(u64::try_from(nanos - reach + off).unwrap_or(u64::MAX))
}

/// Numbers that look random, from a seed (splitmix64): for jitter, not for secrets.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rules() -> impl Strategy<Value = Restart> {
        (0..3_600_000_u64, 0..3_600_000_u64, 100..10_000_u32, 0..=100_u32, 1..20_u32, 1..10_000_u64).prop_map(
            |(first, more, factor_percent, jitter_percent, give_up_after, within)| Restart {
                first: Duration::from_millis(first),
                factor_percent,
                max: Duration::from_millis(first + more),
                jitter_percent,
                give_up_after,
                within: Duration::from_millis(within),
            },
        )
    }

    proptest! {
        #[test]
        fn pauses_grow_up_to_the_longest_and_jitter_stays_in_its_reach(rules in rules(), nth in 1..100_u32, random: u64) {
            let plain = Restart { jitter_percent: 0, ..rules.clone() };
            let exact = pause(&plain, nth, random);
            prop_assert!(exact >= rules.first && exact <= rules.max);
            prop_assert!(pause(&plain, nth + 1, random) >= exact);
            let reach = exact * rules.jitter_percent / 100 + Duration::from_nanos(1);
            let got = pause(&rules, nth, random);
            prop_assert!(got + reach >= exact && got <= exact + reach, "{got:?} is not near {exact:?}");
        }

        #[test]
        fn it_opens_at_that_many_crashes_within_the_time(rules in rules(), gaps in prop::collection::vec(0..4000_u64, 1..40)) {
            let mut breaker = Breaker::default();
            let (mut now, mut all) = (Duration::ZERO, Vec::new());
            for gap in gaps {
                now += Duration::from_millis(gap);
                all.push(now);
                breaker.crash(&rules, now);
                let recent = all.iter().filter(|at| now - **at <= rules.within).count();
                prop_assert_eq!(breaker.is_open(&rules), recent >= rules.give_up_after as usize);
                prop_assert!(breaker.crashes.len() <= rules.give_up_after as usize, "it keeps what it needs");
            }
        }
    }

    #[test]
    fn jitter_reaches_both_ends() {
        let rules = Restart { jitter_percent: 20, ..Restart::default() };
        assert_eq!(pause(&rules, 1, 0), Duration::from_millis(800));
        assert_eq!(pause(&rules, 1, u64::MAX), Duration::from_millis(1200));
        assert_eq!(pause(&Restart { jitter_percent: 0, ..rules }, 2, 7), Duration::from_secs(2));
    }
}
