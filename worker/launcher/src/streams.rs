//! The program's streams: lines to it, lines from it, and what it complains about, all bounded.

use crate::fault::Fault;
use casemate_lockdown::link::{Link, LinkError};
use casemate_protocol::link::LOG_LINE_BYTES_MAX;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, read, write};
use std::collections::VecDeque;
use std::os::fd::OwnedFd;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 32 * 1024;
/// Pieces of complaints that are passed on before the program's answer is looked at.
const PIECES_A_TURN: usize = 8;
/// What stands around a body in a line.
const FRAME_BYTES: usize = 4096;
/// Bytes of answers to a program's own requests that wait for it. One that asks and does not listen gets none.
const PENDING_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a complaint that are passed on as one.
const LINE_BYTES_MAX: usize = LOG_LINE_BYTES_MAX as usize;
/// Level of what it complains about.
const WARN: u32 = 3;

/// Why no line came.
#[derive(Debug)]
pub(crate) enum NoLine {
    /// The program is at fault.
    Fault(Fault),
    /// Its line is too long: so many bytes have come so far.
    TooLong(usize),
    /// It has ended. How, the kernel tells the supervisor.
    Ended,
    /// The supervisor is gone.
    Link(LinkError),
}

impl From<LinkError> for NoLine {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}

/// The three streams of a program.
#[derive(Debug)]
pub(crate) struct Streams {
    stdin: OwnedFd,
    stdout: OwnedFd,
    stderr: Option<OwnedFd>,
    /// To be written.
    pending: VecDeque<u8>,
    /// Read.
    read: Vec<u8>,
    /// How much of that has been taken as lines.
    taken: usize,
    /// How much of that is known to have no newline.
    searched: usize,
    complaint: Vec<u8>,
    line_bytes_max: usize,
}

impl Streams {
    pub(crate) fn new(stdin: OwnedFd, stdout: OwnedFd, stderr: OwnedFd, body_bytes_max: u32) -> Self {
        let body_bytes_max = usize::try_from(body_bytes_max).unwrap_or(usize::MAX);
        Self {
            stdin,
            stdout,
            stderr: Some(stderr),
            pending: VecDeque::new(),
            read: Vec::new(),
            taken: 0,
            searched: 0,
            complaint: Vec::new(),
            line_bytes_max: body_bytes_max.saturating_add(FRAME_BYTES),
        }
    }

    /// Sends a line, as soon as the program takes it.
    pub(crate) fn send(&mut self, line: &[u8]) {
        self.pending.extend(line);
        self.pending.push_back(b'\n');
    }

    /// Sends a line if not too many wait.
    pub(crate) fn send_if_room(&mut self, line: &[u8]) {
        if self.pending.len() < PENDING_BYTES_MAX {
            self.send(line);
        }
    }

    /// Waits for the program's next line, without its end.
    pub(crate) fn next_line(&mut self, link: &mut Link) -> Result<Vec<u8>, NoLine> {
        loop {
            if let Some(line) = self.take_line()? {
                return Ok(line);
            }
            let (writable, readable, complains) = self.wait()?;
            if complains {
                self.pass_on(link)?;
            }
            if readable && !self.read_some()? {
                // The streams of a process that ends are closed in their order.
                return Err(if self.is_ended() { NoLine::Ended } else { NoLine::Fault(Fault::OutputClosed) });
            }
            if writable {
                self.write_some()?;
            }
        }
    }

