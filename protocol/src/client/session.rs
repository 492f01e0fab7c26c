//! One end of a connection: what it may send, and what it makes of what it receives. Both ends are the same machine; the
//! tables of [`super::table`] decide.

use super::kind::{self, Class, Row};
use super::table::{Connection, Step, Stream, Turn};
use super::violation::{Violation, ViolationCode as Code};
use super::words::Checked;
use super::{
    Answer, Bye, Call, Cancel, Credit, Data, Failure, Follow, Hello, HostCall, HostResult, Item, MAGIC,
    PAYLOAD_BYTES_MAX, Refused, Request, Response, VERSION, WINDOW_BYTES, Welcome,
};
use crate::frame::{Frame, encode_within, split_within};
use prost::Message;
use std::collections::BTreeMap;

/// The ends of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// It connects; its streams have odd ids.
    Client,
    /// It listens; its streams have even ids.
    Daemon,
}

impl Side {
    /// The other end.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Daemon,
            Self::Daemon => Self::Client,
        }
    }

    fn owns(self, id: u64) -> bool {
        (id % 2 == 1) == (self == Self::Client) && id != 0
    }
}

/// What a stream is opened for.
#[derive(Debug, Clone, PartialEq)]
pub enum Opening {
    /// A call of a plugin.
    Call(Call),
    /// Something to be done.
    Request(Request),
    /// Something to be told.
    Follow(Follow),
    /// A plugin's call of the host.
    HostCall(HostCall),
}

/// How a stream ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// A call's answer.
    Answer(Answer),
    /// None, and why.
    Failure(Failure),
    /// A request's or following's.
    Response(Response),
    /// A host call's.
    HostResult(HostResult),
}

