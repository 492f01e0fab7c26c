//! A worker's life: Ready, set-up, then one call after the other until the link ends.

use crate::abi::{Answer as GuestAnswer, Given};
use crate::fault::Fault;
use crate::guest::Guest;
use casemate_lockdown::link::{Job, Link, LinkError};
use casemate_lockdown::{Confined, Spawned};
use casemate_protocol::certificate::{Layer, LayerSet};
use casemate_protocol::link::{CallResult, Setup, Status};
use casemate_sys::process::exit_now;
use std::sync::MutexGuard;

/// How a call is answered: method, content type and body in, the result and its body out.
pub type Answer = fn(&mut Guest, &str, u32, &[u8]) -> (CallResult, Vec<u8>);

/// Takes the last wall, then serves calls until the supervisor is gone or asks for the end.
pub fn serve(spawned: Spawned, guest: &mut Guest) -> ! {
    // A worker that could not be confined has nobody to say so to; the supervisor sees one that ends before it is ready.
    let Ok(confined) = spawned.confine() else { exit_now(6) };
    serve_confined(confined, guest, answer)
}

/// Serves calls behind the last wall.
pub fn serve_confined(confined: Confined, guest: &mut Guest, answer: Answer) -> ! {
    exit_now(run(confined, guest, answer).map_or_else(|error| error.exit_code(), |()| 0))
}

fn run(confined: Confined, guest: &mut Guest, answer: Answer) -> Result<(), LinkError> {
    let (socket, data_limit_bytes) = confined.into_parts();
    let layers: LayerSet = [Layer::Seccomp, Layer::ResourceLimits, Layer::Descriptors].into_iter().collect();
    let buffers = guest.take_buffers();
    guest.attach(Link::open(socket, buffers, layers.bits(), data_limit_bytes)?);
    let mut due: Option<(Setup, Vec<u8>)> = None;
    loop {
        let job = link(guest)?.next_job()?;
        // Set-up is part of the call that comes with it: only then can a guest call its host from there.
        if !matches!(job, Job::Setup(..) | Job::Shutdown)
            && let Some((setup, config)) = due.take()
        {
            set_up(guest, &setup, &config);
        }
        match job {
            Job::Setup(setup, config) => due = Some((setup, config)),
            Job::Call { method, content_type, body, streams } => {
                guest.expect_streams(streams);
                let (result, body) = answer(guest, &method, content_type, &body);
                link(guest)?.result(&result, &body)?;
            }
            Job::Describe => {
                let (result, body) = describe(guest);
                link(guest)?.result(&result, &body)?;
            }
            Job::Event { topic, content_type, body } => {
                let (result, body) = end(guest, |guest| guest.event(&topic, content_type, &body));
                link(guest)?.result(&result, &body)?;
            }
            Job::Turn(turn) => {
                let (result, body) = end(guest, |guest| guest.turn(turn));
                link(guest)?.result(&result, &body)?;
            }
            Job::Shutdown => return Ok(()),
            Job::HostResult { .. } => return Err(LinkError::Closed),
        }
    }
}

fn set_up(guest: &mut Guest, setup: &Setup, config: &[u8]) {
    guest.set_up(Given {
        config: setup.has_config.then_some(config),
        options: &setup.options,
        seed: &setup.seed,
    });
}

fn link(guest: &Guest) -> Result<MutexGuard<'_, Link>, LinkError> {
    guest.link().ok_or(LinkError::Closed)
}

/// Asks the guest.
pub fn answer(guest: &mut Guest, method: &str, content_type: u32, body: &[u8]) -> (CallResult, Vec<u8>) {
    end(guest, |guest| guest.call(method, content_type, body))
}

/// Asks the guest what it is.
fn describe(guest: &mut Guest) -> (CallResult, Vec<u8>) {
    end(guest, Guest::describe)
}

/// What comes of asking a guest that has been set up.
fn end(
    guest: &mut Guest,
    ask: impl FnOnce(&mut Guest) -> Result<GuestAnswer, Fault>,
) -> (CallResult, Vec<u8>) {
    if let Err(fault) = guest.ready() {
        let backtrace = guest.backtrace();
        let (result, body) = fault.into_result();
        return (CallResult { in_setup: true, backtrace, ..result }, body);
    }
    // Adapters make other answers of a guest's: those count.
    let bytes_max = guest.output_bytes_max();
    let answer = ask(guest)
        .and_then(|answer| Fault::unless_output_fits(answer.body.len(), bytes_max).map(|()| answer));
    match answer {
        Ok(answer) => {
            let status = if answer.is_error { Status::GuestError } else { Status::Ok };
            let result = CallResult {
                status: status.into(),
                content_type: answer.content_type,
                memory_bytes: guest.memory_bytes(),
                exit_code: answer.exit_code,
                ..CallResult::default()
            };
            (result, answer.body)
        }
        Err(fault) => {
            let (result, body) = fault.into_result();
            (CallResult { backtrace: guest.backtrace(), ..result }, body)
        }
    }
}
