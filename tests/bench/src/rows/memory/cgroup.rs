//! A memory cgroup of our own below the one we are in, where the host lets us have one.

use crate::Outcome;
use std::fs;
use std::path::{Path, PathBuf};

/// Where version 1 of the memory controller, and version 2 of all, are mounted by custom.
const V1: &str = "/sys/fs/cgroup/memory";
const V2: &str = "/sys/fs/cgroup";

/// A cgroup with this process and all that it starts in it. Dropping it takes us back.
#[derive(Debug)]
pub(crate) struct Cgroup {
    home: PathBuf,
    own: PathBuf,
    usage: PathBuf,
}

impl Cgroup {
    pub(crate) fn enter() -> Outcome<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup")?;
        let place = |line: &str| -> Option<(PathBuf, &str)> {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            let path = path.trim_start_matches('/');
            match controllers {
                "" => Some((Path::new(V2).join(path), "memory.current")),
                _ if controllers.split(',').any(|controller| controller == "memory") => {
                    Some((Path::new(V1).join(path), "memory.usage_in_bytes"))
                }
                _ => None,
            }
        };
        // Version 1, where it is mounted, comes first in the list.
        let (home, file) = groups.lines().find_map(place).ok_or("this process is in no memory cgroup")?;
        let own = home.join(format!("casemate-bench-{}", std::process::id()));
        fs::create_dir(&own).map_err(|error| format!("{}: {error}", own.display()))?;
        let group = Self { usage: own.join(file), home, own };
        group.usage_kib()?;
        move_here(&group.own)?;
        Ok(group)
    }

    /// What it is charged now, kernel memory included.
    pub(crate) fn usage_kib(&self) -> Outcome<f64> {
        let text =
            fs::read_to_string(&self.usage).map_err(|error| format!("{}: {error}", self.usage.display()))?;
        let bytes: u64 = text.trim().parse()?;
        Ok(f64::from(u32::try_from(bytes / 1024)?))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = move_here(&self.home);
        // Workers that are just ending hold it for a moment.
        for _ in 0..100 {
            if fs::remove_dir(&self.own).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

fn move_here(group: &Path) -> Outcome<()> {
    let procs = group.join("cgroup.procs");
    fs::write(&procs, std::process::id().to_string())
        .map_err(|error| format!("{}: {error}", procs.display()).into())
}
