//! Functions of WASI 0.2 by which files grow or become more: before they do it in the plugin's own folder, they ask for room.
//! What they do is WASI's own; `insufficient-space` is what they add. Streams that write to such files are ours.

use crate::guest::State;
use crate::wasi::{ONE, SharedRoom, growth, locked};
use bytes::Bytes;
use rustix::io::{ReadWriteFlags, pwritev2};
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance, Resource};
use wasmtime_wasi::WasiView as _;
use wasmtime_wasi::filesystem::{Descriptor, FsPerms, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::filesystem::preopens::Host as _;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, Host as _, HostDescriptor as _, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynOutputStream, FsResult, OutputStream, Pollable, StreamError, StreamResult};

/// As WASI names them.
const TYPES: &str = "wasi:filesystem/types@0.2.12";
const PREOPENS: &str = "wasi:filesystem/preopens@0.2.12";

/// Bytes that a stream takes at a time.
const PIECE_BYTES_MAX: usize = 64 * 1024;

type Handle = Resource<Descriptor>;
type Answer<T> = wasmtime::Result<(Result<T, ErrorCode>,)>;

/// Puts them in the place of WASI's own.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(PREOPENS)?.func_wrap("get-directories", |store, (): ()| directories(store))?;
    let mut types = linker.instance(TYPES)?;
    types.func_wrap_async(
        "[method]descriptor.open-at",
        |mut store,
         (at, follow, path, how, flags): (Handle, PathFlags, String, OpenFlags, DescriptorFlags)| {
            Box::new(async move { open(&mut store, at, follow, path, how, flags).await })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.write",
        |mut store, (file, data, offset): (Handle, Vec<u8>, u64)| {
            Box::new(async move {
                if !writes(&mut store, &file, offset, u64::try_from(data.len()).unwrap_or(u64::MAX))? {
                    return full();
                }
                let done = store.data_mut().filesystem().write(file, data, offset).await;
                answered(&mut store, done)
            })
        },
    )?;
    types.func_wrap_async("[method]descriptor.set-size", |mut store, (file, size): (Handle, u64)| {
        Box::new(async move {
            if !writes(&mut store, &file, 0, size)? {
                return full();
            }
            let done = store.data_mut().filesystem().set_size(file, size).await;
            answered(&mut store, done)
        })
    })?;
    types.func_wrap("[method]descriptor.write-via-stream", |store, (file, offset): (Handle, u64)| {
        stream(store, file, Some(offset))
    })?;
    types.func_wrap("[method]descriptor.append-via-stream", |store, (file,): (Handle,)| {
        stream(store, file, None)
    })?;
    names(&mut types)
}

