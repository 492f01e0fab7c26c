//! The walled end of the control socket: descriptor 0 of stub and zygote.

use crate::error::{LockdownError, Step};
use bincode::Decode;
use casemate_protocol::spawn::{
    ControlUp, FILE_BYTES_MAX, FailedReport, ORDER_BYTES_MAX, Report, decode_down, decode_file,
};
use casemate_sys::{descriptors, packet};
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};

/// Reads the file that comes with an order, `bytes` long.
pub fn read_file<T: Decode<()>>(file: &mut File, bytes: u64) -> io::Result<T> {
    let bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes <= FILE_BYTES_MAX);
    let mut text = vec![0; bytes.ok_or(io::ErrorKind::FileTooLarge)?];
    file.rewind()?;
    file.read_exact(&mut text)?;
    decode_file(&text).map_err(io::Error::other)
}

/// The control socket.
#[derive(Debug)]
pub struct Control {
    socket: OwnedFd,
}

impl Control {
    /// Takes descriptor 0, which by the start-up contract is the control socket.
    pub(crate) fn inherited() -> Result<Self, LockdownError> {
        Ok(Self { socket: descriptors::inherited(0).step("taking the control socket")? })
    }

    /// Gives descriptor 0 up without closing it: it is something else by now.
    pub(crate) fn disown(self) {
        let _ = self.socket.into_raw_fd();
    }

    /// Waits for the next packet; `None` when the supervisor is gone.
    pub(crate) fn receive<T: Decode<()>>(
        &self,
        descriptors: impl Fn(usize) -> bool,
    ) -> Result<Option<(T, Vec<OwnedFd>)>, LockdownError> {
        let step = "reading the control socket";
        let mut buffer = [0; ORDER_BYTES_MAX];
        let received = loop {
            match packet::receive(self.socket.as_fd(), &mut buffer, &descriptors) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other.step(step)?,
            }
        };
        let Some((bytes, fds)) = received else { return Ok(None) };
        let value = decode_down(buffer.get(..bytes).unwrap_or_default())
            .map_err(|bad| io::Error::new(io::ErrorKind::InvalidData, bad))
            .step(step)?;
        Ok(Some((value, fds)))
    }

    /// As [`Control::receive`], where the supervisor's end means failure.
    pub(crate) fn expect<T: Decode<()>>(
        &self,
        descriptors: impl Fn(usize) -> bool,
    ) -> Result<(T, Vec<OwnedFd>), LockdownError> {
        self.receive(descriptors)?
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
            .step("reading the control socket")
    }

    /// Tells the supervisor something.
    pub(crate) fn report(&self, report: Report, descriptors: &[BorrowedFd<'_>]) -> Result<(), LockdownError> {
        packet::send(self.socket.as_fd(), &ControlUp::packet(report), descriptors)
            .step("writing the control socket")
    }

    /// Tells the supervisor what failed. Best effort: the sender exits next.
    pub fn fail(&self, report: FailedReport) {
        let _ = self.report(Report::Failed(report), &[]);
    }

    /// Tells the supervisor which step failed.
    pub(crate) fn fail_step(&self, error: &LockdownError) {
        self.fail(FailedReport {
            step: error.step.to_owned(),
            message: error.source.to_string(),
            ..FailedReport::default()
        });
    }
}
