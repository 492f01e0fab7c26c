//! The zygote's walls, in their order: entered, walled, locked.

use crate::belongings::Belongings;
use crate::control::Control;
use crate::error::{LockdownError, Step};
use crate::experiment::raise;
use crate::landlock::{self, Enforced};
use crate::report::Report;
use crate::seccomp::{self, Default as FilterDefault};
use crate::stub::LIVENESS;
use crate::unwalled::{Launcher, Unwalled};
use crate::worker::Spawned;
use crate::{privileges, rlimits, root};
use bincode::Decode;
use casemate_protocol::certificate::{Layer, LayerSet, Profile};
use casemate_protocol::spawn::{
    self, FailedReport, ListenerReport, ProgramSpec, SealedReport, SpawnSpec, WalledReport,
};
use casemate_sys::{descriptors, memory, process, seccomp as kernel, signal};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{getpid, read};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::Arc;

/// A zygote that dies with its stub, and has no wall yet: the place to make what the walls would forbid.
#[derive(Debug)]
pub struct Entered {
    control: Control,
    namespaces: bool,
}

/// Where a module's native code lies in memory; empty for a program without one.
pub type CodeRange = std::ops::Range<usize>;

impl Entered {
    /// Ties this process to its stub.
    pub(crate) fn new(namespaces: bool) -> Result<Self, LockdownError> {
        let step = "tying the zygote to its stub";
        let control = Control::inherited()?;
        let liveness = descriptors::inherited(LIVENESS).step(step)?;
        prctl::set_pdeathsig(Signal::SIGKILL).step(step)?;
        // One byte says that the stub has reported, so that our own report comes after its. It may have died since, and
        // before the line above: then no signal would ever come. The pipe tells: it is open as long as the stub lives.
        let go = read(&liveness, &mut [0; 1]).step(step)?;
        fcntl(&liveness, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).step(step)?;
        match (go, read(&liveness, &mut [0; 1])) {
            (1, Err(Errno::EAGAIN)) => {}
            _ => return Err(io::Error::from(io::ErrorKind::BrokenPipe)).step(step),
        }
        Ok(Self { control, namespaces })
    }

    /// Raises every wall that needs no module, tells the supervisor, and waits for its word to go on, which comes as the
    /// next packet, [`Walled::receive`]. On failure the supervisor has been told.
    pub fn wall_up(self) -> Result<Walled, LockdownError> {
        self.try_wall_up(Landlock::Now)
    }

    /// The same but for Landlock, which must know the folders that come with the job: [`Granting::grant`] raises it, before
    /// anything of the module is looked at.
    pub fn wall_up_granting(self) -> Result<Granting, LockdownError> {
        self.try_wall_up(Landlock::Later).map(Granting)
    }

    /// The same as [`Entered::wall_up`] around a native program, which its stub has handed on: its root has what it was given, and
    /// Landlock knows the same. Without a mount namespace there is no such root, and so no such program. One whose operator wants
    /// no walls around it gets none, and needs namespaces for its end.
    pub fn wall_up_program(self) -> Result<(Launcher, ProgramSpec), LockdownError> {
        if !self.namespaces {
            let source = io::Error::new(
                io::ErrorKind::Unsupported,
                "a native program needs namespaces of its own, and this host gives none",
            );
            let error = LockdownError { step: "building a program's root directory", source };
            self.control.fail_step(&error);
            return Err(error);
        }
        let program =
            Belongings::inherited(LIVENESS + 1).inspect_err(|error| self.control.fail_step(error))?;
        let launcher = if program.spec.unwalled {
            Launcher::Unwalled(Unwalled::new(self.control)?)
        } else {
            let walled = self.try_wall_up(Landlock::Program(&program))?;
            Launcher::Walled(Walled { profile: Profile::External, ..walled })
        };
        // Its descriptors were closed with everything else.
        Ok((launcher, program.disown()))
    }

