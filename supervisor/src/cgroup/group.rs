//! One plugin's group, from its making to its removal.
//!
//! ```text
//! directory made ─► locked ─► limits written ─► stub put in ─► … ─► last process gone ─► directory removed
//! ```
//! The lock on the directory is what tells a later supervisor that somebody still uses it.

use super::place::{Parent, Place, Version};
use super::text::counted;
use super::{Controller, Wanted, v1, v2};
use casemate_protocol::outcome::{Cause, LimitName};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a group that was swept away between its making and its locking is made again.
const MAKE_ATTEMPTS: u32 = 4;
/// How often, and how far apart, a group is removed whose last process is ending.
const REMOVE_ATTEMPTS: u32 = 20;
const REMOVE_PAUSE: Duration = Duration::from_millis(1);

/// A group. Dropping it removes it: only when its processes are gone.
#[derive(Debug)]
pub(crate) struct Group {
    version: Version,
    folders: Vec<Folder>,
    /// What counts processes that were killed for want of memory.
    events: Option<File>,
    memory_bytes: u64,
    processes: u64,
    /// After a fork of the host, nothing done in the child may end the parent's plugins.
    host_pid: u32,
}

/// It, in one hierarchy. Removed when dropped.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    controllers: Vec<Controller>,
    _lock: OwnedFd,
    host_pid: u32,
}

impl Group {
    pub(super) fn make(place: &Place, name: impl Fn() -> String, wanted: &Wanted) -> io::Result<Self> {
        let mut attempt = 0;
        let folders = loop {
            attempt += 1;
            let name = name();
            let made: io::Result<Vec<_>> = place
                .parents
                .iter()
                .map(|parent| Folder::make(place.version, parent, &name, wanted))
                .collect();
            match made {
                Ok(folders) => break folders,
                Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < MAKE_ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        };
        let mut group = Self {
            version: place.version,
            folders,
            events: None,
            memory_bytes: wanted.memory_bytes.unwrap_or_default(),
            processes: wanted.processes,
            host_pid: std::process::id(),
        };
        if wanted.memory_bytes.is_some() {
            let path = group.file(Controller::Memory, "memory.events", "memory.oom_control");
            group.events =
                path.map(|path| File::open(&path).map_err(|error| about(&path, &error))).transpose()?;
        }
        Ok(group)
    }

    /// Puts a process into it, and so everything that it will ever start.
    pub(crate) fn take(&self, pid: u32) -> io::Result<()> {
        for folder in &self.folders {
            write(&folder.path.join("cgroup.procs"), &pid.to_string())?;
        }
        Ok(())
    }

    /// How many of its processes the kernel has killed for want of memory.
    pub(crate) fn killed_for_memory(&self) -> u64 {
        let mut text = [0; 1024];
        let Some(read) = self.events.as_ref().and_then(|events| events.read_at(&mut text, 0).ok()) else {
            return 0;
        };
        let text = String::from_utf8_lossy(text.get(..read).unwrap_or_default());
        counted(&text, "oom_kill").unwrap_or_default()
    }

    /// What ended a process that was killed since so many had been for want of memory, if one more has been since. Which
    /// one it was the kernel does not say; if it was the head, all the others went with it.
    pub(crate) fn out_of_memory(&self, killed_before: u64) -> Option<Cause> {
        (self.killed_for_memory() > killed_before).then(|| {
            let (configured, observed) = self.memory();
            Cause::Limit { limit: LimitName::CgroupMemory, configured, observed }
        })
    }

    /// Its limit of memory and the most that it has used, in bytes.
    fn memory(&self) -> (u64, u64) {
        let peak = self
            .file(Controller::Memory, "memory.peak", "memory.max_usage_in_bytes")
            .and_then(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
        // A kernel before 5.19 does not keep it; who was killed had reached the limit.
        (self.memory_bytes, peak.unwrap_or(self.memory_bytes))
    }

    /// Whether it has no room for a process more.
    pub(crate) fn is_full(&self) -> bool {
        let current = self
            .file(Controller::Pids, "pids.current", "pids.current")
            .and_then(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
        current.is_some_and(|current: u64| current >= self.processes)
    }

    fn file(&self, controller: Controller, v2: &str, v1: &str) -> Option<PathBuf> {
        let folder = self.folders.iter().find(|folder| folder.controllers.contains(&controller))?;
        Some(folder.path.join(if self.version == Version::V2 { v2 } else { v1 }))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if std::process::id() == self.host_pid {
            self.folders.iter().for_each(|folder| end(&folder.path));
        }
    }
}

impl Folder {
    fn make(version: Version, parent: &Parent, name: &str, wanted: &Wanted) -> io::Result<Self> {
        let Parent { path: above, controllers } = parent;
        if version == Version::V2
            && let Some((file, content)) = v2::enabling(parent)
        {
            write(&above.join(file), &content)?;
        }
        let path = above.join(name);
        fs::create_dir(&path).map_err(|error| about(&path, &error))?;
        let lock = lock(&path).inspect_err(|_| end(&path))?;
        let host_pid = std::process::id();
        let folder = Self { path, controllers: controllers.clone(), _lock: lock, host_pid };
        let settings = match version {
            Version::V2 => v2::settings(wanted),
            Version::V1 => {
                controllers.iter().flat_map(|controller| v1::settings(*controller, wanted)).collect()
            }
        };
        for (file, content, may_lack) in settings {
            let file = folder.path.join(file);
            if !may_lack || file.exists() {
                write(&file, &content)?;
            }
        }
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left here is a half-made group: a whole one has been ended.
        if std::process::id() == self.host_pid {
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Takes the lock of a group. One that somebody swept away meanwhile is not found.
pub(super) fn lock(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = open(path, flags, Mode::empty()).map_err(|error| about(path, &error.into()))?;
    flock(&folder, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
        // A sweeper has it, and is about to remove it.
        rustix::io::Errno::AGAIN => io::ErrorKind::NotFound.into(),
        error => about(path, &error.into()),
    })?;
    let here = fs::metadata(path).map_err(|error| about(path, &error))?;
    let held = rustix::fs::fstat(&folder)?;
    if (here.dev(), here.ino()) != (held.st_dev, held.st_ino) {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(folder)
}

/// Removes a group. Whatever is still in it is killed, where the kernel has a file for that.
pub(super) fn end(path: &Path) {
    for attempt in 0..REMOVE_ATTEMPTS {
        match fs::remove_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {}
            _ => return,
        }
        if attempt == 0 {
            let _ = fs::write(path.join("cgroup.kill"), "1");
        }
        std::thread::sleep(REMOVE_PAUSE);
    }
    tracing::warn!(
        "the control group {} still holds processes; a later supervisor removes it",
        path.display()
    );
}

fn write(path: &Path, content: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).open(path).map_err(|error| about(path, &error))?;
    io::Write::write_all(&mut file, content.as_bytes()).map_err(|error| {
        io::Error::new(error.kind(), format!("{} does not take {content:?}: {error}", path.display()))
    })
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
