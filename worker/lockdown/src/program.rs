//! The last wall around a native program: two processes for each instance, the program and its bridge, connected by pipes.
//!
//! ```text
//! supervisor ◄─link─► bridge ◄─stdin, stdout, stderr─► program
//! ```
//! Both are forked by the zygote. The program is the one that the supervisor knows: it is limited, looked at and killed. Its
//! exec is in no list, so it stops at the listener of filter A, where the supervisor looks at it and lets it through, once.
//! The bridge parses what the program writes, and so is behind a filter with two streams and nothing else; where the program
//! has no walls ([`crate::Unwalled`]) that is the only one, and no less.

use crate::control::Control;
use crate::error::{LockdownError, Step};
use crate::rlimits;
use crate::seccomp::{self, CANARY_OUTSIDE_PROGRAM};
use crate::walls::Locked;
use crate::worker::Spawned;
use casemate_protocol::spawn::{ProgramSpec, Report, Role, SpawnLimits, SpawnSpec, SpawnedReport};
use casemate_sys::process::{self, Fork, exit_now};
use casemate_sys::{descriptors, memory, seccomp as kernel, signal};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::unistd::{chdir, execve, getpid, pipe2, read, write};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// Numbers from here on are for pipes on their way to their places.
const ASIDE: i32 = 16;
/// Where a program that is to be executed says that it cannot be; closed by its exec.
const STATUS: i32 = 3;

/// What a zygote's fork has become.
#[derive(Debug)]
pub enum Launched {
    /// A canary: [`Spawned::confine`] ends it.
    Canary(Spawned),
    /// The program to be.
    Program(Program),
    /// The bridge to it.
    Bridge(Bridge),
}

/// A program that has not been executed.
#[derive(Debug)]
pub struct Program {
    stdin: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
    status: OwnedFd,
    limits: SpawnLimits,
    unwalled: bool,
}

/// The bridge to a program; behind its last wall it has these descriptors and no others.
#[derive(Debug)]
pub struct Bridge {
    /// To the supervisor.
    pub link: OwnedFd,
    /// What the program reads. It does not block.
    pub stdin: OwnedFd,
    /// What the program writes. It does not block.
    pub stdout: OwnedFd,
    /// What the program complains about. It does not block.
    pub stderr: OwnedFd,
    /// The error number of its exec, or its end without one: it runs.
    pub status: OwnedFd,
    /// RLIMIT_DATA of the program.
    pub data_limit_bytes: u64,
    unwalled: bool,
}

struct Pipes {
    program: Program,
    bridge: Bridge,
}

impl Locked {
    /// Forks a program and its bridge each time the supervisor asks, until it is gone. Returns in each of the two, in canaries,
    /// and in the zygote with `None` when the supervisor has closed the control socket.
    pub fn next_program(&self) -> Result<Option<Launched>, LockdownError> {
        loop {
            let Some((spec, mut links)) = self.control.receive::<SpawnSpec>(|count| count == 1)? else {
                return Ok(None);
            };
            let Some(link) = links.pop() else {
                return Err(io::Error::from(io::ErrorKind::InvalidData)).step("taking a program's link");
            };
            let launched = match spec.role {
                Role::Worker => launch(&self.control, link, spec.limits, false)?,
                Role::CanaryOutside | Role::CanaryDelta => self.send_canary(link, spec)?,
            };
            if let Some(launched) = launched {
                return Ok(Some(launched));
            }
        }
    }

    fn send_canary(&self, link: OwnedFd, spec: SpawnSpec) -> Result<Option<Launched>, LockdownError> {
        match process::fork().step("forking a canary")? {
            Fork::Child => Ok(Some(Launched::Canary(Spawned {
                link,
                spec,
                parent: None,
                filter_b: Arc::clone(&self.filter_b),
                #[cfg(feature = "experiment")]
                profile: self.profile,
                kept: 0,
                outside: CANARY_OUTSIDE_PROGRAM,
            }))),
            Fork::Parent(pidfd) => {
                self.control.report(Report::Spawned(SpawnedReport {}), &[pidfd.as_fd()])?;
                Ok(None)
            }
        }
    }
}

/// Forks a program and its bridge. Returns in each of the two; in the zygote with `None`.
pub(crate) fn launch(
    control: &Control,
    link: OwnedFd,
    limits: SpawnLimits,
    unwalled: bool,
) -> Result<Option<Launched>, LockdownError> {
    let Pipes { program, bridge } = Pipes::new(link, limits, unwalled).step("making a program's pipes")?;
    let pidfd = match process::fork().step("forking a program")? {
        Fork::Child => {
            drop(bridge);
            return Ok(Some(Launched::Program(program)));
        }
        Fork::Parent(pidfd) => pidfd,
    };
    drop(program);
    match process::fork().step("forking a program's bridge")? {
        Fork::Child => Ok(Some(Launched::Bridge(bridge))),
        Fork::Parent(_) => {
            drop(bridge);
            control.report(Report::Spawned(SpawnedReport {}), &[pidfd.as_fd()])?;
            Ok(None)
        }
    }
}