/// What the other end said.
#[derive(Debug, Clone, PartialEq)]
pub enum Received<'a> {
    /// Who the client is.
    Hello(Hello),
    /// The daemon goes on.
    Welcome(Welcome),
    /// It does not.
    Refused(Refused),
    /// It opens nothing more.
    Bye(Bye),
    /// A new stream, the beginning of its body, and whether that goes on.
    Open(u64, Opening, &'a [u8], bool),
    /// More of a body, and whether that ends the body of the stream's opener.
    Data(u64, &'a [u8], bool),
    /// So many bytes more may be sent.
    Credit(u64, u32),
    /// It has given up its stream.
    Cancel(u64),
    /// One of what is followed.
    Item(u64, Item, &'a [u8]),
    /// The end of our stream, and of its body.
    End(u64, Ending, &'a [u8]),
    /// Nothing: it crossed the end of its stream.
    Late,
}

/// What this end may not send now: the stream is over, or its window closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    /// The connection does not carry streams, or no new ones.
    #[error("the connection is not open")]
    NotOpen,
    /// The stream is over, or not ours to do that with.
    #[error("stream {0} is over")]
    StreamOver(u64),
    /// Its credit does not cover that, or the frame is too long.
    #[error("{bytes} bytes are more than stream {id} may send now")]
    Credit {
        /// The stream.
        id: u64,
        /// What was to be sent.
        bytes: usize,
    },
}

/// What is remembered of a stream that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open {
    state: Stream,
    opened_by: u8,
    /// Bytes that may still be received, and sent.
    inward: u32,
    outward: u32,
}

/// One end of a connection.
#[derive(Debug)]
pub struct Session {
    side: Side,
    /// What the other end may do.
    connection: Connection,
    /// What this end may do.
    own: Connection,
    own_next: u64,
    peer_last: u64,
    streams: BTreeMap<u64, Open>,
}

impl Session {
    /// A connection on which nobody has spoken.
    pub fn new(side: Side) -> Self {
        let own_next = match side {
            Side::Client => 1,
            Side::Daemon => 2,
        };
        let (connection, own) = (Connection::AwaitGreeting, Connection::AwaitGreeting);
        Self { side, connection, own, own_next, peer_last: 0, streams: BTreeMap::new() }
    }

    /// Whether the other end has said who it is.
    pub fn is_greeted(&self) -> bool {
        self.connection != Connection::AwaitGreeting
    }

    /// Streams that the other end has opened and that are not over.
    pub fn open_by_peer(&self) -> usize {
        self.streams.keys().filter(|id| !self.side.owns(**id)).count()
    }

    /// Whether no stream is open.
    pub fn is_idle(&self) -> bool {
        self.streams.is_empty()
    }

    /// Whether a stream is open.
    pub fn is_open(&self, id: u64) -> bool {
        self.streams.contains_key(&id)
    }

    /// Bytes of body that may be sent on a stream now.
    pub fn window(&self, id: u64) -> Option<u32> {
        self.streams.get(&id).map(|stream| stream.outward)
    }

    /// Takes a frame from the other end.
    pub fn receive<'a>(&mut self, frame: Frame<'a>) -> Result<Received<'a>, Violation> {
        let received = self.step(frame);
        if received.is_err() {
            self.close();
        }
        received
    }

    fn close(&mut self) {
        self.connection = Connection::Closed;
        self.own = Connection::Closed;
        self.streams.clear();
    }

    fn step<'a>(&mut self, frame: Frame<'a>) -> Result<Received<'a>, Violation> {
        let Some(row) = kind::row(frame.kind).filter(|row| row.from != self.side) else {
            return Err(Violation::of_connection(Code::Frame, "a kind that this end sends", self.connection));
        };
        match self.connection.turn(row.class) {
            Turn::Break(code) => Err(Violation::of_connection(code, row.name, self.connection)),
            Turn::Stream => self.stream_step(row, frame),
            Turn::To(next) => {
                let received = self.of_connection(row, &frame)?;
                self.connection = next;
                if next == Connection::Closed {
                    self.close();
                }
                Ok(received)
            }
        }
    }

    fn of_connection<'a>(&self, row: &Row, frame: &Frame<'a>) -> Result<Received<'a>, Violation> {
        if frame.id != 0 {
            return Err(Violation::of_field(row.name, "id"));
        }
        Ok(match frame.kind {
            kind::HELLO => {
                let hello: Hello = message(row, frame)?.0;
                if hello.magic != MAGIC {
                    return Err(Violation::of_connection(Code::Magic, row.name, self.connection));
                }
                if hello.version_min > VERSION || hello.version_max < VERSION {
                    return Err(version_skew(hello.version_min, hello.version_max));
                }
                Received::Hello(hello)
            }
            kind::WELCOME => {
                let welcome: Welcome = message(row, frame)?.0;
                if welcome.version != VERSION {
                    return Err(version_skew(welcome.version, welcome.version));
                }
                Received::Welcome(welcome)
            }
            kind::REFUSED => Received::Refused(message(row, frame)?.0),
            _ => Received::Bye(message(row, frame)?.0),
        })
    }

    /// How a stream is.
    fn state(&self, id: u64) -> Stream {
        let is_own = self.side.owns(id);
        match self.streams.get(&id) {
            Some(stream) => stream.state,
            None if is_own && id < self.own_next => Stream::OwnOver,
            None if is_own || id == 0 => Stream::Unused,
            None if id <= self.peer_last => Stream::PeerOver,
            None => Stream::New,
        }
    }

    fn stream_step<'a>(&mut self, row: &Row, frame: Frame<'a>) -> Result<Received<'a>, Violation> {
        let id = frame.id;
        let state = self.state(id);
        let step = state.step(row.class);
        match step {
            Step::Break(code) => return Err(Violation::of_stream(code, row.name, id, state)),
            // Also what is ignored is a frame of its kind.
            Step::Ignore => {
                self.read(row, &frame)?;
                return Ok(Received::Late);
            }
            Step::Begin if self.connection == Connection::Leaving => {
                return Err(Violation::of_connection(Code::Closed, row.name, self.connection));
            }
            Step::Begin | Step::To(_) | Step::Stay | Step::Body => {}
        }
        let received = self.read(row, &frame)?;
        let next = match (step, &received) {
            (Step::Begin, Received::Open(_, _, _, true)) => Stream::Sending,
            (Step::Begin, _) | (Step::Body, Received::Data(_, _, true)) => Stream::Sent,
            (Step::To(next), _) => next,
            _ => state,
        };
        if step == Step::Begin {
            self.peer_last = id;
            self.streams.insert(id, Open::new(next, frame.kind));
        }
        if matches!(next, Stream::PeerOver | Stream::OwnOver) {
            self.streams.remove(&id);
        } else if let Some(stream) = self.streams.get_mut(&id) {
            stream.state = next;
            stream.take(row, id, &received, state)?;
        }
        Ok(received)
    }

    /// The frame's message, looked at.
    fn read<'a>(&self, row: &Row, frame: &Frame<'a>) -> Result<Received<'a>, Violation> {
        let id = frame.id;
        let opened_by = self.streams.get(&id).map(|stream| stream.opened_by);
        let belongs = |to: &[u8]| match opened_by {
            Some(kind) if !to.contains(&kind) => {
                Err(Violation::of_stream(Code::StreamKind, row.name, id, self.state(id)))
            }
            _ => Ok(()),
        };
        Ok(match frame.kind {
            kind::CALL => {
                let (call, body): (Call, _) = message(row, frame)?;
                let more = call.more;
                Received::Open(id, Opening::Call(call), body, more)
            }
            kind::REQUEST => {
                let (request, body): (Request, _) = message(row, frame)?;
                let more = request.more;
                Received::Open(id, Opening::Request(request), body, more)
            }
            kind::FOLLOW => Received::Open(id, Opening::Follow(message(row, frame)?.0), &[], false),
            kind::HOST_CALL => {
                let (call, body): (HostCall, _) = message(row, frame)?;
                let more = call.more;
                Received::Open(id, Opening::HostCall(call), body, more)
            }
            kind::ANSWER => {
                belongs(&[kind::CALL])?;
                let (answer, body) = message(row, frame)?;
                Received::End(id, Ending::Answer(answer), body)
            }
            kind::FAILURE => {
                belongs(&[kind::CALL, kind::REQUEST, kind::FOLLOW])?;
                let (failure, body) = message(row, frame)?;
                Received::End(id, Ending::Failure(failure), body)
            }
            kind::RESPONSE => {
                belongs(&[kind::REQUEST, kind::FOLLOW])?;
                let (response, body) = message(row, frame)?;
                Received::End(id, Ending::Response(response), body)
            }
            kind::HOST_RESULT => {
                let (result, body) = message(row, frame)?;
                Received::End(id, Ending::HostResult(result), body)
            }
            kind::ITEM => {
                belongs(&[kind::FOLLOW])?;
                let (item, body) = message(row, frame)?;
                Received::Item(id, item, body)
            }
            _ => return self.read_flow(row, frame),
        })
    }

    /// What is the same in both directions.
    fn read_flow<'a>(&self, row: &Row, frame: &Frame<'a>) -> Result<Received<'a>, Violation> {
        let id = frame.id;
        Ok(match row.class {
            Class::Data => {
                let (data, body): (Data, _) = message(row, frame)?;
                // Only the opener's body has an end of its own; the other's ends with the stream.
                if data.end && self.side.owns(id) {
                    return Err(Violation::of_field(row.name, "end"));
                }
                // An empty frame would cost no credit.
                if body.is_empty() && !data.end {
                    return Err(Violation::of_field(row.name, "body"));
                }
                Received::Data(id, body, data.end)
            }
            Class::Credit => {
                let (credit, _): (Credit, _) = message(row, frame)?;
                Received::Credit(id, credit.bytes)
            }
            _ => {
                let (Cancel {}, _) = message(row, frame)?;
                Received::Cancel(id)
            }
        })
    }

    /// Says who this end is.
    pub fn hello(&mut self, out: &mut Vec<u8>, hello: &Hello) -> Result<(), Misuse> {
        self.greet(out, kind::HELLO, hello, Side::Client)
    }

    /// Lets the client go on, which has said who it is.
    pub fn welcome(&mut self, out: &mut Vec<u8>, welcome: &Welcome) -> Result<(), Misuse> {
        self.greet(out, kind::WELCOME, welcome, Side::Daemon)
    }

    fn greet(
        &mut self,
        out: &mut Vec<u8>,
        kind: u8,
        message: &impl Message,
        side: Side,
    ) -> Result<(), Misuse> {
        let is_due = self.own == Connection::AwaitGreeting && self.side == side;
        if !is_due || (side == Side::Daemon && self.connection == Connection::AwaitGreeting) {
            return Err(Misuse::NotOpen);
        }
        self.own = Connection::Open;
        self.put(out, kind, 0, message, &[])
    }

    /// Does not go on. Nothing can be sent after it.
    pub fn refuse(&mut self, out: &mut Vec<u8>, refused: &Refused) -> Result<(), Misuse> {
        self.put(out, kind::REFUSED, 0, refused, &[])?;
        self.close();
        Ok(())
    }

    /// Opens no more streams.
    pub fn bye(&mut self, out: &mut Vec<u8>, reason: &str) -> Result<(), Misuse> {
        if self.own != Connection::Open {
            return Err(Misuse::NotOpen);
        }
        self.own = Connection::Leaving;
        let bye = Bye { reason: reason.to_owned() };
        self.put(out, kind::of(self.side, Class::Bye), 0, &bye, &[])
    }

    /// Opens a stream with the beginning of its body.
    pub fn open(&mut self, out: &mut Vec<u8>, opening: &Opening, body: &[u8]) -> Result<u64, Misuse> {
        let (kind, from, more) = match opening {
            Opening::Call(call) => (kind::CALL, Side::Client, call.more),
            Opening::Request(request) => (kind::REQUEST, Side::Client, request.more),
            Opening::Follow(_) => (kind::FOLLOW, Side::Client, false),
            Opening::HostCall(call) => (kind::HOST_CALL, Side::Daemon, call.more),
        };
        let is_open = self.own == Connection::Open && self.connection != Connection::Closed;
        if from != self.side || !is_open || self.connection == Connection::AwaitGreeting {
            return Err(Misuse::NotOpen);
        }
        let id = self.own_next;
        match opening {
            Opening::Call(call) => self.put(out, kind, id, call, body)?,
            Opening::Request(request) => self.put(out, kind, id, request, body)?,
            Opening::Follow(follow) => self.put(out, kind, id, follow, body)?,
            Opening::HostCall(call) => self.put(out, kind, id, call, body)?,
        }
        self.own_next = id.saturating_add(2);
        let mut stream = Open::new(Stream::Awaited, kind);
        if !more {
            stream.outward = 0;
        }
        self.streams.insert(id, stream);
        Ok(id)
    }

    /// Sends more of a body; `end` ends that of a stream's opener.
    pub fn data(&mut self, out: &mut Vec<u8>, id: u64, bytes: &[u8], end: bool) -> Result<(), Misuse> {
        let stream = self.streams.get(&id).ok_or(Misuse::StreamOver(id))?;
        let too_much = Misuse::Credit { id, bytes: bytes.len() };
        let left = u32::try_from(bytes.len()).ok().and_then(|bytes| stream.outward.checked_sub(bytes));
        let left = left.ok_or(too_much)?;
        self.put(out, kind::of(self.side, Class::Data), id, &Data { end }, bytes)?;
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.outward = if end { 0 } else { left };
        }
        Ok(())
    }

    /// Lets the other end send so many bytes more: that much of what it sent has been taken.
    pub fn credit(&mut self, out: &mut Vec<u8>, id: u64, bytes: u32) -> Result<(), Misuse> {
        let stream = self.streams.get_mut(&id).ok_or(Misuse::StreamOver(id))?;
        stream.inward = stream.inward.saturating_add(bytes);
        self.put(out, kind::of(self.side, Class::Credit), id, &Credit { bytes }, &[])
    }

    /// Gives up a stream of our own.
    pub fn cancel(&mut self, out: &mut Vec<u8>, id: u64) -> Result<(), Misuse> {
        if !self.side.owns(id) || self.streams.remove(&id).is_none() {
            return Err(Misuse::StreamOver(id));
        }
        self.put(out, kind::of(self.side, Class::Cancel), id, &Cancel {}, &[])
    }

    /// Tells one of what is followed.
    pub fn item(&mut self, out: &mut Vec<u8>, id: u64, item: &Item, body: &[u8]) -> Result<(), Misuse> {
        match self.streams.get(&id) {
            Some(stream) if stream.opened_by == kind::FOLLOW => self.put(out, kind::ITEM, id, item, body),
            _ => Err(Misuse::StreamOver(id)),
        }
    }

    /// Ends a stream of the other end's.
    pub fn end(&mut self, out: &mut Vec<u8>, id: u64, ending: &Ending, body: &[u8]) -> Result<(), Misuse> {
        if self.side.owns(id) || !self.streams.contains_key(&id) {
            return Err(Misuse::StreamOver(id));
        }
        match ending {
            Ending::Answer(answer) => self.put(out, kind::ANSWER, id, answer, body)?,
            Ending::Failure(failure) => self.put(out, kind::FAILURE, id, failure, body)?,
            Ending::Response(response) => self.put(out, kind::RESPONSE, id, response, body)?,
            Ending::HostResult(result) => self.put(out, kind::HOST_RESULT, id, result, body)?,
        }
        self.streams.remove(&id);
        Ok(())
    }

    fn put(
        &self,
        out: &mut Vec<u8>,
        kind: u8,
        id: u64,
        message: &impl Message,
        body: &[u8],
    ) -> Result<(), Misuse> {
        let too_much = Misuse::Credit { id, bytes: body.len() };
        if u32::try_from(body.len()).map_or(true, |bytes| bytes > PAYLOAD_BYTES_MAX) {
            return Err(too_much);
        }
        let Some(row) = kind::row(kind).filter(|row| row.from == self.side) else {
            return Err(Misuse::NotOpen);
        };
        if self.own == Connection::Closed {
            return Err(Misuse::NotOpen);
        }
        encode_within(out, row.meta_bytes_max(), kind, id, message, body).or(Err(too_much))
    }
}

