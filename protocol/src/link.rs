//! The link: what supervisor and worker say to each other.
//!
//! Messages are prost without repeated submessages (an empty one costs two bytes on the wire and tens in memory); bodies
//! of calls are raw bytes behind them. One call at a time, so both machines are small:
//!
//! ```text
//! supervisor:  AwaitReady ─Ready─► Ready ─(Setup)─► Idle ─(Call)─► AwaitResult ─Result─► Idle
//!                                                                  │   ▲  └Log┘
//!                                                           HostCall   (HostResult)
//!                                                                  ▼   │
//!                                                              AnswerHost
//! worker:      AwaitSetup ─Setup─► AwaitCall ─Call─► Running ─(Result)─► AwaitCall
//!                                              (HostCall) ▼ ▲ HostResult
//!                                                    AwaitHostResult
//! ```
//! A frame that is not an arrow here is a violation by whoever sent it, and ends the worker.

mod supervisor;
mod worker;

pub use supervisor::{SupervisorLink, Up};
pub use worker::{Down, WorkerLink};

use crate::frame::{Bounds, FrameViolation, META_BYTES_MAX, META_LENGTH_BYTES};

/// Bytes a method name may have.
pub const METHOD_BYTES_MAX: usize = 256;

/// Bytes of a text that explains a trap: room for a backtrace of some forty frames.
pub const MESSAGE_BYTES_MAX: usize = 8 * 1024;

/// Bytes of one log line on the link; longer ones are cut by the worker.
pub const LOG_LINE_BYTES_MAX: u32 = 8 * 1024;

/// Bytes of a plugin's configuration.
pub const CONFIG_BYTES_MAX: u32 = 1024 * 1024;

/// Content type of raw bytes.
pub const CONTENT_RAW: u32 = 0;

/// Content type of JSON in UTF-8.
pub const CONTENT_JSON: u32 = 1;

/// Frame kinds. Those of the worker have the top bit set.
pub mod kind {
    /// Supervisor → worker, once: seed and configuration.
    pub const SETUP: u8 = 0x01;
    /// Supervisor → worker: one call.
    pub const CALL: u8 = 0x02;
    /// Supervisor → worker: the answer to a host call.
    pub const HOST_RESULT: u8 = 0x03;
    /// Supervisor → worker: exit now.
    pub const SHUTDOWN: u8 = 0x04;
    /// Worker → supervisor, once: locked down, with its own report.
    pub const READY: u8 = 0x81;
    /// Worker → supervisor: how the call ended.
    pub const RESULT: u8 = 0x82;
    /// Worker → supervisor: a log line of the guest.
    pub const LOG: u8 = 0x83;
    /// Worker → supervisor: the guest calls the host.
    pub const HOST_CALL: u8 = 0x84;
}

/// First frame down. Payload: the plugin's configuration as JSON, or nothing.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Setup {
    /// 32 random bytes: forked instances share every random state until they mix this in.
    #[prost(bytes = "vec", tag = "1")]
    pub seed: Vec<u8>,
    /// Whether the payload is a configuration (it may be empty text).
    #[prost(bool, tag = "2")]
    pub has_config: bool,
    /// What the plugin's dialect wants to know of it, as `KEY=TEXT`.
    #[prost(string, repeated, tag = "3")]
    pub options: Vec<String>,
}

/// Time has passed: for dialects that want to be polled.
pub const TURN_POLL: u32 = 1;

/// The instance is about to end.
pub const TURN_STOP: u32 = 2;

/// One call. Payload: its body.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Call {
    /// Asks what the plugin is in place of a call of a method; where its dialect or the module has no words for that, the
    /// answer is empty. Either way the set-up is over by then.
    #[prost(bool, tag = "3")]
    pub describe: bool,
    /// Tells an event in place of a call of a method: the method is its topic. The answer is empty, or the guest's error.
    #[prost(bool, tag = "4")]
    pub event: bool,
    /// Whether the call's bodies are still under way: what the guest reads and writes comes and goes by host calls.
    #[prost(bool, tag = "5")]
    pub streams: bool,
    /// Tells the guest what its dialect may have a word for, in place of a call of a method: [`TURN_POLL`] or [`TURN_STOP`]; 0 is
    /// a call. The answer is empty, or the guest's error.
    #[prost(uint32, tag = "6")]
    pub turn: u32,
    /// At most [`METHOD_BYTES_MAX`] bytes.
    #[prost(string, tag = "1")]
    pub method: String,
    /// [`CONTENT_RAW`] or [`CONTENT_JSON`].
    #[prost(uint32, tag = "2")]
    pub content_type: u32,
}

