//! What every dialect's imports come down to: a call to the host, a log line, a look at the deadline.

use super::memory::{Block, read};
use crate::epoch;
use crate::fault::Fault;
#[cfg(feature = "wasi")]
use crate::guest::SharedLink;
use crate::guest::State;
use casemate_lockdown::link::{Link, LinkError};
#[cfg(feature = "wasi")]
use casemate_protocol::link::CONTENT_RAW;
use casemate_protocol::link::{HostCall, HostStatus, LOG_LINE_BYTES_MAX, METHOD_BYTES_MAX};
use casemate_sys::process::exit_now;
use std::sync::MutexGuard;
#[cfg(feature = "wasi")]
use std::sync::PoisonError;
use wasmtime::{Caller, Memory};

/// The host's answer.
pub(crate) struct HostAnswer {
    pub(crate) is_error: bool,
    pub(crate) content_type: u32,
    pub(crate) body: Vec<u8>,
}

/// The memory that a guest's pointers mean.
pub(crate) fn memory(caller: &mut Caller<'_, State>) -> Result<Memory, Fault> {
    match caller.data().memory {
        Some(memory) => Ok(memory),
        // An import called by a start function, before `bind` has looked.
        None => caller
            .get_export("memory")
            .and_then(wasmtime::Extern::into_memory)
            .ok_or_else(|| Fault::Abi("it exports no memory".to_owned())),
    }
}

/// Calls the host and waits.
pub(crate) fn call(
    caller: &mut Caller<'_, State>,
    method: &str,
    content_type: u32,
    body: &[u8],
) -> Result<HostAnswer, Fault> {
    call_in(caller.data_mut(), method, content_type, body)
}

/// The same, for whoever has the store's data and no caller.
pub(crate) fn call_in(
    state: &mut State,
    method: &str,
    content_type: u32,
    body: &[u8],
) -> Result<HostAnswer, Fault> {
    if method.len() > METHOD_BYTES_MAX {
        return Err(Fault::Abi(format!(
            "a host call's method has {} bytes; {METHOD_BYTES_MAX} are allowed",
            method.len()
        )));
    }
    Fault::unless_output_fits(body.len(), state.output_bytes_max)?;
    let call = HostCall { method: method.to_owned(), content_type };
    let (status, content_type, body) = or_exit(link(state)?.host_call(&call, body));
    Ok(HostAnswer { is_error: status != HostStatus::Ok, content_type, body })
}

/// Asks the supervisor something of our own; nothing if it says no.
#[cfg(feature = "wasi")]
pub(crate) fn ask(link: &SharedLink, method: &str, body: &[u8]) -> Option<Vec<u8>> {
    let call = HostCall { method: method.to_owned(), content_type: CONTENT_RAW };
    let mut link = link.lock().unwrap_or_else(PoisonError::into_inner);
    let (status, _, body) = or_exit(link.host_call(&call, body));
    (status == HostStatus::Ok).then_some(body)
}

/// Logs a line of the guest, cut to what a frame takes.
pub(crate) fn log(caller: &mut Caller<'_, State>, level: i32, block: Block) -> Result<(), Fault> {
    let memory = memory(caller)?;
    let kept = Block { length: block.length.min(LOG_LINE_BYTES_MAX), ..block };
    // The whole block must lie inside, also the part that is cut.
    read(memory, caller, block, "a log line")?;
    let line = read(memory, caller, kept, "a log line")?.to_vec();
    let cut_bytes = u64::from(block.length.saturating_sub(kept.length));
    say(caller.data(), level, &line, cut_bytes)
}

/// Logs a line that has left the guest's memory already.
pub(crate) fn log_in(state: &mut State, level: i32, line: &[u8]) -> Result<(), Fault> {
    let kept = usize::try_from(LOG_LINE_BYTES_MAX).unwrap_or(usize::MAX).min(line.len());
    let (line, cut) = line.split_at_checked(kept).unwrap_or((line, &[]));
    say(state, level, line, u64::try_from(cut.len()).unwrap_or(u64::MAX))
}

/// A line that is as short as it has to be.
fn say(state: &State, level: i32, line: &[u8], cut_bytes: u64) -> Result<(), Fault> {
    let level = u32::try_from(level.clamp(0, 4)).unwrap_or(2);
    or_exit(link(state)?.log(level, line, cut_bytes));
    Ok(())
}

/// Whether the running call is over its deadline.
pub(crate) fn is_cancelled() -> bool {
    epoch::is_over()
}

fn link(state: &State) -> Result<MutexGuard<'_, Link>, Fault> {
    // Only a guest that runs before the worker is confined could see this, and none does.
    state.link().ok_or_else(|| Fault::Abi("it called the host before it was set up".to_owned()))
}

/// A link that fails inside a guest's import leaves nothing to go back to.
fn or_exit<T>(result: Result<T, LinkError>) -> T {
    match result {
        Ok(value) => value,
        Err(LinkError::Closed) => exit_now(0),
        Err(_) => exit_now(3),
    }
}
