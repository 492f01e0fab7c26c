//! Both state machines, as tables: what an end does with a frame that it receives. Code, tests and `PROTOCOL.md` share
//! them.

use super::kind::Class;
use super::violation::ViolationCode as Code;
use std::fmt::Write;

/// How a connection is, as one end sees the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Connection {
    /// The other end has not said who it is.
    AwaitGreeting,
    /// Streams may be opened.
    Open,
    /// The other end opens no more streams.
    Leaving,
    /// It is over.
    Closed,
}

/// How a stream is, as one end sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// The other end may open it: its id is above all that it has opened.
    New,
    /// The other end has opened it, and its body goes on.
    Sending,
    /// The other end has opened it and sent its body; it waits for us.
    Sent,
    /// The other end had opened it; it is over.
    PeerOver,
    /// We have opened it and wait for the other end.
    Awaited,
    /// We had opened it; it is over.
    OwnOver,
    /// We may open it and have not.
    Unused,
}

/// What becomes of a connection with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is in this state then.
    To(Connection),
    /// The stream's table says.
    Stream,
    /// The frame breaks a rule; the connection is over.
    Break(Code),
}

/// What becomes of a stream with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is in this state then.
    To(Stream),
    /// It stays.
    Stay,
    /// `Sending` if the frame says that its body goes on, else `Sent`.
    Begin,
    /// `Sent` if the frame ends its body, else it stays.
    Body,
    /// Nothing: the frame crossed the stream's end on its way.
    Ignore,
    /// The frame breaks a rule; the connection is over.
    Break(Code),
}

/// The frames of a connection, in the order of [`CONNECTION`].
pub const CONNECTION_CLASSES: [&str; 4] = ["Hello, Welcome", "Refused", "Bye", "of streams"];

/// State × frame.
pub const CONNECTION: [(Connection, [Turn; 4]); 4] = [
    (
        Connection::AwaitGreeting,
        [
            Turn::To(Connection::Open),
            Turn::To(Connection::Closed),
            Turn::Break(Code::Greeting),
            Turn::Break(Code::Greeting),
        ],
    ),
    (
        Connection::Open,
        [
            Turn::Break(Code::GreetingAgain),
            Turn::To(Connection::Closed),
            Turn::To(Connection::Leaving),
            Turn::Stream,
        ],
    ),
    (
        Connection::Leaving,
        [
            Turn::Break(Code::GreetingAgain),
            Turn::To(Connection::Closed),
            Turn::Break(Code::Closed),
            Turn::Stream,
        ],
    ),
    (Connection::Closed, [Turn::Break(Code::Closed); 4]),
];

/// The frames of a stream, in the order of [`STREAM`].
pub const STREAM_CLASSES: [Class; 6] =
    [Class::Open, Class::Data, Class::Credit, Class::Cancel, Class::Item, Class::End];

/// State × frame. A stream that is opened while the connection is `Leaving` breaks `protocol.closed`.
pub const STREAM: [(Stream, [Step; 6]); 7] = [
    (
        Stream::New,
        [
            Step::Begin,
            Step::Break(Code::StreamUnknown),
            Step::Break(Code::StreamUnknown),
            Step::Break(Code::StreamUnknown),
            Step::Break(Code::StreamUnknown),
            Step::Break(Code::StreamUnknown),
        ],
    ),
    (
        Stream::Sending,
        [
            Step::Break(Code::StreamId),
            Step::Body,
            Step::Stay,
            Step::To(Stream::PeerOver),
            Step::Break(Code::StreamDirection),
            Step::Break(Code::StreamDirection),
        ],
    ),
    (
        Stream::Sent,
        [
            Step::Break(Code::StreamId),
            Step::Break(Code::StreamEnded),
            Step::Stay,
            Step::To(Stream::PeerOver),
            Step::Break(Code::StreamDirection),
            Step::Break(Code::StreamDirection),
        ],
    ),
    (
        Stream::PeerOver,
        [
            Step::Break(Code::StreamId),
            Step::Ignore,
            Step::Ignore,
            Step::Ignore,
            Step::Break(Code::StreamDirection),
            Step::Break(Code::StreamDirection),
        ],
    ),
    (
        Stream::Awaited,
        [
            Step::Break(Code::StreamParity),
            Step::Stay,
            Step::Stay,
            Step::Break(Code::StreamDirection),
            Step::Stay,
            Step::To(Stream::OwnOver),
        ],
    ),
    (
        Stream::OwnOver,
        [
            Step::Break(Code::StreamParity),
            Step::Ignore,
            Step::Ignore,
            Step::Break(Code::StreamDirection),
            Step::Ignore,
            Step::Ignore,
        ],
    ),
    (
        Stream::Unused,
        [
            Step::Break(Code::StreamParity),
            Step::Break(Code::StreamUnknown),
            Step::Break(Code::StreamUnknown),
            Step::Break(Code::StreamUnknown),
            Step::Break(Code::StreamUnknown),
            Step::Break(Code::StreamUnknown),
        ],
    ),
];