impl Pipes {
    fn new(link: OwnedFd, limits: SpawnLimits, unwalled: bool) -> io::Result<Self> {
        let pipe = || -> io::Result<(OwnedFd, OwnedFd)> {
            let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
            Ok((set_aside(reader)?, set_aside(writer)?))
        };
        let ((stdin, to_stdin), (from_stdout, stdout)) = (pipe()?, pipe()?);
        let ((from_stderr, stderr), (from_status, status)) = (pipe()?, pipe()?);
        for end in [&to_stdin, &from_stdout, &from_stderr] {
            fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        Ok(Self {
            program: Program { stdin, stdout, stderr, status, limits, unwalled },
            bridge: Bridge {
                link: set_aside(link)?,
                stdin: to_stdin,
                stdout: from_stdout,
                stderr: from_stderr,
                status: from_status,
                data_limit_bytes: limits.data_bytes,
                unwalled,
            },
        })
    }
}

impl Program {
    /// Takes the last steps and executes the program. One that cannot be executed waits to be ended, so that its bridge can
    /// say why.
    pub fn execute(self, spec: &ProgramSpec) -> ! {
        let number = match self.try_execute(spec) {
            Ok(never) => match never {},
            Err(error) => error.source.raw_os_error().unwrap_or(Errno::EINVAL as i32),
        };
        if let Ok(status) = descriptors::inherited(STATUS) {
            let _ = write(&status, &number.to_le_bytes());
        }
        if let Ok(stdin) = descriptors::inherited(0) {
            while let Ok(1..) | Err(Errno::EINTR) = read(&stdin, &mut [0; 512]) {}
        }
        exit_now(127)
    }

    fn try_execute(self, spec: &ProgramSpec) -> Result<std::convert::Infallible, LockdownError> {
        let step = "executing the program";
        let text = |text: &str| CString::new(text).map_err(io::Error::from);
        let file = text(&spec.file).step(step)?;
        let arguments = spec.args.iter().map(|word| text(word)).collect::<Result<Vec<_>, _>>().step(step)?;
        let variables = spec.env.iter().map(|(name, value)| text(&format!("{name}={value}")));
        let variables = variables.collect::<Result<Vec<_>, _>>().step(step)?;
        for (number, stream) in (0..).zip([&self.stdin, &self.stdout, &self.stderr, &self.status]) {
            descriptors::duplicate_to(stream.as_fd(), number).step(step)?;
        }
        // What these were has been copied to its place, and is closed with everything else.
        let Self { stdin, stdout, stderr, status, limits, unwalled } = self;
        drop((stdin, stdout, stderr, status));
        let status = descriptors::inherited(STATUS).step(step)?;
        fcntl(&status, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).step(step)?;
        let _ = std::os::fd::IntoRawFd::into_raw_fd(status);
        descriptors::close_from(STATUS.unsigned_abs() + 1).step(step)?;
        signal::reset_all().step(step)?;
        // A file that is too long is an error of its writing, and no end.
        signal::ignore_file_size().step(step)?;
        rlimits::set_program(&limits)?;
        chdir(spec.folder.as_str()).step("entering the program's folder")?;
        if !unwalled {
            let own_pid = u64::try_from(getpid().as_raw()).unwrap_or(u64::MAX);
            let filter = seccomp::program_filter(own_pid);
            kernel::install(filter.instructions()).step("installing filter B")?;
        }
        match execve(&file, &arguments, &variables) {
            Ok(never) => Ok(never),
            Err(errno) => Err(errno).step(step),
        }
    }
}

impl Bridge {
    /// Takes the last steps: these descriptors and no others, no process, and the shortest list.
    pub fn confine(self) -> Result<Self, LockdownError> {
        let step = "leaving a bridge its streams";
        let ends = [&self.link, &self.stdin, &self.stdout, &self.stderr, &self.status];
        for (number, end) in (0..).zip(ends) {
            descriptors::duplicate_to(end.as_fd(), number).step(step)?;
        }
        let (data_limit_bytes, unwalled) = (self.data_limit_bytes, self.unwalled);
        drop(self);
        descriptors::close_from(5).step(step)?;
        rlimits::set_bridge()?;
        let end = |number| descriptors::inherited(number).step(step);
        let confined = Self {
            link: end(0)?,
            stdin: end(1)?,
            stdout: end(2)?,
            stderr: end(3)?,
            status: end(4)?,
            data_limit_bytes,
            unwalled,
        };
        let filter = if unwalled {
            // A walled one has this of its zygote. Where the kernel knows no such thing, nothing here could map it: the filter.
            let _ = memory::deny_new_executable();
            seccomp::bridge_filter_alone()
        } else {
            seccomp::bridge_filter()
        };
        kernel::install(filter.instructions()).step("installing filter B")?;
        Ok(confined)
    }
}

fn set_aside(descriptor: OwnedFd) -> io::Result<OwnedFd> {
    let number = fcntl(&descriptor, FcntlArg::F_DUPFD_CLOEXEC(ASIDE))?;
    descriptors::inherited(number)
}