/// The answer to a host call. Payload: its body.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct HostResult {
    /// Whether the payload is an answer, an error, or absent because the call was cancelled.
    #[prost(enumeration = "HostStatus", tag = "1")]
    pub status: i32,
    /// [`CONTENT_RAW`] or [`CONTENT_JSON`].
    #[prost(uint32, tag = "2")]
    pub content_type: u32,
}

/// How a host call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum HostStatus {
    /// The payload is the answer.
    Ok = 0,
    /// The payload is an error as JSON.
    Error = 1,
    /// The call this belongs to is over its deadline; the payload is an error as JSON.
    Cancelled = 2,
}

/// Ends the worker in good order.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Shutdown {}

/// First frame up: everything is locked. The numbers are the worker's word only.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Ready {
    /// Version of the link, [`LINK_VERSION`].
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// [`crate::certificate::LayerSet`] bits the worker says it holds.
    #[prost(uint32, tag = "2")]
    pub layers: u32,
    /// RLIMIT_DATA in force, in bytes.
    #[prost(uint64, tag = "3")]
    pub data_limit_bytes: u64,
}

/// Both ends come from one build; this catches a packager's mistake.
pub const LINK_VERSION: u32 = 1;

/// How a call ended inside the worker. Payload: the reply's body, or the guest's error body.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct CallResult {
    /// What happened.
    #[prost(enumeration = "Status", tag = "1")]
    pub status: i32,
    /// [`CONTENT_RAW`] or [`CONTENT_JSON`].
    #[prost(uint32, tag = "2")]
    pub content_type: u32,
    /// Explains anything but an answer; at most [`MESSAGE_BYTES_MAX`] bytes.
    #[prost(string, tag = "3")]
    pub message: String,
    /// With [`Status::Limit`]: which limit, a [`crate::outcome::LimitName`] number.
    #[prost(uint32, tag = "4")]
    pub limit: u32,
    /// With [`Status::Limit`]: its value.
    #[prost(uint64, tag = "5")]
    pub limit_configured: u64,
    /// With [`Status::Limit`]: what the guest wanted.
    #[prost(uint64, tag = "6")]
    pub limit_observed: u64,
    /// Linear memories together after the call, in bytes.
    #[prost(uint64, tag = "7")]
    pub memory_bytes: u64,
    /// With [`Status::Trap`]: which trap, a [`crate::outcome::TrapKind`] number.
    #[prost(uint32, tag = "8")]
    pub trap: u32,
    /// Whether it happened while the instance was set up, before the guest saw this call.
    #[prost(bool, tag = "9")]
    pub in_setup: bool,
    /// Wasm frames at the trap, one a line.
    #[prost(string, tag = "10")]
    pub backtrace: String,
    /// With [`Status::Ok`]: the code that a program ended with.
    #[prost(uint32, tag = "11")]
    pub exit_code: u32,
    /// Whether the worker is of no use for another call: a native program that has broken its protocol is asked no more.
    #[prost(bool, tag = "12")]
    pub retire: bool,
}

/// How a call ended inside the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Status {
    /// Never sent; a result without a status is a violation.
    None = 0,
    /// The payload is the reply.
    Ok = 1,
    /// The guest answered with an error; the payload is its body.
    GuestError = 2,
    /// The guest trapped.
    Trap = 3,
    /// The soft deadline ended the guest.
    Interrupted = 4,
    /// A limit that the worker keeps was hit.
    Limit = 5,
    /// The guest broke its ABI: a pointer out of range, a short reply.
    Abi = 6,
}

