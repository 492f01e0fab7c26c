//! The same guest in this process: its calling convention without anything around it.

use crate::Outcome;
use casemate::Limits;
use wasmtime::{Caller, Engine, Linker, Memory, Module, Store, TypedFunc};

const JSON: u8 = 1;

pub(super) struct Inside {
    store: Store<()>,
    memory: Memory,
    alloc: TypedFunc<(i32, i32), i32>,
    free: TypedFunc<(i32, i32, i32), ()>,
    call: TypedFunc<(i32, i32), i64>,
}

impl Inside {
    pub(super) fn new(wasm: &[u8]) -> Outcome<Self> {
        let limits = Limits::default();
        let engine = casemate_engine::engine(&casemate_engine::EngineOptions {
            kind: casemate_engine::EngineKind::Core,
            max_wasm_stack_bytes: limits.stack_bytes,
            fuel: limits.fuel.is_some(),
        })?;
        let module = Module::new(&engine, wasm)?;
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(1);
        let instance = imports(&engine)?.instantiate(&mut store, &module)?;
        Ok(Self {
            memory: instance.get_memory(&mut store, "memory").ok_or("it exports no memory")?,
            alloc: instance.get_typed_func(&mut store, "casemate_alloc")?,
            free: instance.get_typed_func(&mut store, "casemate_free")?,
            call: instance.get_typed_func(&mut store, "casemate_call")?,
            store,
        })
    }

    pub(super) fn call(&mut self, method: &str, body: &[u8]) -> Outcome<Vec<u8>> {
        let method_bytes = u16::try_from(method.len())?.to_le_bytes();
        let request = [&method_bytes, method.as_bytes(), &[JSON], body].concat();
        let length = i32::try_from(request.len())?;
        let address = self.alloc.call(&mut self.store, (length, 1))?;
        self.memory.write(&mut self.store, usize::try_from(address)?, &request)?;
        let packed = self.call.call(&mut self.store, (address, length))?;
        let (length, address) = (i32::try_from(packed >> 32)?, i32::try_from(packed & 0xffff_ffff)?);
        let mut reply = vec![0; usize::try_from(length)?];
        self.memory.read(&self.store, usize::try_from(address)?, &mut reply)?;
        self.free.call(&mut self.store, (address, length, 1))?;
        match reply.split_at_checked(2) {
            Some(([0, _], answer)) => Ok(answer.to_vec()),
            _ => Err("it answered with an error".into()),
        }
    }
}

/// What a guest may import; what is computed here calls none of it.
fn imports(engine: &Engine) -> Outcome<Linker<()>> {
    let mut linker = Linker::new(engine);
    linker.func_wrap("casemate", "log", |_: Caller<'_, ()>, _: i32, _: i32, _: i32| ())?;
    linker.func_wrap("casemate", "host_call", |_: i32, _: i32| -> wasmtime::Result<i64> {
        Err(wasmtime::Error::msg("there is no host here"))
    })?;
    linker.func_wrap("casemate", "cancelled", || 0)?;
    Ok(linker)
}
