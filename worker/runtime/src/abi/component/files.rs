//! Streams of files: WASI 0.2 reads and writes them on threads of its own, of which there are none here. In the place of
//! those few functions are these, which do it at once.

use crate::guest::State;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::WasiView as _;
use wasmtime_wasi::p2::bindings::io::streams;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, Pollable, StreamError, subscribe};

/// Bytes of one piece.
const PIECE_BYTES_MAX: u64 = 64 * 1024;

/// As WASI names them.
const STREAMS: &str = "wasi:io/streams@0.2.12";

/// Something that is always ready.
struct Ready;

#[wasmtime_wasi::async_trait]
impl Pollable for Ready {
    async fn ready(&mut self) {}
}

type Read = Result<Vec<u8>, streams::StreamError>;
type Written = Result<(), streams::StreamError>;

/// Puts them in the place of WASI's own.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut streams = linker.instance(STREAMS)?;
    streams.func_wrap_async(
        "[method]input-stream.read",
        |mut store, (stream, length): (Resource<DynInputStream>, u64)| {
            Box::new(async move { Ok((read(&mut store, &stream, length).await?,)) })
        },
    )?;
    streams.func_wrap_async(
        "[method]output-stream.write",
        |mut store, (stream, bytes): (Resource<DynOutputStream>, Vec<u8>)| {
            Box::new(async move { Ok((write(&mut store, &stream, bytes).await?,)) })
        },
    )?;
    streams
        .func_wrap("[method]input-stream.subscribe", |store, (_stream,): (Resource<DynInputStream>,)| {
            ready(store)
        })?;
    streams.func_wrap("[method]output-stream.subscribe", |store, (_stream,): (Resource<DynOutputStream>,)| {
        ready(store)
    })
}

fn ready(mut store: StoreContextMut<'_, State>) -> wasmtime::Result<(Resource<DynPollable>,)> {
    let table = store.data_mut().ctx().table;
    let ready = table.push(Ready)?;
    Ok((subscribe(table, ready)?,))
}

async fn read(
    store: &mut StoreContextMut<'_, State>,
    stream: &Resource<DynInputStream>,
    length: u64,
) -> wasmtime::Result<Read> {
    let length = usize::try_from(length.min(PIECE_BYTES_MAX)).unwrap_or(0);
    let table = store.data_mut().ctx().table;
    if length == 0 {
        return Ok(Ok(Vec::new()));
    }
    match table.get_mut(stream)?.blocking_read(length).await {
        Ok(bytes) => Ok(Ok(bytes.into())),
        Err(error) => ended(store, error).map(Err),
    }
}

async fn write(
    store: &mut StoreContextMut<'_, State>,
    stream: &Resource<DynOutputStream>,
    bytes: Vec<u8>,
) -> wasmtime::Result<Written> {
    let table = store.data_mut().ctx().table;
    match table.get_mut(stream)?.blocking_write_and_flush(bytes.into()).await {
        Ok(()) => Ok(Ok(())),
        Err(error) => ended(store, error).map(Err),
    }
}

fn ended(
    store: &mut StoreContextMut<'_, State>,
    error: StreamError,
) -> wasmtime::Result<streams::StreamError> {
    match error {
        StreamError::Closed => Ok(streams::StreamError::Closed),
        StreamError::LastOperationFailed(error) => {
            let error = store.data_mut().ctx().table.push(error)?;
            Ok(streams::StreamError::LastOperationFailed(error))
        }
        StreamError::Trap(error) => Err(error),
    }
}