/// What gives something a name.
fn names(types: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    types.func_wrap_async(
        "[method]descriptor.create-directory-at",
        |mut store, (at, path): (Handle, String)| {
            Box::new(async move {
                if !has_room_for_one(&mut store, &at) {
                    return full();
                }
                let done = store.data_mut().filesystem().create_directory_at(at, path).await;
                answered(&mut store, done)
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.symlink-at",
        |mut store, (at, old, new): (Handle, String, String)| {
            Box::new(async move {
                if !has_room_for_one(&mut store, &at) {
                    return full();
                }
                let done = store.data_mut().filesystem().symlink_at(at, old, new).await;
                answered(&mut store, done)
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.link-at",
        |mut store, (from, follow, old, to, new): (Handle, PathFlags, String, Handle, String)| {
            Box::new(async move {
                if comes_in(&store, &from, &to) {
                    return Ok((Err(ErrorCode::CrossDevice),));
                }
                if !has_room_for_one(&mut store, &to) {
                    return full();
                }
                let done = store.data_mut().filesystem().link_at(from, follow, old, to, new).await;
                answered(&mut store, done)
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.rename-at",
        |mut store, (from, old, to, new): (Handle, String, Handle, String)| {
            Box::new(async move {
                if comes_in(&store, &from, &to) {
                    return Ok((Err(ErrorCode::CrossDevice),));
                }
                let done = store.data_mut().filesystem().rename_at(from, old, to, new).await;
                answered(&mut store, done)
            })
        },
    )
}

/// What WASI answers, in the words of its interface.
fn answered<T>(store: &mut StoreContextMut<'_, State>, done: FsResult<T>) -> Answer<T> {
    match done {
        Ok(value) => Ok((Ok(value),)),
        Err(error) => Ok((Err(store.data_mut().filesystem().convert_error_code(error)?),)),
    }
}

fn full<T>() -> Answer<T> {
    Ok((Err(ErrorCode::InsufficientSpace),))
}

/// The room that a descriptor's growth takes, if it is in the plugin's own folder.
fn of(store: &StoreContextMut<'_, State>, descriptor: &Handle) -> Option<SharedRoom> {
    let room = store.data().around.room()?;
    let owned = locked(room).owns(descriptor.rep());
    owned.then(|| SharedRoom::clone(room))
}

/// Whether something would come into the plugin's own folder without being counted.
fn comes_in(store: &StoreContextMut<'_, State>, from: &Handle, to: &Handle) -> bool {
    of(store, to).is_some() && of(store, from).is_none()
}

fn has_room_for_one(store: &mut StoreContextMut<'_, State>, at: &Handle) -> bool {
    of(store, at).is_none_or(|room| locked(&room).take(ONE, 0))
}

/// Whether a file can have so many bytes from there.
fn writes(
    store: &mut StoreContextMut<'_, State>,
    file: &Handle,
    from: u64,
    bytes: u64,
) -> wasmtime::Result<bool> {
    let Some(room) = of(store, file) else { return Ok(true) };
    let Descriptor::File(file) = store.data_mut().ctx().table.get(file)? else { return Ok(true) };
    let size = file.file.metadata().map_or(0, |file| file.len());
    Ok(locked(&room).take(growth(size, from, bytes), 0))
}

fn directories(mut store: StoreContextMut<'_, State>) -> wasmtime::Result<(Vec<(Handle, String)>,)> {
    let directories = store.data_mut().filesystem().get_directories()?;
    let around = &store.data().around;
    if let Some(room) = around.room() {
        for (number, (directory, _)) in directories.iter().enumerate() {
            locked(room).note(directory.rep(), around.is_own_folder(number));
        }
    }
    Ok((directories,))
}

async fn open(
    store: &mut StoreContextMut<'_, State>,
    at: Handle,
    follow: PathFlags,
    path: String,
    how: OpenFlags,
    flags: DescriptorFlags,
) -> Answer<Handle> {
    let owned = of(store, &at);
    let full = how.contains(OpenFlags::CREATE) && !has_room_for_one(store, &at);
    if full && how.contains(OpenFlags::EXCLUSIVE) {
        return self::full();
    }
    // What is there already needs no room.
    let how = if full { how & (OpenFlags::DIRECTORY | OpenFlags::TRUNCATE) } else { how };
    let done = store.data_mut().filesystem().open_at(at, follow, path, how, flags).await;
    if let (Ok(opened), Some(room)) = (&done, store.data().around.room().map(SharedRoom::clone)) {
        locked(&room).note(opened.rep(), owned.is_some());
        if let Descriptor::File(file) = store.data_mut().ctx().table.get(opened)? {
            locked(&room).remember(&file.file);
        }
    }
    match answered(store, done)? {
        (Err(ErrorCode::NoEntry),) if full => self::full(),
        answer => Ok(answer),
    }
}

fn stream(
    mut store: StoreContextMut<'_, State>,
    descriptor: Handle,
    at: Option<u64>,
) -> Answer<Resource<DynOutputStream>> {
    if let Some(room) = of(&store, &descriptor)
        && let Descriptor::File(file) = store.data_mut().ctx().table.get(&descriptor)?
        && file.perms == FsPerms::ReadWrite
    {
        let writer: DynOutputStream = Box::new(Writer { file: Arc::clone(&file.file), at, room });
        return Ok((Ok(store.data_mut().ctx().table.push(writer)?),));
    }
    let mut files = store.data_mut().filesystem();
    let made = match at {
        Some(offset) => files.write_via_stream(descriptor, offset),
        None => files.append_via_stream(descriptor),
    };
    answered(&mut store, made)
}

/// Writes to a file of the plugin's own, from a place on or at its end. Each piece is there before the next.
struct Writer {
    file: Arc<File>,
    at: Option<u64>,
    room: SharedRoom,
}

impl Writer {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        let size = self.file.metadata()?.len();
        let from = self.at.unwrap_or(size);
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if !locked(&self.room).take(growth(size, from, length), 0) {
            return Err(rustix::io::Errno::NOSPC.into());
        }
        match self.at {
            Some(at) => {
                self.file.write_all_at(bytes, from)?;
                self.at = Some(at.saturating_add(length));
                Ok(())
            }
            None => self.append(bytes),
        }
    }

    /// At the end, wherever that is by then: another instance may append as well.
    fn append(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = pwritev2(&self.file, &[IoSlice::new(bytes)], 0, ReadWriteFlags::APPEND)?;
            bytes = bytes.get(written..).unwrap_or_default();
        }
        Ok(())
    }
}

impl OutputStream for Writer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.put(&bytes).map_err(|error| StreamError::LastOperationFailed(error.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PIECE_BYTES_MAX)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {}
}
