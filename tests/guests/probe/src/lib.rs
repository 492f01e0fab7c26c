//! A guest that does on request what the suites need to see done: loop, allocate, log, call the host, panic.
//!
//! Each method takes an object with the members that it names, or nothing.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::hint::black_box;

use casemate_plugin::log::{self, Level};
use casemate_plugin::{Error, cancelled, host, plugin};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The only input of a method that counts something; a missing count is "for ever".
#[derive(Debug, Default, Deserialize)]
pub struct Rounds {
    n: Option<u64>,
}

/// What `grow` takes.
#[derive(Debug, Deserialize)]
pub struct Amount {
    bytes: usize,
}

/// What `host_loop` answers.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    answered: u64,
    failed: u64,
    last_error: Option<Error>,
}

/// What `random` answers.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Random {
    /// The hash of a fixed text under this instance's seed, in hex.
    hash: String,
    /// The keys 0 to 15 in the order of this instance's map.
    order: Vec<u32>,
}

/// The plugin.
#[derive(Debug)]
pub struct Probe {
    config: Value,
    count: u64,
    kept: Vec<Vec<u8>>,
}

#[plugin]
impl Probe {
    fn init(config: Value) -> Self {
        Probe { config, count: 0, kept: Vec::new() }
    }

    /// The same bytes back.
    #[raw]
    fn echo(&self, body: &[u8]) -> Vec<u8> {
        body.to_vec()
    }

    /// Turns `n` rounds, or turns for ever; answers how many.
    pub fn spin(&self, rounds: Option<Rounds>) -> u64 {
        let last = rounds.unwrap_or_default().n.unwrap_or(u64::MAX);
        let mut round = 0;
        while black_box(round) < last {
            round += 1;
        }
        round
    }

    /// Turns until the host says that the call is cancelled; answers how often it asked.
    pub fn cancelled_loop(&self) -> u64 {
        let mut asked = 1;
        while !cancelled() {
            asked += 1;
        }
        asked
    }

    /// Calls the host once; its answer or its error is the answer.
    pub fn host(&self, method: String, payload: Option<Value>) -> Result<Value, Error> {
        host::call(&method, &payload)
    }

    /// Calls the host `n` times, or for ever, with the number of the call as the payload.
    pub fn host_loop(&self, method: String, n: Option<u64>) -> Tally {
        let mut tally = Tally::default();
        for number in 0..n.unwrap_or(u64::MAX) {
            match host::call::<_, Value>(&method, &number) {
                Ok(_) => tally.answered += 1,
                Err(error) => {
                    tally.failed += 1;
                    tally.last_error = Some(error);
                }
            }
        }
        tally
    }

    /// Writes the text to the log, once or `times` times; answers how often.
    pub fn log(&self, level: Level, text: String, times: Option<u64>) -> u64 {
        let times = times.unwrap_or(1);
        for _ in 0..times {
            log::write(level, format_args!("{text}"));
        }
        times
    }

    /// Allocates that many bytes, writes to every page of them and keeps them; answers how many it keeps in all.
    pub fn grow(&mut self, amount: Amount) -> Result<usize, Error> {
        let mut block: Vec<u8> = Vec::new();
        block
            .try_reserve_exact(amount.bytes)
            .map_err(|error| Error::new("out_of_memory", error.to_string()))?;
        block.resize(amount.bytes, 0xa5);
        self.kept.push(black_box(block));
        Ok(self.kept.iter().map(Vec::len).sum())
    }

    /// Panics, with the message if one is given.
    #[expect(clippy::panic, reason = "it is what the method is for")]
    pub fn panic(&self, message: Option<String>) -> u64 {
        panic!("{}", message.as_deref().unwrap_or("asked to panic"))
    }

    /// The configuration that this instance was started with; `null` when there was none.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// What depends on the seed that the standard library took.
    pub fn random(&self) -> Random {
        let hash = format!("{:016x}", RandomState::new().hash_one("casemate"));
        let map: HashMap<u32, ()> = (0..16).map(|key| (key, ())).collect();
        Random { hash, order: map.into_keys().collect() }
    }

    /// How often this instance has been asked so far, this time included.
    pub fn counter(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casemate_plugin::testing::{call, call_raw, start};
    use serde_json::json;

    fn probe() -> Probe {
        start(&json!({"depth": 3})).unwrap()
    }

    #[test]
    fn what_is_bounded_ends() {
        let probe = &mut probe();
        assert_eq!(call::<_, _, u64>(probe, "spin", &json!({"n": 1000})).unwrap(), 1000);
        assert_eq!(call_raw(probe, "echo", b"\x00\xff").unwrap(), b"\x00\xff");
        assert_eq!(call::<_, _, usize>(probe, "grow", &json!({"bytes": 100_000})).unwrap(), 100_000);
        assert_eq!(call::<_, _, usize>(probe, "grow", &json!({"bytes": 1})).unwrap(), 100_001);
        let log = json!({"level": "info", "text": "line", "times": 2});
        assert_eq!(call::<_, _, u64>(probe, "log", &log).unwrap(), 2);
    }

    #[test]
    fn the_instance_keeps_its_fields() {
        let probe = &mut probe();
        assert_eq!(call::<_, _, Value>(probe, "config", &()).unwrap(), json!({"depth": 3}));
        for expected in 1..4 {
            assert_eq!(call::<_, _, u64>(probe, "counter", &()).unwrap(), expected);
        }
        assert_eq!(call::<_, _, Random>(probe, "random", &()).unwrap().order.len(), 16);
    }

    #[test]
    fn without_a_host_its_calls_fail() {
        let probe = &mut probe();
        let tally: Tally = call(probe, "host_loop", &json!({"method": "m", "n": 3})).unwrap();
        assert_eq!((tally.answered, tally.failed), (0, 3));
        let asked = call::<_, _, Value>(probe, "host", &json!({"method": "m", "payload": [1]}));
        assert_eq!(asked.unwrap_err().code, host::NO_HOST);
    }
}
