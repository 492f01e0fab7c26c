//! A tree of walled processes up to the moment its head waits for a job: the same for a zygote and a compiler.

use crate::cgroup::Group;
use crate::context::Context;
use crate::experiment::Leniency;
use crate::external::Native;
use crate::identity::Lease;
use crate::inspect::{
    Expect, HostFacts, InspectError, Observed, ProcessView, host_facts, judge_launcher,
    judge_unwalled_launcher, judge_zygote,
};
use crate::process::control::{Control, broken};
use crate::process::guard::{Fate, Kind, Process, STUB_PATIENCE, Subject};
use crate::process::stub;
use crate::programs::Program;
use casemate_protocol::certificate::LayerSet;
use casemate_protocol::outcome::{Cause, Exit, Failure, escape};
use casemate_protocol::spawn::{Report, StubSpec};
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// A stub and the head it has forked, walled and looked at. Dropping it kills the head, and with it everything below; the
/// stub waits for the head and ends.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) head: Process,
    _stub: Stub,
    pub(crate) control: Control,
    pub(crate) spec: StubSpec,
    pub(crate) facts: HostFacts,
    pub(crate) namespaces: bool,
    pub(crate) observed: Observed,
    /// Its executable memory before it had a module, if that may be looked at.
    pub(crate) executable: Option<Vec<Range<u64>>>,
    /// Layers that the head says hold, and why others do not.
    pub(crate) reported: LayerSet,
    pub(crate) why_not: Vec<String>,
    /// What holds it to limits as a whole. The guard has it too, until the stub has ended.
    pub(crate) cgroup: Option<Arc<Group>>,
    /// Folders that it was ordered to keep open, each a descriptor.
    pub(crate) folders: u32,
    leniency: Leniency,
    _identity: Option<Lease>,
}

/// A stub. It is never killed while it may still have a zygote to wait for: a zombie without a parent would be left to
/// whoever adopts it, and in a container that can be the host itself. It ends by itself, by the end of its control socket
/// or of its zygote.
#[derive(Debug)]
struct Stub(Process);

impl Drop for Stub {
    fn drop(&mut self) {
        self.0.let_go(STUB_PATIENCE);
    }
}

impl Tree {
    /// Starts a program and brings it behind its walls. `group` names its points; `cgroup` takes the stub before anything
    /// is started by it.
    pub(crate) async fn raise(
        context: &Arc<Context>,
        program: &Program,
        group: &str,
        mut spec: StubSpec,
        cgroup: Option<Arc<Group>>,
        native: Option<&Native>,
    ) -> Result<Self, Failure> {
        // Without /proc there is nothing to look at and nothing to execute: one clear sentence first.
        host_facts().map_err(|error| broken("reading /proc", error))?;
        // An older kernel knows no such thing.
        if casemate_sys::support::bequeaths_deny_new_executable().unwrap_or(false) {
            return Err(broken("loading compiled code", MDWE));
        }
        let lease =
            context.identities.lease().map_err(|error| broken("choosing a user for the plugin", error))?;
        spec.identity = lease.as_ref().map(Lease::identity);
        spec.namespaces = context.namespaces;

        let (started, facts) = start(context, program)?;
        let pid = started.child.id();
        let stub = context
            .guard
            .watch(Subject { pidfd: started.pidfd, child: Some(started.child), link: None, kind: Kind::Head })
            .map(Stub)
            .map_err(|error| broken("watching the stub", error))?;
        context.point(group, "stub started");
        if let Some(cgroup) = &cgroup {
            stub.0.keep(Arc::clone(cgroup));
            cgroup.take(pid).map_err(|error| broken("putting the stub into its control group", error))?;
        }

        let control = Control::new(started.control).map_err(|error| broken("joining the runtime", error))?;
        let host = casemate_sys::process::own_pidfd().map_err(|error| broken("holding the host", error))?;
        let mut descriptors = vec![host.as_fd()];
        if let Some(native) = native {
            if let Some(identity) = spec.identity {
                native.give_to(identity)?;
            }
            descriptors.push(native.file());
        }
        control.send("ordering the stub", &spec, &descriptors).await?;
        context.point(group, "stub ordered");

        let (report, fds) = control.receive("waiting for the stub", |count| count == 1).await?;
        let (Report::Stub(stub_report), Some(pidfd)) = (report, fds.into_iter().next()) else {
            return Err(broken("waiting for the stub", "it sent something else than it must"));
        };
        is_child_of(&pidfd, stub.0.pid()).map_err(|error| broken("waiting for the stub", error))?;
        let head = context
            .guard
            .watch(Subject { pidfd, child: None, link: None, kind: Kind::Head })
            .map_err(|error| broken("watching the zygote", error))?;
        context.point(group, "stub reported");

        let (report, _) = control.receive("waiting for the walls", |count| count == 0).await?;
        let Report::Walled(walled) = report else {
            return Err(broken("waiting for the walls", "it sent something else than it must"));
        };
        context.point(group, "walled");

        let mut tree = Self {
            head,
            _stub: stub,
            control,
            spec,
            facts,
            namespaces: stub_report.namespaces,
            observed: Observed::default(),
            executable: None,
            reported: LayerSet::from_bits(walled.layers),
            why_not: Vec::new(),
            cgroup,
            folders: 0,
            leniency: context.leniency.clone(),
            _identity: lease,
        };
        tree.explain(&walled.why_not);
        tree.explain_namespaces(&stub_report.why_not);
        tree.look_first(native)?;
        context.point(group, "inspected");
        Ok(tree)
    }

