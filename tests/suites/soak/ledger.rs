//! What became of each call, written down as it happens by whoever makes it: what is written outlives its writer.

use super::End;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

const BEGINS: &str = "begins";

/// Where a supervisor's callers write.
#[derive(Debug)]
pub(crate) struct Pen(File);

impl Pen {
    pub(crate) fn new(path: &str) -> Self {
        Self(OpenOptions::new().create(true).append(true).open(path).unwrap())
    }

    /// Call `number` of a caller begins.
    pub(crate) fn begins(&self, caller: usize, number: u64) {
        self.line(caller, number, BEGINS);
    }

    /// It has ended so.
    pub(crate) fn ends(&self, caller: usize, number: u64, outcome: &str) {
        self.line(caller, number, outcome);
    }

    /// In one piece, which an append is.
    fn line(&self, caller: usize, number: u64, what: &str) {
        (&self.0).write_all(format!("{caller} {number} {what}\n").as_bytes()).unwrap();
    }
}

/// What one supervisor's callers have written: by caller and number of the call, how often it began, and how it ended.
#[derive(Debug)]
pub(crate) struct Ledger(BTreeMap<(usize, u64), (u64, Vec<String>)>);

impl Ledger {
    pub(crate) fn read(path: &Path) -> Self {
        let mut calls: BTreeMap<_, (u64, Vec<String>)> = BTreeMap::new();
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let [caller, number, what] = line.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
            let call = calls.entry((caller.parse().unwrap(), number.parse().unwrap())).or_default();
            if what == BEGINS {
                call.0 += 1;
            } else {
                call.1.push(what.to_owned());
            }
        }
        Self(calls)
    }
}

/// All of them together.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    begun: u64,
    /// Calls that were under way when their supervisor was killed.
    killed: u64,
    outcomes: BTreeMap<String, u64>,
    /// What is wrong with which.
    wrong: Vec<String>,
}

/// How a call may end while processes are killed and stopped: with an answer, or with the truth.
const MAY_BE: &[&str] =
    &["answered", "worker.lost", "timeout.soft", "timeout.hard", "spawn.failed", "overloaded.queue"];

impl Sum {
    pub(crate) fn add(&mut self, ledger: &Ledger, end: End) {
        let mut last: BTreeMap<usize, u64> = BTreeMap::new();
        for (caller, number) in ledger.0.keys() {
            let last = last.entry(*caller).or_default();
            *last = (*last).max(*number);
        }
        for ((caller, number), (begun, ends)) in &ledger.0 {
            self.begun += begun;
            match (begun, ends.as_slice()) {
                (1, [outcome]) => *self.outcomes.entry(outcome.clone()).or_default() += 1,
                // A caller makes one call after the other: only its last can have died with its supervisor.
                (1, []) if end == End::Killed && last.get(caller) == Some(number) => self.killed += 1,
                _ => {
                    self.wrong.push(format!("caller {caller}, call {number}: begun {begun} times, {ends:?}"))
                }
            }
        }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{:>8} calls begun", self.begun)];
        lines.extend(self.outcomes.iter().map(|(outcome, calls)| format!("{calls:>8} {outcome}")));
        lines.push(format!("{:>8} ended with their supervisor", self.killed));
        lines
    }

    pub(crate) fn check(&self) {
        assert_eq!(self.wrong, Vec::<String>::new());
        assert_eq!(self.begun, self.outcomes.values().sum::<u64>() + self.killed);
        let strange: Vec<_> =
            self.outcomes.keys().filter(|outcome| !MAY_BE.contains(&outcome.as_str())).collect();
        assert_eq!(strange, Vec::<&String>::new());
        let answered = self.outcomes.get("answered").copied().unwrap_or_default();
        assert!(answered * 2 > self.begun, "most calls are to be answered, or this tries nothing");
    }
}
