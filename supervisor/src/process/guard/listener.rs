//! The listeners of the filters: who tried what, and whether that was to be expected.

use super::book::{Due, Entry};
use super::loading::Loading;
use super::watched::Exec;
use super::{Shared, State};
use casemate_protocol::outcome::SyscallReport;
use casemate_sys::seccomp::{self, Notification};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a notification of an unknown process waits for its owner to be registered: a worker can break a rule before
/// its pidfd has reached us.
const UNKNOWN_PATIENCE: Duration = Duration::from_secs(5);
/// How many of one tree may wait. One that has more has a head that forks what nobody ordered.
const UNKNOWN_MAX: usize = 16;
/// Notifications taken of one listener before everybody else has a turn.
const TURN: usize = 64;

const NO_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// The listener of one tree.
pub(super) struct Listener {
    fd: Arc<OwnedFd>,
    /// The zygote of its tree is gone; close it with the last process.
    pub(super) orphaned: bool,
    /// What its head may still do until its module is loaded.
    loading: Option<Loading>,
    /// Whether its processes are native programs, each of which is executed once and may have threads.
    programs: bool,
}

/// A report whose process is not known yet.
pub(super) struct Unknown {
    report: SyscallReport,
    tree: u64,
    /// The notification of a program's first exec: nothing forbidden.
    exec: Option<u64>,
}

impl Listener {
    pub(super) fn new(fd: OwnedFd, loading: Option<Loading>, programs: bool) -> Self {
        Self { fd: Arc::new(fd), orphaned: false, loading, programs }
    }
}

impl Shared {
    /// From here on the tree's head may do no more than its filter says.
    pub(super) fn loaded(&self, tree: u64) {
        if let Some(listener) = self.lock().listeners.get_mut(&tree) {
            listener.loading = None;
        }
    }

    /// Lets a program's first exec through, which waits to be looked at.
    pub(super) fn let_exec(&self, key: u64) {
        let mut state = self.lock();
        let Some(watched) = state.processes.get_mut(&key) else { return };
        let Exec::Waits(id) = std::mem::replace(&mut watched.exec, Exec::Over) else { return };
        // It is no news any more.
        watched.fate.send_modify(|fate| fate.at_exec = false);
        let tree = watched.tree;
        if let Some(listener) = state.listeners.get(&tree) {
            // It died in between, or goes on.
            let _ = seccomp::let_go_on(listener.fd.as_fd(), id);
        }
    }

    /// Takes what waits at a listener; what is left when its turn is over makes it readable again.
    pub(super) fn on_listener(&self, tree: u64) {
        let Some(fd) = self.lock().listeners.get(&tree).map(|listener| Arc::clone(&listener.fd)) else {
            return;
        };
        for _ in 0..TURN {
            match take(&fd) {
                Taken::Nothing => return,
                Taken::Died => {}
                Taken::One(notification) => self.lock().on_notification(tree, &fd, &notification),
                // Nobody is left behind this filter.
                Taken::Closed => {
                    self.lock().listeners.remove(&tree);
                    return;
                }
                // A listener that cannot be read keeps no promise, and must not keep the deadlines waiting either.
                Taken::Broken => {
                    let mut state = self.lock();
                    if let Some(head) = state.processes.get(&tree) {
                        head.signal(rustix::process::Signal::KILL);
                    }
                    state.listeners.remove(&tree);
                    return;
                }
            }
        }
    }
}

enum Taken {
    One(Notification),
    Nothing,
    /// Its process died in between.
    Died,
    Closed,
    Broken,
}

/// Takes one notification. RECV blocks when nothing waits, whatever the flags: poll before it.
fn take(fd: &OwnedFd) -> Taken {
    let mut ready = [PollFd::new(fd, PollFlags::IN)];
    let waits = matches!(poll(&mut ready, Some(&NO_WAIT)), Ok(1..));
    let [ready] = ready;
    if ready.revents().intersects(PollFlags::HUP | PollFlags::ERR) {
        return Taken::Closed;
    }
    if !waits {
        return Taken::Nothing;
    }
    match seccomp::receive(fd.as_fd()) {
        Ok(notification) if seccomp::is_valid(fd.as_fd(), notification.id) => Taken::One(notification),
        Ok(_) => Taken::Died,
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::NOENT | Errno::INTR) => Taken::Died,
            _ => Taken::Broken,
        },
    }
}

