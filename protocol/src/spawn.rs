//! What the supervisor tells a stub and a zygote over the control socket, and what they answer.
//!
//! ```text
//! supervisor → stub     StubSpec        + pidfd of the host      (a native program: + ProgramSpec, for its root's sake)
//! stub → supervisor     StubReport      + pidfd of the zygote
//! zygote → supervisor   WalledReport    the supervisor now looks at it from outside
//! supervisor → zygote   LoadSpec        + compiled module          (a compiler: CompileSpec + input and output;
//!                                                                 WASI: + WasiSpec + folders)
//! zygote → supervisor   ListenerReport  + listener of filter A, if there is one
//! zygote → supervisor   SealedReport    (a compiler: nothing, it works and exits)
//! zygote → supervisor   LoadedReport
//! supervisor → zygote   SpawnSpec       + link socket              again and again
//! zygote → supervisor   SpawnedReport   + pidfd of the worker
//! ```
//! Down goes bincode: same build on both ends, and the sender is trusted. Up comes prost, bounded, and anything that does
//! not belong there ends the whole tree of processes.

use bincode::Decode;
pub use bincode::Encode;
use prost::Message;

/// Bytes of a packet on the control socket, either way.
pub const PACKET_BYTES_MAX: usize = 64 * 1024;

/// The step of a zygote whose engine may refuse the code that it was given, as [`FailedReport`] names it.
pub const LOADING: &str = "loading the module";

/// Exit code of a compiler whose output was not taken.
pub const OUTPUT_REFUSED: i32 = 3;

/// Exit code of a compiler that got no more memory.
pub const OUT_OF_MEMORY: i32 = 4;

/// Exit code of a compiler that panicked.
pub const PANICKED: i32 = 101;

/// Bytes of an order, a packet down: a dozen numbers. Small enough to be received on the stack.
pub const ORDER_BYTES_MAX: usize = 512;

/// Who a walled process is outside, when the supervisor is root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Identity {
    /// Its user.
    pub uid: u32,
    /// Its group; it has no others.
    pub gid: u32,
}

/// First packet to a stub.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct StubSpec {
    /// Drop to this identity first; `None` when the supervisor is an ordinary user.
    pub identity: Option<Identity>,
    /// Whether to try namespaces at all; tests of the lower tier say no.
    pub namespaces: bool,
    /// RLIMIT_STACK, in bytes.
    pub stack_bytes: u64,
    /// RLIMIT_DATA until the worker sets its own, in bytes.
    pub data_bytes: u64,
    /// RLIMIT_CPU, in seconds.
    pub cpu_seconds: Option<u64>,
    /// RLIMIT_FSIZE, in bytes: 0 but for the compiler's output, and for folders that may be written to.
    pub file_bytes: u64,
    /// RLIMIT_NOFILE of the zygote; a worker sets its own.
    pub open_files: u64,
}

/// RLIMIT_NOFILE of a zygote that opens nothing: control, module, listener and a link at a time, with room for Landlock's
/// ruleset.
pub const ZYGOTE_OPEN_FILES: u64 = 64;

/// Folders that one plugin may be given.
pub const FOLDERS_MAX: usize = 32;

/// Second packet to a zygote.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct LoadSpec {
    /// Number of the dialect, [`crate::module::Dialect`].
    pub dialect: u32,
    /// Instantiate before the fork.
    pub instantiate: bool,
    /// Linear memories together, in bytes.
    pub memory_bytes: u64,
    /// Table entries together.
    pub table_entries: u64,
    /// Wasm stack, in bytes.
    pub stack_bytes: u64,
    /// Fuel of one call.
    pub fuel: Option<u64>,
    /// Body of a call, in bytes.
    pub input_bytes: u32,
    /// Body of a reply and of host calls, in bytes.
    pub output_bytes: u32,
    /// Processes that the zygote and its workers may be together.
    pub processes_max: u64,
    /// Bytes of the [`WasiSpec`] in the second descriptor, and how many folders follow it; `None` for a worker without WASI,
    /// which gets the module alone.
    pub wasi: Option<WasiOrder>,
}

/// What comes beside a module for a worker with WASI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct WasiOrder {
    /// Bytes of the [`WasiSpec`].
    pub spec_bytes: u32,
    /// Folders, each a descriptor, in the order of [`WasiSpec::folders`].
    pub folders: u32,
}

/// What a program finds around it. Too long for a packet, so it comes as a sealed file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct WasiSpec {
    /// Its arguments; the first is its name.
    pub args: Vec<String>,
    /// Its environment.
    pub env: Vec<(String, String)>,
    /// Its folders.
    pub folders: Vec<Folder>,
}

/// A folder of the host's that a program is given.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Folder {
    /// Where the program finds it.
    pub guest: String,
    /// Whether it may be changed.
    pub write: bool,
    /// Whether it is the plugin's own, where room has to be asked for.
    pub own: bool,
}

