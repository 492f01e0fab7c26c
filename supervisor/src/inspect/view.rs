//! Reading /proc: the one place that opens its files.
//!
//! A pid may be given to another process as soon as its owner is reaped; a pidfd never changes its process, and neither
//! does an open `/proc/PID` directory. So the number is used once, to open the directory, and only counts if the process
//! behind the pidfd still lived after that.

use super::error::{InspectError, ProcError};
use super::limits::{LIMITS_BYTES_MAX, Limit, Limits, Resource};
use super::maps::{CodePages, MAPS_BYTES_MAX, Maps, SMAPS_BYTES_MAX};
use super::mounts::{MOUNTS_BYTES_MAX, Mounts};
use super::names::{self, NamespaceName};
use super::status::{PidfdTarget, STATUS_BYTES_MAX, Status};
use casemate_protocol::certificate::Layer;
use casemate_sys::process;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, RawDir, openat, readlinkat, statfs};
use rustix::io::Errno;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The seven kinds of namespace, with the layer that each is.
pub(super) const NAMESPACES: [(Layer, NamespaceName); 7] = [
    (Layer::UserNamespace, NamespaceName("user")),
    (Layer::PidNamespace, NamespaceName("pid")),
    (Layer::NetNamespace, NamespaceName("net")),
    (Layer::IpcNamespace, NamespaceName("ipc")),
    (Layer::UtsNamespace, NamespaceName("uts")),
    (Layer::MountNamespace, NamespaceName("mnt")),
    (Layer::CgroupNamespace, NamespaceName("cgroup")),
];

/// Descriptors that are listed; a walled process has one.
const DESCRIPTORS_MAX: usize = 64;

/// `struct statfs` calls a proc file system this.
const PROC_SUPER_MAGIC: u64 = 0x9fa0;

/// Something that the kernel may not let us see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen<T> {
    Yes(T),
    /// It may not be looked at, and why.
    No(String),
}

impl<T> Seen<T> {
    fn try_map<U>(self, read: impl FnOnce(T) -> Result<U, InspectError>) -> Result<Seen<U>, InspectError> {
        Ok(match self {
            Self::Yes(value) => Seen::Yes(read(value)?),
            Self::No(why) => Seen::No(why),
        })
    }
}

/// What the supervisor knows of itself, to compare with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFacts {
    /// Filters around the thread that asked: a walled process has these and ours.
    pub filters: u32,
    /// Real, effective, saved and file-system user.
    pub uids: [u32; 4],
    /// Pid namespaces from that of /proc to the own one.
    pub(super) pid_levels: usize,
    /// Identity of each own namespace; `None` for a kind that this kernel does not have.
    pub(super) namespaces: [Option<u64>; 7],
}

/// Looks at the calling thread, and whether /proc is usable at all. Filters belong to threads: call it on the one that
/// starts the processes.
pub fn host_facts() -> Result<HostFacts, ProcError> {
    let unreadable = |path: &str, source: io::Error| ProcError::Unreadable { path: path.to_owned(), source };
    match statfs("/proc") {
        Ok(found) if u64::try_from(found.f_type) == Ok(PROC_SUPER_MAGIC) => {}
        Ok(_) | Err(Errno::NOENT) => return Err(ProcError::Absent),
        Err(errno) => return Err(unreadable("/proc", errno.into())),
    }
    // "self" is the reader as that /proc numbers it, or nothing when it is out of its sight.
    let own = rustix::process::getpid().as_raw_nonzero().to_string();
    match readlinkat(CWD, "/proc/self", Vec::new()) {
        Ok(name) if name.as_bytes() == own.as_bytes() => {}
        Ok(_) | Err(Errno::NOENT) => return Err(ProcError::OtherNamespace),
        Err(errno) => return Err(unreadable("/proc/self", errno.into())),
    }
    let path = "/proc/thread-self/status";
    let text = std::fs::read(path).map_err(|source| unreadable(path, source))?;
    let status = Status::parse(&text).map_err(|error| unreadable(path, io::Error::other(error)))?;
    let namespaces = NAMESPACES.map(|(_, kind)| {
        let link = readlinkat(CWD, format!("/proc/thread-self/ns/{}", kind.0), Vec::new()).ok()?;
        names::namespace(kind, link.as_bytes())
    });
    Ok(HostFacts {
        filters: status.seccomp_filters.unwrap_or(0),
        uids: status.uids,
        pid_levels: status.ns_pids.len(),
        namespaces,
    })
}

/// A process to look at: held by its pidfd, read through its directory in /proc.
pub struct ProcessView<'p> {
    pidfd: BorrowedFd<'p>,
    directory: OwnedFd,
    pid: u32,
}

impl fmt::Debug for ProcessView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessView").field("pid", &self.pid).finish_non_exhaustive()
    }
}

