//! Guest dialects: one adapter each, behind one trait. No dialect's name appears anywhere else.

mod allocator;
mod answer;
mod block_call;
mod casemate1;
#[cfg(feature = "wasi")]
mod command;
#[cfg(feature = "wasi")]
mod component;
mod extism;
mod hielements;
mod host;
mod ideanet;
mod imports;
mod memory;
mod pocket;
#[cfg(feature = "wasi")]
mod reactor;
mod room;
mod signalk;
mod spacedrive;

use crate::fault::Fault;
use crate::guest::State;
use casemate_lockdown::link::Turn;
use casemate_protocol::module::Dialect;
#[cfg(not(feature = "wasi"))]
use wasmtime::AsContextMut;
use wasmtime::{Instance, Linker, Module, Store, TypedFunc, WasmParams, WasmResults};

pub(crate) use allocator::Allocator;
pub(crate) use answer::Answer;

/// What a guest is set up with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given<'a> {
    /// Its configuration, as JSON.
    pub(crate) config: Option<&'a [u8]>,
    /// What its dialect wants to know of it, as `KEY=TEXT`.
    pub(crate) options: &'a [String],
    /// Random bytes, of this instance alone.
    pub(crate) seed: &'a [u8],
}

impl<'a> Given<'a> {
    /// An option.
    pub(crate) fn option(&self, key: &str) -> Option<&'a str> {
        let text = |option: &'a String| option.strip_prefix(key)?.strip_prefix('=');
        self.options.iter().find_map(text)
    }
}

/// How a dialect is spoken with an instance. All of it runs guest code.
pub(crate) trait GuestAbi {
    /// Runs the guest's own initialisation, if it has one.
    fn start(&mut self, _store: &mut Store<State>, _given: Given<'_>) -> wasmtime::Result<()> {
        Ok(())
    }
    /// Asks what it is; empty where it has no words for that.
    fn describe(&mut self, _store: &mut Store<State>) -> wasmtime::Result<Answer> {
        Ok(Answer::empty())
    }
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
        _store: &mut Store<State>,
        _topic: &str,
        _content_type: u32,
        _body: &[u8],
    ) -> wasmtime::Result<Answer> {
        Ok(Answer::no_event())
    }
    /// Tells it what its dialect has a word for. The answer is empty, or an error.
    fn turn(&mut self, _store: &mut Store<State>, _turn: Turn) -> wasmtime::Result<Answer> {
        Ok(Answer::empty())
    }
}

/// How a dialect of modules finds its imports and exports, which runs no guest code.
pub(crate) trait ModuleAbi: GuestAbi {
    /// Defines the imports that this dialect knows.
    fn link(&self, _linker: &mut Linker<State>, _module: &Module) -> wasmtime::Result<()> {
        Ok(())
    }
    /// Finds the exports that calls need.
    fn bind(&mut self, store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<()>;
}

/// What [`ModuleAbi::bind`] found, which comes before everything else.
pub(crate) fn bound<T>(found: Option<T>) -> Result<T, Fault> {
    found.ok_or_else(|| Fault::Abi("it was called before it was bound".to_owned()))
}

/// An export that may be there, or may be of another type.
pub(crate) fn function<P: WasmParams, R: WasmResults>(
    store: &mut Store<State>,
    instance: &Instance,
    name: &str,
) -> wasmtime::Result<Option<TypedFunc<P, R>>> {
    let Some(function) = instance.get_func(&mut *store, name) else { return Ok(None) };
    Ok(function.typed(&*store).ok())
}

/// Runs what a toolchain wants run before any other export.
pub(crate) fn run_constructors(
    store: &mut Store<State>,
    instance: &Instance,
    names: &[&str],
) -> wasmtime::Result<()> {
    for name in names {
        if let Some(constructors) = function::<(), ()>(store, instance, name)? {
            return invoke(&constructors, store, ());
        }
    }
    Ok(())
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
pub(crate) use host::{ask, log_in, memory as memory_of};
#[cfg(feature = "wasi")]
pub(crate) use memory::{Block, read, write};

/// The adapter of a dialect.
pub(crate) fn adapter(dialect: Dialect) -> Result<Box<dyn ModuleAbi>, Fault> {
    match dialect {
        Dialect::Casemate1 => Ok(Box::new(casemate1::Casemate1::default())),
        Dialect::Hielements => Ok(Box::new(hielements::Hielements::default())),
        Dialect::PocketHost => Ok(Box::new(pocket::Pocket::of_host())),
        Dialect::PocketBuffer => Ok(Box::new(pocket::Pocket::of_buffer())),
        #[cfg(feature = "wasi")]
        Dialect::PocketStdio => Ok(Box::new(pocket::stdio::Program::default())),
        Dialect::SignalkScript => Ok(Box::new(signalk::SignalK::of_script())),
        Dialect::SignalkBuffer => Ok(Box::new(signalk::SignalK::of_buffer())),
        Dialect::Spacedrive => Ok(Box::new(spacedrive::Spacedrive::default())),
        Dialect::Ideanet => Ok(Box::new(ideanet::Ideanet::default())),
        Dialect::Extism => Ok(Box::new(extism::Extism::default())),
        #[cfg(feature = "wasi")]
        Dialect::WasiCommand => Ok(Box::new(command::Command::default())),
        #[cfg(feature = "wasi")]
        Dialect::WasiReactor => Ok(Box::new(reactor::Reactor::default())),
        _ => Err(Fault::Abi(format!("this worker does not speak dialect {dialect:?}"))),
    }
}
