//! Our end of a control socket.

use super::registered::Registered;
use casemate_protocol::outcome::{Cause, Failure, LimitName, escape};
use casemate_protocol::spawn::Encode;
use casemate_protocol::spawn::{ControlUp, PACKET_BYTES_MAX, Report, encode_down};
use casemate_sys::packet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

/// A connected control socket. Any surprise on it is the end of the whole tree of processes.
#[derive(Debug)]
pub(crate) struct Control {
    socket: Registered,
    /// Where a packet is received: made once, for clearing so much takes longer than all else here.
    buffer: Mutex<Vec<u8>>,
}

/// What may go wrong here, as the end of a spawn.
pub(crate) fn broken(step: &str, message: impl ToString) -> Failure {
    Failure::not_started(Cause::Spawn { step: step.to_owned(), message: message.to_string() })
}

impl Control {
    /// Takes a non-blocking socket. Needs a tokio runtime with I/O around it.
    pub(crate) fn new(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self { socket: Registered::new(socket)?, buffer: Mutex::new(vec![0; PACKET_BYTES_MAX]) })
    }

    /// Sends an order.
    pub(crate) async fn send(
        &self,
        step: &str,
        order: &impl Encode,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), Failure> {
        let bytes = encode_down(order).map_err(|error| broken(step, error))?;
        loop {
            match packet::send(self.socket.get_ref().as_fd(), &bytes, descriptors) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.socket.has_room().await.map_err(|error| broken(step, error))?;
                }
                sent => return sent.map_err(|error| broken(step, error)),
            }
        }
    }

    /// Waits for a report with as many descriptors as `expected` allows.
    pub(crate) async fn receive(
        &self,
        step: &str,
        expected: impl Fn(usize) -> bool,
    ) -> Result<(Report, Vec<OwnedFd>), Failure> {
        let received = loop {
            let mut ready = self.socket.readable().await.map_err(|error| broken(step, error))?;
            // A failure report carries no descriptor where one was due.
            let allowed = |count: usize| count == 0 || expected(count);
            let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
            match ready.try_io(|socket| packet::receive(socket.get_ref().as_fd(), &mut buffer, allowed)) {
                Ok(Ok(Some((bytes, fds)))) => {
                    break Ok(Some((ControlUp::parse(buffer.get(..bytes).unwrap_or_default()), fds)));
                }
                Ok(received) => break received.map(|_end| None),
                Err(_would_block) => {}
            }
        };
        let (report, fds) = received
            .map_err(|error| broken(step, error))?
            .ok_or_else(|| broken(step, "the process ended before it reported"))?;
        match report {
            Some(Report::Failed(failed)) => Err(failure(failed)),
            Some(report) if expected(fds.len()) => {
                let fds = fds
                    .into_iter()
                    .map(super::stub::off_the_standard_descriptors)
                    .collect::<io::Result<_>>()
                    .map_err(|error| broken(step, error))?;
                Ok((report, fds))
            }
            _ => Err(broken(step, "it sent something else than it must")),
        }
    }
}

fn failure(failed: casemate_protocol::spawn::FailedReport) -> Failure {
    if let Some(limit) = LimitName::from_number(failed.limit) {
        return Failure::not_started(Cause::Limit {
            limit,
            configured: failed.limit_configured,
            observed: failed.limit_observed,
        });
    }
    broken(&escape(&failed.step, 200), escape(&failed.message, 2000))
}