/// A log line of the guest. Payload: its bytes, at most [`LOG_LINE_BYTES_MAX`], not necessarily UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Log {
    /// 0 trace, 1 debug, 2 info, 3 warn, 4 error.
    #[prost(uint32, tag = "1")]
    pub level: u32,
    /// Bytes that were cut from this line.
    #[prost(uint64, tag = "2")]
    pub cut_bytes: u64,
}

/// The guest calls the host. Payload: its body.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct HostCall {
    /// At most [`METHOD_BYTES_MAX`] bytes.
    #[prost(string, tag = "1")]
    pub method: String,
    /// [`CONTENT_RAW`] or [`CONTENT_JSON`].
    #[prost(uint32, tag = "2")]
    pub content_type: u32,
}

/// Body limits of frames from a worker; they follow the plugin's policy.
#[derive(Debug, Clone, Copy)]
pub struct UpBounds {
    /// Bytes of a reply.
    pub output_bytes_max: u32,
    /// Bytes of a host call's body.
    pub host_call_bytes_max: u32,
}

impl Bounds for UpBounds {
    fn body_bytes_max(&self, kind: u8) -> Option<u32> {
        match kind {
            kind::READY => Some(META_ONLY_BYTES_MAX),
            kind::RESULT => Some(with_meta(self.output_bytes_max)),
            kind::LOG => Some(with_meta(LOG_LINE_BYTES_MAX)),
            kind::HOST_CALL => Some(with_meta(self.host_call_bytes_max)),
            _ => None,
        }
    }
}

/// Body limits of frames from the supervisor.
#[derive(Debug, Clone, Copy)]
pub struct DownBounds {
    /// Bytes of a call's body.
    pub input_bytes_max: u32,
    /// Bytes of a host call's answer.
    pub host_result_bytes_max: u32,
}

impl Bounds for DownBounds {
    fn body_bytes_max(&self, kind: u8) -> Option<u32> {
        match kind {
            kind::SETUP => Some(with_meta(CONFIG_BYTES_MAX)),
            kind::CALL => Some(with_meta(self.input_bytes_max)),
            kind::HOST_RESULT => Some(with_meta(self.host_result_bytes_max)),
            kind::SHUTDOWN => Some(META_ONLY_BYTES_MAX),
            _ => None,
        }
    }
}

/// A frame whose message has a few numbers only.
const META_ONLY_BYTES_MAX: u32 = 256;

fn with_meta(payload_bytes_max: u32) -> u32 {
    // Cannot overflow: policies end far below 4 GiB.
    payload_bytes_max.saturating_add(META_BYTES_MAX).saturating_add(META_LENGTH_BYTES_U32)
}

const META_LENGTH_BYTES_U32: u32 = 4;
const _: () = assert!(META_LENGTH_BYTES == 4);

/// What a peer on the link did wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkViolation {
    /// Bytes that are no frame.
    #[error(transparent)]
    Frame(#[from] FrameViolation),
    /// A frame that does not belong here.
    #[error("a frame of kind {kind:#04x} in state {state}")]
    State {
        /// The kind of the frame.
        kind: u8,
        /// The state it came in.
        state: &'static str,
    },
    /// A frame of another call.
    #[error("a frame of kind {kind:#04x} with id {id} while call {expected} is running")]
    Id {
        /// The kind of the frame.
        kind: u8,
        /// Its id.
        id: u64,
        /// The id that belongs there.
        expected: u64,
    },
    /// A field out of its range.
    #[error("a frame of kind {kind:#04x} whose {field} is out of range")]
    Field {
        /// The kind of the frame.
        kind: u8,
        /// The name of the field.
        field: &'static str,
    },
}

/// A frame that we may not send in this state, or that is too long to send: our own mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    /// The machine is in another state.
    #[error("cannot send a frame of kind {kind:#04x} in state {state}")]
    State {
        /// The kind of the frame.
        kind: u8,
        /// The state.
        state: &'static str,
    },
    /// The body does not fit.
    #[error(transparent)]
    TooLong(#[from] crate::frame::TooLong),
}

/// Cuts a text to a number of bytes without cutting a character.
pub fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.split_at(end).0
}