    fn try_wall_up(self, landlock: Landlock<'_>) -> Result<Walled, LockdownError> {
        let mut report = Report::default();
        match self.raise(&mut report, landlock) {
            Ok(landlock_abi) => {
                let walled = spawn::Report::Walled(WalledReport {
                    layers: report.layers.bits(),
                    landlock_abi,
                    why_not: report.take_why_not(),
                });
                self.control.report(walled, &[])?;
                let Self { control, namespaces } = self;
                Ok(Walled { control, namespaces, profile: Profile::Core, kept: 0, report: Report::default() })
            }
            Err(error) => {
                self.control.fail_step(&error);
                Err(error)
            }
        }
    }

    fn raise(&self, report: &mut Report, landlock: Landlock<'_>) -> Result<u32, LockdownError> {
        signal::ignore_children().step("ignoring SIGCHLD")?;
        if !matches!(landlock, Landlock::Now) {
            signal::ignore_file_size().step("ignoring SIGXFSZ")?;
        }
        if let Landlock::Program(program) = landlock {
            root::build(&program.spec, &program.trees)?;
            report.missing(Layer::EmptyRoot, "a program's root has what it needs to run, read-only");
        } else if self.namespaces {
            root::swap()?;
            report.holds(Layer::EmptyRoot);
        } else {
            report.missing(Layer::EmptyRoot, "needs a mount namespace");
        }
        raise("descriptors", || descriptors::close_from(1))
            .step("closing every descriptor but the control socket")?;
        // Without a user namespace of its own the supervisor could not look at an undumpable process.
        privileges::give_up(!self.namespaces)?;
        report.holds(Layer::NoNewPrivs);
        report.holds(Layer::Capabilities);
        if self.namespaces {
            report.holds(Layer::NotDumpable);
        } else {
            report.missing(
                Layer::NotDumpable,
                "without a user namespace the supervisor could not look at it then",
            );
        }
        match landlock {
            Landlock::Now => Ok(enforced(report, landlock::deny_all()?)),
            Landlock::Program(program) => {
                let places = root::places(&program.spec)?;
                let rules: Vec<_> = places.iter().map(|(place, kind)| (place.as_fd(), *kind)).collect();
                Ok(enforced(report, landlock::deny_all_but_mounts(&rules)?))
            }
            Landlock::Later => Ok(0),
        }
    }
}

/// When Landlock comes, and what it knows.
#[derive(Debug, Clone, Copy)]
enum Landlock<'a> {
    Now,
    Later,
    /// Now, with the mounts of a program's root.
    Program(&'a Belongings),
}

/// Reports Landlock; returns its ABI.
fn enforced(report: &mut Report, enforced: Enforced) -> u32 {
    match enforced {
        Enforced::Abi(abi) => {
            report.holds(Layer::Landlock);
            abi
        }
        Enforced::Absent => {
            report.missing(
                Layer::Landlock,
                "there is no Landlock: this kernel has none, it is not enabled at boot, or a filter hides it",
            );
            0
        }
    }
}

/// A zygote behind every wall of [`Walled`] but Landlock.
#[derive(Debug)]
pub struct Granting(Walled);

/// A folder that stays reachable.
#[derive(Debug, Clone, Copy)]
pub struct Grant<'a> {
    /// The folder, open.
    pub folder: BorrowedFd<'a>,
    /// Whether what is in it may be changed.
    pub write: bool,
}

impl Granting {
    /// Receives the job and its descriptors, of which there must be at least so many.
    pub fn receive<T: Decode<()>>(&self, least: usize) -> Result<(T, Vec<OwnedFd>), LockdownError> {
        self.0.control.expect(|count| count >= least)
    }

    /// Tells the supervisor that the job cannot be done.
    pub fn fail(&self, report: FailedReport) {
        self.0.fail(report);
    }

