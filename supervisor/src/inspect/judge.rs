//! What a walled process must look like, at three moments of its life. Reading comes first and the status last: that it
//! still lived then means that everything before was read of the living process.

mod program;
#[cfg(test)]
mod tests;

pub use program::{
    Moment, judge_launcher, judge_locked_launcher, judge_program, judge_unwalled_launcher,
    judge_unwalled_program,
};

use super::error::InspectError;
use super::limits::{Limit, Resource};
use super::maps::Maps;
use super::status::Status;
use super::view::{HostFacts, NAMESPACES, ProcessView, Seen};
use casemate_protocol::certificate::{Certificate, Layer, LayerSet, Status as LayerStatus};
use casemate_protocol::spawn::{SpawnLimits, StubSpec};
use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::ops::Range;

/// Queued signals that the lock-down leaves a zygote.
const ZYGOTE_PENDING_SIGNALS_MAX: u64 = 16;

/// What was seen of a process that is as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// Layers that the supervisor saw.
    pub layers: LayerSet,
    /// Layers that it may not look at, and why.
    pub unseen: BTreeMap<Layer, String>,
}

impl Observed {
    fn seen(&mut self, layer: Layer) {
        self.layers.insert(layer);
    }

    fn unseen(&mut self, layer: Layer, why: impl Into<String>) {
        self.unseen.insert(layer, why.into());
    }

    /// What this look and another at the same plugin found together. A layer that one of them could not see was not seen.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.unseen.extend(other.unseen);
        let unseen: LayerSet = self.unseen.keys().copied().collect();
        self.layers = self.layers.union(other.layers).minus(unseen);
        self
    }

    /// Writes it into a certificate. What could not be looked at is as the walled process reported it, or off.
    pub fn enter(&self, certificate: &mut Certificate, reported: LayerSet) {
        self.layers.iter().for_each(|layer| certificate.set(layer, LayerStatus::Observed));
        for (layer, why) in &self.unseen {
            if reported.contains(*layer) {
                certificate.set(*layer, LayerStatus::Reported);
            } else {
                certificate.off(*layer, why.clone());
            }
        }
    }
}

/// What all walled processes of one plugin have in common.
#[derive(Debug, Clone, Copy)]
pub struct Expect<'a> {
    /// The thread that started them.
    pub host: &'a HostFacts,
    /// What their stub was told.
    pub spec: &'a StubSpec,
    /// Whether the stub says that they have namespaces of their own.
    pub namespaces: bool,
    /// How many folders they were ordered to keep open.
    pub folders: u32,
}

/// A zygote, with a module or before it has one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LockedView {
    /// What was seen.
    pub observed: Observed,
    /// Its executable memory, if that may be looked at: each of its workers must have the same.
    pub executable: Option<Vec<Range<u64>>>,
}

/// Looks at a walled zygote, or compiler, before it gets its job.
pub fn judge_zygote(view: &ProcessView<'_>, expect: Expect<'_>) -> Result<LockedView, InspectError> {
    let mut observed = Observed::default();
    let surroundings = expect.namespaces.then(|| Surroundings::read(view)).transpose()?;
    let limits = of_a_stub(expect.spec);
    let look = Look::read(view, &limits)?;
    look.core(expect, 0, Place::First, &mut observed)?;
    look.code_is_fixed(None, &mut observed)?;
    look.descriptors(expect, &mut observed)?;
    look.limits(&limits, &mut observed)?;
    if let Some(surroundings) = surroundings {
        surroundings.judge(expect.host, &mut observed)?;
    }
    Ok(LockedView { observed, executable: look.executable() })
}

/// Limits of all that a stub starts, until they are lowered.
fn of_a_stub(spec: &StubSpec) -> Vec<Ordered> {
    let mut limits = vec![
        (Resource::CoreFileSize, 0),
        (Resource::FileSize, spec.file_bytes),
        (Resource::DataSize, spec.data_bytes),
        (Resource::StackSize, spec.stack_bytes),
        (Resource::OpenFiles, spec.open_files),
        (Resource::LockedMemory, 0),
        (Resource::FileLocks, 0),
        (Resource::MessageQueues, 0),
        (Resource::NicePriority, 0),
        (Resource::RealtimePriority, 0),
        (Resource::PendingSignals, ZYGOTE_PENDING_SIGNALS_MAX),
    ];
    limits.extend(spec.cpu_seconds.map(|seconds| (Resource::CpuTime, seconds)));
    limits
}

