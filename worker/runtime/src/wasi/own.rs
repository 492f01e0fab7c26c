//! Functions of WASI 0.1 by which files grow or become more: before they do it in the plugin's own folder, they ask for room.
//! What they do is WASI's own; `nospc` is what they add.

use super::room::{ONE, SharedRoom, bytes_of, growth, locked};
use crate::abi::{Block, memory_of, read};
use crate::guest::State;
use casemate_protocol::room::Amount;
use wasmtime::{AsContextMut as _, Caller, Linker, Memory};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::types::{Fd, Fdflags};
use wasmtime_wasi::p1::wasi_snapshot_preview1::{self as wasi, WasiSnapshotPreview1 as Wasi};
use wiggle::GuestMemory;

const MODULE: &str = "wasi_snapshot_preview1";

/// Error numbers of WASI 0.1.
const DONE: i32 = 0;
const NO_ENTRY: i32 = 44;
const NO_SPACE: i32 = 51;
const CROSS_DEVICE: i32 = 75;

/// Flags of `path_open`.
const CREATE: i32 = 1;
const EXCLUSIVE: i32 = 4;

/// Bytes of one `ciovec`: address and length.
const CIOVEC_BYTES: u32 = 8;

/// Calls WASI's own function with the guest's memory and the program's context.
macro_rules! original {
    ($caller:expr, $function:ident, $($argument:expr),*) => {{
        let memory = memory_of(&mut $caller)?;
        let fuel = $caller.as_context_mut().hostcall_fuel();
        let (bytes, state) = memory.data_and_store_mut(&mut $caller);
        let context = state.around.context();
        context.set_hostcall_fuel(fuel);
        wasi::$function(context, &mut GuestMemory::Unshared(bytes), $($argument),*).await
    }};
}

/// Puts them in the place of WASI's own, which the linker must allow.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap_async(
        MODULE,
        "fd_write",
        |mut caller: Caller<'_, State>, (fd, data, count, told)| {
            Box::new(async move {
                if let Some(room) = of(&caller, fd) {
                    let bytes = first(&mut caller, data, count)?;
                    if !writes(&mut caller, &room, fd, None, bytes).await {
                        return Ok(NO_SPACE);
                    }
                }
                original!(caller, fd_write, fd, data, count, told)
            })
        },
    )?;
    linker.func_wrap_async(
        MODULE,
        "fd_pwrite",
        |mut caller: Caller<'_, State>, (fd, data, count, offset, told): (i32, i32, i32, i64, i32)| {
            Box::new(async move {
                if let Some(room) = of(&caller, fd) {
                    let bytes = first(&mut caller, data, count)?;
                    if !writes(&mut caller, &room, fd, Some(offset.cast_unsigned()), bytes).await {
                        return Ok(NO_SPACE);
                    }
                }
                original!(caller, fd_pwrite, fd, data, count, offset, told)
            })
        },
    )?;
    linker.func_wrap_async(
        MODULE,
        "fd_filestat_set_size",
        |mut caller: Caller<'_, State>, (fd, size): (i32, i64)| {
            Box::new(async move {
                if let Some(room) = of(&caller, fd)
                    && !writes(&mut caller, &room, fd, Some(0), size.cast_unsigned()).await
                {
                    return Ok(NO_SPACE);
                }
                original!(caller, fd_filestat_set_size, fd, size)
            })
        },
    )?;
    linker.func_wrap_async(
        MODULE,
        "fd_renumber",
        |mut caller: Caller<'_, State>, (from, to): (i32, i32)| {
            Box::new(async move {
                let owned = of(&caller, from).is_some();
                let done = original!(caller, fd_renumber, from, to)?;
                if let Some(room) = caller.data().around.room().filter(|_| done == DONE) {
                    locked(room).note(to.cast_unsigned(), owned);
                }
                Ok(done)
            })
        },
    )?;
    paths(linker)
}

fn paths(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap_async(
        MODULE,
        "path_create_directory",
        |mut caller: Caller<'_, State>, (fd, path, length): (i32, i32, i32)| {
            Box::new(async move {
                if !has_room_for_one(&mut caller, fd).await {
                    return Ok(NO_SPACE);
                }
                original!(caller, path_create_directory, fd, path, length)
            })
        },
    )?;
    linker.func_wrap_async(
        MODULE,
        "path_symlink",
        |mut caller: Caller<'_, State>, (old, old_length, fd, new, new_length): (i32, i32, i32, i32, i32)| {
            Box::new(async move {
                if !has_room_for_one(&mut caller, fd).await {
                    return Ok(NO_SPACE);
                }
                original!(caller, path_symlink, old, old_length, fd, new, new_length)
            })
        },
    )?;
    linker.func_wrap_async(
        MODULE,
        "path_link",
        |mut caller: Caller<'_, State>,
         (old_fd, flags, old, old_length, fd, new, new_length): (i32, i32, i32, i32, i32, i32, i32)| {
            Box::new(async move {
                if comes_in(&caller, old_fd, fd) {
                    return Ok(CROSS_DEVICE);
                }
                if !has_room_for_one(&mut caller, fd).await {
                    return Ok(NO_SPACE);
                }
                original!(caller, path_link, old_fd, flags, old, old_length, fd, new, new_length)
            })
        },
    )?;
    moves(linker)?;
    opens(linker)
}

