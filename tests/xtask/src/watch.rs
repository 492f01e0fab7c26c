//! One executable, its time limit, and whatever it left behind.
//!
//! While an executable runs we are the reaper of every orphan it makes (`PR_SET_CHILD_SUBREAPER`), so a process that
//! outlives it becomes our child, however it had detached itself, and can be seen, named and killed.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, set_child_subreaper, wait};

use crate::problem::Problem;
use crate::tally::Count;

/// How long what an executable started may take to end after it. A cell dies with its host within milliseconds.
const GRACE: Duration = Duration::from_secs(3);

/// How long what we killed may take to be gone.
const KILLED: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(10);

/// What to run, and as whom.
#[derive(Debug)]
pub(crate) struct Watched<'a> {
    pub(crate) file: &'a Path,
    pub(crate) arguments: &'a [String],
    pub(crate) folder: &'a Path,
    /// Its whole environment.
    pub(crate) variables: &'a [(&'static str, OsString)],
    /// Changes to these ids, with no supplementary groups.
    pub(crate) ids: Option<(u32, u32)>,
    pub(crate) limit: Duration,
}

/// How it went.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) end: End,
    /// What libtest's last closing line said.
    pub(crate) count: Option<Count>,
    /// Tests that libtest said have failed.
    pub(crate) failed: Vec<String>,
    /// Processes that were still there after [`GRACE`]; they were killed.
    pub(crate) left_behind: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Success,
    /// An exit code or a signal, in words.
    Failure(String),
    /// It passed its time limit and was killed with everything it had started.
    Overran,
}

/// Runs it to its end, with its output on the terminal.
pub(crate) fn watch(watched: &Watched<'_>) -> Result<Ended, Problem> {
    let failed =
        |error: rustix::io::Errno| Problem::new(format!("cannot watch over child processes: {error}"));
    set_child_subreaper(Some(rustix::process::getpid())).map_err(failed)?;
    let ended = start(watched).and_then(|(child, said)| {
        let end = await_end(child, watched.limit).map_err(failed)?;
        let grace = if end == End::Overran { Duration::ZERO } else { GRACE };
        let left_behind = if await_orphans(grace) { Vec::new() } else { kill_orphans() };
        let left_behind = if end == End::Overran { Vec::new() } else { left_behind };
        // Everything that could hold the pipe is gone; the limit is for what we were not allowed to kill.
        let Said { count, failed } = said.recv_timeout(KILLED).unwrap_or_default();
        Ok(Ended { end, count, failed, left_behind })
    });
    set_child_subreaper(None).map_err(failed)?;
    ended
}

/// What an executable's output says of its tests.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    count: Option<Count>,
    failed: Vec<String>,
}

fn start(watched: &Watched<'_>) -> Result<(Pid, Receiver<Said>), Problem> {
    let mut command = Command::new(watched.file);
    command.args(watched.arguments).current_dir(watched.folder).env_clear();
    command.envs(watched.variables.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    if let Some((uid, gid)) = watched.ids {
        // With a uid to change to, root's supplementary groups are dropped too.
        command.uid(uid).gid(gid);
    }
    let mut child = command.spawn().map_err(|error| Problem::file("start", watched.file, &error))?;
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| Problem::new("the kernel gave a process no id"))?;
    let (sender, receiver) = sync_channel(1);
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            // Nobody may be listening any more.
            let _ = sender.send(show(stdout));
        });
    }
    // `child` is not waited for: `await_end` takes its status together with those of the orphans.
    Ok((pid, receiver))
}

/// Passes the output on, and remembers the last closing line and the tests that failed.
fn show(stdout: impl Read) -> Said {
    let mut said = Said::default();
    for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        said.count = Count::in_line(&line).or(said.count);
        said.failed.extend(failed_test(&line));
    }
    said
}

/// The test of a line `test NAME ... FAILED`.
fn failed_test(line: &str) -> Option<String> {
    Some(line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?.to_owned())
}

fn await_end(child: Pid, limit: Duration) -> rustix::io::Result<End> {
    let start = Instant::now();
    let mut overran = false;
    loop {
        match wait(WaitOptions::NOHANG)? {
            Some((pid, _)) if pid == child && overran => return Ok(End::Overran),
            Some((pid, status)) if pid == child => return Ok(in_words(status)),
            Some(_) => continue,
            None => std::thread::sleep(PAUSE),
        }
        if !overran && start.elapsed() > limit {
            overran = true;
            kill_process(child, Signal::KILL)?;
        }
    }
}

fn in_words(status: WaitStatus) -> End {
    if status.exit_status() == Some(0) {
        return End::Success;
    }
    End::Failure(match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an end that has no name".to_owned(),
    })
}

/// Reaps until no child is left; says whether that was within the time.
fn await_orphans(time: Duration) -> bool {
    let start = Instant::now();
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => {}
            // No child at all, which is what this waits for.
            Err(_) => return true,
            Ok(None) if start.elapsed() >= time => return false,
            Ok(None) => std::thread::sleep(PAUSE),
        }
    }
}

/// Kills our children, and theirs as they become ours, until none is left. The answer names them.
fn kill_orphans() -> Vec<String> {
    let start = Instant::now();
    let mut named = Vec::new();
    while start.elapsed() < KILLED {
        for (pid, name) in children() {
            if kill_process(pid, Signal::KILL).is_ok() {
                named.push(name);
            }
        }
        if await_orphans(PAUSE) {
            break;
        }
    }
    named.sort();
    named.dedup();
    named
}

fn children() -> Vec<(Pid, String)> {
    let own = rustix::process::getpid();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // The name in brackets may itself hold brackets and spaces.
            let (name, rest) = stat.rsplit_once(')')?;
            let mut fields = rest.split_whitespace();
            let (state, parent) = (fields.next()?, fields.next()?.parse::<i32>().ok()?);
            let ours = parent == own.as_raw_nonzero().get() && state != "Z";
            ours.then(|| (pid, format!("pid {name})")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_that_failed_are_known_by_name() {
        let output = "test one ... ok\ntest below::two ... FAILED\ntest three - should panic ... ok\n\
                      test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        let count = Some(Count { passed: 2, failed: 1, skipped: 0 });
        assert_eq!(show(output.as_bytes()), Said { count, failed: vec!["below::two".to_owned()] });
    }
}
