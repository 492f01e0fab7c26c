//! The programs that the supervisor carries inside itself, each made a file that can be executed and not changed.
//!
//! A program is written into a memory file, which is then sealed: there is no path to find it by, nothing on disk to
//! overwrite, and no other version to mix it up with. Where the kernel forbids executable memory files
//! (`vm.memfd_noexec=2`) it becomes an unlinked file on disk that only we hold open, and [`Program::unsealed_because`] says
//! so.

use crate::memfd::seal;
use rustix::fs::{CWD, MemfdFlags, Mode, OFlags, SealFlags, StatVfsMountFlags};
use rustix::fs::{fchmod, fstatvfs, memfd_create, openat};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use std::fs::{self, DirBuilder, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Numbers below this are what a started program finds its own descriptors under: in a host with a closed standard input
/// the file would be 0, and overwritten by the control socket.
const DESCRIPTOR_MIN: i32 = 10;

/// Everyone may execute it: a supervisor that is root makes it, and a plugin's own user executes it again.
const MODE: u32 = 0o777;

/// A program that can be executed.
#[derive(Debug)]
pub(crate) struct Program {
    name: String,
    /// As it was built.
    bytes: &'static [u8],
    /// SHA-256 of them, in hexadecimal.
    digest: &'static str,
    /// Written when it is first needed: a compiler that only a cache's miss needs takes milliseconds.
    opened: OnceLock<Opened>,
}

/// A program in a file that can be executed.
#[derive(Debug)]
struct Opened {
    file: OwnedFd,
    /// Why it is a file on disk, if it is.
    on_disk: Option<&'static str>,
}

/// A program that cannot be made executable.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    /// The build left it out.
    #[error("this build carries no {name}: {how}")]
    NotEmbedded {
        /// The program.
        name: String,
        /// How to build it in.
        how: &'static str,
    },
    /// No memory file.
    #[error("{name} cannot be put into a memory file ({step}): {source}")]
    Memory {
        /// The program.
        name: String,
        /// What was being done.
        step: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// The kernel forbids executable memory files, and there is no file on disk either.
    #[error(
        "{name} cannot be made executable: memory files may not be here (vm.memfd_noexec=2, or a security module), nor a \
         file in {folder}: {source}; set vm.memfd_noexec to 0 or 1, or TMPDIR to a directory for programs"
    )]
    Disk {
        /// The program.
        name: String,
        /// Where it was tried first.
        folder: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

const FORBIDDEN: &str = "memory files may not be executable here (vm.memfd_noexec=2, or a security module): the program is a file on disk";

const WORKER: &[u8] = include_bytes!(env!("CASEMATE_EMBEDDED_WORKER"));
const WORKER_WASI: &[u8] = include_bytes!(env!("CASEMATE_EMBEDDED_WORKER_WASI"));
const LAUNCHER: &[u8] = include_bytes!(env!("CASEMATE_EMBEDDED_LAUNCHER"));
const COMPILER: &[u8] = include_bytes!(env!("CASEMATE_EMBEDDED_COMPILER"));
#[cfg(feature = "adversary")]
const ADVERSARY_WASI: &[u8] = include_bytes!(env!("CASEMATE_EMBEDDED_ADVERSARY_WASI"));
#[cfg(feature = "adversary")]
const ADVERSARY: &[u8] = include_bytes!(env!("CASEMATE_EMBEDDED_ADVERSARY"));

/// The embedded worker and the embedded adversary, for whoever compares the two.
#[cfg(feature = "adversary")]
#[doc(hidden)]
#[must_use]
pub fn embedded() -> [&'static [u8]; 2] {
    [WORKER, ADVERSARY]
}

impl Program {
    /// The zygote and worker.
    pub(crate) fn worker() -> Result<Self, ProgramError> {
        Self::opened("casemate-worker".to_owned(), WORKER, env!("CASEMATE_EMBEDDED_WORKER_SHA256"))
    }

    /// The zygote and worker for WASI and components, which is made executable when something needs it.
    pub(crate) fn worker_wasi() -> Result<Self, ProgramError> {
        let digest = env!("CASEMATE_EMBEDDED_WORKER_WASI_SHA256");
        Self::new("casemate-worker-wasi".to_owned(), WORKER_WASI, digest)
    }

    /// The launcher of native programs, which is made executable when there is one.
    pub(crate) fn launcher() -> Result<Self, ProgramError> {
        Self::new("casemate-launcher".to_owned(), LAUNCHER, env!("CASEMATE_EMBEDDED_LAUNCHER_SHA256"))
    }

    /// The compiler, which is made executable when something is compiled.
    pub(crate) fn compiler() -> Result<Self, ProgramError> {
        Self::new("casemate-compiler".to_owned(), COMPILER, env!("CASEMATE_EMBEDDED_COMPILER_SHA256"))
    }

    /// Hostile native code on the worker's path, to prove the walls; its name says what it is to do.
    #[cfg(feature = "adversary")]
    pub(crate) fn adversary(behaviour: &str) -> Result<Self, ProgramError> {
        let digest = env!("CASEMATE_EMBEDDED_ADVERSARY_SHA256");
        Self::opened(format!("casemate-adversary:{behaviour}"), ADVERSARY, digest)
    }

    /// The same on the path of the worker with WASI.
    #[cfg(feature = "adversary")]
    pub(crate) fn adversary_wasi(behaviour: &str) -> Result<Self, ProgramError> {
        let digest = env!("CASEMATE_EMBEDDED_ADVERSARY_WASI_SHA256");
        Self::new(format!("casemate-adversary-wasi:{behaviour}"), ADVERSARY_WASI, digest)
    }

    /// Only a build with the feature `adversary` has one.
    #[cfg(not(feature = "adversary"))]
    pub(crate) fn adversary(_behaviour: &str) -> Result<Self, ProgramError> {
        let how = "build it with the feature `adversary`, which is for tests and attacks";
        Err(ProgramError::NotEmbedded { name: "casemate-adversary".to_owned(), how })
    }

    /// As above.
    #[cfg(not(feature = "adversary"))]
    pub(crate) fn adversary_wasi(behaviour: &str) -> Result<Self, ProgramError> {
        Self::adversary(behaviour)
    }

    fn opened(name: String, bytes: &'static [u8], digest: &'static str) -> Result<Self, ProgramError> {
        let program = Self::new(name, bytes, digest)?;
        program.open()?;
        Ok(program)
    }

    fn new(name: String, bytes: &'static [u8], digest: &'static str) -> Result<Self, ProgramError> {
        if bytes.is_empty() {
            let how =
                "it was made with CASEMATE_EMBED=skip, which is for checking code only; build it without";
            return Err(ProgramError::NotEmbedded { name, how });
        }
        Ok(Self { name, bytes, digest, opened: OnceLock::new() })
    }

    /// Two that need it first at once may both write it; the first stays.
    fn open(&self) -> Result<&Opened, ProgramError> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let name = || self.name.clone();
        let opened = match sealed_memory(&self.name, self.bytes) {
            Ok(file) => Opened { file, on_disk: None },
            Err((_, Errno::ACCESS)) => match first_private_copy(self.bytes) {
                Ok(file) => Opened { file, on_disk: Some(FORBIDDEN) },
                Err((folder, source)) => return Err(ProgramError::Disk { name: name(), folder, source }),
            },
            Err((step, errno)) => {
                return Err(ProgramError::Memory { name: name(), step, source: errno.into() });
            }
        };
        Ok(self.opened.get_or_init(|| opened))
    }

    /// Its name, which is also its first argument.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What to execute, in a child of this process.
    pub(crate) fn path(&self) -> Result<PathBuf, ProgramError> {
        Ok(PathBuf::from(format!("/proc/self/fd/{}", self.open()?.file.as_raw_fd())))
    }

    /// SHA-256 of its bytes: another build has another.
    pub(crate) fn digest(&self) -> &[u8] {
        self.digest.as_bytes()
    }

    /// Why it is no sealed memory file, if it is none.
    pub(crate) fn unsealed_because(&self) -> Option<&str> {
        self.opened.get().and_then(|opened| opened.on_disk)
    }
}