    /// Raises Landlock: everything is denied but these folders, each with its rights. Without Landlock no folder is granted.
    /// Descriptors 1 to `kept` stay open in the zygote and its workers.
    pub fn grant(self, grants: &[Grant<'_>], kept: u32) -> Result<Walled, LockdownError> {
        let Self(mut walled) = self;
        let raised = landlock::deny_all_but(grants).and_then(|raised| match raised {
            Enforced::Absent if !grants.is_empty() => Err(io::Error::from(io::ErrorKind::Unsupported))
                .step("granting folders, which needs Landlock"),
            raised => Ok(raised),
        });
        let raised = raised.inspect_err(|error| walled.control.fail_step(error))?;
        enforced(&mut walled.report, raised);
        Ok(Walled { profile: Profile::Wasi, kept, ..walled })
    }
}

/// A zygote behind every wall but the last ones. The supervisor has looked at it, or it would have sent nothing.
#[derive(Debug)]
pub struct Walled {
    control: Control,
    namespaces: bool,
    profile: Profile,
    /// Descriptors above 0 that stay open.
    kept: u32,
    /// What has been raised since the last report.
    report: Report,
}

impl Walled {
    /// Receives the job and its descriptors.
    pub fn receive<T: Decode<()>>(&self, descriptors: usize) -> Result<(T, Vec<OwnedFd>), LockdownError> {
        self.control.expect(|count| count == descriptors)
    }

    /// Tells the supervisor that the job cannot be done.
    pub fn fail(&self, report: FailedReport) {
        self.control.fail(report);
    }

    /// Puts a zygote behind filter A before it looks at a module that nobody trusts; the listener goes to the supervisor,
    /// which lets the few calls through that loading needs. `processes_max` is how many it may ever have alive.
    pub fn filter(self, processes_max: u64) -> Result<Filtered, LockdownError> {
        let parent = (!self.namespaces).then(getpid);
        warm_up();
        let Self { control, namespaces, profile, kept, mut report } = self;
        // Without a user namespace of its own the count is of all that its user has.
        let limited = if namespaces { rlimits::set_zygote(processes_max) } else { Ok(()) };
        let listener =
            limited.and_then(|()| listen(&mut report, |default| seccomp::filter_a(default, profile)));
        let listener = listener.inspect_err(|error| control.fail_step(error))?;
        let filtered = Filtered { reports: listener.is_some(), control, parent, profile, kept };
        let (layers, why_not) = (report.layers.bits(), report.take_why_not());
        let report = ListenerReport { listener: filtered.reports, layers, why_not };
        let descriptors: Vec<_> = listener.iter().map(AsFd::as_fd).collect();
        filtered.control.report(spawn::Report::Listener(report), &descriptors)?;
        // The listener is closed here: no process behind the walls may hold one.
        Ok(filtered)
    }

    /// Locks a program that does its one job in this very process, with a filter of its own and filter B: its input
    /// becomes descriptor 0, its output 1, and it has no other.
    pub fn lock_in_place(
        self,
        input: OwnedFd,
        output: OwnedFd,
        filter: fn(FilterDefault) -> seccomp::Program,
    ) -> Result<Job, LockdownError> {
        warm_up();
        self.filter_in_place(filter).inspect_err(|error| self.control.fail_step(error))?;
        // From here on the supervisor learns of a failure by how this process ends.
        let step = "leaving the job two descriptors";
        descriptors::duplicate_to(input.as_fd(), 0).step(step)?;
        descriptors::duplicate_to(output.as_fd(), 1).step(step)?;
        // What these were has been replaced, or is closed in the next line.
        self.control.disown();
        let _ = (input.into_raw_fd(), output.into_raw_fd());
        descriptors::close_from(2).step(step)?;
        rlimits::set_job()?;
        let job = Job {
            input: descriptors::inherited(0).step(step)?,
            output: descriptors::inherited(1).step(step)?,
        };
        kernel::install(seccomp::filter_b(Profile::Core).instructions()).step("installing filter B")?;
        Ok(job)
    }

