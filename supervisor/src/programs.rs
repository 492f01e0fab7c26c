//! The embedded programs, each in a sealed memfd: no path to find, nothing on disk to overwrite, no version skew.

use crate::process::stub::off_the_standard_descriptors;
use rustix::fs::{MemfdFlags, Mode, SealFlags, fchmod, fcntl_add_seals, memfd_create};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};

static WORKER: &[u8] = include_bytes!(env!("CASEMATE_EMBEDDED_WORKER"));
static COMPILER: &[u8] = include_bytes!(env!("CASEMATE_EMBEDDED_COMPILER"));
#[cfg(feature = "adversary")]
static ADVERSARY: &[u8] = include_bytes!(env!("CASEMATE_EMBEDDED_ADVERSARY"));

/// A program that can be started.
#[derive(Debug)]
pub(crate) struct Program {
    name: String,
    file: OwnedFd,
    unsealed_because: Option<String>,
}

impl Program {
    /// The zygote and worker.
    pub(crate) fn worker() -> io::Result<Self> {
        Self::new("casemate-worker", WORKER)
    }

    /// The compiler.
    pub(crate) fn compiler() -> io::Result<Self> {
        Self::new("casemate-compiler", COMPILER)
    }

    /// Hostile code in a worker's place.
    #[cfg(feature = "adversary")]
    pub(crate) fn adversary(behaviour: &str) -> io::Result<Self> {
        Self::new(&format!("casemate-adversary:{behaviour}"), ADVERSARY)
    }

    /// This build has none.
    #[cfg(not(feature = "adversary"))]
    pub(crate) fn adversary(_behaviour: &str) -> io::Result<Self> {
        Err(io::Error::other("this build has no adversary"))
    }

    fn new(name: &str, bytes: &[u8]) -> io::Result<Self> {
        if bytes.is_empty() {
            return Err(io::Error::other("this build has no programs embedded (CASEMATE_EMBED=skip)"));
        }
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let fd = match memfd_create(name, flags | MemfdFlags::EXEC) {
            // Kernels before 6.3 do not know the flag; there every memfd may be executed.
            Err(Errno::INVAL) => memfd_create(name, flags)?,
            other => other?,
        };
        let mut file = File::from(off_the_standard_descriptors(fd)?);
        file.write_all(bytes)?;
        // Root gives itself away before it executes this again.
        fchmod(&file, Mode::from_raw_mode(0o777))?;
        fcntl_add_seals(&file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
        Ok(Self { name: name.to_owned(), file: file.into(), unsealed_because: None })
    }

    /// Its name in `ps`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What to execute.
    pub(crate) fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.file.as_raw_fd())
    }

    /// Why it is no sealed memfd, if it is none.
    pub(crate) fn unsealed_because(&self) -> Option<&str> {
        self.unsealed_because.as_deref()
    }
}
