//! One process: what is known of it, and how its end is learnt.

use super::Subject;
use super::cpu::Spent;
use super::idle::Calm;
use crate::cgroup::Group;
use casemate_protocol::outcome::{Exit, SyscallReport};
use casemate_sys::process::ExitStatus;
use rustix::process::{Signal, WaitId, WaitIdOptions, waitid};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What is known of a process.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Fate {
    /// The forbidden call it tried.
    pub(crate) violation: Option<SyscallReport>,
    /// It was sent the soft signal of its deadline.
    pub(crate) interrupted: bool,
    /// It was that for its CPU time.
    pub(crate) spent: Option<Spent>,
    /// It was killed for its deadline.
    pub(crate) overdue: bool,
    /// It was killed because it computed without a call: CPU time it used meanwhile.
    pub(crate) restless: Option<Duration>,
    /// It is a native program, and waits at its exec to be looked at.
    pub(crate) at_exec: bool,
    /// How it ended.
    pub(crate) exit: Option<Exit>,
}

/// A native program's one exec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exec {
    /// It has not come to it.
    Awaited,
    /// It waits in this notification.
    Waits(u64),
    /// It has had it.
    Over,
}

pub(super) struct Watched {
    pub(super) pidfd: OwnedFd,
    pub(super) pid: i32,
    pub(super) tree: u64,
    /// Our own child, to be waited for.
    pub(super) child: Option<Child>,
    link: Option<Arc<OwnedFd>>,
    /// Left alive after a violation, for a look at it.
    pub(super) canary: bool,
    pub(super) calm: Calm,
    pub(super) exec: Exec,
    /// The group of its tree, if it is the stub, which is the last to end.
    pub(super) cgroup: Option<Arc<Group>>,
    pub(super) fate: watch::Sender<Fate>,
}

impl Watched {
    pub(super) fn new(
        subject: Subject,
        pid: i32,
        tree: u64,
        canary: bool,
        fate: watch::Sender<Fate>,
    ) -> Self {
        let Subject { pidfd, child, link, kind: _ } = subject;
        let (calm, exec) = (Calm::default(), Exec::Awaited);
        Self { pidfd, pid, tree, child, link, canary, calm, exec, cgroup: None, fate }
    }

    /// Whoever waits for the link of a process that has ended gets what was sent, and then its end: somebody else may
    /// hold the other end open.
    pub(super) fn shut_link(&mut self) {
        if let Some(link) = self.link.take() {
            let _ = rustix::net::shutdown(&*link, rustix::net::Shutdown::Both);
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        // ESRCH: it has ended already.
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, signal);
    }

    /// Asks it to stop: its deadline has come, or its CPU time is spent.
    pub(super) fn interrupt(&self, spent: Option<Spent>) {
        self.fate.send_modify(|fate| {
            fate.interrupted = true;
            fate.spent = fate.spent.or(spent);
        });
        self.signal(Signal::USR1);
    }

    /// It stopped at its filter: for the exec that it was made for, or for what it must not do.
    pub(super) fn tries(&mut self, report: SyscallReport, exec: Option<u64>) {
        match exec {
            Some(id) if self.exec == Exec::Awaited && !self.canary => {
                self.exec = Exec::Waits(id);
                self.fate.send_modify(|fate| fate.at_exec = true);
            }
            _ => self.violates(report),
        }
    }

    /// Records what it tried first, then ends it.
    pub(super) fn violates(&self, report: SyscallReport) {
        self.fate.send_modify(|fate| {
            fate.violation.get_or_insert(report);
        });
        if !self.canary {
            self.signal(Signal::KILL);
        }
    }

    /// How it ended, if the kernel says so already.
    pub(super) fn exit(&mut self) -> Option<Exit> {
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
    pub(super) fn is_reaped(&self) -> bool {
        matches!(crate::inspect::pid_of(self.pidfd.as_fd()), Err(crate::inspect::InspectError::Ended))
    }
}
