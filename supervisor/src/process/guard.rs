//! The guard: one thread that owns every deadline, listener and pidfd, so that no blocked runtime can disable a kill.
//!
//! ```text
//! arm / disarm ──► deadlines ─due─► SIGUSR1, then SIGKILL
//! listener readable ─► who tried what ─► recorded ─► SIGKILL
//! pidfd readable ─► link shut ─► how it ended ─► published
//! every second ─► CPU time of whoever has no call ─► SIGKILL
//! ```
//! What it learns of a process it publishes in that process's [`Fate`]; a violation always before the end it leads to.
//! It must never know what a call is.

mod alarm;
mod book;
mod cpu;
mod idle;
mod listener;
mod loading;
mod process;
mod watched;

pub(crate) use cpu::{Allowance, Spent};
pub(crate) use process::Process;
pub(crate) use watched::Fate;

use alarm::Alarm;
use book::{Book, Due, Entry};
use casemate_protocol::outcome::Exit;
use listener::{Listener, Unknown};
use loading::Loading;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::process::Signal;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use watched::Watched;

/// How often, and how far apart, the end of a process is asked for that its parent has not reaped yet: mostly it is about
/// to, so that the first pauses are short, and each is twice as long as the one before.
const REAP_ATTEMPTS: u32 = 200;
const REAP_PAUSE_FIRST: Duration = Duration::from_micros(50);
const REAP_PAUSE_MAX: Duration = Duration::from_millis(1);
/// How long a stub may take to end once its zygote is killed: it has to wait for it, which takes well under a millisecond.
pub(crate) const STUB_PATIENCE: Duration = Duration::from_secs(1);

struct State {
    book: Book,
    /// Rings when something is due. Only the process that made the guard sets it.
    alarm: Alarm,
    processes: HashMap<u64, Watched>,
    /// By the key of their zygote.
    listeners: HashMap<u64, Listener>,
    unknown: HashMap<i32, Unknown>,
    last_key: u64,
    /// Whether a look at idle workers is in the book.
    looks_at_idle: bool,
    stop: bool,
    /// Whether the ends that come late have been ordered.
    stop_ordered: bool,
}

struct Shared {
    state: Mutex<State>,
    epoll: OwnedFd,
    wake: OwnedFd,
    /// How many processes are watched.
    alive: watch::Sender<usize>,
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

/// Which tree a process belongs to, and what is special about it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// The head of a tree: a zygote, or a compiler.
    Head,
    /// Below that head.
    Below { tree: u64, canary: bool },
}

/// A process to watch, and what goes with it.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) pidfd: OwnedFd,
    /// Our own child, to be waited for.
    pub(crate) child: Option<Child>,
    /// Our end of its link. Whoever else may hold the other end, it is shut when the process ends.
    pub(crate) link: Option<Arc<OwnedFd>>,
    pub(crate) kind: Kind,
}

/// Of a process that had ended before it was watched.
const NO_PID: i32 = -1;

const WAKE: u64 = u64::MAX;
const ALARM: u64 = u64::MAX - 1;
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
        let alarm = Alarm::new()?;
        epoll::add(&epoll, &alarm, EventData::new_u64(ALARM), EventFlags::IN)?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(alarm)),
            epoll,
            wake,
            alive: watch::Sender::new(0),
            host_pid: std::process::id(),
        });
        let own = Arc::clone(&shared);
        let thread =
            std::thread::Builder::new().name("casemate-guard".to_owned()).spawn(move || own.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Watches a process. One that cannot be watched is ended here.
    pub(crate) fn watch(&self, subject: Subject) -> io::Result<Process> {
        let (mut state, key, pid) = match self.register(&subject) {
            Ok(registered) => registered,
            Err(error) => {
                subject.end();
                return Err(error);
            }
        };
        let (tree, canary) = match subject.kind {
            Kind::Head => (key, false),
            Kind::Below { tree, canary } => (tree, canary),
        };
        let (sender, fate) = watch::channel(Fate::default());
        let mut watched = Watched::new(subject, pid, tree, canary, sender);
        if let Some((report, exec)) = state.take_unknown(pid, tree) {
            watched.tries(report, exec);
        }
        if !canary && tree != key {
            state.look_at_idle();
            self.shared.set_alarm(&mut state);
        }
        state.processes.insert(key, watched);
        self.shared.alive.send_modify(|alive| *alive += 1);
        drop(state);
        Ok(Process::new(Arc::clone(&self.shared), key, pid, fate))
    }

    /// All of watching that can fail. The lock is held until it is entered: its end must not be missed.
    fn register(&self, subject: &Subject) -> io::Result<(MutexGuard<'_, State>, u64, i32)> {
        // One that has ended already has no number any more, and needs none.
        let pid = match crate::inspect::pid_of(subject.pidfd.as_fd()) {
            Ok(pid) => i32::try_from(pid).map_err(io::Error::other)?,
            Err(crate::inspect::InspectError::Ended) => NO_PID,
            Err(error) => return Err(io::Error::other(error)),
        };
        let mut state = self.shared.lock();
        if state.stop {
            return Err(io::Error::other("the supervisor is shut down"));
        }
        state.last_key += 1;
        let key = state.last_key;
        epoll::add(&self.shared.epoll, &subject.pidfd, EventData::new_u64(key), EventFlags::IN)?;
        Ok((state, key, pid))
    }

    /// Waits until nothing is watched any more: every process has ended, and our own children are waited for.
    pub(crate) async fn emptied(&self) {
        // Only a guard that is gone has no sender.
        let _ = self.shared.alive.subscribe().wait_for(|alive| *alive == 0).await;
    }

    /// Takes the listener of a tree. It is closed with the tree's last process.
    pub(crate) fn listen(&self, listener: OwnedFd, head: &Process) -> io::Result<()> {
        self.take_listener(listener, head, None, false)
    }

    /// The same for a tree whose head is about to load a module: what that needs is let through until [`Process::loaded`].
    pub(crate) fn listen_while_loading(&self, listener: OwnedFd, head: &Process) -> io::Result<()> {
        self.take_listener(listener, head, Some(Loading::default()), false)
    }

    /// The same for a tree of native programs: the first exec of each waits for [`Process::let_exec`].
    pub(crate) fn listen_to_programs(&self, listener: OwnedFd, head: &Process) -> io::Result<()> {
        self.take_listener(listener, head, Some(Loading::default()), true)
    }

    fn take_listener(
        &self,
        listener: OwnedFd,
        head: &Process,
        loading: Option<Loading>,
        programs: bool,
    ) -> io::Result<()> {
        let mut state = self.shared.lock();
        let data = EventData::new_u64(LISTENER_BIT | head.tree());
        epoll::add(&self.shared.epoll, &listener, data, EventFlags::IN)?;
        state.listeners.insert(head.tree(), Listener::new(listener, loading, programs));
        Ok(())
    }
}

