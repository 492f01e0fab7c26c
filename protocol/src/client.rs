//! What clients and a daemon say to each other over its local socket.
//!
//! The messages are those of `proto/casemate.proto`; this module has the frames around them and the machine that both ends
//! are: a connection carries streams, each opened by one end and ended by the other. `PROTOCOL.md` shows its tables, which
//! are rendered from [`table`].
//!
//! ```text
//! client:  Hello ─► (Call|Request|Follow ─► Data* ─► …)*                        ─► Bye
//! daemon:          Welcome ─► (Data* ─► Answer|Failure|Response | Item* | HostCall)* ─► Bye | Refused
//! ```
//! It does no I/O and reads no clock. It must never know what a plugin is, who may do what, or how bytes travel.

mod certificate;
pub mod kind;
mod messages;
pub(crate) mod model;
pub mod operations;
mod outcome;
mod outgoing;
mod session;
pub mod table;
mod unsent;
mod violation;
mod words;

pub use certificate::{decode_certificate, encode_certificate};
pub use messages::*;
pub use operations::Right;
pub use outcome::{decode_failure, encode_failure};
pub use outgoing::Outgoing;
pub use session::{Ending, Misuse, Opening, Received, Session, Side};
pub use unsent::Unsent;
pub use violation::{Violation, ViolationCode};

use crate::frame::{Bounds, META_LENGTH_BYTES};

/// "casemate", least significant byte first: whoever speaks something else is told so at once.
pub const MAGIC: u64 = u64::from_le_bytes(*b"casemate");

/// The version of the protocol that this build speaks.
pub const VERSION: u32 = 1;

/// Bytes of body in one frame: enough that framing costs nothing, and little to hold for each of many connections.
pub const PAYLOAD_BYTES_MAX: u32 = 64 * 1024;

/// Bytes of body that a stream may send in Data frames beyond what its receiver has taken.
pub const WINDOW_BYTES: u32 = 256 * 1024;

/// Bytes of a client's message: the longest is a manifest.
pub const CLIENT_META_BYTES_MAX: u32 = 32 * 1024;

/// Bytes of a daemon's message: the longest is a list of some thousand plugins.
pub const DAEMON_META_BYTES_MAX: u32 = 1024 * 1024;

/// Bytes of a method's or topic's name.
pub const NAME_BYTES_MAX: usize = 256;

/// Bytes of what a client says it is.
pub const CLIENT_BYTES_MAX: usize = 128;

/// Bytes of a W3C traceparent: version 00 has 55.
pub const TRACEPARENT_BYTES_MAX: usize = 64;

/// Bytes of a W3C tracestate: what every hop has to pass on.
pub const TRACESTATE_BYTES_MAX: usize = 512;

/// What one end takes, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientBounds {
    /// The end that receives.
    pub side: Side,
}

impl Bounds for ClientBounds {
    fn body_bytes_max(&self, kind: u8) -> Option<u32> {
        let row = kind::row(kind).filter(|row| row.from == self.side.other())?;
        let payload_bytes_max = if row.has_body { PAYLOAD_BYTES_MAX } else { 0 };
        (row.meta_bytes_max() + payload_bytes_max).checked_add(u32::try_from(META_LENGTH_BYTES).ok()?)
    }
}

#[cfg(test)]
mod tests;
