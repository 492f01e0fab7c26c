//! A guest that computes, in the worker and in this process.

use crate::Outcome;
use crate::machine::OneCore;
use crate::plugin::Loaded;
use crate::request::Plan;
use crate::row::{Baseline, Row, Target, Unit};
use casemate::Limits;
use serde_json::{Value, json};
use std::time::Instant;
use wasmtime::{Caller, Instance, Linker, Memory, Module, Store, TypedFunc};

const ROUNDS: u32 = 15;
/// Copies of the text: some hundred milliseconds of counting.
const COPIES: usize = 8;
const METHOD: &str = "count";
const JSON: u8 = 1;

pub(crate) fn measure(plan: &Plan) -> Outcome<Vec<Row>> {
    let _one_core = OneCore::take()?;
    let path = plan.guests.join("wordcount.wasm");
    let wasm = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let loaded = Loaded::new(wasm.clone(), |limits| limits.input_bytes = 64 << 20)?;
    let mut inside = InProcess::new(&wasm)?;
    let request = request(plan)?;
    let (mut subject, mut baseline) = (Vec::new(), Vec::new());
    for round in 0..=plan.rounds(ROUNDS) {
        let start = Instant::now();
        let expected = inside.call(&request)?;
        let there = start.elapsed();
        let start = Instant::now();
        let (answer, _) = loaded.runtime.block_on(loaded.plugin.call_json_text(METHOD, &request))?;
        let here = start.elapsed();
        if answer != expected {
            return Err("the worker counted otherwise than this process".into());
        }
        // The first makes the instance and grows its memory.
        if round > 0 {
            baseline.push(there.as_secs_f64() * 1e3);
            subject.push(here.as_secs_f64() * 1e3);
        }
    }
    Ok(vec![Row {
        what: "a module computing, in a worker",
        unit: Unit::Millis,
        samples: subject.into_iter().collect(),
        baseline: Some(Baseline {
            what: "in this process, same engine configuration",
            samples: baseline.into_iter().collect(),
        }),
        target: Target::Ratio(1.03),
        certificate: loaded.plugin.certificate(),
        note: format!("words of a text counted by a regular expression; {} bytes of JSON in", request.len()),
        absent: None,
    }])
}

/// The text several times over, as JSON.
fn request(plan: &Plan) -> Outcome<Vec<u8>> {
    let path = plan.guests.join("data/alice.json");
    let text = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let input: Value = serde_json::from_slice(&text)?;
    let text = input.get("text").and_then(Value::as_str).ok_or("the input has no text")?;
    Ok(serde_json::to_vec(&json!({ "text": text.repeat(COPIES) }))?)
}

/// The guest's calling convention without anything around it.
struct InProcess {
    store: Store<()>,
    memory: Memory,
    alloc: TypedFunc<(i32, i32), i32>,
    free: TypedFunc<(i32, i32, i32), ()>,
    call: TypedFunc<(i32, i32), i64>,
}

impl InProcess {
    fn new(wasm: &[u8]) -> Outcome<Self> {
        let limits = Limits::default();
        let engine = casemate_engine::engine(&casemate_engine::EngineOptions {
            max_wasm_stack_bytes: limits.stack_bytes,
            fuel: limits.fuel.is_some(),
        })?;
        let module = Module::new(&engine, wasm)?;
        let mut linker = Linker::new(&engine);
        linker.func_wrap("casemate", "log", |_: Caller<'_, ()>, _: i32, _: i32, _: i32| ())?;
        linker.func_wrap("casemate", "host_call", |_: i32, _: i32| -> wasmtime::Result<i64> {
            Err(wasmtime::Error::msg("there is no host here"))
        })?;
        linker.func_wrap("casemate", "cancelled", || 0)?;
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(1);
        let instance = linker.instantiate(&mut store, &module)?;
        Self::bind(store, &instance)
    }

    fn bind(mut store: Store<()>, instance: &Instance) -> Outcome<Self> {
        let memory = instance.get_memory(&mut store, "memory").ok_or("it exports no memory")?;
        Ok(Self {
            memory,
            alloc: instance.get_typed_func(&mut store, "casemate_alloc")?,
            free: instance.get_typed_func(&mut store, "casemate_free")?,
            call: instance.get_typed_func(&mut store, "casemate_call")?,
            store,
        })
    }

    fn call(&mut self, body: &[u8]) -> Outcome<Vec<u8>> {
        let method_bytes = u16::try_from(METHOD.len())?.to_le_bytes();
        let request = [&method_bytes, METHOD.as_bytes(), &[JSON], body].concat();
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
