//! Control groups: the kernel's limits on memory, CPU time and processes of a whole plugin.
//!
//! | file | holds |
//! |---|---|
//! | `text` | what /proc says of groups and of where they are mounted |
//! | `place` | where this process may make groups, or why it may not and what would help |
//! | `v2`, `v1` | the two versions: which directory, which files, which numbers |
//! | `group` | one plugin's group from its making to its removal |
//! | `sweep` | groups that dead supervisors left |
//!
//! A group is made only for a policy that asks for `limits.cgroup`: putting a process into one takes longer than starting
//! an instance, and without such a limit it would hold nothing that resource limits do not. The stub is put in before it
//! does anything, so all that it starts is born inside, and its cgroup namespace shows nothing above. This room must never
//! move a process that is not a stub of ours, and never touch a group that it has not made.

mod group;
mod place;
mod sweep;
mod text;
mod v1;
mod v2;

pub(crate) use group::Group;
pub(crate) use place::find;

use casemate_protocol::ids::Marker;
use casemate_protocol::outcome::{Cause, Failure};
use casemate_protocol::policy::Policy;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};

/// Of a tree besides its instances: stub, zygote, and two that are ending.
const OTHER_PROCESSES: u64 = 4;

/// A kind of limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Controller {
    Memory,
    Cpu,
    Pids,
}

impl Controller {
    pub(crate) const ALL: [Self; 3] = [Self::Memory, Self::Cpu, Self::Pids];

    /// Its name in the kernel.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Pids => "pids",
        }
    }
}

/// What a group is to hold a plugin to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) cpu_percent: Option<u32>,
    pub(crate) processes: u64,
}

impl Wanted {
    /// `None`: the policy asks for no group. `each`: processes of an instance, threads among them.
    pub(crate) fn by(policy: &Policy, each: u64) -> Option<Self> {
        let limits = policy.limits().cgroup;
        if limits.memory_bytes.is_none() && limits.cpu_percent.is_none() {
            return None;
        }
        let instances = policy.instances();
        let at_once = u64::from(instances.max) + u64::from(instances.spare);
        let processes = at_once * each + OTHER_PROCESSES;
        Some(Self { memory_bytes: limits.memory_bytes, cpu_percent: limits.cpu_percent, processes })
    }

    fn controllers(&self) -> Vec<Controller> {
        let is_wanted = |controller: &Controller| match controller {
            Controller::Memory => self.memory_bytes.is_some(),
            Controller::Cpu => self.cpu_percent.is_some(),
            Controller::Pids => true,
        };
        Controller::ALL.into_iter().filter(is_wanted).collect()
    }

    /// The keys that ask for it, for messages.
    fn keys(&self) -> &'static str {
        match (self.memory_bytes, self.cpu_percent) {
            (Some(_), Some(_)) => "limits.cgroup.memory and limits.cgroup.cpu",
            (None, Some(_)) => "limits.cgroup.cpu",
            _ => "limits.cgroup.memory",
        }
    }
}

/// Makes the groups of one supervisor.
#[derive(Debug)]
pub(crate) struct Groups {
    marker: Marker,
    last: AtomicU64,
    swept: Once,
}

impl Groups {
    pub(crate) fn new(marker: Marker) -> Self {
        Self { marker, last: AtomicU64::new(0), swept: Once::new() }
    }

    /// A group for one tree of processes, if its policy asks for one. A limit that cannot be is never dropped in silence.
    pub(crate) fn make(&self, policy: &Policy, each: u64) -> Result<Option<Arc<Group>>, Failure> {
        let Some(wanted) = Wanted::by(policy, each) else { return Ok(None) };
        let refused = |message: String| {
            Failure::not_started(Cause::Unavailable { keys: wanted.keys().to_owned(), message })
        };
        let place = find(&wanted.controllers()).map_err(|missing| refused(missing.to_string()))?;
        self.swept.call_once(|| sweep::sweep(&place));
        let name = || format!("{}{}", self.prefix(), self.last.fetch_add(1, Ordering::Relaxed));
        let group = Group::make(&place, name, &wanted).map_err(|error| refused(error.to_string()))?;
        Ok(Some(Arc::new(group)))
    }

    fn prefix(&self) -> String {
        format!("{}{}-", sweep::PREFIX, self.marker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casemate_protocol::policy::{Instances, PolicySpec};

    #[test]
    fn processes_are_derived_and_only_keys_make_a_group() {
        assert_eq!(Wanted::by(&Policy::default(), 1), None);
        let mut spec =
            PolicySpec { instances: Instances { max: 7, ..Instances::default() }, ..PolicySpec::default() };
        spec.limits.cgroup.cpu_percent = Some(50);
        let policy = Policy::new(spec).unwrap();
        let wanted = Wanted::by(&policy, 1).unwrap();
        assert_eq!((wanted.processes, wanted.keys()), (11, "limits.cgroup.cpu"));
        assert_eq!(Wanted::by(&policy, 18).unwrap().processes, 130);
        assert_eq!(wanted.controllers(), [Controller::Cpu, Controller::Pids]);
    }
}
