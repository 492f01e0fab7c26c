//! What a native program and its zygote must look like.

use super::super::error::InspectError;
use super::super::limits::Resource;
use super::super::mounts::Mount;
use super::super::view::{ProcessView, Seen};
use super::{Expect, LockedView, Look, Observed, Ordered, Place, Surroundings, demand, of_a_stub};
use casemate_protocol::certificate::{Layer, LayerSet};
use casemate_protocol::spawn::SpawnLimits;

/// When a program is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It waits at its exec, and is still the launcher's program.
    AtExec,
    /// It runs.
    Runs,
}

impl Moment {
    /// How many descriptors it has: the streams, and until its exec one to say that it failed.
    fn descriptors(self) -> u32 {
        match self {
            Self::AtExec => 4,
            Self::Runs => 3,
        }
    }
}

/// Looks at a walled launcher before it gets its job: its root is its own, what is mounted there is read-only but for what
/// stands at or below one of these places.
pub fn judge_launcher(
    view: &ProcessView<'_>,
    expect: Expect<'_>,
    writable: &[String],
) -> Result<LockedView, InspectError> {
    let mut observed = Observed::default();
    let surroundings = Surroundings::read(view)?;
    let limits = of_a_stub(expect.spec);
    let look = Look::read(view, &limits)?;
    look.core(expect, 0, Place::First, &mut observed)?;
    look.code_is_fixed(None, &mut observed)?;
    look.descriptors(expect, &mut observed)?;
    look.limits(&limits, &mut observed)?;
    surroundings.namespaces(expect.host, LayerSet::all(), &mut observed)?;
    let Seen::Yes(mounts) = surroundings.mounts else {
        let found = "its mounts cannot be looked at";
        demand(Layer::MountNamespace, "its root", "one of its own", found, false)?;
        return Ok(LockedView::default());
    };
    let layer = Layer::MountNamespace;
    let covered = mounts.root.is_some_and(|root| root.tmpfs && root.read_only);
    demand(layer, "its root", "a read-only tmpfs", "another file system or writable", covered)?;
    for mount in &mounts.all {
        mount_is_right(mount, writable)?;
    }
    Ok(LockedView { observed, executable: look.executable() })
}

