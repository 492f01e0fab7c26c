//! The last wall: a forked process becomes a worker that holds one descriptor (with WASI, those of its folders too) and the
//! system calls of its profile.

use crate::error::{LockdownError, Step};
use crate::experiment::raise;
use crate::{rlimits, seccomp};
#[cfg(feature = "experiment")]
use casemate_protocol::certificate::Profile;
use casemate_protocol::spawn::{Role, SpawnSpec};
use casemate_sys::{descriptors, process, seccomp as kernel};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// Just forked: it still has the zygote's control socket and the zygote's filter.
#[derive(Debug)]
pub struct Spawned {
    pub(crate) link: OwnedFd,
    pub(crate) spec: SpawnSpec,
    pub(crate) parent: Option<Pid>,
    /// Made before the fork: making it takes longer than installing it.
    pub(crate) filter_b: Arc<seccomp::Program>,
    #[cfg(feature = "experiment")]
    pub(crate) profile: Profile,
    /// Descriptors above 0 that it keeps: its folders.
    pub(crate) kept: u32,
    /// What a canary does that no list of its profile allows.
    pub(crate) outside: i64,
}

/// A worker behind every wall.
#[derive(Debug)]
pub struct Confined {
    link: OwnedFd,
    data_limit_bytes: u64,
}

impl Spawned {
    /// The link, before it is the only descriptor: for whoever wants to lie early.
    pub fn link(&self) -> BorrowedFd<'_> {
        self.link.as_fd()
    }

    /// What the supervisor ordered.
    pub fn order(&self) -> &SpawnSpec {
        &self.spec
    }

    /// Takes the last steps. A canary does not come back from here.
    pub fn confine(self) -> Result<Confined, LockdownError> {
        let filter_b = Arc::clone(&self.filter_b);
        self.confine_behind(&filter_b)
    }

    /// The same behind a filter B that takes one more call of the worker's list away: whether anything breaks then tells
    /// whether the list needs it.
    #[cfg(feature = "experiment")]
    pub fn confine_without(self, syscall: &str) -> Result<Confined, LockdownError> {
        let filter_b = seccomp::filter_b_without(self.profile, syscall);
        self.confine_behind(&filter_b)
    }

    fn confine_behind(self, filter_b: &seccomp::Program) -> Result<Confined, LockdownError> {
        if let Some(parent) = self.parent {
            let step = "tying a worker to its zygote";
            prctl::set_pdeathsig(Signal::SIGKILL).step(step)?;
            if getppid() != parent {
                return Err(io::Error::from(io::ErrorKind::BrokenPipe)).step(step);
            }
        }
        let step = "leaving a worker one descriptor";
        // Descriptor 0 was the control socket; from here on it is the link.
        descriptors::duplicate_to(self.link.as_fd(), 0).step(step)?;
        std::mem::drop(self.link);
        raise("descriptors", || descriptors::close_from(self.kept + 1)).step(step)?;
        let link = descriptors::inherited(0).step(step)?;
        rlimits::set_worker(&self.spec.limits)?;
        kernel::install(filter_b.instructions()).step("installing filter B")?;
        match self.spec.role {
            Role::Worker => Ok(Confined { link, data_limit_bytes: self.spec.limits.data_bytes }),
            Role::CanaryOutside => fail_to_die(&link, self.outside),
            Role::CanaryDelta => fail_to_die(&link, seccomp::CANARY_DELTA),
        }
    }
}

/// Makes the call that must end this process. Should it return, the filters are not what they must be, and a byte on the
/// link tells the supervisor, also where the kernel does not say how a process ended.
fn fail_to_die(link: &OwnedFd, number: i64) -> ! {
    let _ = process::probe(number);
    let _ = nix::unistd::write(link, &[1]);
    process::exit_now(1)
}

impl Confined {
    /// The link to the supervisor, the only descriptor there is, and RLIMIT_DATA.
    pub fn into_parts(self) -> (OwnedFd, u64) {
        (self.link, self.data_limit_bytes)
    }
}