impl State {
    #[expect(clippy::disallowed_methods, reason = "the guard is the driver of deadlines")]
    fn on_notification(&mut self, tree: u64, fd: &OwnedFd, notification: &Notification) {
        let pid = i32::try_from(notification.pid).unwrap_or(-1);
        let is_head = self.processes.get(&tree).is_some_and(|head| head.pid == pid);
        let loading = self.listeners.get_mut(&tree).and_then(|listener| listener.loading.as_mut());
        if is_head
            && let Some(loading) = loading
            && loading.allows(notification)
        {
            // It died in between, or goes on.
            let _ = seccomp::let_go_on(fd.as_fd(), notification.id);
            return;
        }
        let report = report(notification);
        let programs = self.listeners.get(&tree).is_some_and(|listener| listener.programs);
        if programs && is_absent(&report) {
            let _ = seccomp::say_it_does_not_exist(fd.as_fd(), notification.id);
            return;
        }
        // A thread is its program's.
        let pid = if programs { thread_group(pid).unwrap_or(pid) } else { pid };
        let exec = (programs && report.name == Some(EXEC)).then_some(notification.id);
        match self.processes.values_mut().find(|watched| watched.pid == pid && watched.tree == tree) {
            Some(watched) => watched.tries(report, exec),
            None if self.unknown.values().filter(|unknown| unknown.tree == tree).count() < UNKNOWN_MAX => {
                self.unknown.insert(pid, Unknown { report, tree, exec });
                let due = Due::Unknown { pid };
                self.book.insert(Instant::now() + UNKNOWN_PATIENCE, Entry { key: tree, due });
            }
            None => self.blame_head(tree, report),
        }
    }

    /// What a process tried before it was known.
    pub(super) fn take_unknown(&mut self, pid: i32, tree: u64) -> Option<(SyscallReport, Option<u64>)> {
        if self.unknown.get(&pid).is_none_or(|unknown| unknown.tree != tree) {
            return None;
        }
        self.unknown.remove(&pid).map(|unknown| (unknown.report, unknown.exec))
    }

    /// Nobody came to own a process that broke a rule.
    pub(super) fn kill_unknown(&mut self, pid: i32, tree: u64) {
        if let Some((report, _)) = self.take_unknown(pid, tree) {
            self.blame_head(tree, report);
        }
    }

    /// A process that nobody ordered is its head's doing: the whole tree goes.
    fn blame_head(&self, tree: u64, report: SyscallReport) {
        if let Some(head) = self.processes.get(&tree) {
            head.violates(report);
        }
    }
}

/// What C libraries try at every start and do without: there is no such call on this machine, they are told. `clone3`, whose
/// arguments lie in memory where no filter can look, for `clone`; and the socket, exactly so, with which glibc looks for a
/// daemon that knows names of users.
fn is_absent(report: &SyscallReport) -> bool {
    const UNIX: u64 = 1;
    const STREAM_CLOEXEC_NONBLOCK: u64 = 0x80801;
    match report.name {
        Some("clone3") => true,
        Some("socket") => matches!(report.args, [UNIX, STREAM_CLOEXEC_NONBLOCK, 0, ..]),
        _ => false,
    }
}

/// What a program is started with.
const EXEC: &str = "execve";

/// The process that a thread is of.
fn thread_group(tid: i32) -> Option<i32> {
    let status = std::fs::read_to_string(format!("/proc/{tid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()
}

fn report(notification: &Notification) -> SyscallReport {
    SyscallReport {
        arch: notification.arch,
        number: notification.number,
        name: casemate_protocol::syscalls::name(notification.arch, notification.number),
        args: notification.args,
        instruction_pointer: notification.instruction_pointer,
    }
}