fn moves(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap_async(
        MODULE,
        "path_rename",
        |mut caller: Caller<'_, State>,
         (old_fd, old, old_length, fd, new, new_length): (i32, i32, i32, i32, i32, i32)| {
            Box::new(async move {
                if comes_in(&caller, old_fd, fd) {
                    return Ok(CROSS_DEVICE);
                }
                original!(caller, path_rename, old_fd, old, old_length, fd, new, new_length)
            })
        },
    )?;
    Ok(())
}

fn opens(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap_async(
        MODULE,
        "path_open",
        |mut caller: Caller<'_, State>,
         (fd, follow, path, length, how, base, inheriting, flags, told): (
            i32,
            i32,
            i32,
            i32,
            i32,
            i64,
            i64,
            i32,
            i32,
        )| {
            Box::new(async move {
                let full = how & CREATE != 0 && !has_room_for_one(&mut caller, fd).await;
                if full && how & EXCLUSIVE != 0 {
                    return Ok(NO_SPACE);
                }
                // What is there already needs no room.
                let how = if full { how & !CREATE } else { how };
                let done = original!(
                    caller, path_open, fd, follow, path, length, how, base, inheriting, flags, told
                )?;
                if done == DONE && caller.data().around.room().is_some() {
                    let memory = memory_of(&mut caller)?;
                    let block = Block { address: told.cast_unsigned(), length: 4 };
                    let opened = read(memory, &caller, block, "the number of what it opened")?;
                    let opened = opened.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
                    let owned = of(&caller, fd).is_some();
                    if let (Some(room), Some(opened)) = (caller.data().around.room(), opened) {
                        locked(room).note(opened, owned);
                    }
                }
                Ok(if full && done == NO_ENTRY { NO_SPACE } else { done })
            })
        },
    )?;
    Ok(())
}

/// The room that a descriptor's growth takes, if it is in the plugin's own folder.
fn of(caller: &Caller<'_, State>, fd: i32) -> Option<SharedRoom> {
    let room = caller.data().around.room()?;
    let owned = locked(room).owns(fd.cast_unsigned());
    owned.then(|| SharedRoom::clone(room))
}

/// Whether something would come into the plugin's own folder without being counted.
fn comes_in(caller: &Caller<'_, State>, from: i32, to: i32) -> bool {
    of(caller, to).is_some() && of(caller, from).is_none()
}

/// Whether a folder can have one thing more.
async fn has_room_for_one(caller: &mut Caller<'_, State>, fd: i32) -> bool {
    match of(caller, fd) {
        Some(room) => take(caller, &room, ONE).await,
        None => true,
    }
}

/// Whether a file can be written to, from a place or from where it is.
async fn writes(
    caller: &mut Caller<'_, State>,
    room: &SharedRoom,
    fd: i32,
    from: Option<u64>,
    bytes: u64,
) -> bool {
    let context = caller.data_mut().around.context();
    let (fd, memory) = (Fd::from(fd.cast_unsigned()), &mut GuestMemory::Unshared(&mut []));
    // What is no file has no size; WASI says so itself then.
    let Ok(stat) = context.fd_filestat_get(memory, fd).await else { return true };
    let need = match from {
        Some(from) => growth(stat.size, from, bytes),
        None => match appends(context, fd).await {
            true => bytes_of(bytes),
            false => growth(stat.size, context.fd_tell(memory, fd).unwrap_or(stat.size), bytes),
        },
    };
    take(caller, room, need).await
}

async fn appends(context: &mut WasiP1Ctx, fd: Fd) -> bool {
    let flags = context.fd_fdstat_get(&mut GuestMemory::Unshared(&mut []), fd).await;
    flags.map_or(true, |stat| stat.fs_flags.contains(Fdflags::APPEND))
}

async fn take(caller: &mut Caller<'_, State>, room: &SharedRoom, need: Amount) -> bool {
    let mut nameless_bytes = 0;
    if !locked(room).has(need) {
        let owned = locked(room).owned();
        for fd in owned {
            let context = caller.data_mut().around.context();
            let memory = &mut GuestMemory::Unshared(&mut []);
            match context.fd_filestat_get(memory, Fd::from(fd)).await {
                Ok(stat) if stat.nlink == 0 => nameless_bytes += stat.size,
                Ok(_) => {}
                // It is closed.
                Err(_) => locked(room).note(fd, false),
            }
        }
    }
    locked(room).take(need, nameless_bytes)
}

/// The length of the first piece that is not empty: WASI writes no more at a time.
fn first(caller: &mut Caller<'_, State>, data: i32, count: i32) -> wasmtime::Result<u64> {
    let memory: Memory = memory_of(caller)?;
    let length = count.cast_unsigned().saturating_mul(CIOVEC_BYTES);
    let block = Block { address: data.cast_unsigned(), length };
    let pieces = read(memory, &*caller, block, "what it writes")?.as_chunks::<{ CIOVEC_BYTES as usize }>().0;
    let mut lengths = pieces.iter().map(|[_, _, _, _, length @ ..]| u32::from_le_bytes(*length));
    Ok(lengths.find(|length| *length > 0).unwrap_or(0).into())
}