/// What a zygote reported of its module.
#[derive(Debug, Clone, Copy)]
pub struct LoadedCode<'a> {
    /// Where its native code lies.
    pub range: &'a Range<u64>,
    /// Whether it says that it is sealed.
    pub sealed: bool,
    /// What was executable before there was a module.
    pub before: Option<&'a [Range<u64>]>,
    /// How many processes it was told it may have.
    pub processes_max: u64,
}

/// Looks at a zygote whose module is loaded: its code must lie in the range it reported, readable and executable, and
/// sealed if it says so.
pub fn judge_locked(
    view: &ProcessView<'_>,
    expect: Expect<'_>,
    code: LoadedCode<'_>,
) -> Result<LockedView, InspectError> {
    let mut observed = Observed::default();
    let pages = view.code(code.range)?;
    let limits: &[Ordered] =
        if expect.namespaces { &[(Resource::Processes, code.processes_max)] } else { &[] };
    let look = Look::read(view, limits)?;
    look.core(expect, 1, Place::First, &mut observed)?;
    look.code_is_fixed(None, &mut observed)?;
    look.descriptors(expect, &mut observed)?;
    match pages {
        Seen::Yes(pages) => {
            let layer = Layer::SealedCode;
            demand(layer, "the rights of its compiled code", "r-x", "something else", pages.read_execute)?;
            if code.sealed {
                demand(layer, "its compiled code", "sealed", "not", pages.sealed)?;
            }
            if pages.sealed {
                observed.seen(layer);
            } else {
                observed.unseen(layer, "this kernel has no mseal (6.10)");
            }
        }
        Seen::No(why) => observed.unseen(Layer::SealedCode, why),
    }
    look.limits(limits, &mut observed)?;
    let executable = look.executable();
    if let (Some(before), Some(after)) = (code.before, &executable) {
        let new: Vec<Range<u64>> = after.iter().filter(|range| !before.contains(range)).cloned().collect();
        let inside = new.iter().all(|range| code.range.start <= range.start && range.end <= code.range.end);
        let expected = hex(std::slice::from_ref(code.range));
        demand(
            Layer::SealedCode,
            "executable memory that came with its module",
            expected,
            hex(&new),
            inside,
        )?;
    }
    Ok(LockedView { observed, executable })
}

/// Looks at a worker before it gets a byte of input: `given` is what it was given, `executable` what its zygote had.
pub fn judge_worker(
    view: &ProcessView<'_>,
    expect: Expect<'_>,
    given: SpawnLimits,
    executable: Option<&[Range<u64>]>,
) -> Result<Observed, InspectError> {
    let mut observed = Observed::default();
    let mut limits = vec![
        (Resource::OpenFiles, given.open_files.into()),
        (Resource::Processes, 0),
        (Resource::DataSize, given.data_bytes),
        (Resource::StackSize, expect.spec.stack_bytes),
        (Resource::CoreFileSize, 0),
        (Resource::LockedMemory, 0),
    ];
    // The hard limit is a second above the soft one.
    limits.extend(given.cpu_seconds.map(|seconds| (Resource::CpuTime, seconds.saturating_add(1))));
    let look = Look::read(view, &limits)?;
    look.core(expect, 2, Place::Inside, &mut observed)?;
    look.code_is_fixed(executable, &mut observed)?;
    look.descriptors(expect, &mut observed)?;
    look.limits(&limits, &mut observed)?;
    Ok(observed)
}

/// A limit and the most that it may be.
type Ordered = (Resource, u64);

/// A process's place in its pid namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Pid 1: its end is everybody's.
    First,
    /// Another.
    Inside,
}

/// What is read of every process.
#[derive(Debug, Clone)]
struct Look {
    maps: Seen<Maps>,
    descriptors: Seen<Vec<u32>>,
    /// In the order in which they were asked for.
    limits: Seen<Vec<Limit>>,
    status: Status,
}

impl Look {
    fn read(view: &ProcessView<'_>, ordered: &[Ordered]) -> Result<Self, InspectError> {
        let resources: Vec<Resource> = ordered.iter().map(|(resource, _)| *resource).collect();
        let (maps, descriptors, limits) = (view.maps()?, view.descriptors()?, view.limits(&resources)?);
        Ok(Self { maps, descriptors, limits, status: view.status()? })
    }

    fn executable(&self) -> Option<Vec<Range<u64>>> {
        match &self.maps {
            Seen::Yes(maps) => Some(maps.executable.clone()),
            Seen::No(_) => None,
        }
    }