impl Open {
    fn new(state: Stream, opened_by: u8) -> Self {
        Self { state, opened_by, inward: WINDOW_BYTES, outward: WINDOW_BYTES }
    }

    /// Counts what a frame costs or brings.
    fn take(&mut self, row: &Row, id: u64, received: &Received<'_>, state: Stream) -> Result<(), Violation> {
        match received {
            Received::Data(_, bytes, _) => {
                let left = u32::try_from(bytes.len()).ok().and_then(|bytes| self.inward.checked_sub(bytes));
                let Some(left) = left else {
                    return Err(Violation::of_stream(Code::Credit, row.name, id, state));
                };
                self.inward = left;
            }
            Received::Credit(_, bytes) => self.outward = self.outward.saturating_add(*bytes),
            _ => {}
        }
        Ok(())
    }
}

fn version_skew(min: u32, max: u32) -> Violation {
    let what = format!("the other end speaks versions {min} to {max}, this one {VERSION} to {VERSION}");
    Violation { code: Code::Version, what }
}

fn message<'a, M: Checked>(row: &Row, frame: &Frame<'a>) -> Result<(M, &'a [u8]), Violation> {
    let (message, body): (M, _) = split_within(row.meta_bytes_max(), frame)?;
    if !row.has_body && !body.is_empty() {
        return Err(Violation::of_field(row.name, "body"));
    }
    match message.wrong_field() {
        Some(field) => Err(Violation::of_field(row.name, field)),
        None => Ok((message, body)),
    }
}
