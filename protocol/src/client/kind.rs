//! The kinds of frames, and what each may carry.

use super::session::Side;
use super::{CLIENT_META_BYTES_MAX, DAEMON_META_BYTES_MAX};

/// Client → daemon, first: who it is.
pub const HELLO: u8 = 0x20;
/// Client → daemon: a plugin's method is called.
pub const CALL: u8 = 0x21;
/// Client → daemon: something is to be done.
pub const REQUEST: u8 = 0x22;
/// Client → daemon: something is to be told from here on.
pub const FOLLOW: u8 = 0x23;
/// Client → daemon: a host method's answer.
pub const HOST_RESULT: u8 = 0x24;
/// Client → daemon: more of a body.
pub const CLIENT_DATA: u8 = 0x2c;
/// Client → daemon: more of a body may come.
pub const CLIENT_CREDIT: u8 = 0x2d;
/// Client → daemon: its stream's answer is not wanted any more.
pub const CLIENT_CANCEL: u8 = 0x2e;
/// Client → daemon: it opens nothing more.
pub const CLIENT_BYE: u8 = 0x2f;
/// Daemon → client, first: go on.
pub const WELCOME: u8 = 0xa0;
/// Daemon → client, last: it does not go on.
pub const REFUSED: u8 = 0xa1;
/// Daemon → client: a plugin calls the host.
pub const HOST_CALL: u8 = 0xa2;
/// Daemon → client: a plugin's answer.
pub const ANSWER: u8 = 0xa3;
/// Daemon → client: no answer, and why.
pub const FAILURE: u8 = 0xa4;
/// Daemon → client: it is done.
pub const RESPONSE: u8 = 0xa5;
/// Daemon → client: one of what is followed.
pub const ITEM: u8 = 0xa6;
/// Daemon → client: more of a body.
pub const DAEMON_DATA: u8 = 0xac;
/// Daemon → client: more of a body may come.
pub const DAEMON_CREDIT: u8 = 0xad;
/// Daemon → client: its host call's answer is not wanted any more.
pub const DAEMON_CANCEL: u8 = 0xae;
/// Daemon → client: it opens nothing more and takes nothing more.
pub const DAEMON_BYE: u8 = 0xaf;

/// What a frame does, whichever end it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Begins the connection.
    Greeting,
    /// Ends it at once.
    Refused,
    /// Says that its sender opens no more streams.
    Bye,
    /// Opens a stream.
    Open,
    /// Is more of a body.
    Data,
    /// Allows more of a body.
    Credit,
    /// Gives its own stream up.
    Cancel,
    /// Is one of what is followed.
    Item,
    /// Ends the other end's stream.
    End,
}

/// One kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Its byte.
    pub kind: u8,
    /// Its message in `casemate.proto`.
    pub name: &'static str,
    /// Who sends it.
    pub from: Side,
    /// What it does.
    pub class: Class,
    /// Whether bytes of a body may follow its message.
    pub has_body: bool,
}

impl Row {
    const fn new(kind: u8, name: &'static str, class: Class, has_body: bool) -> Self {
        let from = if kind & 0x80 == 0 { Side::Client } else { Side::Daemon };
        Self { kind, name, from, class, has_body }
    }

    /// Bytes that its message may have.
    pub fn meta_bytes_max(&self) -> u32 {
        match self.from {
            Side::Client => CLIENT_META_BYTES_MAX,
            Side::Daemon => DAEMON_META_BYTES_MAX,
        }
    }
}

/// Every kind.
pub const KINDS: [Row; 20] = [
    Row::new(HELLO, "Hello", Class::Greeting, false),
    Row::new(CALL, "Call", Class::Open, true),
    Row::new(REQUEST, "Request", Class::Open, true),
    Row::new(FOLLOW, "Follow", Class::Open, false),
    Row::new(HOST_RESULT, "HostResult", Class::End, true),
    Row::new(CLIENT_DATA, "Data", Class::Data, true),
    Row::new(CLIENT_CREDIT, "Credit", Class::Credit, false),
    Row::new(CLIENT_CANCEL, "Cancel", Class::Cancel, false),
    Row::new(CLIENT_BYE, "Bye", Class::Bye, false),
    Row::new(WELCOME, "Welcome", Class::Greeting, false),
    Row::new(REFUSED, "Refused", Class::Refused, false),
    Row::new(HOST_CALL, "HostCall", Class::Open, true),
    Row::new(ANSWER, "Answer", Class::End, true),
    Row::new(FAILURE, "Failure", Class::End, true),
    Row::new(RESPONSE, "Response", Class::End, true),
    Row::new(ITEM, "Item", Class::Item, true),
    Row::new(DAEMON_DATA, "Data", Class::Data, true),
    Row::new(DAEMON_CREDIT, "Credit", Class::Credit, false),
    Row::new(DAEMON_CANCEL, "Cancel", Class::Cancel, false),
    Row::new(DAEMON_BYE, "Bye", Class::Bye, false),
];

/// What is known of a kind.
pub fn row(kind: u8) -> Option<&'static Row> {
    KINDS.iter().find(|row| row.kind == kind)
}

/// The kind of a class that an end sends, where there is but one.
pub(super) fn of(from: Side, class: Class) -> u8 {
    let row = KINDS.iter().find(|row| row.from == from && row.class == class);
    row.map_or(0, |row| row.kind)
}
