//! Guest dialects: one adapter each, behind one trait. No dialect's name appears anywhere else.

mod casemate1;
#[cfg(feature = "wasi")]
mod command;
#[cfg(feature = "wasi")]
mod component;
mod host;
mod memory;
#[cfg(feature = "wasi")]
mod reactor;

use crate::fault::Fault;
use crate::guest::State;
use casemate_protocol::module::Dialect;
#[cfg(not(feature = "wasi"))]
use wasmtime::{AsContextMut, TypedFunc, WasmParams, WasmResults};
use wasmtime::{Instance, Linker, Store};

/// A guest's answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Whether the body is an error.
    pub(crate) is_error: bool,
    pub(crate) content_type: u32,
    pub(crate) body: Vec<u8>,
    /// The code that a program ended with; 0 for everything else.
    pub(crate) exit_code: u32,
}

impl Answer {
    /// An answer, or an error.
    pub(crate) fn new(is_error: bool, content_type: u32, body: Vec<u8>) -> Self {
        Self { is_error, content_type, body, exit_code: 0 }
    }
}

/// How one dialect is spoken. `start`, `describe`, `call` and `event` run guest code, `link` and `bind` never.
pub(crate) trait GuestAbi {
    /// Defines the imports that this dialect knows.
    fn link(&self, linker: &mut Linker<State>) -> wasmtime::Result<()>;
    /// Finds the exports that calls need.
    fn bind(&mut self, store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<()>;
    /// Runs the guest's own initialisation.
    fn start(&mut self, store: &mut Store<State>, config: Option<&[u8]>) -> wasmtime::Result<()>;
    /// Asks what it is; empty where it has no words for that.
    fn describe(&mut self, store: &mut Store<State>) -> wasmtime::Result<Answer>;
    /// Makes one call.
    fn call(
        &mut self,
        store: &mut Store<State>,
        method: &str,
        content_type: u32,
        body: &[u8],
    ) -> wasmtime::Result<Answer>;
    /// Tells it an event. The answer is empty, or an error.
    fn event(
        &mut self,
        store: &mut Store<State>,
        topic: &str,
        content_type: u32,
        body: &[u8],
    ) -> wasmtime::Result<Answer>;
}

/// Calls a function of the guest. In a worker with WASI its imports may wait, which the engine wants to be told.
#[cfg(not(feature = "wasi"))]
pub(crate) fn invoke<P: WasmParams, R: WasmResults>(
    function: &TypedFunc<P, R>,
    store: impl AsContextMut<Data = State>,
    parameters: P,
) -> wasmtime::Result<R> {
    function.call(store, parameters)
}

#[cfg(feature = "wasi")]
pub(crate) use crate::wasi::invoke;
#[cfg(feature = "wasi")]
pub(crate) use component::{ComponentAbi, link as link_component};
#[cfg(feature = "wasi")]
pub(crate) use host::memory as memory_of;
#[cfg(feature = "wasi")]
pub(crate) use memory::{Block, read, write};

/// The adapter of a dialect.
pub(crate) fn adapter(dialect: Dialect) -> Result<Box<dyn GuestAbi>, Fault> {
    match dialect {
        Dialect::Casemate1 => Ok(Box::new(casemate1::Casemate1::default())),
        #[cfg(feature = "wasi")]
        Dialect::WasiCommand => Ok(Box::new(command::Command::default())),
        #[cfg(feature = "wasi")]
        Dialect::WasiReactor => Ok(Box::new(reactor::Reactor::default())),
        _ => Err(Fault::Abi(format!("this worker does not speak dialect {dialect:?}"))),
    }
}