    /// What waits to be read of its complaints.
    pub(crate) fn pass_on(&mut self, link: &mut Link) -> Result<(), LinkError> {
        let mut piece = [0; PIECE_BYTES];
        for _ in 0..PIECES_A_TURN {
            let Some(stderr) = &self.stderr else { break };
            match read(stderr, &mut piece) {
                Ok(0) => self.stderr = None,
                Ok(bytes) => {
                    self.complaint.extend_from_slice(piece.get(..bytes).unwrap_or_default());
                    self.log_lines(link)?;
                }
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// A call is over: a line without an end is a line too.
    pub(crate) fn end_complaint(&mut self, link: &mut Link) -> Result<(), LinkError> {
        self.pass_on(link)?;
        say(link, &std::mem::take(&mut self.complaint))
    }

    fn log_lines(&mut self, link: &mut Link) -> Result<(), LinkError> {
        let mut lines = self.complaint.split(|byte| *byte == b'\n');
        let rest = lines.next_back().unwrap_or_default();
        for line in lines {
            say(link, line)?;
        }
        let is_long = rest.len() >= LINE_BYTES_MAX;
        if is_long {
            say(link, rest)?;
        }
        self.complaint = if is_long { Vec::new() } else { rest.to_vec() };
        Ok(())
    }

    fn take_line(&mut self) -> Result<Option<Vec<u8>>, NoLine> {
        let fresh = self.read.get(self.searched..).unwrap_or_default();
        let end = fresh.iter().position(|byte| *byte == b'\n').map(|at| self.searched + at);
        let bytes = end.unwrap_or(self.read.len()).saturating_sub(self.taken);
        if bytes > self.line_bytes_max {
            return Err(NoLine::TooLong(bytes));
        }
        let Some(end) = end else {
            self.read.drain(..std::mem::take(&mut self.taken));
            self.searched = self.read.len();
            return Ok(None);
        };
        let line = self.read.get(self.taken..end).unwrap_or_default().to_vec();
        self.taken = end + 1;
        self.searched = self.taken;
        Ok(Some(line))
    }

    /// Which of the three has something to do.
    fn wait(&self) -> Result<(bool, bool, bool), NoLine> {
        let mut ends = vec![PollFd::new(&self.stdout, PollFlags::IN)];
        let complaints = self.stderr.as_ref().map(|stderr| {
            ends.push(PollFd::new(stderr, PollFlags::IN));
            ends.len() - 1
        });
        let input = (!self.pending.is_empty()).then(|| {
            ends.push(PollFd::new(&self.stdin, PollFlags::OUT));
            ends.len() - 1
        });
        match poll(&mut ends, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(NoLine::Fault(Fault::NotRead(errno.into()))),
        }
        let any = PollFlags::IN | PollFlags::OUT | PollFlags::HUP | PollFlags::ERR;
        let ready = |at: Option<usize>| {
            at.and_then(|at| ends.get(at)).is_some_and(|end| end.revents().intersects(any))
        };
        Ok((ready(input), ready(Some(0)), ready(complaints)))
    }

    /// `false`: there is no more.
    fn read_some(&mut self) -> Result<bool, NoLine> {
        let mut piece = [0; PIECE_BYTES];
        match read(&self.stdout, &mut piece) {
            Ok(0) => Ok(false),
            Ok(bytes) => {
                self.read.extend_from_slice(piece.get(..bytes).unwrap_or_default());
                Ok(true)
            }
            Err(Errno::INTR | Errno::AGAIN) => Ok(true),
            Err(errno) => Err(NoLine::Fault(Fault::NotRead(errno.into()))),
        }
    }

    fn write_some(&mut self) -> Result<(), NoLine> {
        match write(&self.stdin, self.pending.as_slices().0) {
            Ok(bytes) => {
                self.pending.drain(..bytes);
                Ok(())
            }
            Err(Errno::INTR | Errno::AGAIN) => Ok(()),
            // Its end, if it is one, is told of by its output.
            Err(Errno::PIPE) if !self.is_ended() => Err(NoLine::Fault(Fault::NotWritten(Errno::PIPE.into()))),
            Err(Errno::PIPE) => {
                self.pending.clear();
                Ok(())
            }
            Err(errno) => Err(NoLine::Fault(Fault::NotWritten(errno.into()))),
        }
    }

    /// Whether both its input and its output are closed: a process that ends leaves neither.
    fn is_ended(&self) -> bool {
        let mut ends =
            [PollFd::new(&self.stdin, PollFlags::empty()), PollFd::new(&self.stdout, PollFlags::empty())];
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        let asked = poll(&mut ends, Some(&now)).is_ok();
        asked && ends.iter().all(|end| end.revents().intersects(PollFlags::ERR | PollFlags::HUP))
    }
}

/// Sends a line that the program complained with, in as many pieces as it needs.
fn say(link: &mut Link, line: &[u8]) -> Result<(), LinkError> {
    line.chunks(LINE_BYTES_MAX).try_for_each(|piece| link.log(WARN, piece, 0))
}
