//! From the supervisor's sealed memfd to a module in memory.
#![expect(
    unsafe_code,
    reason = "the engine trusts the native code that it is given; this is where it is given"
)]

use casemate_lockdown::{CodeRange, Filtered};
#[cfg(feature = "wasi")]
use casemate_protocol::module::Dialect;
use std::fs::File;
use std::os::fd::OwnedFd;
#[cfg(feature = "wasi")]
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

/// Compiled code in memory.
pub(crate) enum Loaded {
    Module(Module),
    #[cfg(feature = "wasi")]
    Component(Component),
}

/// Maps compiled code, read and execute only. Only a process behind its filter does this.
pub(crate) fn load(
    _filtered: &Filtered,
    engine: &Engine,
    code: OwnedFd,
    #[cfg_attr(not(feature = "wasi"), expect(unused_variables, reason = "there are no components"))] dialect: u32,
) -> wasmtime::Result<Loaded> {
    #[cfg(feature = "wasi")]
    if Dialect::from_number(dialect).is_some_and(Dialect::is_component) {
        return load_component(engine, code);
    }
    // SAFETY: the bytes must be what our engine's compiler made, unchanged while mapped. The supervisor had them made by
    // its compiler process and sealed the memfd against every change before it passed it on. That process is not
    // trusted: should it have forged them, they run with the rights of this process, which has none.
    let module = unsafe { Module::deserialize_open_file(engine, File::from(code)) };
    module.map(Loaded::Module)
}

/// The engine maps files for modules only: a component's code is copied.
#[cfg(feature = "wasi")]
fn load_component(engine: &Engine, code: OwnedFd) -> wasmtime::Result<Loaded> {
    let mut bytes = Vec::new();
    let mut at = 0;
    loop {
        let held = bytes.len();
        bytes.resize(held + (1 << 20), 0);
        let read = rustix::io::pread(&code, bytes.get_mut(held..).unwrap_or_default(), at)?;
        bytes.truncate(held + read);
        at += u64::try_from(read).unwrap_or(0);
        if read == 0 {
            break;
        }
    }
    // SAFETY: as above.
    let component = unsafe { Component::deserialize(engine, &bytes) };
    component.map(Loaded::Component)
}

impl Loaded {
    /// The pages that hold its code and data, which nobody may change any more.
    pub(crate) fn code(&self) -> CodeRange {
        match self {
            Self::Module(module) => pages(module.text()),
            #[cfg(feature = "wasi")]
            Self::Component(component) => pages(component.text()),
        }
    }
}

/// Whole pages around code.
pub(crate) fn pages(text: &[u8]) -> CodeRange {
    let text = text.as_ptr_range();
    let page = rustix::param::page_size();
    let start = text.start.addr() & !(page - 1);
    let end = text.end.addr().next_multiple_of(page);
    start..end
}
