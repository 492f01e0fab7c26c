//! The certificate: which layers of the wall stand around a worker, and who says so.
//!
//! It is the supervisor's. A layer is [`Status::Observed`] when the supervisor saw it from outside or proved it by a
//! canary, [`Status::Reported`] when only the walled process says so, [`Status::Off`] with the reason otherwise.

use std::collections::BTreeMap;
use std::fmt;

/// One layer. The number is its bit in a [`LayerSet`] on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
pub enum Layer {
    /// Two system-call filters, default deny.
    Seccomp = 0,
    /// The kernel tells the supervisor which forbidden call was tried, with arguments.
    ViolationReports = 1,
    /// exec cannot raise privileges.
    NoNewPrivs = 2,
    /// No capability in any set.
    Capabilities = 3,
    /// Own user namespace in which nobody has rights outside.
    UserNamespace = 4,
    /// Own process ids; the zygote's death ends every worker.
    PidNamespace = 5,
    /// No network interface but a dead loopback.
    NetNamespace = 6,
    /// No System V or POSIX queues of others.
    IpcNamespace = 7,
    /// Own host name.
    UtsNamespace = 8,
    /// Own mount table.
    MountNamespace = 9,
    /// Own view of the control groups.
    CgroupNamespace = 10,
    /// The root directory is an empty read-only tmpfs.
    EmptyRoot = 11,
    /// Landlock denies all files, network and, where the kernel can, signals and abstract sockets to outside.
    Landlock = 12,
    /// Resource limits set afresh; no new descriptor, no new process.
    ResourceLimits = 13,
    /// Exactly one descriptor: the link.
    Descriptors = 14,
    /// Exactly one thread.
    SingleThread = 15,
    /// A uid that is not root outside.
    UnprivilegedUid = 16,
    /// No core dump, no ptrace by others.
    NotDumpable = 17,
    /// No page is writable and executable.
    WriteXorExecute = 18,
    /// Memory can never become executable (MDWE).
    DenyNewExecutable = 19,
    /// The compiled code cannot be changed or moved (mseal).
    SealedCode = 20,
    /// The program runs from a sealed memfd.
    SealedProgram = 21,
}

/// Every layer with its name and one line for people.
const LAYERS: &[(Layer, &str, &str)] = &[
    (Layer::Seccomp, "seccomp", "default-deny system-call filters"),
    (Layer::ViolationReports, "violation-reports", "the kernel reports every forbidden call"),
    (Layer::NoNewPrivs, "no-new-privs", "exec cannot raise privileges"),
    (Layer::Capabilities, "capabilities", "no capability is left"),
    (Layer::UserNamespace, "user-namespace", "own user namespace"),
    (Layer::PidNamespace, "pid-namespace", "own process ids"),
    (Layer::NetNamespace, "net-namespace", "no network"),
    (Layer::IpcNamespace, "ipc-namespace", "no shared queues or semaphores"),
    (Layer::UtsNamespace, "uts-namespace", "own host name"),
    (Layer::MountNamespace, "mount-namespace", "own mount table"),
    (Layer::CgroupNamespace, "cgroup-namespace", "own view of control groups"),
    (Layer::EmptyRoot, "empty-root", "the root directory is empty and read-only"),
    (Layer::Landlock, "landlock", "no file, socket or signal to outside"),
    (Layer::ResourceLimits, "rlimits", "resource limits set afresh"),
    (Layer::Descriptors, "descriptors", "one descriptor, the link"),
    (Layer::SingleThread, "single-thread", "one thread"),
    (Layer::UnprivilegedUid, "unprivileged-uid", "not root outside"),
    (Layer::NotDumpable, "not-dumpable", "no core dump, no ptrace"),
    (Layer::WriteXorExecute, "write-xor-execute", "no page is writable and executable"),
    (Layer::DenyNewExecutable, "deny-new-executable", "memory can never become executable"),
    (Layer::SealedCode, "sealed-code", "compiled code cannot be changed or moved"),
    (Layer::SealedProgram, "sealed-program", "the program is a sealed memfd"),
];

const NAMESPACES: &[Layer] = &[
    Layer::UserNamespace,
    Layer::PidNamespace,
    Layer::NetNamespace,
    Layer::IpcNamespace,
    Layer::UtsNamespace,
    Layer::MountNamespace,
    Layer::CgroupNamespace,
];

impl Layer {
    /// Every layer, in the order of the certificate.
    pub fn all() -> impl Iterator<Item = Self> {
        LAYERS.iter().map(|(layer, _, _)| *layer)
    }

