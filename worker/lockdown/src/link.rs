//! The far end of a link: a worker's or a bridge's, with blocking reads and writes.
//!
//! What may be said when is the machine's in `casemate-protocol`.

use casemate_protocol::frame::Decoder;
use casemate_protocol::link::{
    CallResult, DownBounds, HostCall, HostStatus, LinkViolation, Misuse, Setup, TURN_POLL, TURN_STOP,
    WorkerLink,
};
use nix::errno::Errno;
use std::io;
use std::os::fd::OwnedFd;

/// Room for most answers.
const SMALL_FRAME_BYTES: usize = 512;

/// The link is gone or its peer is not a supervisor: nothing is left to do but to exit.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// A system call on it failed.
    #[error("the link failed: {0}")]
    Io(#[from] io::Error),
    /// Its peer broke the protocol.
    #[error("the supervisor sent {0}")]
    Violation(#[from] LinkViolation),
    /// This end was about to.
    #[error("this process wanted to send what it must not: {0}")]
    Misuse(#[from] Misuse),
    /// There is no peer any more.
    #[error("the supervisor closed the link")]
    Closed,
}

impl LinkError {
    /// There is nobody left to tell; this is what the kernel reports to the supervisor.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Closed => 0,
            Self::Io(_) => 3,
            Self::Violation(_) => 4,
            Self::Misuse(_) => 5,
        }
    }
}

/// What a guest is told besides calls and events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Time has passed.
    Poll,
    /// Its end is near.
    Stop,
}

/// What the supervisor wants next. Owned: the guest is called while the link is used for its host calls.
#[derive(Debug)]
pub enum Job {
    /// To be set up, with this configuration.
    Setup(Setup, Vec<u8>),
    /// An answer to a call.
    Call {
        /// What is called.
        method: String,
        /// What the body is.
        content_type: u32,
        /// What it is called with.
        body: Vec<u8>,
        /// Whether the body comes, and the answer may go, in pieces.
        streams: bool,
    },
    /// What the guest says of itself.
    Describe,
    /// A turn.
    Turn(Turn),
    /// That the guest is told of an event.
    Event {
        /// What it is of.
        topic: String,
        /// What the body is.
        content_type: u32,
        /// What is told.
        body: Vec<u8>,
    },
    /// Nothing: this answers a call of the host.
    HostResult {
        /// What came of it.
        status: HostStatus,
        /// What the body is.
        content_type: u32,
        /// The answer.
        body: Vec<u8>,
    },
    /// The end.
    Shutdown,
}

/// What a link needs besides its socket. Made before the fork, so that no worker has to allocate it.
#[derive(Debug)]
pub struct Buffers {
    decoder: Decoder<DownBounds>,
    out: Vec<u8>,
}

impl Buffers {
    /// Empty ones, for frames within `bounds`.
    pub fn new(bounds: DownBounds) -> Self {
        let mut decoder = Decoder::new(bounds);
        decoder.spare();
        Self { decoder, out: Vec::with_capacity(SMALL_FRAME_BYTES) }
    }
}

/// A connected link.
#[derive(Debug)]
pub struct Link {
    socket: OwnedFd,
    decoder: Decoder<DownBounds>,
    machine: WorkerLink,
    out: Vec<u8>,
}

impl Link {
    /// Says Ready.
    pub fn open(
        socket: OwnedFd,
        buffers: Buffers,
        layers: u32,
        data_limit_bytes: u64,
    ) -> Result<Self, LinkError> {
        let Buffers { decoder, mut out } = buffers;
        let machine = WorkerLink::ready(&mut out, layers, data_limit_bytes)?;
        let mut link = Self { socket, decoder, machine, out };
        link.flush()?;
        Ok(link)
    }

    /// Waits for the next frame.
    pub fn next_job(&mut self) -> Result<Job, LinkError> {
        use casemate_protocol::link::Down;
        loop {
            if let Some(frame) = self.decoder.next_frame().map_err(LinkViolation::from)? {
                return Ok(match self.machine.receive(frame)? {
                    Down::Setup(setup, config) => Job::Setup(setup, config.to_vec()),
                    Down::Call(call, _) if call.describe => Job::Describe,
                    Down::Call(call, _) if call.turn == TURN_POLL => Job::Turn(Turn::Poll),
                    Down::Call(call, _) if call.turn == TURN_STOP => Job::Turn(Turn::Stop),
                    Down::Call(call, body) if call.event => Job::Event {
                        topic: call.method,
                        content_type: call.content_type,
                        body: body.to_vec(),
                    },
                    Down::Call(call, body) => Job::Call {
                        method: call.method,
                        content_type: call.content_type,
                        body: body.to_vec(),
                        streams: call.streams,
                    },
                    Down::HostResult(status, content_type, body) => {
                        Job::HostResult { status, content_type, body: body.to_vec() }
                    }
                    Down::Shutdown => Job::Shutdown,
                });
            }
            match nix::unistd::read(&self.socket, self.decoder.spare()) {
                Ok(0) => return Err(LinkError::Closed),
                Ok(bytes) => self.decoder.filled(bytes),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(LinkError::Io(errno.into())),
            }
        }
    }

    /// Sends a log line of the guest.
    pub fn log(&mut self, level: u32, line: &[u8], cut_bytes: u64) -> Result<(), LinkError> {
        self.machine.log(&mut self.out, level, line, cut_bytes)?;
        self.flush()
    }

    /// Calls the host and waits for its answer.
    pub fn host_call(
        &mut self,
        call: &HostCall,
        body: &[u8],
    ) -> Result<(HostStatus, u32, Vec<u8>), LinkError> {
        self.machine.host_call(&mut self.out, call, body)?;
        self.flush()?;
        match self.next_job()? {
            Job::HostResult { status, content_type, body } => Ok((status, content_type, body)),
            // The machine lets nothing else through in this state.
            _ => Err(LinkError::Closed),
        }
    }

    /// Ends the call.
    pub fn result(&mut self, result: &CallResult, body: &[u8]) -> Result<(), LinkError> {
        self.machine.result(&mut self.out, result, body)?;
        self.flush()
    }

    fn flush(&mut self) -> Result<(), LinkError> {
        let mut rest = self.out.as_slice();
        while !rest.is_empty() {
            match nix::unistd::write(&self.socket, rest) {
                Ok(0) => return Err(LinkError::Closed),
                Ok(bytes) => rest = rest.get(bytes..).unwrap_or_default(),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(LinkError::Io(errno.into())),
            }
        }
        self.out.clear();
        Ok(())
    }
}
