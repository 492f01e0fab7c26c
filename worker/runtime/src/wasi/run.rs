//! Running guest code whose imports may wait, on one thread.
//!
//! The engine gives such code a stack of its own, and hands it back as a future. The runtime that polls it is made in the
//! worker, knows time and nothing else, and starts no thread: whatever would start one is a forbidden system call.

use crate::epoch;
use crate::fault::Fault;
use std::cell::OnceCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use wasmtime::{AsContextMut, TypedFunc, WasmParams, WasmResults};

std::thread_local! {
    static RUNTIME: OnceCell<Option<Runtime>> = const { OnceCell::new() };
}

/// How often a guest that waits is asked whether its call is over: the deadline's signal wakes no timer.
const GLANCE: Duration = Duration::from_millis(2);

/// Calls a function of the guest, from outside or from within one of its imports.
pub(crate) fn invoke<P, R>(
    function: &TypedFunc<P, R>,
    store: impl AsContextMut<Data = crate::guest::State>,
    parameters: P,
) -> wasmtime::Result<R>
where
    P: WasmParams + Sync + Send + 'static,
    R: WasmResults + Sync + Send + 'static,
{
    block_on(function.call_async(store, parameters))
}

/// Runs a future of the engine's to its end, or to the call's deadline.
pub(crate) fn block_on<T>(future: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
    if Handle::try_current().is_ok() {
        // From within an import: whoever waits there waits for ever, for the one who polls is waiting for it.
        return match at_once(pin!(future)) {
            Some(result) => result,
            None => {
                Err(Fault::Abi("it waited for something while its host was waiting for it".to_owned()).into())
            }
        };
    }
    RUNTIME.with(|runtime| {
        match runtime.get_or_init(|| Builder::new_current_thread().enable_time().build().ok()) {
            Some(runtime) => runtime.block_on(until_over(pin!(future))),
            None => Err(Fault::Abi("there is no runtime to wait with".to_owned()).into()),
        }
    })
}

/// Polls once: enough for what never waits, also where there is no runtime.
pub(crate) fn at_once<T>(future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

async fn until_over<T>(
    mut future: Pin<&mut impl Future<Output = wasmtime::Result<T>>>,
) -> wasmtime::Result<T> {
    // What computes is interrupted by its epoch; only what waits has to look.
    loop {
        tokio::select! {
            biased;
            result = &mut future => return result,
            () = tokio::time::sleep(GLANCE) => {
                if epoch::is_over() {
                    return Err(Fault::Interrupted.into());
                }
            }
        }
    }
}
