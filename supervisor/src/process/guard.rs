//! The guard: one thread that owns every deadline, listener and pidfd, so that no blocked runtime can disable a kill.
//!
//! ```text
//! arm / disarm ──► deadlines ─due─► SIGUSR1, then SIGKILL
//! listener readable ─► who tried what ─► recorded ─► SIGKILL
//! pidfd readable ─► how it ended ─► published
//! ```
//! What it learns of a process it publishes in that process's [`Fate`]; a violation always before the end it leads to.
//! It must never know what a call is.

mod book;

use book::{Book, Due, Entry};
use casemate_protocol::outcome::{Exit, SyscallReport};
use casemate_sys::process::ExitStatus;
use casemate_sys::seccomp::{self, Notification};
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::process::{Signal, WaitId, WaitIdOptions, waitid};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// What is known of a process.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Fate {
    /// The forbidden call it tried.
    pub(crate) violation: Option<SyscallReport>,
    /// It was sent the soft signal of its deadline.
    pub(crate) interrupted: bool,
    /// It was killed for its deadline.
    pub(crate) overdue: bool,
    /// How it ended.
    pub(crate) exit: Option<Exit>,
}

/// How long a notification of an unknown process waits for its owner to be registered: a worker can break a rule before
/// its pidfd has reached us.
const UNKNOWN_PATIENCE: Duration = Duration::from_secs(5);
/// How often, and how far apart, the end of a process is asked for that its parent has not reaped yet.
const REAP_ATTEMPTS: u32 = 200;
const REAP_PAUSE: Duration = Duration::from_millis(1);
/// How long a stub may take to end once its zygote is killed: it has to wait for it, which takes well under a millisecond.
pub(crate) const STUB_PATIENCE: Duration = Duration::from_secs(1);

struct Watched {
    pidfd: OwnedFd,
    pid: i32,
    tree: u64,
    /// Our own child, to be waited for.
    child: Option<Child>,
    /// Left alive after a violation, for a look at it.
    canary: bool,
    fate: watch::Sender<Fate>,
}

struct Listener {
    fd: OwnedFd,
    /// The zygote of its tree is gone; close it with the last process.
    orphaned: bool,
}

struct Unknown {
    report: SyscallReport,
    tree: u64,
}

#[derive(Default)]
struct State {
    book: Book,
    processes: HashMap<u64, Watched>,
    /// By the key of their zygote.
    listeners: HashMap<u64, Listener>,
    unknown: HashMap<i32, Unknown>,
    last_key: u64,
    stop: bool,
    /// Whether the ends that come late have been ordered.
    stop_ordered: bool,
    /// When the thread looks at the book next without being woken; `None`: not until it is.
    looks_at: Option<Instant>,
}

struct Shared {
    state: Mutex<State>,
    epoll: OwnedFd,
    wake: OwnedFd,
    /// After a fork of the host, nothing done in the child may end the parent's plugins.
    host_pid: u32,
}

/// The thread.
pub(crate) struct Guard {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

/// A watched process. Dropping it kills it; the guard reaps it.
pub(crate) struct Process {
    shared: Arc<Shared>,
    key: u64,
    pid: i32,
    fate: watch::Receiver<Fate>,
    /// Left to end by itself.
    let_go: bool,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("pid", &self.pid).finish_non_exhaustive()
    }
}

/// Which tree a process belongs to, and what is special about it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// The head of a tree: a zygote, or a compiler.
    Head,
    /// Below that head.
    Below { tree: u64, canary: bool },
}

/// Of a process that had ended before it was watched.
const NO_PID: i32 = -1;
const ENOENT: i32 = rustix::io::Errno::NOENT.raw_os_error();
const EINTR: i32 = rustix::io::Errno::INTR.raw_os_error();

const WAKE: u64 = u64::MAX;
const LISTENER_BIT: u64 = 1 << 63;