    fn filter_in_place(&self, filter: fn(FilterDefault) -> seccomp::Program) -> Result<(), LockdownError> {
        let mut report = Report::default();
        deny_new_executable(&mut report)?;
        let listener = listen(&mut report, filter)?;
        if listener.is_none() {
            kernel::install(filter(FilterDefault::Kill).instructions()).step(FILTERING)?;
        }
        let (layers, why_not) = (report.layers.bits(), report.take_why_not());
        let report = ListenerReport { listener: listener.is_some(), layers, why_not };
        let descriptors: Vec<_> = listener.iter().map(AsFd::as_fd).collect();
        self.control.report(spawn::Report::Listener(report), &descriptors)
    }
}

/// A zygote behind filter A that may still load one module. Where there can be no listener the filter comes last, and
/// until then only the other walls stand.
#[derive(Debug)]
pub struct Filtered {
    control: Control,
    parent: Option<nix::unistd::Pid>,
    /// Whether violations are reported.
    reports: bool,
    profile: Profile,
    kept: u32,
}

impl Filtered {
    /// Tells the supervisor that the module cannot be loaded.
    pub fn fail(&self, report: FailedReport) {
        self.control.fail(report);
    }

    /// Locks a zygote: code sealed, nothing new executable. Loading is over, and the supervisor is told so.
    pub fn lock(self, code: &CodeRange) -> Result<Locked, LockdownError> {
        match self.try_lock(code) {
            Ok(report) => {
                self.control.report(spawn::Report::Sealed(report), &[])?;
                let Self { control, parent, profile, kept, .. } = self;
                let filter_b = Arc::new(seccomp::filter_b(profile));
                Ok(Locked {
                    control,
                    parent,
                    filter_b,
                    #[cfg(feature = "experiment")]
                    profile,
                    kept,
                })
            }
            Err(error) => {
                self.control.fail_step(&error);
                Err(error)
            }
        }
    }

    fn try_lock(&self, code: &CodeRange) -> Result<SealedReport, LockdownError> {
        // The engine keeps the module's file open behind its mapping, for uses that our configuration rules out. It is
        // never dropped in a process that ends by `exit_now`, so nobody will close that number again.
        raise("descriptors", || descriptors::close_from(self.kept + 1)).step("closing the module's file")?;
        let mut report = Report::default();
        let why_not = "this kernel has no mseal (6.10)";
        if self.profile == Profile::External {
            report.missing(Layer::SealedCode, "a program's code is its files', which are read-only");
        } else {
            let sealed = raise("sealed-code", || memory::seal(code.clone()));
            optional(&mut report, Layer::SealedCode, "sealing the code", why_not, sealed)?;
        }
        deny_new_executable(&mut report)?;
        if !self.reports {
            let filter = seccomp::filter_a(FilterDefault::Kill, self.profile);
            kernel::install(filter.instructions()).step(FILTERING)?;
        }
        Ok(SealedReport {
            layers: report.layers.bits(),
            why_not: report.take_why_not(),
            code_start: u64::try_from(code.start).unwrap_or(u64::MAX),
            code_end: u64::try_from(code.end).unwrap_or(u64::MAX),
        })
    }
}

const FILTERING: &str = "installing filter A";

/// Installs a filter that reports, if there can be one.
fn listen(
    report: &mut Report,
    filter: impl Fn(FilterDefault) -> seccomp::Program,
) -> Result<Option<OwnedFd>, LockdownError> {
    report.holds(Layer::Seccomp);
    match kernel::install_with_listener(filter(FilterDefault::Notify).instructions()) {
        Ok(listener) => Ok(Some(listener)),
        // A listener further up already owns the chain, or there are none: then a violation kills without a word.
        Err(error) if matches!(error.raw_os_error(), Some(libc_errno::EBUSY | libc_errno::EINVAL)) => {
            report.missing(
                Layer::ViolationReports,
                "the host has a seccomp listener of its own, or this kernel has none: violations by signal only",
            );
            Ok(None)
        }
        Err(error) => Err(error).step(FILTERING),
    }
}

fn deny_new_executable(report: &mut Report) -> Result<(), LockdownError> {
    let step = "denying new executable memory";
    let why_not = "this kernel has no MDWE (6.3)";
    let denied = raise("deny-new-executable", memory::deny_new_executable);
    optional(report, Layer::DenyNewExecutable, step, why_not, denied)
}

mod libc_errno {
    pub(super) const EBUSY: i32 = nix::errno::Errno::EBUSY as i32;
    pub(super) const EINVAL: i32 = nix::errno::Errno::EINVAL as i32;
}

/// What the standard library asks the kernel for once, on first use: a hash seed, and room for destructors of
/// thread-locals. The filters do not allow it any more.
pub(crate) fn warm_up() {
    struct Droppable;
    impl Drop for Droppable {
        fn drop(&mut self) {}
    }
    std::thread_local! {
        static FIRST: Droppable = const { Droppable };
    }
    FIRST.with(|_| ());
    let _ = std::hash::RandomState::new();
}

/// Takes a layer that a kernel may not have; any other failure is fatal.
fn optional(
    report: &mut Report,
    layer: Layer,
    step: &'static str,
    why_not: &str,
    result: io::Result<()>,
) -> Result<(), LockdownError> {
    match result {
        Ok(()) => report.holds(layer),
        Err(error) => match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOSYS | Errno::EINVAL) => report.missing(layer, why_not),
            _ => return Err(error).step(step),
        },
    }
    Ok(())
}