/// Bytes of what comes as a file: an encoded [`WasiSpec`], or [`ProgramSpec`].
pub const FILE_BYTES_MAX: usize = 256 * 1024;

/// A native program and the root directory it is to have. Too long for a packet, so it comes as a sealed file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct ProgramSpec {
    /// The file that is executed, where the program itself would find it.
    pub file: String,
    /// Its arguments; the first is its name.
    pub args: Vec<String>,
    /// Its environment.
    pub env: Vec<(String, String)>,
    /// The folder it starts in.
    pub folder: String,
    /// What of the host stands in its root; nothing below anything else.
    pub mounts: Vec<Mount>,
    /// Links in its root: name, and what it points to.
    pub links: Vec<(String, String)>,
    /// Whether it has no root of its own and no filter, because its operator says so; then there are no mounts and no links.
    pub unwalled: bool,
}

/// A file or folder of the host's in a program's root.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Mount {
    /// Where it is.
    pub host: String,
    /// Where the program finds it.
    pub guest: String,
    /// What it is.
    pub kind: MountKind,
}

/// What a mount is, and so what may be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum MountKind {
    /// Programs and libraries, to be read and executed.
    Programs,
    /// A folder, to be read.
    Folder,
    /// A folder that may be changed.
    WritableFolder,
    /// A single file, to be read.
    File,
    /// A device.
    Device,
}

/// Mounts that a program's root may have.
pub const MOUNTS_MAX: usize = 128;

/// Second packet to a compiler.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CompileSpec {
    /// Report only, compile nothing.
    pub inspect_only: bool,
    /// Number of the dialect that it must speak, [`crate::module::Dialect`]; 0 for the one that it is found to speak.
    pub dialect: u32,
    /// Wasm stack the code is made for, in bytes.
    pub stack_bytes: u64,
    /// Whether the code counts fuel.
    pub fuel: bool,
}

/// What a forked process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Role {
    /// Serve calls.
    Worker,
    /// Prove filter A: lock down, then make a call that no list allows.
    CanaryOutside,
    /// Prove filter B: lock down, then make a call that only the zygote may.
    CanaryDelta,
}

/// Every further packet to a zygote: fork one.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SpawnSpec {
    /// What it does.
    pub role: Role,
    /// What it gets.
    pub limits: SpawnLimits,
}

/// Limits that the kernel keeps for a forked process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct SpawnLimits {
    /// RLIMIT_DATA, in bytes.
    pub data_bytes: u64,
    /// RLIMIT_CPU, in seconds: SIGXCPU then, and SIGKILL a second later.
    pub cpu_seconds: Option<u64>,
    /// RLIMIT_NOFILE: 0 but for a worker with WASI.
    pub open_files: u32,
}

/// A packet that cannot be made or read; both ends are ours, so this is our mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an order of another build, or of more than {ORDER_BYTES_MAX} bytes in a packet or {FILE_BYTES_MAX} in a file"
)]
pub struct BadPacket;

fn configuration() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<ORDER_BYTES_MAX>()
}

/// Makes a packet to a stub or zygote.
pub fn encode_down(value: &impl Encode) -> Result<Vec<u8>, BadPacket> {
    bincode::encode_to_vec(value, configuration()).ok().ok_or(BadPacket)
}

/// Reads a packet in a stub or zygote.
pub fn decode_down<T: Decode<()>>(bytes: &[u8]) -> Result<T, BadPacket> {
    whole(bincode::decode_from_slice(bytes, configuration()), bytes)
}

fn file_configuration() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<FILE_BYTES_MAX>()
}

/// Makes the file that an order comes with.
pub fn encode_file(value: &impl Encode) -> Result<Vec<u8>, BadPacket> {
    bincode::encode_to_vec(value, file_configuration()).ok().ok_or(BadPacket)
}

/// Reads it in a stub or zygote.
pub fn decode_file<T: Decode<()>>(bytes: &[u8]) -> Result<T, BadPacket> {
    whole(bincode::decode_from_slice(bytes, file_configuration()), bytes)
}

/// What was read, if it was all that there is.
fn whole<T>(read: Result<(T, usize), bincode::error::DecodeError>, bytes: &[u8]) -> Result<T, BadPacket> {
    match read {
        Ok((value, used)) if used == bytes.len() => Ok(value),
        _ => Err(BadPacket),
    }
}

/// The stub's answer.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct StubReport {
    /// Whether the zygote has namespaces.
    #[prost(bool, tag = "1")]
    pub namespaces: bool,
    /// Why not, if not.
    #[prost(string, tag = "2")]
    pub why_not: String,
}

