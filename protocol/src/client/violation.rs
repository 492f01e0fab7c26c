//! What an end may not do.

use super::table::{Connection, Stream};
use crate::frame::FrameViolation;
use std::fmt;

/// Why a connection is refused: the code of `Refused`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ViolationCode {
    /// The bytes are no frame, or the frame holds no such message.
    Frame,
    /// Something else came before the greeting.
    Greeting,
    /// The greeting has other magic bytes: it is another protocol.
    Magic,
    /// No version that both speak.
    Version,
    /// The greeting came a second time.
    GreetingAgain,
    /// After Bye, or after the end.
    Closed,
    /// A field is longer than it may be, or has a value that does not exist.
    Field,
    /// The stream was never opened.
    StreamUnknown,
    /// A stream is opened with an id that is not above the last one.
    StreamId,
    /// A stream's id is the other end's to give.
    StreamParity,
    /// More of a body that has ended.
    StreamEnded,
    /// What only the other end of this stream may do.
    StreamDirection,
    /// An end that does not belong to what the stream was opened for.
    StreamKind,
    /// More bytes than there was credit for.
    Credit,
}

/// Every code, its name on the wire, and what it says.
const CODES: [(ViolationCode, &str, &str); 14] = [
    (
        ViolationCode::Frame,
        "protocol.frame",
        "bytes that are no frame, or a frame without the message it must hold",
    ),
    (ViolationCode::Greeting, "protocol.greeting", "a frame before the greeting"),
    (ViolationCode::Magic, "protocol.magic", "a greeting with other magic bytes"),
    (ViolationCode::Version, "protocol.version", "no version of the protocol that both ends speak"),
    (ViolationCode::GreetingAgain, "protocol.greeting_again", "a second greeting"),
    (
        ViolationCode::Closed,
        "protocol.closed",
        "a frame after the end of the connection, or a new stream after Bye",
    ),
    (ViolationCode::Field, "protocol.field", "a field with a value that it may not have"),
    (ViolationCode::StreamUnknown, "protocol.stream_unknown", "a frame of a stream that was never opened"),
    (ViolationCode::StreamId, "protocol.stream_id", "a new stream whose id is not above the last one"),
    (
        ViolationCode::StreamParity,
        "protocol.stream_parity",
        "a new stream whose id is the other end's to give",
    ),
    (ViolationCode::StreamEnded, "protocol.stream_ended", "more of a body that has ended"),
    (
        ViolationCode::StreamDirection,
        "protocol.stream_direction",
        "what only the other end of a stream may do",
    ),
    (
        ViolationCode::StreamKind,
        "protocol.stream_kind",
        "an end that does not belong to what its stream was opened for",
    ),
    (ViolationCode::Credit, "protocol.credit", "more bytes of a body than there was credit for"),
];

impl ViolationCode {
    /// Every code.
    pub fn all() -> impl Iterator<Item = Self> {
        CODES.iter().map(|(code, _, _)| *code)
    }

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// What it says.
    pub fn meaning(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> (Self, &'static str, &'static str) {
        CODES.iter().copied().find(|(code, _, _)| *code == self).unwrap_or((self, "protocol", "?"))
    }
}

impl fmt::Display for ViolationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the other end did. The connection is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {what} [{code}]", code.meaning())]
pub struct Violation {
    /// Which rule.
    pub code: ViolationCode,
    /// In words of ours.
    pub what: String,
}

impl Violation {
    pub(super) fn of_connection(code: ViolationCode, name: &str, state: Connection) -> Self {
        Self { code, what: format!("{name} in {}", state.name()) }
    }

    pub(super) fn of_stream(code: ViolationCode, name: &str, id: u64, state: Stream) -> Self {
        Self { code, what: format!("{name} of stream {id}, which is {}", state.name()) }
    }

    pub(super) fn of_field(name: &str, field: &str) -> Self {
        Self { code: ViolationCode::Field, what: format!("{name}.{field}") }
    }
}

impl From<FrameViolation> for Violation {
    fn from(violation: FrameViolation) -> Self {
        Self { code: ViolationCode::Frame, what: violation.to_string() }
    }
}
