//! What a native program's zygote is given before it has a root: the program's order, and the trees that its root is made of.
//!
//! The stub takes the trees, as root where the supervisor is root, for a plugin's own user may not reach what its operator
//! grants it; the zygote puts them in their places.

use crate::control;
use crate::error::{LockdownError, Step};
use crate::root;
use casemate_protocol::spawn::ProgramSpec;
use casemate_sys::descriptors;
use nix::fcntl::{FcntlArg, fcntl};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, IntoRawFd as _, OwnedFd};

/// Numbers from here on are out of the way of those that it is handed on as.
const ASIDE: i32 = 300;
const STEP: &str = "reading a program's order";

/// A program's order and its trees, as far as they have been taken.
#[derive(Debug)]
pub(crate) struct Belongings {
    file: OwnedFd,
    pub(crate) spec: ProgramSpec,
    pub(crate) trees: Vec<OwnedFd>,
}

impl Belongings {
    /// From its file.
    pub(crate) fn read(file: OwnedFd) -> Result<Self, LockdownError> {
        let mut file = File::from(file);
        let bytes = file.metadata().step(STEP)?.len();
        let spec = control::read_file(&mut file, bytes).step(STEP)?;
        Ok(Self { file: file.into(), spec, trees: Vec::new() })
    }

    /// From the numbers that a stub has handed it on as.
    pub(crate) fn inherited(first: i32) -> Result<Self, LockdownError> {
        let mut belongings = Self::read(descriptors::inherited(first).step(STEP)?)?;
        for (number, _) in (first + 1..).zip(&belongings.spec.mounts) {
            belongings.trees.push(descriptors::inherited(number).step(STEP)?);
        }
        Ok(belongings)
    }

    /// What is left once somebody else has closed every descriptor.
    pub(crate) fn disown(self) -> ProgramSpec {
        let Self { file, spec, trees } = self;
        for end in std::iter::once(file).chain(trees) {
            let _ = end.into_raw_fd();
        }
        spec
    }

    /// Takes the trees. The process must be root of its mount namespace.
    pub(crate) fn take(&mut self) -> Result<(), LockdownError> {
        self.trees = root::take(&self.spec)?;
        Ok(())
    }

    /// Moves all of it out of the way of the numbers that it is handed on as. What they were is closed by the exec, and nobody
    /// drops it: another file may have its number by then.
    pub(crate) fn set_aside(self) -> io::Result<Vec<OwnedFd>> {
        let aside = |end: &OwnedFd| -> io::Result<OwnedFd> {
            descriptors::inherited(fcntl(end, FcntlArg::F_DUPFD_CLOEXEC(ASIDE))?)
        };
        let ends = std::iter::once(&self.file).chain(&self.trees).map(aside).collect();
        let _ = self.disown();
        ends
    }
}

/// Leaves what was set aside open over exec, under numbers from this one on.
pub(crate) fn hand_on(ends: &[OwnedFd], first: i32) -> io::Result<()> {
    (first..).zip(ends).try_for_each(|(number, end)| descriptors::duplicate_to(end.as_fd(), number))
}
