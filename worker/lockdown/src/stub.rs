//! The first stage: makes the namespaces, forks the zygote, and then does nothing but wait for two deaths.
//!
//! The stub stands outside the pid namespace, so that a stopped zygote cannot stop it, and holds no socket of the host, so
//! that a forked child of the host cannot keep it alive. When the host or the zygote is gone it kills the zygote, which is
//! pid 1 of the namespace: the kernel then kills every worker.

use crate::belongings::{self, Belongings};
use crate::control::Control;
use crate::error::{LockdownError, Step};
use crate::experiment;
use crate::namespaces::{self, Namespaces};
use crate::privileges;
use crate::rlimits;
use crate::seccomp;
use crate::start::{ZYGOTE_FLAT, ZYGOTE_IN_NAMESPACES};
use casemate_protocol::spawn::{Report, StubReport, StubSpec};
use casemate_sys::process::Fork;
use casemate_sys::{descriptors, process, signal};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::personality::{self, Persona};
use nix::sys::prctl;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{chdir, execve, pipe2, setsid, write};
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

/// Descriptor of the zygote on which it sees whether its stub lives.
pub(crate) const LIVENESS: i32 = 3;

/// Runs the stub to its end.
pub(crate) fn run(name: &str, marker: &str) {
    let Ok(control) = Control::inherited() else { return };
    match prepare(&control, name, marker) {
        Ok(watch) => {
            drop(control);
            watch.wait();
        }
        Err(error) => control.fail_step(&error),
    }
}

/// What the stub still holds once the zygote runs.
struct Watch {
    host: OwnedFd,
    zygote: OwnedFd,
    /// That it is open tells the zygote that we live; after the one byte that lets it go on nothing is written to it.
    _liveness: OwnedFd,
}

fn prepare(control: &Control, name: &str, marker: &str) -> Result<Watch, LockdownError> {
    descriptors::close_from(1).step("closing inherited descriptors")?;
    signal::reset_all().step("resetting signals")?;
    personality::set(Persona::empty()).step("resetting the personality")?;
    chdir("/").step("leaving the working directory")?;
    // Ctrl-C in the host's terminal is for the host, which may want to finish what its plugins do.
    setsid().step("leaving the host's session")?;
    // Keys of the host's session are no business of a plugin; where there are none, or none may be made, none are lost.
    let _ = casemate_sys::process::leave_keyring();
    // With a native program, what it is comes too.
    let (spec, fds): (StubSpec, _) = control.expect(|count| count == 1 || count == 2)?;
    let mut fds = fds.into_iter();
    let (host, mut program) = (fds.next(), fds.next().map(Belongings::read).transpose()?);
    let Some(host) = host else {
        return Err(std::io::Error::from(std::io::ErrorKind::InvalidData)).step("taking the host's pidfd");
    };

    rlimits::set_initial(&rlimits::Initial {
        stack_bytes: spec.stack_bytes,
        data_bytes: spec.data_bytes,
        cpu_seconds: spec.cpu_seconds,
        file_bytes: spec.file_bytes,
        open_files: spec.open_files,
    })?;
    let unwalled = program.as_ref().is_some_and(|program| program.spec.unwalled);
    if let Some(identity) = spec.identity {
        // Where its mounts are is the operator's to say, and root's to reach; what is in them, its own user's.
        if let Some(program) = program.as_mut().filter(|_| !unwalled) {
            namespaces::unshare_mounts()?;
            program.take()?;
        }
        privileges::become_identity(identity)?;
    }
    // A nicety for the host's other programs; where it cannot be had nothing is lost.
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
    let namespaces = match (spec.namespaces, unwalled) {
        (true, false) => namespaces::enter()?,
        (true, true) => namespaces::enter_for_life()?,
        (false, _) => Namespaces::Absent("switched off by the supervisor's configuration".to_owned()),
    };
    if let (Some(program), None, Namespaces::Entered) = (&mut program, spec.identity, &namespaces) {
        program.take()?;
    }

    // Where there is no pid namespace a zygote's death leaves its workers to whoever adopts them: us, and not the host.
    prctl::set_child_subreaper(true).step("adopting orphans")?;
    let (zygote_end, stub_end) = pipe2(OFlag::O_CLOEXEC).step("making the liveness pipe")?;
    let stage = if matches!(namespaces, Namespaces::Entered) { ZYGOTE_IN_NAMESPACES } else { ZYGOTE_FLAT };
    match process::fork().step("forking the zygote")? {
        Fork::Child => {
            drop(stub_end);
            let error = become_zygote(zygote_end, program, [name, stage, marker]);
            control.fail_step(&error);
            process::exit_now(1)
        }
        Fork::Parent(zygote) => {
            drop(program);
            let report = match namespaces {
                Namespaces::Entered => StubReport { namespaces: true, why_not: String::new() },
                Namespaces::Absent(why_not) => {
                    StubReport { namespaces: experiment::is_left_out("namespaces"), why_not }
                }
            };
            let reported = control
                .report(Report::Stub(report), &[zygote.as_fd()])
                .and_then(|()| write(&stub_end, &[1]).step("letting the zygote go on"));
            let watch = Watch { host, zygote, _liveness: stub_end };
            match reported {
                Ok(_) => Ok(watch),
                Err(error) => {
                    watch.end();
                    Err(error)
                }
            }
        }
    }
}

