//! Host functions for foreign guests. One name has had several types over the years, so each import is linked with the type
//! that the module itself declares; and one that nobody has is linked too: whoever calls it is told so, and trapped.

use super::host;
use super::memory::{Block, read};
use crate::fault::Fault;
use crate::guest::State;
use std::sync::Arc;
use wasmtime::{Caller, ExternType, FuncType, Linker, Module, Val, ValType};

/// The module of WASI 0.1, which is linked on its own.
const WASI: &str = "wasi_snapshot_preview1";

/// Level of the log.
const WARN: i32 = 3;

/// What a host function gives back; a guest that declares no result gets none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Given {
    Nothing,
    Number(i32),
    Long(i64),
    Float(f64),
}

/// A host function.
pub(crate) type HostFunction =
    Arc<dyn Fn(&mut Caller<'_, State>, Arguments<'_>) -> wasmtime::Result<Given> + Send + Sync>;

/// A host function that is always the same.
pub(crate) fn of(
    function: fn(&mut Caller<'_, State>, Arguments<'_>) -> wasmtime::Result<Given>,
) -> Option<HostFunction> {
    Some(Arc::new(function))
}

/// What a guest calls a host function with. Missing numbers are zero: a shorter type is an older one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arguments<'a>(&'a [Val]);

impl Arguments<'_> {
    pub(crate) fn number(&self, at: usize) -> i32 {
        self.0.get(at).and_then(Val::i32).unwrap_or(0)
    }

    pub(crate) fn long(&self, at: usize) -> i64 {
        self.0.get(at).and_then(Val::i64).unwrap_or(0)
    }

    pub(crate) fn float(&self, at: usize) -> f32 {
        self.0.get(at).and_then(Val::f32).unwrap_or(0.0)
    }

    /// Whether the guest's type has such a parameter at all.
    pub(crate) fn has(&self, at: usize) -> bool {
        self.0.get(at).is_some()
    }

    /// Address and length, the first of them at `at`.
    pub(crate) fn block(&self, at: usize) -> Block {
        Block::new(self.number(at), self.number(at.saturating_add(1)))
    }

    /// The bytes of a block.
    pub(crate) fn bytes(
        &self,
        caller: &mut Caller<'_, State>,
        at: usize,
        what: &str,
    ) -> Result<Vec<u8>, Fault> {
        let memory = host::memory(caller)?;
        let bytes = read(memory, &*caller, self.block(at), what)?;
        // It is on its way to the host, and a copy of it is no memory of the guest's.
        Fault::unless_output_fits(bytes.len(), caller.data().output_bytes_max)?;
        Ok(bytes.to_vec())
    }

    /// The text of a block; what is not UTF-8 in it is marked.
    pub(crate) fn text(
        &self,
        caller: &mut Caller<'_, State>,
        at: usize,
        what: &str,
    ) -> Result<String, Fault> {
        Ok(String::from_utf8_lossy(&self.bytes(caller, at, what)?).into_owned())
    }
}

/// Links the functions that a module imports, besides WASI's. `find` has those of its dialect.
pub(crate) fn link(
    linker: &mut Linker<State>,
    module: &Module,
    find: impl Fn(&str, &str) -> Option<HostFunction>,
) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    for import in module.imports().filter(|import| import.module() != WASI) {
        let ExternType::Func(ty) = import.ty() else { continue };
        let (from, name) = (import.module(), import.name());
        match find(from, name) {
            Some(function) => {
                let results: Vec<ValType> = ty.results().collect();
                linker.func_new(from, name, ty, move |mut caller, arguments, places| {
                    let given = function(&mut caller, Arguments(arguments))?;
                    give(given, &results, places)
                })?;
            }
            None => stub(linker, from, name, ty)?,
        }
    }
    Ok(())
}

fn stub(linker: &mut Linker<State>, from: &str, name: &str, ty: FuncType) -> wasmtime::Result<()> {
    let missing = format!("{from}.{name}");
    linker.func_new(from, name, ty, move |mut caller, _, _| {
        let why = format!("it called {missing}, which this host does not have");
        host::log_in(caller.data_mut(), WARN, why.as_bytes())?;
        Err(Fault::Abi(why).into())
    })?;
    Ok(())
}

fn give(given: Given, results: &[ValType], places: &mut [Val]) -> wasmtime::Result<()> {
    let (Some(ty), Some(place)) = (results.first(), places.first_mut()) else { return Ok(()) };
    *place = match (ty, given) {
        (ValType::I32, Given::Number(number)) => Val::I32(number),
        (ValType::I32, Given::Nothing) => Val::I32(0),
        (ValType::I64, Given::Long(number)) => Val::I64(number),
        (ValType::I64, Given::Number(number)) => Val::I64(number.into()),
        (ValType::F64, Given::Float(number)) => Val::F64(number.to_bits()),
        _ => {
            return Err(
                Fault::Abi(format!("it declares a result of {ty} where there is none of that type")).into()
            );
        }
    };
    Ok(())
}