impl<'p> ProcessView<'p> {
    /// Opens the directory of the process behind a pidfd.
    pub fn open(pidfd: BorrowedFd<'p>) -> Result<Self, InspectError> {
        let pid = pid_of(pidfd)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = openat(CWD, format!("/proc/{pid}"), flags, Mode::empty());
        if has_ended(pidfd)? {
            return Err(InspectError::Ended);
        }
        match opened {
            Ok(directory) => Ok(Self { pidfd, directory, pid }),
            Err(Errno::NOENT) => Err(ProcError::Hidden.into()),
            Err(errno) => Err(InspectError::Unreadable { file: "", source: errno.into() }),
        }
    }

    /// Its number in our pid namespace, for logs and for matching what a listener reports. Only as long as it lives.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its status, which must be readable; a process that has ended has none worth reading.
    pub(super) fn status(&self) -> Result<Status, InspectError> {
        let file = "status";
        match self.text(file, STATUS_BYTES_MAX)? {
            Seen::Yes(text) => {
                let status = Status::parse(&text)?;
                if status.ended { Err(InspectError::Ended) } else { Ok(status) }
            }
            Seen::No(_) => {
                Err(InspectError::Unreadable { file, source: io::ErrorKind::PermissionDenied.into() })
            }
        }
    }

    /// Bytes of private writable memory, which is what RLIMIT_DATA counts.
    pub fn data_bytes(&self) -> Result<u64, InspectError> {
        match self.status()?.data_kib {
            Some(kib) => Ok(kib.saturating_mul(1024)),
            // A process without memory is at its end.
            None => Err(InspectError::Ended),
        }
    }

    pub(super) fn maps(&self) -> Result<Seen<Maps>, InspectError> {
        self.text("maps", MAPS_BYTES_MAX)?.try_map(|text| match Maps::parse(&text)? {
            // Its memory is gone before it is a zombie.
            maps if maps.count == 0 => Err(InspectError::Ended),
            maps => Ok(maps),
        })
    }

    pub(super) fn code(&self, range: &Range<u64>) -> Result<Seen<CodePages>, InspectError> {
        self.text("smaps", SMAPS_BYTES_MAX)?.try_map(|text| Ok(CodePages::parse(&text, range)?))
    }

    /// Some of its limits. By number, which is quick; that its pid still was its own, the status read afterwards shows.
    pub(super) fn limits(&self, resources: &[Resource]) -> Result<Seen<Vec<Limit>>, InspectError> {
        let ask = |resource: &Resource| process::limit_of(self.pid, resource.number());
        match resources.iter().map(ask).collect::<Result<Vec<_>, _>>() {
            Ok(limits) => {
                Ok(Seen::Yes(limits.into_iter().map(|(soft, hard)| Limit { soft, hard }).collect()))
            }
            // Without CAP_SYS_RESOURCE over its user; the text can be read even so.
            Err(_) => self.text("limits", LIMITS_BYTES_MAX)?.try_map(|text| {
                let limits = Limits::parse(&text)?;
                Ok(resources.iter().map(|resource| limits.get(*resource)).collect())
            }),
        }
    }

    pub(super) fn mounts(&self) -> Result<Seen<Mounts>, InspectError> {
        self.text("mountinfo", MOUNTS_BYTES_MAX)?.try_map(|text| Ok(Mounts::parse(&text)?))
    }

    /// Numbers of its open descriptors, in order. `fdinfo` can be listed where `fd` cannot: under another uid.
    pub(super) fn descriptors(&self) -> Result<Seen<Vec<u32>>, InspectError> {
        let file = "fdinfo";
        self.directory(file)?.try_map(|directory| {
            let mut numbers = Vec::new();
            for_each_name(&directory, DESCRIPTORS_MAX, |name| numbers.extend(names::descriptor(name)))
                .map_err(|errno| self.failed(file, errno))?;
            numbers.sort_unstable();
            Ok(numbers)
        })
    }

    /// How many names its root directory holds; counting ends at a few.
    pub(super) fn root_entries(&self) -> Result<Seen<usize>, InspectError> {
        let file = "root";
        self.directory(file)?.try_map(|directory| {
            let mut count = 0;
            for_each_name(&directory, DESCRIPTORS_MAX, |_| count += 1)
                .map_err(|errno| self.failed(file, errno))?;
            Ok(count)
        })
    }

    /// Identity of one of its namespaces.
    pub(super) fn namespace(&self, kind: NamespaceName) -> Result<Seen<u64>, InspectError> {
        let file = "ns";
        match readlinkat(&self.directory, format!("ns/{}", kind.0), Vec::new()) {
            Ok(link) => match names::namespace(kind, link.as_bytes()) {
                Some(identity) => Ok(Seen::Yes(identity)),
                None => Ok(Seen::No(format!("ns/{} reads {link:?}", kind.0))),
            },
            Err(errno) => self.unseen(file, errno),
        }
    }