    /// Its name in policies, on the command line and in JSON.
    pub fn name(self) -> &'static str {
        self.entry().1
    }

    /// One line for people.
    pub fn summary(self) -> &'static str {
        self.entry().2
    }

    fn entry(self) -> (Self, &'static str, &'static str) {
        LAYERS.iter().copied().find(|(layer, _, _)| *layer == self).unwrap_or((self, "?", "?"))
    }

    fn bit(self) -> u32 {
        1 << (self as u8)
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct LayerSet(u32);

/// A name that is no layer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown layer {name:?}; the layers are: namespaces (all seven), all, {}", layer_names())]
pub struct UnknownLayer {
    /// The name as given, cut to 40 characters.
    pub name: String,
}

fn layer_names() -> String {
    Layer::all().map(Layer::name).collect::<Vec<_>>().join(", ")
}

impl LayerSet {
    /// No layer.
    pub const EMPTY: Self = Self(0);

    /// Every layer.
    pub fn all() -> Self {
        Layer::all().collect()
    }

    /// The layers of a name: one layer, `namespaces` or `all`.
    pub fn named(name: &str) -> Result<Self, UnknownLayer> {
        match name {
            "namespaces" => return Ok(NAMESPACES.iter().copied().collect()),
            "all" => return Ok(Self::all()),
            _ => {}
        }
        match LAYERS.iter().find(|(_, known, _)| *known == name) {
            Some((layer, _, _)) => Ok(std::iter::once(*layer).collect()),
            None => Err(UnknownLayer { name: name.chars().take(40).collect() }),
        }
    }

    /// From the wire; unknown bits are dropped.
    pub fn from_bits(bits: u32) -> Self {
        Self(bits & Self::all().0)
    }

    /// For the wire.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Whether the layer is in it.
    pub fn contains(self, layer: Layer) -> bool {
        self.0 & layer.bit() != 0
    }

    /// Adds a layer.
    pub fn insert(&mut self, layer: Layer) {
        self.0 |= layer.bit();
    }

    /// Both together.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is here and not there.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether it has none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its layers, in the order of the certificate.
    pub fn iter(self) -> impl Iterator<Item = Layer> {
        Layer::all().filter(move |layer| self.contains(*layer))
    }
}

impl FromIterator<Layer> for LayerSet {
    fn from_iter<I: IntoIterator<Item = Layer>>(layers: I) -> Self {
        let mut set = Self::EMPTY;
        layers.into_iter().for_each(|layer| set.insert(layer));
        set
    }
}

impl fmt::Display for LayerSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iter().map(Layer::name).collect::<Vec<_>>().join(", "))
    }
}

/// What is known of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// The supervisor saw it from outside, or a canary proved it.
    Observed,
    /// The walled process says so; nobody outside can see it.
    Reported,
    /// It is not there, and why.
    Off {
        /// For people.
        reason: String,
    },
}

impl Status {
    /// `observed`, `reported` or `off`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Reported => "reported",
            Self::Off { .. } => "off",
        }
    }

    /// Whether the layer stands.
    pub fn holds(&self) -> bool {
        !matches!(self, Self::Off { .. })
    }
}

/// What the worker links and how it is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// No WASI, no async runtime, no component model.
    Core,
    /// WASI and components, in a worker of its own with a longer list of system calls.
    Wasi,
    /// A native program behind a bridge, with a root of its own and the longest list of system calls.
    External,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Core, Self::Wasi, Self::External];
    /// Those of WebAssembly modules.
    pub const OF_MODULES: [Self; 2] = [Self::Core, Self::Wasi];

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Wasi => "wasi",
            Self::External => "external",
        }
    }
}

/// What stands around the workers of one plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The worker build.
    pub profile: Profile,
    /// Status of every layer.
    pub layers: BTreeMap<Layer, Status>,
}

impl Certificate {
    /// A certificate in which nothing has been seen yet.
    pub fn new(profile: Profile) -> Self {
        let unseen = || Status::Off { reason: "not looked at yet".to_owned() };
        Self { profile, layers: Layer::all().map(|layer| (layer, unseen())).collect() }
    }

    /// Records a layer.
    pub fn set(&mut self, layer: Layer, status: Status) {
        self.layers.insert(layer, status);
    }

    /// Records a layer as missing.
    pub fn off(&mut self, layer: Layer, reason: impl Into<String>) {
        self.set(layer, Status::Off { reason: reason.into() });
    }

    /// The layers that stand.
    pub fn holding(&self) -> LayerSet {
        self.layers.iter().filter(|(_, status)| status.holds()).map(|(layer, _)| *layer).collect()
    }

    /// What a policy demands and is not there.
    pub fn missing(&self, require: LayerSet) -> LayerSet {
        require.minus(self.holding())
    }

    /// Why a layer is off, if it is.
    pub fn reason(&self, layer: Layer) -> Option<&str> {
        match self.layers.get(&layer) {
            Some(Status::Off { reason }) => Some(reason),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_has_a_bit_and_a_name_of_its_own() {
        let mut seen = LayerSet::EMPTY;
        for layer in Layer::all() {
            assert!(!seen.contains(layer));
            seen.insert(layer);
            assert_eq!(LayerSet::named(layer.name()).unwrap().iter().collect::<Vec<_>>(), [layer]);
        }
        assert_eq!(seen, LayerSet::all());
        assert_eq!(LayerSet::named("namespaces").unwrap().iter().count(), 7);
        assert!(LayerSet::named("secomp").unwrap_err().to_string().contains("seccomp"));
    }

    #[test]
    fn missing_is_what_is_demanded_and_off() {
        let mut certificate = Certificate::new(Profile::Core);
        certificate.set(Layer::Seccomp, Status::Observed);
        certificate.off(Layer::Landlock, "kernel before 5.13");
        let require = [Layer::Seccomp, Layer::Landlock].into_iter().collect();
        assert_eq!(certificate.missing(require).iter().collect::<Vec<_>>(), [Layer::Landlock]);
        assert_eq!(certificate.reason(Layer::Landlock), Some("kernel before 5.13"));
    }
}
