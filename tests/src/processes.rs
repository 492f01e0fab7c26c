//! What of Casemate runs on this machine, found by the marker in the processes' arguments and never by remembered pids.

use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// One process that carries a marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its pid.
    pub pid: i32,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl Found {
    /// `stub`, `zygote`, …; workers carry their zygote's.
    pub fn stage(&self) -> &str {
        self.arguments.get(1).map_or("", String::as_str)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let _ = kill_process(Pid::from_raw(self.pid).unwrap(), signal);
    }
}

/// Every living process with this marker. Zombies have no arguments and are not found; see [`zombies`].
pub fn with_marker(marker: &str) -> Vec<Found> {
    assert!(!marker.is_empty(), "without a marker that is every process of the machine");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(bytes) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let arguments: Vec<String> =
            bytes.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
        if arguments.iter().any(|argument| argument == marker) {
            found.push(Found { pid, arguments });
        }
    }
    found
}

/// What each of the living processes with this marker is: stubs, heads (zygotes, and compilers), workers.
///
/// Zygotes and their workers carry the same arguments; a head is a stub's child.
pub fn by_kind(marker: &str) -> [Vec<Found>; 3] {
    let (stubs, rest): (Vec<_>, Vec<_>) =
        with_marker(marker).into_iter().partition(|found| found.stage() == "stub");
    let pids: BTreeSet<i32> = stubs.iter().map(|stub| stub.pid).collect();
    let (heads, workers) =
        rest.into_iter().partition(|found| parent(found.pid).is_some_and(|parent| pids.contains(&parent)));
    [stubs, heads, workers]
}

/// The worker that was forked last: the one with the highest pid in its own namespace, as other pids start anew at some time.
pub fn youngest_worker(marker: &str) -> Option<Found> {
    let [_, _, workers] = by_kind(marker);
    let numbered = workers.into_iter().filter_map(|worker| Some((status(worker.pid, "NSpid:")?, worker)));
    numbered.max_by_key(|(inner, _)| *inner).map(|(_, worker)| worker)
}

/// This process and all that it has started, and what those have started.
pub fn family() -> Vec<i32> {
    let numbers = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let pairs: Vec<(i32, i32)> = pids.filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut found = vec![i32::try_from(std::process::id()).unwrap()];
    let mut next = 0;
    while let Some(of) = found.get(next).copied() {
        found.extend(pairs.iter().filter(|(_, parent)| *parent == of).map(|(pid, _)| *pid));
        next += 1;
    }
    found
}

/// What a process has in memory, in bytes; 0 once it is gone.
pub fn resident(pid: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Who started a process, while that runs.
pub fn parent(pid: i32) -> Option<i32> {
    status(pid, "PPid:")
}

/// Whose process it is.
pub fn user(pid: i32) -> u32 {
    status(pid, "Uid:").unwrap().cast_unsigned()
}

/// The last number of a line of a process's status; none once it is gone.
fn status(pid: i32, name: &str) -> Option<i32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next_back()?.parse().ok()
}

/// Waits until no process carries the marker any more.
pub fn await_none(marker: &str, within: Duration) {
    let end = Instant::now() + within;
    loop {
        let left = with_marker(marker);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "still alive after {within:?}: {left:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Children of this process that nobody has waited for.
pub fn zombies() -> Vec<i32> {
    let me = std::process::id().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((_, rest)) = stat.rsplit_once(')') else { continue };
        let mut fields = rest.split_whitespace();
        if fields.next() == Some("Z") && fields.next() == Some(&me) {
            found.push(pid);
        }
    }
    found
}

/// Descriptors this process has open.
pub fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The soft value of a process's limit, by the name that `/proc/PID/limits` has for it; all ones without one.
pub fn limit(pid: i32, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap_or(u64::MAX)
}

/// A size of a process in bytes, by the name that `/proc/PID/status` has for it.
pub fn size(pid: i32, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or("0");
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
}
