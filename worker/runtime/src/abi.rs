//! Guest dialects: one adapter each, behind one trait. No dialect's name appears anywhere else.

mod casemate1;
mod host;
mod memory;

use crate::fault::Fault;
use crate::guest::State;
use casemate_protocol::module::Dialect;
use wasmtime::{Instance, Linker, Store};

/// A guest's answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Whether the body is an error.
    pub(crate) is_error: bool,
    pub(crate) content_type: u32,
    pub(crate) body: Vec<u8>,
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

/// The adapter of a dialect.
pub(crate) fn adapter(dialect: Dialect) -> Result<Box<dyn GuestAbi>, Fault> {
    match dialect {
        Dialect::Casemate1 => Ok(Box::new(casemate1::Casemate1::default())),
        _ => Err(Fault::Abi(format!("this worker does not speak dialect {dialect:?}"))),
    }
}
