//! The worker's end of its link: blocking reads and writes on descriptor 0.

use casemate_protocol::frame::Decoder;
use casemate_protocol::link::{
    CallResult, DownBounds, HostCall, HostStatus, LinkViolation, Misuse, Setup, WorkerLink,
};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

/// Room for most answers.
const SMALL_FRAME_BYTES: usize = 512;

/// The link is gone or its peer is not a supervisor: nothing is left to do but to exit.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("the link failed: {0}")]
    Io(#[from] io::Error),
    #[error("the supervisor sent {0}")]
    Violation(#[from] LinkViolation),
    #[error("this worker wanted to send what it must not: {0}")]
    Misuse(#[from] Misuse),
    #[error("the supervisor closed the link")]
    Closed,
}

/// What the supervisor wants next. Owned: the guest is called while the link is used for its host calls.
#[derive(Debug)]
pub(crate) enum Job {
    Setup(Setup, Vec<u8>),
    Call { method: String, content_type: u32, body: Vec<u8>, streams: bool },
    Describe,
    Event { topic: String, content_type: u32, body: Vec<u8> },
    HostResult { status: HostStatus, content_type: u32, body: Vec<u8> },
    Shutdown,
}

/// What a link needs besides its socket. Made before the fork, so that no worker has to allocate it.
#[derive(Debug)]
pub(crate) struct Buffers {
    decoder: Decoder<DownBounds>,
    out: Vec<u8>,
}

impl Buffers {
    pub(crate) fn new(bounds: DownBounds) -> Self {
        let mut decoder = Decoder::new(bounds);
        decoder.spare();
        Self { decoder, out: Vec::with_capacity(SMALL_FRAME_BYTES) }
    }
}

/// A link that host functions and streams of the guest reach; one thread, so nobody ever waits for it.
pub(crate) type SharedLink = Arc<Mutex<Link>>;

/// A connected link.
#[derive(Debug)]
pub(crate) struct Link {
    socket: OwnedFd,
    decoder: Decoder<DownBounds>,
    machine: WorkerLink,
    out: Vec<u8>,
}

impl Link {
    /// Says Ready.
    pub(crate) fn open(
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
    pub(crate) fn next(&mut self) -> Result<Job, LinkError> {
        use casemate_protocol::link::Down;
        loop {
            if let Some(frame) = self.decoder.next_frame().map_err(LinkViolation::from)? {
                return Ok(match self.machine.receive(frame)? {
                    Down::Setup(setup, config) => Job::Setup(setup, config.to_vec()),
                    Down::Call(call, _) if call.describe => Job::Describe,
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
            match rustix::io::read(&self.socket, self.decoder.spare()) {
                Ok(0) => return Err(LinkError::Closed),
                Ok(bytes) => self.decoder.filled(bytes),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(LinkError::Io(errno.into())),
            }
        }
    }

    /// Sends a log line of the guest.
    pub(crate) fn log(&mut self, level: u32, line: &[u8], cut_bytes: u64) -> Result<(), LinkError> {
        self.machine.log(&mut self.out, level, line, cut_bytes)?;
        self.flush()
    }

    /// Calls the host and waits for its answer.
    pub(crate) fn host_call(
        &mut self,
        call: &HostCall,
        body: &[u8],
    ) -> Result<(HostStatus, u32, Vec<u8>), LinkError> {
        self.machine.host_call(&mut self.out, call, body)?;
        self.flush()?;
        match self.next()? {
            Job::HostResult { status, content_type, body } => Ok((status, content_type, body)),
            // The machine lets nothing else through in this state.
            _ => Err(LinkError::Closed),
        }
    }

    /// Ends the call.
    pub(crate) fn result(&mut self, result: &CallResult, body: &[u8]) -> Result<(), LinkError> {
        self.machine.result(&mut self.out, result, body)?;
        self.flush()
    }

    fn flush(&mut self) -> Result<(), LinkError> {
        let mut rest = self.out.as_slice();
        while !rest.is_empty() {
            match rustix::io::write(&self.socket, rest) {
                Ok(0) => return Err(LinkError::Closed),
                Ok(bytes) => rest = rest.get(bytes..).unwrap_or_default(),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(LinkError::Io(errno.into())),
            }
        }
        self.out.clear();
        Ok(())
    }
}