impl Subject {
    /// Ends it, and waits for it if it is ours to wait for.
    fn end(self) {
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
        if let Some(mut child) = self.child {
            let _ = child.wait();
        }
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
        self.set_alarm(&mut state);
    }

    /// Sees to it that the thread looks at the book when its first entry is due. An alarm for what is not in it any more
    /// may stay.
    #[expect(clippy::disallowed_methods, reason = "the guard is the driver of deadlines")]
    fn set_alarm(&self, state: &mut State) {
        if let Some(first) = state.book.first()
            && !state.alarm.rings_by(first)
            && self.is_own()
        {
            state.alarm.set(first, Instant::now());
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
            self.set_alarm(&mut self.lock());
            let events: &mut [epoll::Event] = match epoll::wait(&self.epoll, &mut room, None) {
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
                    ALARM => self.lock().alarm.has_rung(),
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
    fn on_due(&self) {
        let now = Instant::now();
        let mut ended = Vec::new();
        {
            let mut state = self.lock();
            while let Some((id, entry)) = state.book.take_due(now) {
                match entry.due {
                    Due::Unknown { pid } => {
                        state.kill_unknown(pid, entry.key);
                        continue;
                    }
                    Due::Idle => {
                        state.on_idle(now);
                        continue;
                    }
                    Due::Soft { .. } | Due::Cpu { .. } | Due::Hard | Due::Reap { .. } => {}
                }
                let Some(watched) = state.processes.get(&entry.key) else { continue };
                match entry.due {
                    Due::Soft { grace } => {
                        watched.interrupt(None);
                        state.book.insert_as(id, now + grace, Entry { key: entry.key, due: Due::Hard });
                    }
                    Due::Cpu { meter, grace } => {
                        let Some(clock) = casemate_sys::process::cpu_time(watched.pid) else { continue };
                        let (at, due) = match meter.look(clock) {
                            Ok(left) => (now + left, entry.due),
                            Err(spent) => {
                                watched.interrupt(Some(spent));
                                (now + grace, Due::Hard)
                            }
                        };
                        state.book.insert_as(id, at, Entry { key: entry.key, due });
                    }
                    Due::Hard => {
                        watched.fate.send_modify(|fate| fate.overdue = true);
                        watched.signal(Signal::KILL);
                    }
                    Due::Reap { attempt } => ended.push((entry.key, attempt)),
                    Due::Unknown { .. } | Due::Idle => {}
                }
            }
        }
        for (key, attempt) in ended {
            self.on_exit(key, attempt);
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the guard is the driver of deadlines")]
    fn on_exit(&self, key: u64, attempt: u32) {
        let mut state = self.lock();
        let Some(watched) = state.processes.get_mut(&key) else { return };
        if attempt == 0 {
            let _ = epoll::delete(&self.epoll, &watched.pidfd);
            watched.shut_link();
        }
        let exit = match watched.exit() {
            Some(exit) => exit,
            None if attempt < REAP_ATTEMPTS && !watched.is_reaped() => {
                let due = Due::Reap { attempt: attempt + 1 };
                let pause = REAP_PAUSE_FIRST.saturating_mul(1 << attempt.min(5)).min(REAP_PAUSE_MAX);
                state.book.insert(Instant::now() + pause, Entry { key, due });
                return;
            }
            // It may have been reaped between the two questions.
            None => watched.exit().unwrap_or(Exit::Unknown),
        };
        if let Some(mut watched) = state.processes.remove(&key) {
            // Unless somebody still has to read of it how it ended, it goes before its end is told.
            drop(watched.cgroup.take());
            watched.fate.send_modify(|fate| fate.exit = Some(exit));
            self.alive.send_modify(|alive| *alive -= 1);
            state.on_gone(key, watched.tree);
        }
    }

    fn end_everything(&self) {
        self.lock().processes.values().for_each(|watched| watched.signal(Signal::KILL));
    }
}

impl State {
    fn new(alarm: Alarm) -> Self {
        Self {
            book: Book::default(),
            alarm,
            processes: HashMap::new(),
            listeners: HashMap::new(),
            unknown: HashMap::new(),
            last_key: 0,
            looks_at_idle: false,
            stop: false,
            stop_ordered: false,
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