    /// What must be readable and right in every tier.
    fn core(
        &self,
        expect: Expect<'_>,
        own_filters: u32,
        place: Place,
        observed: &mut Observed,
    ) -> Result<(), InspectError> {
        self.filters(expect, own_filters, observed)?;
        let status = &self.status;
        self.privileges(expect, place, observed)?;
        equal(Layer::SingleThread, "its number of threads", &1, &status.threads)?;
        observed.seen(Layer::SingleThread);
        Ok(())
    }

    fn filters(
        &self,
        expect: Expect<'_>,
        own_filters: u32,
        observed: &mut Observed,
    ) -> Result<(), InspectError> {
        let status = &self.status;
        let filters = expect.host.filters + own_filters;
        let mode = if filters == 0 { 0 } else { 2 };
        for (what, expected, found) in
            [("Seccomp", mode, status.seccomp), ("Seccomp_filters", filters, status.seccomp_filters)]
        {
            let said = found
                .map_or_else(|| "not said by this kernel (5.9 does)".to_owned(), |found| found.to_string());
            demand(Layer::Seccomp, what, expected, said, found == Some(expected))?;
        }
        if own_filters > 0 {
            observed.seen(Layer::Seccomp);
        }
        Ok(())
    }

    /// The same of a native program that runs, which may have threads.
    fn core_of_program(&self, expect: Expect<'_>, observed: &mut Observed) -> Result<(), InspectError> {
        self.filters(expect, 2, observed)?;
        self.privileges(expect, Place::Inside, observed)
    }

    fn privileges(
        &self,
        expect: Expect<'_>,
        place: Place,
        observed: &mut Observed,
    ) -> Result<(), InspectError> {
        let status = &self.status;
        equal(Layer::NoNewPrivs, "NoNewPrivs", &true, &status.no_new_privs)?;
        observed.seen(Layer::NoNewPrivs);
        let capabilities = status.capabilities;
        for (set, bits) in [
            ("CapEff", capabilities.effective),
            ("CapPrm", capabilities.permitted),
            ("CapInh", capabilities.inheritable),
            ("CapAmb", capabilities.ambient),
        ] {
            demand(Layer::Capabilities, set, "0", format_args!("{bits:#x}"), bits == 0)?;
        }
        observed.seen(Layer::Capabilities);
        self.identity(expect, observed)?;
        if expect.namespaces {
            self.place(expect.host, place, observed)?;
        }
        Ok(())
    }

    fn identity(&self, expect: Expect<'_>, observed: &mut Observed) -> Result<(), InspectError> {
        let layer = Layer::UnprivilegedUid;
        let [real, effective, _, _] = expect.host.uids;
        let ordered = match expect.spec.identity {
            Some(identity) => [identity.uid; 4],
            // What exec makes of ours.
            None => [real, effective, effective, effective],
        };
        equal(layer, "its user", &ordered, &self.status.uids)?;
        if ordered.contains(&0) {
            observed.unseen(layer, "the supervisor is root here and has no other user to give the plugin");
        } else {
            observed.seen(layer);
        }
        Ok(())
    }

    fn place(&self, host: &HostFacts, place: Place, observed: &mut Observed) -> Result<(), InspectError> {
        let layer = Layer::PidNamespace;
        let inner = self.status.ns_pids.get(host.pid_levels..).unwrap_or_default();
        let right = match (place, inner) {
            (Place::First, [number]) => *number == 1,
            (Place::Inside, [number]) => *number > 1,
            _ => false,
        };
        let ordered = match place {
            Place::First => "1",
            Place::Inside => "one number above 1",
        };
        demand(layer, "its pid in the plugin's namespace", ordered, format_args!("{inner:?}"), right)?;
        observed.seen(layer);
        Ok(())
    }

    /// No memory is writable and executable; a worker has the executable memory of its zygote.
    fn code_is_fixed(
        &self,
        executable: Option<&[Range<u64>]>,
        observed: &mut Observed,
    ) -> Result<(), InspectError> {
        let layer = Layer::WriteXorExecute;
        let maps = match &self.maps {
            Seen::Yes(maps) => maps,
            Seen::No(why) => {
                observed.unseen(layer, why.clone());
                return Ok(());
            }
        };
        if let Some(range) = &maps.writable_executable {
            let found = hex(std::slice::from_ref(range));
            demand(layer, "memory that is writable and executable", "none", found, false)?;
        }
        if let Some(executable) = executable {
            let same = maps.executable == executable;
            demand(layer, "its executable memory", hex(executable), hex(&maps.executable), same)?;
        }
        observed.seen(layer);
        Ok(())
    }