/// A locked program's input and output.
#[derive(Debug)]
pub struct Job {
    /// Descriptor 0.
    pub input: OwnedFd,
    /// Descriptor 1.
    pub output: OwnedFd,
}

/// A locked zygote: it forks workers and can do little else. Whoever holds it may load a guest into its memory.
#[derive(Debug)]
pub struct Locked {
    pub(crate) control: Control,
    /// Without a pid namespace: who a worker must not outlive.
    parent: Option<nix::unistd::Pid>,
    /// What each worker will install.
    pub(crate) filter_b: Arc<seccomp::Program>,
    #[cfg(feature = "experiment")]
    pub(crate) profile: Profile,
    kept: u32,
}

impl Locked {
    /// The module is ready to be forked.
    pub fn loaded(&self, report: spawn::LoadedReport) -> Result<(), LockdownError> {
        self.control.report(spawn::Report::Loaded(report), &[])
    }

    /// Tells the supervisor that the module cannot be used.
    pub fn fail(&self, report: FailedReport) {
        self.control.fail(report);
    }

    /// Layers that every worker of this zygote will report.
    pub fn reported(&self) -> LayerSet {
        [Layer::Seccomp, Layer::ResourceLimits, Layer::Descriptors].into_iter().collect()
    }

    /// Forks a worker each time the supervisor asks, until it is gone. Returns in each worker, and in the zygote with
    /// `None` when the supervisor has closed the control socket.
    pub fn next_worker(&self) -> Result<Option<Spawned>, LockdownError> {
        loop {
            let Some((spec, mut links)) = self.control.receive::<SpawnSpec>(|count| count == 1)? else {
                return Ok(None);
            };
            let Some(link) = links.pop() else {
                return Err(io::Error::from(io::ErrorKind::InvalidData)).step("taking a worker's link");
            };
            match process::fork().step("forking a worker")? {
                process::Fork::Child => {
                    let filter_b = Arc::clone(&self.filter_b);
                    return Ok(Some(Spawned {
                        link,
                        spec,
                        parent: self.parent,
                        filter_b,
                        #[cfg(feature = "experiment")]
                        profile: self.profile,
                        kept: self.kept,
                        outside: seccomp::CANARY_OUTSIDE,
                    }));
                }
                process::Fork::Parent(pidfd) => {
                    drop(link);
                    self.control.report(spawn::Report::Spawned(spawn::SpawnedReport {}), &[pidfd.as_fd()])?;
                }
            }
        }
    }
}
