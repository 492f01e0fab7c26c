//! Version 1: a directory in each hierarchy; a group may hold processes and have children.

use super::place::{Missing, Parent, Place, Version, is_writable};
use super::text::{Membership, Mount};
use super::v2::PERIOD_US;
use super::{Controller, Wanted};

const HOW: &str = "start the host program as root, or in control groups that its user may write to; version 2 is handed on \
                   more easily (systemd's Delegate=); or leave limits.cgroup out";

/// `None`: this machine has none of these controllers in version 1.
pub(super) fn find(
    groups: &[Membership],
    mounts: &[Mount],
    wanted: &[Controller],
) -> Option<Result<Place, Missing>> {
    let is_here =
        |controller: &&Controller| mounts.iter().any(|mount| !mount.is_v2 && mount.has(controller.name()));
    let here = wanted.iter().filter(is_here).count();
    if here == 0 {
        return None;
    }
    let mut parents: Vec<Parent> = Vec::new();
    for controller in wanted {
        let name = controller.name();
        let missing = |why: String| Some(Err(Missing { why, how: HOW.to_owned() }));
        let directory = groups.iter().find(|group| group.has(name)).and_then(|group| {
            mounts
                .iter()
                .rev()
                .filter(|mount| !mount.is_v2 && mount.has(name))
                .find_map(|mount| mount.directory(&group.path))
        });
        let Some(path) = directory else {
            return missing(format!("the control groups of {name} are not mounted here"));
        };
        if !is_writable(&path) {
            return missing(format!("the control group {} is not writable for this user", path.display()));
        }
        match parents.iter_mut().find(|parent| parent.path == path) {
            Some(parent) => parent.controllers.push(*controller),
            None => parents.push(Parent { path, controllers: vec![*controller] }),
        }
    }
    Some(Ok(Place { version: Version::V1, parents }))
}

/// What is written into a new group of a controller: file, content, and whether a kernel may lack it. The order counts:
/// memory with swap is never less than memory.
pub(super) fn settings(controller: Controller, wanted: &Wanted) -> Vec<(&'static str, String, bool)> {
    match (controller, wanted.memory_bytes, wanted.cpu_percent) {
        (Controller::Memory, Some(bytes), _) => vec![
            ("memory.limit_in_bytes", bytes.to_string(), false),
            ("memory.memsw.limit_in_bytes", bytes.to_string(), true),
        ],
        (Controller::Cpu, _, Some(percent)) => vec![
            ("cpu.cfs_period_us", PERIOD_US.to_string(), false),
            ("cpu.cfs_quota_us", (u64::from(percent) * PERIOD_US / 100).to_string(), false),
        ],
        (Controller::Pids, ..) => vec![("pids.max", wanted.processes.to_string(), false)],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::text::{memberships, mounts};

    #[test]
    fn a_hierarchy_with_two_controllers_is_one_directory() {
        let groups = memberships("2:pids:/\n1:memory,cpu:/\n");
        let mounts =
            mounts("1 0 0:1 / / rw - cgroup c rw,memory,cpu\n2 0 0:2 / /tmp rw - cgroup c rw,pids\n");
        let wanted = Controller::ALL;
        match find(&groups, &mounts, &wanted).unwrap() {
            Ok(place) => {
                assert_eq!(place.parents[0].controllers, [Controller::Memory, Controller::Cpu]);
                assert_eq!(place.parents.len(), 2);
            }
            // An ordinary user, for whom / is not writable.
            Err(missing) => assert!(missing.why.contains("/ is not writable"), "{missing}"),
        }
        assert!(find(&groups, &[], &wanted).is_none());
    }

    #[test]
    fn numbers_in_the_kernels_units() {
        let wanted = Wanted { memory_bytes: Some(4096), cpu_percent: Some(20), processes: 5 };
        let of =
            |controller| settings(controller, &wanted).into_iter().map(|(file, content, _)| (file, content));
        assert!(of(Controller::Memory).all(|(_, content)| content == "4096"));
        assert_eq!(of(Controller::Cpu).next_back(), Some(("cpu.cfs_quota_us", "20000".to_owned())));
        assert_eq!(of(Controller::Pids).next_back(), Some(("pids.max", "5".to_owned())));
    }
}
