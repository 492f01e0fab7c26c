//! Version 2: one directory, which must have been delegated to us and must hold no process.
//!
//! A group whose children have limits holds no processes itself, unless it is the machine's root. So the groups stand in our
//! own one only there, or where somebody has given its children controllers already; else beside it, in its parent, if that
//! is ours too: as below a service with `Delegate=` and `DelegateSubgroup=`, in a user's own systemd, in a container whose
//! first process has gone to a group of its own.

use super::place::{Missing, Parent, Place, Version, is_writable};
use super::text::{Membership, Mount};
use super::{Controller, Wanted};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Length of the periods in which CPU time is counted, in microseconds: the kernel's own choice.
pub(super) const PERIOD_US: u64 = 100_000;

const HOW: &str = "start the host program as a systemd service with Delegate=memory pids cpu and DelegateSubgroup=host, or by \
                   `systemd-run --user --scope -p Delegate=yes PROGRAM`; in a container, mount the control groups writable \
                   and start the program in a group of its own below the container's; or leave limits.cgroup out";

fn missing(why: impl Into<String>) -> Missing {
    Missing { why: why.into(), how: HOW.to_owned() }
}

pub(super) fn find(groups: &[Membership], mounts: &[Mount], wanted: &[Controller]) -> Result<Place, Missing> {
    let own = groups
        .iter()
        .find(|group| group.is_v2())
        .ok_or_else(|| missing("this kernel gives this process no control group"))?;
    let directory = mounts
        .iter()
        .rev()
        .filter(|mount| mount.is_v2)
        .find_map(|mount| Some((mount, mount.directory(&own.path)?)))
        .ok_or_else(|| missing(format!("the control group {} is not mounted here", own.path.display())));
    let (mount, own) = directory?;
    let problem = match fit(&own, wanted) {
        Ok(()) => return Ok(place(&own, wanted)),
        Err(problem) => problem,
    };
    // Our own group comes first, and what is wrong with it is what counts; beside it is only where that is ours too.
    let parent = own.parent().filter(|_| own != mount.point);
    if let Some(parent) = parent.filter(|parent| is_delegated(parent, &mount.point))
        && fit(parent, wanted).is_ok()
    {
        return Ok(place(parent, wanted));
    }
    Err(missing(format!("{problem}, and no group above it is ours to use")))
}

fn place(path: &Path, wanted: &[Controller]) -> Place {
    let parent = Parent { path: path.to_owned(), controllers: wanted.to_vec() };
    Place { version: Version::V2, parents: vec![parent] }
}

/// Whether a group is ours to divide: a user's if it belongs to that user, root's if systemd says so or nobody is above.
fn is_delegated(group: &Path, top: &Path) -> bool {
    let euid = rustix::process::geteuid();
    if !euid.is_root() {
        return fs::metadata(group).is_ok_and(|found| found.uid() == euid.as_raw());
    }
    let marked = |name: &str| {
        let mut value = [0_u8; 8];
        matches!(rustix::fs::getxattr(group, name, &mut value), Ok(1)) && value.first() == Some(&b'1')
    };
    group == top || marked("user.delegate") || marked("trusted.delegate")
}

/// Whether groups with these controllers can be made in it, or why not.
fn fit(group: &Path, wanted: &[Controller]) -> Result<(), String> {
    let shown = group.display();
    if !is_writable(group) || !is_writable_file(&group.join("cgroup.procs")) {
        return Err(format!("the control group {shown} is not writable for this user"));
    }
    let enabled = words(group, "cgroup.subtree_control");
    let has = |words: &[String], controller: &Controller| words.iter().any(|word| word == controller.name());
    let disabled: Vec<_> = wanted.iter().filter(|controller| !has(&enabled, controller)).collect();
    if disabled.is_empty() {
        return Ok(());
    }
    let there = words(group, "cgroup.controllers");
    if let Some(absent) = disabled.iter().find(|controller| !has(&there, controller)) {
        return Err(format!("the control group {shown} has no {} controller", absent.name()));
    }
    if !is_root_group(group) && !words(group, "cgroup.procs").is_empty() {
        return Err(format!(
            "the control group {shown} holds processes, and so can give its children no limits"
        ));
    }
    if !is_writable_file(&group.join("cgroup.subtree_control")) {
        return Err(format!(
            "cgroup.subtree_control of the control group {shown} is not writable for this user"
        ));
    }
    Ok(())
}

fn is_root_group(group: &Path) -> bool {
    !group.join("cgroup.type").exists()
}

fn is_writable_file(path: &Path) -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok()
}

fn words(group: &Path, file: &str) -> Vec<String> {
    let text = fs::read_to_string(group.join(file)).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

/// What gives a group's children these controllers, where they have not got them: file and content.
pub(super) fn enabling(parent: &Parent) -> Option<(&'static str, String)> {
    let enabled = words(&parent.path, "cgroup.subtree_control");
    let disabled: Vec<String> = parent
        .controllers
        .iter()
        .filter(|controller| !enabled.iter().any(|word| word == controller.name()))
        .map(|controller| format!("+{}", controller.name()))
        .collect();
    (!disabled.is_empty()).then(|| ("cgroup.subtree_control", disabled.join(" ")))
}

/// What is written into a new group: file, content, and whether a kernel may lack it.
pub(super) fn settings(wanted: &Wanted) -> Vec<(&'static str, String, bool)> {
    let mut settings = Vec::new();
    if let Some(bytes) = wanted.memory_bytes {
        settings.push(("memory.max", bytes.to_string(), false));
        settings.push(("memory.swap.max", "0".to_owned(), true));
        settings.push(("memory.oom.group", "0".to_owned(), true));
    }
    if let Some(percent) = wanted.cpu_percent {
        let quota_us = u64::from(percent) * PERIOD_US / 100;
        settings.push(("cpu.max", format!("{quota_us} {PERIOD_US}"), false));
    }
    settings.push(("pids.max", wanted.processes.to_string(), false));
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::text::{memberships, mounts};

    #[test]
    fn numbers_in_the_kernels_units() {
        let wanted = Wanted { memory_bytes: Some(1 << 20), cpu_percent: Some(150), processes: 9 };
        let settings = settings(&wanted);
        let of =
            |name| settings.iter().find(|(file, ..)| *file == name).map(|(_, content, _)| content.as_str());
        assert_eq!(of("memory.max"), Some("1048576"));
        assert_eq!(of("memory.swap.max"), Some("0"));
        assert_eq!(of("cpu.max"), Some("150000 100000"));
        assert_eq!(of("pids.max"), Some("9"));
    }

    #[test]
    fn a_group_that_is_not_there_says_how_to_get_one() {
        let found = find(&memberships("0::/a\n"), &mounts(""), &[Controller::Pids]).unwrap_err();
        assert!(found.why.contains("/a is not mounted"), "{found}");
        assert!(found.how.contains("Delegate="), "{found}");
        let found = find(&[], &[], &[Controller::Pids]).unwrap_err();
        assert!(found.why.contains("no control group"), "{found}");
    }
}