/// A layer that could not be had, and why.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct WalledReport {
    /// [`crate::certificate::LayerSet`] bits the zygote says hold.
    #[prost(uint32, tag = "1")]
    pub layers: u32,
    /// The Landlock ABI in force; 0 for none.
    #[prost(uint32, tag = "2")]
    pub landlock_abi: u32,
    /// Why layers are off: `name: reason` lines.
    #[prost(string, tag = "3")]
    pub why_not: String,
}

/// Filter A stands.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ListenerReport {
    /// Whether a listener comes with this packet.
    #[prost(bool, tag = "1")]
    pub listener: bool,
    /// [`crate::certificate::LayerSet`] bits added since the walls.
    #[prost(uint32, tag = "2")]
    pub layers: u32,
    /// Why layers are off: `name: reason` lines.
    #[prost(string, tag = "3")]
    pub why_not: String,
}

/// The module is in memory, and its code can change no more.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SealedReport {
    /// [`crate::certificate::LayerSet`] bits added since the filter.
    #[prost(uint32, tag = "1")]
    pub layers: u32,
    /// Why layers are off: `name: reason` lines.
    #[prost(string, tag = "2")]
    pub why_not: String,
    /// Where the compiled code lies: first byte.
    #[prost(uint64, tag = "3")]
    pub code_start: u64,
    /// Where the compiled code lies: one past the last byte.
    #[prost(uint64, tag = "4")]
    pub code_end: u64,
}

/// The module is ready to be forked.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct LoadedReport {
    /// Whether its memory was made before the fork.
    #[prost(bool, tag = "1")]
    pub instantiated: bool,
    /// Linear memories together at the start, in bytes.
    #[prost(uint64, tag = "2")]
    pub memory_bytes: u64,
}

/// A process was forked; its pidfd comes with this packet.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct SpawnedReport {}

/// Something failed; the sender exits after this.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct FailedReport {
    /// The step, in the words of ARCHITECTURE.md.
    #[prost(string, tag = "1")]
    pub step: String,
    /// The system's words.
    #[prost(string, tag = "2")]
    pub message: String,
    /// With a limit of the policy: a [`crate::outcome::LimitName`] number.
    #[prost(uint32, tag = "3")]
    pub limit: u32,
    /// With a limit: its value.
    #[prost(uint64, tag = "4")]
    pub limit_configured: u64,
    /// With a limit: what was wanted.
    #[prost(uint64, tag = "5")]
    pub limit_observed: u64,
}

/// Any packet up.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ControlUp {
    /// Which.
    #[prost(oneof = "Report", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub report: Option<Report>,
}

/// Any packet up.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum Report {
    /// From the stub.
    #[prost(message, tag = "1")]
    Stub(StubReport),
    /// From the zygote, walled.
    #[prost(message, tag = "2")]
    Walled(WalledReport),
    /// From the zygote, filter A installed.
    #[prost(message, tag = "3")]
    Listener(ListenerReport),
    /// From the zygote, ready to fork.
    #[prost(message, tag = "4")]
    Loaded(LoadedReport),
    /// From the zygote, forked.
    #[prost(message, tag = "5")]
    Spawned(SpawnedReport),
    /// From either, gone.
    #[prost(message, tag = "6")]
    Failed(FailedReport),
    /// From the zygote, module loaded.
    #[prost(message, tag = "7")]
    Sealed(SealedReport),
}

impl ControlUp {
    /// Makes a packet to the supervisor.
    pub fn packet(report: Report) -> Vec<u8> {
        Self { report: Some(report) }.encode_to_vec()
    }

    /// Reads a packet in the supervisor.
    pub fn parse(bytes: &[u8]) -> Option<Report> {
        if bytes.len() > PACKET_BYTES_MAX {
            return None;
        }
        Self::decode(bytes).ok()?.report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_down_survive_and_refuse_trailing_bytes() {
        let limits = SpawnLimits { data_bytes: 1 << 40, cpu_seconds: Some(7), open_files: 9 };
        let spec = SpawnSpec { role: Role::CanaryDelta, limits };
        let mut bytes = encode_down(&spec).unwrap();
        assert_eq!(bytes, [2, 253, 0, 0, 0, 0, 0, 1, 0, 0, 1, 7, 9], "golden bytes");
        assert_eq!(decode_down(&bytes), Ok(spec));
        bytes.push(0);
        assert_eq!(decode_down::<SpawnSpec>(&bytes), Err(BadPacket));
        assert_eq!(decode_down::<SpawnSpec>(&[]), Err(BadPacket));
    }

    #[test]
    fn packets_up_survive() {
        let report = Report::Loaded(LoadedReport { instantiated: true, memory_bytes: 65536 });
        assert_eq!(ControlUp::parse(&ControlUp::packet(report.clone())), Some(report));
        assert_eq!(ControlUp::parse(&[0xff; 9]), None);
    }
}