    /// Looks at its head before that has a job.
    fn look_first(&mut self, native: Option<&Native>) -> Result<(), Failure> {
        let pidfd = self.head.pidfd().map_err(|error| broken("looking at the zygote", error))?;
        let view = match native {
            None => self.look(&pidfd, judge_zygote)?,
            Some(native) if native.is_unwalled() => {
                self.look(&pidfd, |view, expect| judge_unwalled_launcher(view, expect, None))?
            }
            Some(native) => {
                self.look(&pidfd, |view, expect| judge_launcher(view, expect, native.writable()))?
            }
        };
        (self.observed, self.executable) = (view.observed, view.executable);
        Ok(())
    }

    /// Adds why it has no namespaces, if it has none.
    fn explain_namespaces(&mut self, why_not: &str) {
        if !self.namespaces {
            let why = escape(why_not, 300);
            for layer in LayerSet::named("namespaces").unwrap_or_default().iter() {
                self.why_not.push(format!("{layer}: {why}"));
            }
        }
    }

    /// Adds what a report says of layers that are off.
    pub(crate) fn explain(&mut self, why_not: &str) {
        self.why_not.extend(why_not.lines().take(32).map(|line| escape(line, 300)));
    }

    /// Looks at one of its processes from outside.
    pub(crate) fn look<T: Default>(
        &self,
        pidfd: &OwnedFd,
        judge: impl FnOnce(&ProcessView<'_>, Expect<'_>) -> Result<T, InspectError>,
    ) -> Result<T, Failure> {
        self.leniency.judge(self.see(pidfd, judge))
    }

    /// The same at one that may end whenever it wants to: then there was nothing to be seen.
    pub(crate) fn look_if_it_lives<T: Default>(
        &self,
        pidfd: &OwnedFd,
        judge: impl FnOnce(&ProcessView<'_>, Expect<'_>) -> Result<T, InspectError>,
    ) -> Result<T, Failure> {
        match self.see(pidfd, judge) {
            Err(InspectError::Ended) => Ok(T::default()),
            seen => self.leniency.judge(seen),
        }
    }

    fn see<T>(
        &self,
        pidfd: &OwnedFd,
        judge: impl FnOnce(&ProcessView<'_>, Expect<'_>) -> Result<T, InspectError>,
    ) -> Result<T, InspectError> {
        let expect = Expect {
            host: &self.facts,
            spec: &self.spec,
            namespaces: self.namespaces,
            folders: self.folders,
        };
        ProcessView::open(pidfd.as_fd()).and_then(|view| judge(&view, expect))
    }
}

const MDWE: &str = "the host process was started with new executable memory denied, which all that it starts inherits: \
                    remove MemoryDenyWriteExecute= from its service";

/// That a descriptor names a child of this process. Whoever sends one can send any that it has, our own among them, and
/// what it names is going to be killed one day. One that has ended is nobody's: no signal reaches anything through it.
pub(crate) fn is_child_of(pidfd: &OwnedFd, parent: i32) -> Result<(), io::Error> {
    let found = match crate::inspect::parent_of(pidfd.as_fd()) {
        Ok(found) => found,
        Err(crate::inspect::InspectError::Ended) => return Ok(()),
        Err(error) => return Err(io::Error::other(error)),
    };
    if i32::try_from(found).is_ok_and(|found| found == parent) {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "it sent a descriptor of a process that is the child of {found}, not of {parent}"
    )))
}

/// Starts the stub, and takes the facts of the thread that does: filters belong to threads.
fn start(context: &Context, program: &Program) -> Result<(stub::Started, HostFacts), Failure> {
    let facts = host_facts().map_err(|error| broken("reading /proc", error))?;
    let started = stub::start(program, context.marker);
    Ok((started.map_err(|error| broken("starting the program from its memfd", error))?, facts))
}

/// What a process's end says about a call or job. The kernel's word comes before any other.
pub(crate) fn cause_of(fate: &Fate) -> Option<Cause> {
    if let Some(report) = &fate.violation {
        return Some(Cause::Syscall(Box::new(report.clone())));
    }
    match fate.exit {
        Some(Exit::SYS) => Some(Cause::SyscallSignal),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casemate_sys::process::{Fork, fork, kill, own_pidfd};
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    use std::time::Duration;

    #[test]
    fn a_descriptor_of_the_host_is_not_taken_for_one_of_a_child() {
        let me = i32::try_from(std::process::id()).unwrap();
        let error = is_child_of(&own_pidfd().unwrap(), me).unwrap_err();
        assert!(error.to_string().contains(&format!("not of {me}")), "{error}");

        let Fork::Parent(child) = fork().unwrap() else {
            loop {
                std::thread::sleep(Duration::from_secs(1000));
            }
        };
        is_child_of(&child, me).unwrap();
        is_child_of(&child, 1).unwrap_err();
        kill(child.as_fd()).unwrap();
        waitid(WaitId::PidFd(child.as_fd()), WaitIdOptions::EXITED).unwrap();
        // It has ended: what is sent through this descriptor reaches nobody.
        is_child_of(&child, 1).unwrap();
    }
}