/// A memory file that nobody can change any more, or the step that failed.
fn sealed_memory(name: &str, bytes: &[u8]) -> Result<OwnedFd, (&'static str, Errno)> {
    let file = executable_memfd(name).map_err(|errno| ("making it", errno))?;
    // Moved first, so that no number below the least one is in use any longer than need be.
    let mut file =
        File::from(fcntl_dupfd_cloexec(file, DESCRIPTOR_MIN).map_err(|errno| ("moving it", errno))?);
    file.write_all(bytes).map_err(|error| ("writing it", error_number(&error)))?;
    fchmod(&file, Mode::from_raw_mode(MODE)).map_err(|errno| ("making it executable", errno))?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    match seal(&file, seals | SealFlags::EXEC) {
        // Kernels before 6.3 have no seal over the mode.
        Err(Errno::INVAL) => seal(&file, seals),
        other => other,
    }
    .map_err(|errno| ("sealing it", errno))?;
    Ok(file.into())
}

fn executable_memfd(name: &str) -> Result<OwnedFd, Errno> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match memfd_create(name, flags | MemfdFlags::EXEC) {
        // Kernels before 6.3 do not know the flag; there every memory file is executable.
        Err(Errno::INVAL) => memfd_create(name, flags),
        other => other,
    }
}

/// A private copy where one can be had: /tmp is mounted noexec on some hosts.
fn first_private_copy(bytes: &[u8]) -> Result<OwnedFd, (PathBuf, io::Error)> {
    let first = std::env::temp_dir();
    private_copy(bytes, &first).or_else(|error| {
        let others = ["/var/tmp", "/dev/shm"];
        let other = others.iter().find_map(|folder| private_copy(bytes, Path::new(folder)).ok());
        other.ok_or((first, error))
    })
}

