//! Where this is measured, and on which of its cores.

use crate::Outcome;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::{Value, json};
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// What a reader needs to know to make sense of the numbers.
#[derive(Debug)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    kernel: String,
    /// Others that wanted the processor meanwhile, as the kernel averages over the last minute.
    load: String,
    date: String,
    is_virtual: bool,
    is_root: bool,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let processors = read("/proc/cpuinfo");
        let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let system = rustix::system::uname();
        Self {
            processor: model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            // What a distribution adds to the version says nothing about speed.
            kernel: system.release().to_string_lossy().split('-').next().unwrap_or_default().to_owned(),
            load: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
            date: date(seconds),
            is_virtual: processors.contains(" hypervisor"),
            is_root: rustix::process::geteuid().is_root(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "processor": self.processor,
            "cores": self.cores,
            "kernel": self.kernel,
            "load_before": self.load,
            "date": self.date,
            "virtual": self.is_virtual,
            "as_root": self.is_root,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, kernel, load, date, is_virtual, is_root } = self;
        let place = if *is_virtual { " of a virtual machine" } else { "" };
        let who = if *is_root { "root" } else { "an ordinary user" };
        write!(out, "{processor}, {cores} cores{place}, Linux {kernel}, {date}, as {who}, load {load} before")
    }
}

/// `YYYY-MM-DD` of seconds since 1970, in UTC.
fn date(seconds: u64) -> String {
    // Howard Hinnant's civil_from_days: years begin in March, so that the day that comes and goes is the last.
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Keeps this thread, and the threads and processes it starts from now on, on one core; until dropped.
#[derive(Debug)]
pub(crate) struct OneCore(CpuSet);

impl OneCore {
    pub(crate) fn take() -> Outcome<Self> {
        let all = sched_getaffinity(None)?;
        // The last: the first one serves most interrupts.
        let last = (0..CpuSet::MAX_CPU).rev().find(|core| all.is_set(*core)).unwrap_or(0);
        let mut one = CpuSet::new();
        one.set(last);
        sched_setaffinity(None, &one)?;
        Ok(Self(all))
    }
}

impl Drop for OneCore {
    fn drop(&mut self) {
        let _ = sched_setaffinity(None, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn dates() {
        assert_eq!([0, 951_782_400, 951_868_800].map(date), ["1970-01-01", "2000-02-29", "2000-03-01"]);
        assert_eq!(date(1_798_675_200), "2026-12-31");
    }
}
