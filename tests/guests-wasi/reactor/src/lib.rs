//! A casemate-1 plugin that wants WASI: time, chance, its environment and a folder.

use casemate_plugin::{Error, plugin};
use std::collections::BTreeSet;
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

    /// Writes a file, of so many bytes.
    pub fn write(&self, path: String, bytes: usize) -> Result<(), Error> {
        std::fs::write(path, vec![b'x'; bytes])
            .map_err(|error| Error::new("io", &format!("{:?}", error.kind())))
    }

    /// What is in a folder, in the order of their names.
    pub fn list(&self, path: String) -> Result<BTreeSet<String>, Error> {
        let entries =
            std::fs::read_dir(path).map_err(|error| Error::new("io", &format!("{:?}", error.kind())))?;
        Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
    }

    /// Reads a file so many times; every content that it had, and how often that worked.
    pub fn read_many(&self, path: String, times: u32) -> (BTreeSet<String>, u32) {
        let read: Vec<String> = (0..times).filter_map(|_| std::fs::read_to_string(&path).ok()).collect();
        let count = u32::try_from(read.len()).unwrap_or(u32::MAX);
        (read.into_iter().collect(), count)
    }

    /// Makes, links, renames and removes files so many times, and never minds; how often writing worked.
    pub fn write_many(&self, folder: String, times: u32) -> u32 {
        let mut count = 0;
        for number in 0..times {
            let (one, other) = (format!("{folder}/written-{number}"), format!("{folder}/renamed-{number}"));
            count += u32::from(std::fs::write(&one, "written").is_ok());
            let _ = std::fs::hard_link(&one, &other);
            let _ = std::fs::rename(&one, &other);
            let _ = std::fs::remove_file(&other);
        }
        count
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
