//! What is done to a supervisor and its processes, and the dice that say when and to whom.

use casemate_tests::processes::{self, Found};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A seed that no other run has.
pub(crate) fn any_seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::from(since.subsec_nanos()) ^ (since.as_secs() << 20) ^ (u64::from(std::process::id()) << 40)
}

/// Sebastiano Vigna's splitmix64.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// Both ends included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let last = u64::try_from(all.len()).unwrap().checked_sub(1)?;
        all.get(usize::try_from(self.between(0, last)).unwrap())
    }
}

/// Strikes at one supervisor.
#[derive(Debug)]
pub(crate) struct Chaos {
    marker: String,
    host: Pid,
    struck: BTreeMap<(&'static str, &'static str), u64>,
}

impl Chaos {
    pub(crate) fn new(marker: &str, host: u32) -> Self {
        let host = Pid::from_raw(i32::try_from(host).unwrap()).unwrap();
        Self { marker: marker.to_owned(), host, struck: BTreeMap::new() }
    }

    /// Kills or stops one process, if there is one of the kind that the dice say.
    pub(crate) fn strike(&mut self, dice: &mut Dice) {
        let [stubs, heads, workers] = processes::by_kind(&self.marker);
        let (kind, found): (_, &[Found]) = match dice.between(0, 99) {
            0..65 => ("worker", &workers),
            65..83 => ("zygote or compiler", &heads),
            83..95 => ("stub", &stubs),
            _ => return self.pause_host(dice),
        };
        let Some(target) = dice.one_of(found) else { return };
        let (how, signal) =
            if dice.between(0, 2) == 0 { ("stopped", Signal::STOP) } else { ("killed", Signal::KILL) };
        target.signal(signal);
        *self.struck.entry((kind, how)).or_default() += 1;
    }

    /// A stopped supervisor keeps no deadline; afterwards it must.
    fn pause_host(&mut self, dice: &mut Dice) {
        kill_process(self.host, Signal::STOP).unwrap();
        std::thread::sleep(Duration::from_millis(dice.between(1, 200)));
        kill_process(self.host, Signal::CONT).unwrap();
        *self.struck.entry(("supervisor", "stopped for a while")).or_default() += 1;
    }

    pub(crate) fn summary(&self) -> String {
        let each = self.struck.iter().map(|((kind, how), times)| format!("{times} × {kind} {how}"));
        each.collect::<Vec<_>>().join(", ")
    }
}