    fn text(&self, file: &'static str, bytes_max: usize) -> Result<Seen<Vec<u8>>, InspectError> {
        let opened = openat(&self.directory, file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        let opened = match opened {
            Ok(opened) => File::from(opened),
            Err(errno) => return self.unseen(file, errno),
        };
        // One byte more than allowed, for the parser to refuse.
        let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
        // Most of what we read fits; each read of /proc is a walk of the kernel's.
        let mut text = Vec::with_capacity(16 << 10);
        match opened.take(limit).read_to_end(&mut text) {
            Ok(_) => Ok(Seen::Yes(text)),
            Err(error) => self.unseen(file, Errno::from_io_error(&error).unwrap_or(Errno::IO)),
        }
    }

    fn directory(&self, file: &'static str) -> Result<Seen<OwnedFd>, InspectError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match openat(&self.directory, file, flags, Mode::empty()) {
            Ok(directory) => Ok(Seen::Yes(directory)),
            Err(errno) => self.unseen(file, errno),
        }
    }

    /// What a refusal means: not for our eyes, or an error.
    fn unseen<T>(&self, file: &'static str, errno: Errno) -> Result<Seen<T>, InspectError> {
        match errno {
            Errno::ACCESS | Errno::PERM => {
                Ok(Seen::No(format!("/proc/PID/{file} may not be read ({errno})")))
            }
            Errno::NOENT if !has_ended(self.pidfd)? => {
                Ok(Seen::No(format!("this kernel has no /proc/PID/{file}")))
            }
            errno => Err(self.failed(file, errno)),
        }
    }

    fn failed(&self, file: &'static str, errno: Errno) -> InspectError {
        match errno {
            Errno::SRCH | Errno::NOENT => InspectError::Ended,
            errno => InspectError::Unreadable { file, source: errno.into() },
        }
    }
}

/// The number that the process behind a pidfd has in our pid namespace, as long as it lives or is not reaped.
pub fn pid_of(pidfd: BorrowedFd<'_>) -> Result<u32, InspectError> {
    if let Some(pid) = process::pid_of(pidfd) {
        return Ok(pid);
    }
    // An older kernel, or no process any more.
    let path = format!("/proc/thread-self/fdinfo/{}", pidfd.as_raw_fd());
    let text = std::fs::read(&path).map_err(|source| ProcError::Unreadable { path, source })?;
    match PidfdTarget::parse(&text)? {
        PidfdTarget::Pid(pid) => Ok(pid),
        PidfdTarget::Gone => Err(InspectError::Ended),
        PidfdTarget::OutOfSight => Err(ProcError::OtherNamespace.into()),
    }
}

/// The parent of a process behind a pidfd, in our pid namespace.
pub fn parent_of(pidfd: BorrowedFd<'_>) -> Result<u32, InspectError> {
    if let Some(parent) = process::parent_of(pidfd) {
        return Ok(parent);
    }
    // An older kernel, or no process any more.
    let path = format!("/proc/{}/stat", pid_of(pidfd)?);
    let text = std::fs::read_to_string(&path).map_err(|source| match Errno::from_io_error(&source) {
        // Gone before the file was opened, or between that and the reading.
        Some(Errno::NOENT | Errno::SRCH) => InspectError::Ended,
        _ => ProcError::Unreadable { path, source }.into(),
    })?;
    // It lived until now, so the number was its own.
    if has_ended(pidfd)? {
        return Err(InspectError::Ended);
    }
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
    let parent = fields.split_ascii_whitespace().nth(1).and_then(|parent| parent.parse().ok());
    parent.ok_or_else(|| InspectError::Unreadable {
        file: "stat",
        source: std::io::Error::other("it has no parent where one is due"),
    })
}

/// A pidfd is readable once its process has ended.
fn has_ended(pidfd: BorrowedFd<'_>) -> Result<bool, InspectError> {
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    match rustix::io::retry_on_intr(|| poll(&mut fds, Some(&now))) {
        Ok(ready) => Ok(ready > 0),
        Err(errno) => Err(InspectError::Unreadable { file: "", source: errno.into() }),
    }
}

/// Calls with every name but the directory itself and its parent, up to `count_max` of them.
fn for_each_name(directory: &OwnedFd, count_max: usize, mut each: impl FnMut(&[u8])) -> Result<(), Errno> {
    let mut buffer = [const { MaybeUninit::uninit() }; 4096];
    let mut entries = RawDir::new(directory.as_fd(), &mut buffer);
    let mut count = 0;
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        let itself = entry.file_type() == FileType::Directory && matches!(name, b"." | b"..");
        if !itself {
            each(name);
            count += 1;
            if count == count_max {
                break;
            }
        }
    }
    Ok(())
}