/// Executes the program again. Only so is its memory the inner namespace's, and only so may an ordinary user's
/// supervisor look at it.
fn become_zygote(liveness: OwnedFd, program: Option<Belongings>, arguments: [&str; 3]) -> LockdownError {
    let exec = || -> Result<(), LockdownError> {
        let step = "executing the zygote";
        let ends = program.map(Belongings::set_aside).transpose().step(step)?;
        descriptors::duplicate_to(liveness.as_fd(), LIVENESS).step(step)?;
        belongings::hand_on(&ends.unwrap_or_default(), LIVENESS + 1).step(step)?;
        let arguments = arguments
            .into_iter()
            .map(|argument| CString::new(argument).map_err(std::io::Error::from))
            .collect::<Result<Vec<_>, _>>()
            .step(step)?;
        let environment: [CString; 0] = [];
        execve(c"/proc/self/exe", &arguments, &environment).step(step)?;
        Ok(())
    };
    match exec() {
        Err(error) => error,
        Ok(()) => {
            LockdownError { step: "executing the zygote", source: std::io::Error::other("exec returned") }
        }
    }
}

impl Watch {
    /// Waits for either death, then makes sure of the other.
    fn wait(self) {
        // The stub is trusted and holds next to nothing; its walls are for the day that is not true.
        if self.lock().is_ok() {
            self.await_an_end();
        }
        self.end();
        process::exit_now(0)
    }

    fn await_an_end(&self) {
        let mut fds = [
            PollFd::new(self.host.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.zygote.as_fd(), PollFlags::POLLIN),
        ];
        // Any other error: unable to watch. Nothing may outlive the host, so end it now.
        while let Err(nix::errno::Errno::EINTR) = poll(&mut fds, PollTimeout::NONE) {}
    }

    /// Ends the zygote, and waits for it and for every worker that it leaves behind: they die with it.
    fn end(&self) {
        let _ = process::kill(self.zygote.as_fd());
        while let Ok(_) | Err(nix::errno::Errno::EINTR) = waitid(Id::All, WaitPidFlag::WEXITED) {}
    }

    fn lock(&self) -> Result<(), LockdownError> {
        privileges::give_up(false)?;
        // Said again: a stub must have its filter also in an experiment with a zygote that lacks this.
        prctl::set_no_new_privs().step("filtering the stub")?;
        casemate_sys::seccomp::install(seccomp::stub_filter().instructions()).step("filtering the stub")
    }
}