    /// The one socket, and the folders that were ordered.
    fn descriptors(&self, expect: Expect<'_>, observed: &mut Observed) -> Result<(), InspectError> {
        let layer = Layer::Descriptors;
        match &self.descriptors {
            Seen::Yes(found) => {
                let right = found.iter().copied().eq(0..=expect.folders);
                let expected = format_args!("0 to {}", expect.folders);
                demand(layer, "its open descriptors", expected, format_args!("{found:?}"), right)?;
                observed.seen(layer);
            }
            Seen::No(why) => observed.unseen(layer, why.clone()),
        }
        Ok(())
    }

    /// No limit is above what was ordered; a host's own may have been lower.
    fn limits(&self, ordered: &[Ordered], observed: &mut Observed) -> Result<(), InspectError> {
        let layer = Layer::ResourceLimits;
        let limits = match &self.limits {
            Seen::Yes(limits) => limits,
            Seen::No(why) => {
                observed.unseen(layer, why.clone());
                return Ok(());
            }
        };
        for ((resource, most), Limit { soft, hard }) in ordered.iter().zip(limits) {
            let found = format_args!("{soft} (hard: {hard})");
            demand(
                layer,
                resource.name(),
                format_args!("{most} at most"),
                found,
                soft <= most && hard <= most,
            )?;
        }
        observed.seen(layer);
        Ok(())
    }
}

/// What the zygote makes and its workers inherit: looked at once.
#[derive(Debug)]
struct Surroundings {
    namespaces: [Seen<u64>; 7],
    mounts: Seen<super::mounts::Mounts>,
    root_entries: Seen<usize>,
}

impl Surroundings {
    fn read(view: &ProcessView<'_>) -> Result<Self, InspectError> {
        let mut namespaces = [const { Seen::Yes(0) }; 7];
        for ((_, kind), place) in NAMESPACES.into_iter().zip(&mut namespaces) {
            *place = view.namespace(kind)?;
        }
        Ok(Self { namespaces, mounts: view.mounts()?, root_entries: view.root_entries()? })
    }

    fn judge(self, host: &HostFacts, observed: &mut Observed) -> Result<(), InspectError> {
        self.namespaces(host, LayerSet::all(), observed)?;
        let layer = Layer::EmptyRoot;
        match (self.mounts, self.root_entries) {
            (Seen::Yes(mounts), Seen::Yes(entries)) => {
                let covered = mounts.root.is_some_and(|root| root.tmpfs && root.read_only);
                equal(layer, "its number of mounts", &1, &mounts.count)?;
                demand(layer, "its root", "a read-only tmpfs", "another file system or writable", covered)?;
                equal(layer, "its number of files in the root", &0, &entries)?;
                observed.seen(layer);
            }
            (Seen::No(why), _) | (_, Seen::No(why)) => observed.unseen(layer, why),
        }
        Ok(())
    }

    /// Those of the namespaces that are among these layers.
    fn namespaces(
        &self,
        host: &HostFacts,
        wanted: LayerSet,
        observed: &mut Observed,
    ) -> Result<(), InspectError> {
        let all = NAMESPACES.into_iter().zip(host.namespaces).zip(&self.namespaces);
        for (((layer, kind), own), found) in all.filter(|(((layer, _), _), _)| wanted.contains(*layer)) {
            match (own, found) {
                (Some(own), Seen::Yes(found)) => {
                    demand(layer, kind.0, "a namespace of its own", "ours", own != *found)?;
                    observed.seen(layer);
                }
                (None, _) => observed.unseen(layer, format!("this kernel has no {} namespaces", kind.0)),
                // Its numbers have shown already that it has its own.
                (_, Seen::No(_)) if layer == Layer::PidNamespace => {}
                (_, Seen::No(why)) => observed.unseen(layer, why.clone()),
            }
        }
        Ok(())
    }
}

fn demand(
    layer: Layer,
    what: &'static str,
    expected: impl Display,
    found: impl Display,
    holds: bool,
) -> Result<(), InspectError> {
    if holds {
        return Ok(());
    }
    Err(InspectError::Disagrees { layer, what, expected: expected.to_string(), found: found.to_string() })
}

fn equal<T: PartialEq + Debug>(
    layer: Layer,
    what: &'static str,
    expected: &T,
    found: &T,
) -> Result<(), InspectError> {
    demand(layer, what, format_args!("{expected:?}"), format_args!("{found:?}"), expected == found)
}

fn hex(ranges: &[Range<u64>]) -> String {
    let ranges: Vec<String> =
        ranges.iter().map(|range| format!("{:x}-{:x}", range.start, range.end)).collect();
    ranges.join(" ")
}