impl Connection {
    /// Its name in `PROTOCOL.md`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AwaitGreeting => "AwaitGreeting",
            Self::Open => "Open",
            Self::Leaving => "Leaving",
            Self::Closed => "Closed",
        }
    }

    /// What becomes of it with a frame of this class.
    pub fn turn(self, class: Class) -> Turn {
        let column = match class {
            Class::Greeting => 0,
            Class::Refused => 1,
            Class::Bye => 2,
            Class::Open | Class::Data | Class::Credit | Class::Cancel | Class::Item | Class::End => 3,
        };
        let row = CONNECTION.iter().find(|(state, _)| *state == self);
        row.and_then(|(_, turns)| turns.get(column)).copied().unwrap_or(Turn::Break(Code::Closed))
    }
}

impl Stream {
    /// Its name in `PROTOCOL.md`.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "New",
            Self::Sending => "Sending",
            Self::Sent => "Sent",
            Self::PeerOver => "PeerOver",
            Self::Awaited => "Awaited",
            Self::OwnOver => "OwnOver",
            Self::Unused => "Unused",
        }
    }

    /// What becomes of it with a frame of this class.
    pub fn step(self, class: Class) -> Step {
        let column = STREAM_CLASSES.iter().position(|known| *known == class);
        let row = STREAM.iter().find(|(state, _)| *state == self);
        let step = row.zip(column).and_then(|((_, steps), column)| steps.get(column));
        step.copied().unwrap_or(Step::Break(Code::StreamUnknown))
    }
}

/// Both tables and the codes, as `PROTOCOL.md` has them.
pub fn markdown() -> String {
    let mut text = String::new();
    let mut line = |cells: Vec<String>| {
        // A String takes every write.
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    };
    let rule = |columns: usize| vec!["---".to_owned(); columns];
    line(["connection".to_owned()].into_iter().chain(CONNECTION_CLASSES.map(str::to_owned)).collect());
    line(rule(CONNECTION_CLASSES.len() + 1));
    for (state, turns) in CONNECTION {
        line([state.name().to_owned()].into_iter().chain(turns.map(turn_words)).collect());
    }
    line(Vec::new());
    let classes = STREAM_CLASSES.map(|class| format!("{class:?}"));
    line(["stream".to_owned()].into_iter().chain(classes).collect());
    line(rule(STREAM_CLASSES.len() + 1));
    for (state, steps) in STREAM {
        line([state.name().to_owned()].into_iter().chain(steps.map(step_words)).collect());
    }
    line(Vec::new());
    line(vec!["code of `Refused`".to_owned(), "what the other end did".to_owned()]);
    line(rule(2));
    for code in Code::all() {
        line(vec![format!("`{}`", code.name()), code.meaning().to_owned()]);
    }
    text.replace("|  |\n", "\n")
}

fn turn_words(turn: Turn) -> String {
    match turn {
        Turn::To(state) => format!("→ {}", state.name()),
        Turn::Stream => "its stream's table".to_owned(),
        Turn::Break(code) => format!("`{}`", code.name()),
    }
}

fn step_words(step: Step) -> String {
    match step {
        Step::To(state) => format!("→ {}", state.name()),
        Step::Stay => "stays".to_owned(),
        Step::Begin => "→ Sending if `more`, else Sent".to_owned(),
        Step::Body => "→ Sent if `end`, else stays".to_owned(),
        Step::Ignore => "ignored".to_owned(),
        Step::Break(code) => format!("`{}`", code.name()),
    }
}
