//! What the rest of the supervisor holds of a watched process.

use super::Shared;
use super::book::{self, Due, Entry};
use super::cpu::{Allowance, Meter};
use super::watched::Fate;
use crate::cgroup::Group;
use rustix::process::Signal;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A watched process. Dropping it kills it; the guard reaps it.
pub(crate) struct Process {
    shared: Arc<Shared>,
    key: u64,
    pid: i32,
    pub(super) fate: watch::Receiver<Fate>,
    /// Left to end by itself.
    let_go: bool,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("pid", &self.pid).finish_non_exhaustive()
    }
}

impl Process {
    pub(super) fn new(shared: Arc<Shared>, key: u64, pid: i32, fate: watch::Receiver<Fate>) -> Self {
        Self { shared, key, pid, fate, let_go: false }
    }

    /// Its pid, as long as it lives or is not reaped.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Names its tree, if it is the head.
    pub(crate) fn tree(&self) -> u64 {
        self.key
    }

    /// What is known of it now.
    pub(crate) fn fate(&self) -> Fate {
        self.fate.borrow().clone()
    }

    /// Sends SIGKILL.
    pub(crate) fn kill(&self) {
        if self.shared.is_own()
            && let Some(watched) = self.shared.lock().processes.get(&self.key)
        {
            watched.signal(Signal::KILL);
        }
    }

    /// A second descriptor of it.
    pub(crate) fn pidfd(&self) -> io::Result<OwnedFd> {
        match self.shared.lock().processes.get(&self.key) {
            Some(watched) => Ok(rustix::io::fcntl_dupfd_cloexec(&watched.pidfd, 3)?),
            None => Err(io::Error::other("the process is gone")),
        }
    }

    /// Keeps a group until it has ended.
    pub(crate) fn keep(&self, cgroup: Arc<Group>) {
        if let Some(watched) = self.shared.lock().processes.get_mut(&self.key) {
            watched.cgroup = Some(cgroup);
        }
    }

    /// Waits for its end.
    pub(crate) async fn ended(&self) -> Fate {
        self.until(|fate| fate.exit.is_some()).await
    }

    /// Its end, for somebody who does not hold it: that does not keep it alive.
    pub(crate) fn ending(&self) -> impl Future<Output = Fate> + Send + use<> {
        let mut fate = self.fate.clone();
        async move {
            // Without a guard nothing more will be known.
            let _ = fate.wait_for(|fate| fate.exit.is_some()).await;
            fate.borrow().clone()
        }
    }

    /// Waits until this holds of what is known, or it is gone.
    pub(crate) async fn until(&self, holds: impl Fn(&Fate) -> bool) -> Fate {
        let mut fate = self.fate.clone();
        match fate.wait_for(|fate| holds(fate) || fate.exit.is_some()).await {
            Ok(fate) => fate.clone(),
            Err(_guard_is_gone) => self.fate(),
        }
    }

    /// From now on: SIGUSR1 when what it may use is used up, SIGKILL after the grace time more, unless disarmed before.
    pub(crate) fn arm(&self, allowance: &Allowance) -> Deadline {
        #[expect(clippy::disallowed_methods, reason = "deadlines are measured here")]
        let now = Instant::now();
        let meter = Meter::new(allowance, || self.cpu_time());
        let grace = allowance.grace;
        let mut state = self.shared.lock();
        if let Some(watched) = state.processes.get_mut(&self.key) {
            watched.calm.work();
            // What an earlier deadline did is no news about this one.
            watched.fate.send_if_modified(|fate| {
                fate.spent = None;
                std::mem::take(&mut fate.interrupted)
            });
        }
        let entry = |due| Entry { key: self.key, due };
        let wall = state.book.insert(now + allowance.wall, entry(Due::Soft { grace }));
        let cpu = meter.map(|meter| {
            // At once, if there is nothing left.
            let first = now + meter.look(meter.from()).unwrap_or_default();
            state.book.insert(first, entry(Due::Cpu { meter, grace }))
        });
        self.shared.set_alarm(&mut state);
        drop(state);
        Deadline { shared: Arc::clone(&self.shared), wall, cpu, key: self.key, armed_at: now, armed: true }
    }

    /// CPU time that it has used; `None` if it has ended.
    pub(crate) fn cpu_time(&self) -> Option<Duration> {
        casemate_sys::process::cpu_time(self.pid)
    }

    /// It is ready, and has nothing to do until its next deadline is armed.
    pub(crate) fn rest(&self) {
        if let Some(watched) = self.shared.lock().processes.get_mut(&self.key) {
            watched.calm.rest();
        }
    }

    /// The same once it has had so much time to start: a native program does that by itself, and nobody is told when it has.
    #[expect(clippy::disallowed_methods, reason = "the guard is the driver of deadlines")]
    pub(crate) fn rest_after(&self, patience: Duration) {
        if let Some(watched) = self.shared.lock().processes.get_mut(&self.key) {
            watched.calm.rest_from(Instant::now() + patience);
        }
    }

    /// It waits at its exec and was looked at: that one may run.
    pub(crate) fn let_exec(&self) {
        self.shared.let_exec(self.key);
    }

    /// The head of a tree has its module: the calls that loading needs are forbidden from here on.
    pub(crate) fn loaded(&self) {
        self.shared.loaded(self.key);
    }

    /// Leaves it to end by itself, as a stub does once its zygote has, and kills it only if it has not after `patience`.
    pub(crate) fn let_go(&mut self, patience: Duration) {
        self.let_go = true;
        if self.shared.is_own() {
            self.shared.kill_later(self.key, patience);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.let_go {
            self.kill();
        }
    }
}

/// An armed deadline; dropping it disarms it.
pub(crate) struct Deadline {
    shared: Arc<Shared>,
    wall: book::Id,
    cpu: Option<book::Id>,
    key: u64,
    armed_at: Instant,
    armed: bool,
}

impl Deadline {
    /// Disarms it. From here on no signal of it is sent: the guard sends them under the same lock.
    pub(crate) fn disarm(mut self) -> Duration {
        self.remove();
        self.elapsed()
    }

    /// Since it was armed.
    #[expect(clippy::disallowed_methods, reason = "deadlines are measured here")]
    pub(crate) fn elapsed(&self) -> Duration {
        Instant::now().duration_since(self.armed_at)
    }

    fn remove(&mut self) {
        // In a forked child of the host nobody may ever unlock what the guard held at that moment.
        if std::mem::take(&mut self.armed) && self.shared.is_own() {
            let mut state = self.shared.lock();
            state.book.remove(self.wall, self.key);
            if let Some(cpu) = self.cpu {
                state.book.remove(cpu, self.key);
            }
            if let Some(watched) = state.processes.get_mut(&self.key) {
                watched.calm.rest();
            }
        }
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.remove();
    }
}