/// A file without a name, open for reading only: only those who may write to us could change it, and not while it runs.
fn private_copy(bytes: &[u8], scratch: &Path) -> io::Result<OwnedFd> {
    let written = match openat(CWD, scratch, OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, owner_only()) {
        Ok(file) => File::from(file),
        // File systems without nameless files, and kernels' different words for that.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => unlinked_file(scratch)?,
        Err(errno) => return Err(errno.into()),
    };
    if fstatvfs(&written)?.f_flag.contains(StatVfsMountFlags::NOEXEC) {
        return Err(io::Error::other("it is mounted noexec"));
    }
    (&written).write_all(bytes)?;
    fchmod(&written, Mode::from_raw_mode(0o555))?;
    // A file that is open for writing cannot be executed.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = openat(CWD, format!("/proc/self/fd/{}", written.as_raw_fd()), flags, Mode::empty())?;
    drop(written);
    Ok(fcntl_dupfd_cloexec(file, DESCRIPTOR_MIN)?)
}

/// A file in a directory of its own, both removed at once.
fn unlinked_file(scratch: &Path) -> io::Result<File> {
    let folder = scratch.join(format!("casemate-{:016x}", RandomState::new().hash_one(std::process::id())));
    DirBuilder::new().mode(0o700).create(&folder)?;
    let path = folder.join("program");
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
    let file = openat(CWD, &path, flags, owner_only());
    let removed = fs::remove_file(&path).and_then(|()| fs::remove_dir(&folder));
    let file = File::from(file?);
    removed?;
    Ok(file)
}

fn owner_only() -> Mode {
    Mode::RUSR | Mode::WUSR
}

fn error_number(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::fcntl_get_seals;
    use rustix::io::{FdFlags, fcntl_getfd};
    use std::process::{Command, Stdio};

    #[expect(
        clippy::disallowed_methods,
        reason = "whether a file can be executed, with a program not of ours"
    )]
    fn command(path: &Path, argument: &str) -> Command {
        let mut command = Command::new(path);
        command.arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).env_clear();
        command
    }

    fn run(path: &Path, argument: &str) -> std::process::ExitStatus {
        command(path, argument).status().unwrap()
    }

    fn succeeds(path: &Path) -> bool {
        command(path, "/").status().is_ok_and(|status| status.success())
    }

    fn any_program() -> &'static [u8] {
        fs::read("/bin/ls").unwrap().leak()
    }

    fn program(bytes: &'static [u8]) -> Result<Program, ProgramError> {
        Program::opened("casemate-test".to_owned(), bytes, "")
    }

    #[test]
    fn a_program_runs_from_a_sealed_file() {
        let program = program(any_program()).unwrap();
        let (file, path) = (&program.open().unwrap().file, program.path().unwrap());
        if program.unsealed_because().is_none() {
            let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
            assert!(fcntl_get_seals(file).unwrap().contains(seals));
            assert!(fs::write(&path, b"x").is_err());
        }
        assert!(file.as_raw_fd() >= DESCRIPTOR_MIN);
        assert!(fcntl_getfd(file).unwrap().contains(FdFlags::CLOEXEC));
        assert!(run(&path, "/").success());
        assert!(!run(&path, "/nonexistent").success());
    }

    #[test]
    fn a_private_copy_runs_and_leaves_nothing() {
        let scratch = std::env::temp_dir().join(format!("casemate-programs-{}", std::process::id()));
        fs::create_dir(&scratch).unwrap();
        let file = private_copy(any_program(), &scratch).unwrap();
        let program = Program {
            name: String::new(),
            bytes: &[],
            digest: "",
            opened: OnceLock::from(Opened { file, on_disk: Some(FORBIDDEN) }),
        };
        // Another test's child may hold the file open for writing between its fork and its exec.
        assert!((0..100).any(|_| succeeds(&program.path().unwrap())));
        let mut named = unlinked_file(&scratch).unwrap();
        named.write_all(b"x").unwrap();
        assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0);
        fs::remove_dir(&scratch).unwrap();
        assert!(private_copy(b"x", &scratch).is_err());
    }

    #[test]
    fn a_place_that_forbids_programs_is_named() {
        let error = ProgramError::Disk {
            name: "casemate-worker".to_owned(),
            folder: PathBuf::from("/proc"),
            source: private_copy(b"x", Path::new("/proc")).unwrap_err(),
        };
        let text = error.to_string();
        assert!(text.contains("vm.memfd_noexec") && text.contains("/proc") && !text.contains('\n'), "{text}");
    }

    #[test]
    fn a_build_without_programs_says_so() {
        let error = program(b"").unwrap_err();
        assert!(error.to_string().contains("CASEMATE_EMBED=skip"), "{error}");
        #[cfg(not(feature = "adversary"))]
        assert!(Program::adversary("x").unwrap_err().to_string().contains("feature `adversary`"));
    }

    #[test]
    fn both_programs_are_embedded_or_none() {
        let made = [
            Program::worker().is_ok(),
            Program::worker_wasi().is_ok(),
            Program::launcher().is_ok(),
            Program::compiler().is_ok(),
        ];
        assert_eq!(made, [env!("CASEMATE_EMBEDDED_ORIGIN") != "none"; 4]);
    }
}
