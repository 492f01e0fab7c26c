//! Where this process may make groups, or why it may not and what would help.

use super::text::{memberships, mounts};
use super::{Controller, v1, v2};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Which of the kernel's two kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// Directories in which groups can be made: one with version 2, one a hierarchy with version 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) version: Version,
    pub(crate) parents: Vec<Parent>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parent {
    pub(crate) path: PathBuf,
    pub(crate) controllers: Vec<Controller>,
}

/// No group can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) why: String,
    /// What to do about it.
    pub(crate) how: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; what helps: {}", self.why, self.how)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.version {
            Version::V1 => "version 1, in ",
            Version::V2 => "version 2, in ",
        })?;
        let paths: Vec<_> = self.parents.iter().map(|parent| parent.path.display().to_string()).collect();
        f.write_str(&paths.join(", "))
    }
}

/// Looks for a place for groups with these controllers. Nothing is changed.
pub(crate) fn find(wanted: &[Controller]) -> Result<Place, Missing> {
    let read = |path: &str| {
        fs::read_to_string(path).map_err(|error| Missing {
            why: format!("{path} cannot be read: {error}"),
            how: "give the supervisor a /proc of its own pid namespace".to_owned(),
        })
    };
    let (groups, mounts) = (memberships(&read("/proc/self/cgroup")?), mounts(&read("/proc/self/mountinfo")?));
    match (v2::find(&groups, &mounts, wanted), v1::find(&groups, &mounts, wanted)) {
        (Ok(place), _) | (Err(_), Some(Ok(place))) => Ok(place),
        // Where the controllers are tells which version this machine is run with.
        (Err(_), Some(Err(missing))) | (Err(missing), None) => Err(missing),
    }
}

/// Whether we may make groups in a directory and put processes into them.
pub(super) fn is_writable(path: &Path) -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    accessat(CWD, path, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}
