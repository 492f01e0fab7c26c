//! From the supervisor's sealed memfd to a module in memory.
#![expect(
    unsafe_code,
    reason = "the engine trusts the native code that it is given; this is where it is given"
)]

use casemate_lockdown::{CodeRange, Filtered};
use std::fs::File;
use std::os::fd::OwnedFd;
use wasmtime::{Engine, Module};

/// Maps compiled code, read and execute only. Only a process behind its filter does this.
pub(crate) fn load(_filtered: &Filtered, engine: &Engine, code: OwnedFd) -> wasmtime::Result<Module> {
    // SAFETY: the bytes must be what our engine's compiler made, unchanged while mapped. The supervisor had them made by
    // its compiler process and sealed the memfd against every change before it passed it on. That process is not
    // trusted: should it have forged them, they run with the rights of this process, which has none.
    unsafe { Module::deserialize_open_file(engine, File::from(code)) }
}

/// The pages that hold the module's code and data, which nobody may change any more.
pub(crate) fn code_range(module: &Module) -> CodeRange {
    let text = module.text().as_ptr_range();
    let page = rustix::param::page_size();
    let start = text.start.addr() & !(page - 1);
    let end = text.end.addr().next_multiple_of(page);
    start..end
}
