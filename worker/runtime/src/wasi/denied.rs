//! Sockets of WASI 0.1, which only act on those that a program was given: there are none. What they answer is WASI's own; the
//! log says what would have to be granted.

use crate::abi::{log_in, memory_of};
use crate::guest::State;
use wasmtime::{Caller, Linker};
use wasmtime_wasi::p1::wasi_snapshot_preview1 as wasi;
use wiggle::GuestMemory;

const MODULE: &str = "wasi_snapshot_preview1";
const WARN: i32 = 3;

/// Says so, and has WASI answer.
macro_rules! denied {
    ($caller:expr, $function:ident, $($argument:expr),*) => {{
        let sentence = network_is_denied(MODULE, stringify!($function));
        log_in($caller.data_mut(), WARN, sentence.as_bytes())?;
        let memory = memory_of(&mut $caller)?;
        let (bytes, state) = memory.data_and_store_mut(&mut $caller);
        wasi::$function(state.around.context(), &mut GuestMemory::Unshared(bytes), $($argument),*)
    }};
}

/// Puts them in the place of WASI's own, which the linker must allow.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "sock_accept",
        |mut caller: Caller<'_, State>, fd: i32, flags: i32, told: i32| {
            denied!(caller, sock_accept, fd, flags, told)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "sock_recv",
        |mut caller: Caller<'_, State>, fd: i32, data: i32, count: i32, how: i32, told: i32, flags: i32| {
            denied!(caller, sock_recv, fd, data, count, how, told, flags)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "sock_send",
        |mut caller: Caller<'_, State>, fd: i32, data: i32, count: i32, how: i32, told: i32| {
            denied!(caller, sock_send, fd, data, count, how, told)
        },
    )?;
    linker.func_wrap(MODULE, "sock_shutdown", |mut caller: Caller<'_, State>, fd: i32, how: i32| {
        denied!(caller, sock_shutdown, fd, how)
    })?;
    Ok(())
}

/// What the log says of a function of the network.
pub(crate) fn network_is_denied(interface: &str, function: &str) -> String {
    format!("{interface}#{function} is denied: permissions.network grants nothing in this version")
}