impl Guard {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let epoll = crate::process::stub::off_the_standard_descriptors(epoll::create(CreateFlags::CLOEXEC)?)?;
        let wake = crate::process::stub::off_the_standard_descriptors(eventfd(
            0,
            EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK,
        )?)?;
        epoll::add(&epoll, &wake, EventData::new_u64(WAKE), EventFlags::IN)?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State::default()),
            epoll,
            wake,
            host_pid: std::process::id(),
        });
        let own = Arc::clone(&shared);
        let thread =
            std::thread::Builder::new().name("casemate-guard".to_owned()).spawn(move || own.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Watches a process. `child` is our own child to wait for.
    pub(crate) fn watch(&self, pidfd: OwnedFd, child: Option<Child>, kind: Kind) -> io::Result<Process> {
        // One that has ended already has no number any more, and needs none.
        let pid = match crate::inspect::pid_of(pidfd.as_fd()) {
            Ok(pid) => i32::try_from(pid).map_err(io::Error::other)?,
            Err(crate::inspect::InspectError::Ended) => NO_PID,
            Err(error) => return Err(io::Error::other(error)),
        };
        let (sender, fate) = watch::channel(Fate::default());
        let mut state = self.shared.lock();
        if state.stop {
            let _ = rustix::process::pidfd_send_signal(&pidfd, Signal::KILL);
            return Err(io::Error::other("the supervisor is shut down"));
        }
        state.last_key += 1;
        let key = state.last_key;
        let (tree, canary) = match kind {
            Kind::Head => (key, false),
            Kind::Below { tree, canary } => (tree, canary),
        };
        epoll::add(&self.shared.epoll, &pidfd, EventData::new_u64(key), EventFlags::IN)?;
        let watched = Watched { pidfd, pid, tree, child, canary, fate: sender };
        if state.unknown.get(&pid).is_some_and(|unknown| unknown.tree == tree)
            && let Some(unknown) = state.unknown.remove(&pid)
        {
            watched.violates(unknown.report);
        }
        state.processes.insert(key, watched);
        Ok(Process { shared: Arc::clone(&self.shared), key, pid, fate, let_go: false })
    }

    /// Takes the listener of a tree. It is closed with the last process of that tree.
    pub(crate) fn listen(&self, listener: OwnedFd, head: &Process) -> io::Result<()> {
        let mut state = self.shared.lock();
        epoll::add(
            &self.shared.epoll,
            &listener,
            EventData::new_u64(LISTENER_BIT | head.key),
            EventFlags::IN,
        )?;
        state.listeners.insert(head.key, Listener { fd: listener, orphaned: false });
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.shared.is_own() {
            return;
        }
        self.shared.lock().stop = true;
        self.shared.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Process {
    /// Its pid, as long as it lives or is not reaped.
    #[cfg(test)]
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

    /// Waits for its end.
    pub(crate) async fn ended(&self) -> Fate {
        self.until(|fate| fate.exit.is_some()).await
    }

    /// Waits until this holds of what is known, or it is gone.
    pub(crate) async fn until(&self, holds: impl Fn(&Fate) -> bool) -> Fate {
        let mut fate = self.fate.clone();
        match fate.wait_for(|fate| holds(fate) || fate.exit.is_some()).await {
            Ok(fate) => fate.clone(),
            Err(_guard_is_gone) => self.fate(),
        }
    }

    /// From now on: SIGUSR1 after `soft`, SIGKILL after `grace` more, unless disarmed before.
    pub(crate) fn arm(&self, soft: Duration, grace: Duration) -> Deadline {
        #[expect(clippy::disallowed_methods, reason = "deadlines are measured here")]
        let now = Instant::now();
        let soft_at = now + soft;
        let entry = Entry { key: self.key, due: Due::Soft { grace } };
        let mut state = self.shared.lock();
        if let Some(watched) = state.processes.get(&self.key) {
            // What an earlier deadline did is no news about this one.
            watched.fate.send_if_modified(|fate| std::mem::take(&mut fate.interrupted));
        }
        let id = state.book.insert(soft_at, entry);
        let is_awake_in_time = state.looks_at.is_some_and(|looks_at| looks_at <= soft_at);
        drop(state);
        if !is_awake_in_time {
            self.shared.wake();
        }
        Deadline { shared: Arc::clone(&self.shared), id, key: self.key, armed_at: now, armed: true }
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
    id: book::Id,
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
            self.shared.lock().book.remove(self.id, self.key);
        }
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.remove();
    }
}

impl Watched {
    fn signal(&self, signal: Signal) {
        // ESRCH: it has ended already.
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, signal);
    }

    /// Records what it tried first, then ends it.
    fn violates(&self, report: SyscallReport) {
        self.fate.send_modify(|fate| {
            fate.violation.get_or_insert(report);
        });
        if !self.canary {
            self.signal(Signal::KILL);
        }
    }

    /// How it ended, if the kernel says so already.
    fn exit(&mut self) -> Option<Exit> {
        if self.child.is_some() {
            // By descriptor: should the host wait for anything it finds, the number may be another's by now.
            match waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
                Ok(Some(status)) => {
                    let code = status.exit_status().map(Exit::Code);
                    return Some(
                        code.or(status.terminating_signal().map(Exit::Signal)).unwrap_or(Exit::Unknown),
                    );
                }
                Ok(None) => return None,
                // Somebody else has waited for it, or SIGCHLD is ignored: a newer kernel still says how it ended.
                Err(_) => self.child = None,
            }
        }
        casemate_sys::process::exit_status(self.pidfd.as_fd()).map(|status| match status {
            ExitStatus::Code(code) => Exit::Code(code),
            ExitStatus::Signal(signal) => Exit::Signal(signal),
        })
    }

    /// Whether its parent has waited for it: what the kernel does not say now it never will.
    fn is_reaped(&self) -> bool {
        matches!(crate::inspect::pid_of(self.pidfd.as_fd()), Err(crate::inspect::InspectError::Ended))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under this lock would be ours; what it guards stays usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is the process that made the guard, and not a forked child of it.
    fn is_own(&self) -> bool {
        std::process::id() == self.host_pid
    }

    /// Kills a process after a while, if it has not ended by then.
    #[expect(clippy::disallowed_methods, reason = "the guard is the driver of deadlines")]
    fn kill_later(&self, key: u64, patience: Duration) {
        let at = Instant::now() + patience;
        let mut state = self.lock();
        state.book.insert(at, Entry { key, due: Due::Hard });
        let is_awake_in_time = state.looks_at.is_some_and(|looks_at| looks_at <= at);
        drop(state);
        if !is_awake_in_time {
            self.wake();
        }
    }

    fn wake(&self) {
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    fn run(&self) {
        // A signal for the host must find one of the host's own threads: it may have blocked it in all of those.
        let _ = casemate_sys::signal::block_asynchronous();
        let mut room =
            [const { epoll::Event { flags: EventFlags::empty(), data: EventData::new_u64(0) } }; 64];
        loop {
            let timeout = self.next_timeout();
            let events: &mut [epoll::Event] = match epoll::wait(&self.epoll, &mut room, timeout.as_ref()) {
                Ok(count) => room.get_mut(..count).unwrap_or_default(),
                Err(rustix::io::Errno::INTR) => continue,
                // Without epoll no deadline can be kept: end everything rather than let it run on.
                Err(_) => return self.end_everything(),
            };
            for event in events {
                match event.data.u64() {
                    WAKE => {
                        let _ = rustix::io::read(&self.wake, &mut [0_u8; 8]);
                    }
                    data if data & LISTENER_BIT != 0 => self.on_listener(data & !LISTENER_BIT),
                    key => self.on_exit(key, 0),
                }
            }
            self.on_due();
            if self.has_stopped() {
                return;
            }
        }
    }

    /// Once asked to stop: ends every process, and says when the last is gone. Our own children are stubs, which end by
    /// themselves as soon as they have waited for their zygotes.
    #[expect(clippy::disallowed_methods, reason = "the guard is the driver of deadlines")]
    fn has_stopped(&self) -> bool {
        let mut state = self.lock();
        if !state.stop {
            return false;
        }
        let (stubs, others): (Vec<_>, Vec<_>) =
            state.processes.iter().partition(|(_, watched)| watched.child.is_some());
        others.iter().for_each(|(_, watched)| watched.signal(Signal::KILL));
        let stubs: Vec<u64> = stubs.into_iter().map(|(key, _)| *key).collect();
        if !std::mem::replace(&mut state.stop_ordered, true) {
            let at = Instant::now() + STUB_PATIENCE;
            for key in stubs {
                state.book.insert(at, Entry { key, due: Due::Hard });
            }
        }
        state.processes.is_empty()
    }

    #[expect(clippy::disallowed_methods, reason = "the guard is the driver of deadlines")]
    fn next_timeout(&self) -> Option<Timespec> {
        let mut state = self.lock();
        state.looks_at = state.book.first();
        let wait = state.looks_at?.saturating_duration_since(Instant::now());
        Some(Timespec {
            tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: wait.subsec_nanos().into(),
        })
    }

    #[expect(clippy::disallowed_methods, reason = "the guard is the driver of deadlines")]
    fn on_due(&self) {
        let now = Instant::now();
        let mut ended = Vec::new();
        {
            let mut state = self.lock();
            while let Some((id, entry)) = state.book.take_due(now) {
                let Some(watched) = state.processes.get(&entry.key) else {
                    if let Due::Unknown { pid } = entry.due {
                        state.kill_unknown(pid, entry.key);
                    }
                    continue;
                };
                match entry.due {
                    Due::Soft { grace } => {
                        watched.fate.send_modify(|fate| fate.interrupted = true);
                        watched.signal(Signal::USR1);
                        state.book.insert_as(id, now + grace, Entry { key: entry.key, due: Due::Hard });
                    }
                    Due::Hard => {
                        watched.fate.send_modify(|fate| fate.overdue = true);
                        watched.signal(Signal::KILL);
                    }
                    Due::Reap { attempt } => ended.push((entry.key, attempt)),
                    Due::Unknown { pid } => state.kill_unknown(pid, entry.key),
                }
            }
        }
        for (key, attempt) in ended {
            self.on_exit(key, attempt);
        }
    }

    /// Takes what waits at a listener. RECV blocks when nothing waits, whatever the flags: poll before each.
    fn on_listener(&self, tree: u64) {
        loop {
            let mut state = self.lock();
            let Some(listener) = state.listeners.get(&tree) else { return };
            let mut ready = [PollFd::new(&listener.fd, PollFlags::IN)];
            let waits = matches!(poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(1..));
            let [ready] = ready;
            if ready.revents().intersects(PollFlags::HUP | PollFlags::ERR) {
                // Nobody is left behind this filter.
                state.listeners.remove(&tree);
                return;
            }
            if !waits {
                return;
            }
            match seccomp::receive(listener.fd.as_fd()) {
                Ok(notification) if seccomp::is_valid(listener.fd.as_fd(), notification.id) => {
                    state.on_violation(tree, &notification);
                }
                // It died in between.
                Ok(_) => {}
                Err(error) if matches!(error.raw_os_error(), Some(ENOENT | EINTR)) => {}
                // A listener that cannot be read keeps no promise, and must not keep the deadlines waiting either.
                Err(_) => {
                    if let Some(head) = state.processes.get(&tree) {
                        head.signal(Signal::KILL);
                    }
                    state.listeners.remove(&tree);
                    return;
                }
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the guard is the driver of deadlines")]
    fn on_exit(&self, key: u64, attempt: u32) {
        let mut state = self.lock();
        let Some(watched) = state.processes.get_mut(&key) else { return };
        if attempt == 0 {
            let _ = epoll::delete(&self.epoll, &watched.pidfd);
        }
        let exit = match watched.exit() {
            Some(exit) => exit,
            None if attempt < REAP_ATTEMPTS && !watched.is_reaped() => {
                let due = Due::Reap { attempt: attempt + 1 };
                state.book.insert(Instant::now() + REAP_PAUSE, Entry { key, due });
                return;
            }
            None => Exit::Unknown,
        };
        if let Some(watched) = state.processes.remove(&key) {
            watched.fate.send_modify(|fate| fate.exit = Some(exit));
            state.on_gone(key, watched.tree);
        }
    }

    fn end_everything(&self) {
        self.lock().processes.values().for_each(|watched| watched.signal(Signal::KILL));
    }
}

impl State {
    #[expect(clippy::disallowed_methods, reason = "the guard is the driver of deadlines")]
    fn on_violation(&mut self, tree: u64, notification: &Notification) {
        let report = SyscallReport {
            arch: notification.arch,
            number: notification.number,
            name: casemate_protocol::syscalls::name(notification.arch, notification.number),
            args: notification.args,
            instruction_pointer: notification.instruction_pointer,
        };
        let pid = i32::try_from(notification.pid).unwrap_or(-1);
        match self.processes.values().find(|watched| watched.pid == pid && watched.tree == tree) {
            Some(watched) => watched.violates(report),
            None => {
                self.unknown.insert(pid, Unknown { report, tree });
                self.book.insert(
                    Instant::now() + UNKNOWN_PATIENCE,
                    Entry { key: tree, due: Due::Unknown { pid } },
                );
            }
        }
    }

    /// Nobody came to own a process that broke a rule: its whole tree goes.
    fn kill_unknown(&mut self, pid: i32, tree: u64) {
        if self.unknown.get(&pid).is_some_and(|unknown| unknown.tree == tree) {
            self.unknown.remove(&pid);
            if let Some(head) = self.processes.get(&tree) {
                head.signal(Signal::KILL);
            }
        }
    }

    /// Closes a tree's listener with its last process. Closed earlier, a forbidden call would return ENOSYS and go on.
    fn on_gone(&mut self, key: u64, tree: u64) {
        if key == tree
            && let Some(listener) = self.listeners.get_mut(&tree)
        {
            listener.orphaned = true;
        }
        let is_last = !self.processes.values().any(|watched| watched.tree == tree);
        if is_last && self.listeners.get(&tree).is_some_and(|listener| listener.orphaned) {
            self.listeners.remove(&tree);
        }
    }
}

#[cfg(test)]
mod tests;
