//! A casemate-1 plugin that wants WASI: time, chance, its environment and a folder.

use casemate_plugin::{Error, plugin};
use std::hash::BuildHasher;
use std::time::Duration;

/// Counts, so that calls of one instance can be told from those of two.
#[derive(Default)]
pub struct Reactor {
    calls: u64,
}

#[plugin]
impl Reactor {
    /// How often it was called.
    pub fn count(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }

    /// A number by chance.
    pub fn random(&self) -> String {
        format!("{:016x}", std::hash::RandomState::new().hash_one(1))
    }

    /// A variable of its environment.
    pub fn env(&self, name: String) -> Option<String> {
        std::env::var(name).ok()
    }

    /// A file.
    pub fn read(&self, path: String) -> Result<String, Error> {
        std::fs::read_to_string(path).map_err(|error| Error::new("io", &format!("{:?}", error.kind())))
    }

    /// Waits, and does not ask whether it should.
    pub fn sleep(&self, ms: u64) -> u64 {
        std::thread::sleep(Duration::from_millis(ms));
        ms
    }

    /// Words on both streams.
    pub fn speak(&self, words: String) {
        println!("{words}");
        eprintln!("{words}");
    }
}