fn mount_is_right(mount: &Mount, writable: &[String]) -> Result<(), InspectError> {
    let layer = Layer::MountNamespace;
    let place = String::from_utf8_lossy(&mount.point).into_owned();
    let granted = writable.iter().any(|granted| {
        place.strip_prefix(granted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    let found = || format!("{place}: {}", mount.options);
    demand(layer, "what it may write to", "granted folders", found(), mount.read_only || granted)?;
    demand(layer, "a mount", "nosuid", found(), mount.has("nosuid"))?;
    demand(layer, "a mount that is granted for writing", "noexec", found(), !granted || mount.has("noexec"))?;
    let is_device = place.starts_with("/dev/") && mount.has("noexec");
    demand(layer, "a mount", "nodev", found(), is_device || mount.has("nodev"))
}

/// Looks at a launcher that is about to start programs.
pub fn judge_locked_launcher(
    view: &ProcessView<'_>,
    expect: Expect<'_>,
    processes_max: u64,
) -> Result<LockedView, InspectError> {
    let mut observed = Observed::default();
    let limits = [(Resource::Processes, processes_max)];
    let look = Look::read(view, &limits)?;
    look.core(expect, 1, Place::First, &mut observed)?;
    look.code_is_fixed(None, &mut observed)?;
    look.descriptors(expect, &mut observed)?;
    look.limits(&limits, &mut observed)?;
    Ok(LockedView { observed, executable: look.executable() })
}

/// Looks at a program: before its exec, when it has run no instruction of its own, and after, before it gets a byte of input.
pub fn judge_program(
    view: &ProcessView<'_>,
    expect: Expect<'_>,
    given: SpawnLimits,
    processes_max: u64,
    moment: Moment,
) -> Result<Observed, InspectError> {
    let mut observed = Observed::default();
    let limits = of_a_program(expect, given, processes_max);
    let look = Look::read(view, &limits)?;
    match moment {
        Moment::AtExec => {
            look.core(expect, 2, Place::Inside, &mut observed)?;
            let folders = moment.descriptors() - 1;
            look.descriptors(Expect { folders, ..expect }, &mut observed)?;
        }
        // It is its own master by now: it may have opened files and made threads.
        Moment::Runs => look.core_of_program(expect, &mut observed)?,
    }
    look.code_is_fixed(None, &mut observed)?;
    look.limits(&limits, &mut observed)?;
    Ok(observed)
}

/// Limits of a program.
fn of_a_program(expect: Expect<'_>, given: SpawnLimits, processes_max: u64) -> Vec<Ordered> {
    let mut limits = vec![
        (Resource::OpenFiles, given.open_files.into()),
        (Resource::Processes, processes_max),
        (Resource::DataSize, given.data_bytes),
        (Resource::StackSize, expect.spec.stack_bytes),
        (Resource::FileSize, expect.spec.file_bytes),
        (Resource::CoreFileSize, 0),
        (Resource::LockedMemory, 0),
    ];
    limits.extend(given.cpu_seconds.map(|seconds| (Resource::CpuTime, seconds.saturating_add(1))));
    limits
}

/// Looks at a launcher without walls, before and (with the processes it was told it may have) after it got its job: its end is
/// the end of all that it starts, it holds nothing of ours, and has limits and no privileges.
pub fn judge_unwalled_launcher(
    view: &ProcessView<'_>,
    expect: Expect<'_>,
    processes_max: Option<u64>,
) -> Result<LockedView, InspectError> {
    let mut observed = Observed::default();
    let surroundings = Surroundings::read(view)?;
    let limits = match processes_max {
        None => of_a_stub(expect.spec),
        Some(processes_max) => vec![(Resource::Processes, processes_max)],
    };
    let look = Look::read(view, &limits)?;
    look.core(expect, 0, Place::First, &mut observed)?;
    look.descriptors(expect, &mut observed)?;
    look.limits(&limits, &mut observed)?;
    let own = [Layer::UserNamespace, Layer::PidNamespace].into_iter().collect();
    surroundings.namespaces(expect.host, own, &mut observed)?;
    Ok(LockedView { observed, executable: None })
}

/// Looks at a program without walls, which runs already, before it gets a byte of input. It may have filters of its own making.
pub fn judge_unwalled_program(
    view: &ProcessView<'_>,
    expect: Expect<'_>,
    given: SpawnLimits,
    processes_max: u64,
) -> Result<Observed, InspectError> {
    let mut observed = Observed::default();
    let limits = of_a_program(expect, given, processes_max);
    let look = Look::read(view, &limits)?;
    look.privileges(expect, Place::Inside, &mut observed)?;
    look.limits(&limits, &mut observed)?;
    Ok(observed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_that_gives_more_than_was_granted_is_found() {
        let right = |point: &str, options: &str| {
            let read_only = options.starts_with("ro");
            let mount = Mount { point: point.into(), options: options.to_owned(), read_only };
            mount_is_right(&mount, &["/data".to_owned()]).is_ok()
        };
        assert!(right("/", "ro,nosuid,nodev,noexec"));
        assert!(right("/usr", "ro,nosuid,nodev,relatime"));
        assert!(right("/dev/null", "ro,nosuid,noexec"));
        assert!(right("/data", "rw,nosuid,nodev,noexec") && right("/data/below", "rw,nosuid,nodev,noexec"));
        assert!(!right("/usr", "rw,nosuid,nodev"), "writable");
        assert!(!right("/database", "rw,nosuid,nodev,noexec"), "only called alike");
        assert!(!right("/data", "rw,nosuid,nodev"), "what can be written to can be executed");
        assert!(!right("/usr", "ro,nodev"), "set-user-id");
        assert!(!right("/usr", "ro,nosuid"), "devices");
        assert!(!right("/dev/null", "ro,nosuid"), "executable devices");
    }
}
