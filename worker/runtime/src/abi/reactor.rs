//! WASI 0.1 libraries without an ABI of ours: `_initialize` once, if there is one, then any export, called with numbers as JSON.
//!
//! Most of them speak in pointers, so two methods of ours are there beside their exports: `memory.write` puts a body where
//! its address says (`u32 LE address, bytes`), and `memory.read` answers the bytes of `[address, length]`.

use super::memory::{Block, read, write};
use super::{Answer, Given, GuestAbi, ModuleAbi, bound, run_constructors};
use crate::fault::Fault;
use crate::guest::State;
use crate::wasi::block_on;
use casemate_protocol::link::CONTENT_RAW;
use serde_json::{Number, Value};
use wasmtime::{Instance, Store, Val, ValType};

/// The adapter.
#[derive(Default)]
pub(crate) struct Reactor {
    instance: Option<Instance>,
}

impl ModuleAbi for Reactor {
    fn bind(&mut self, store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<()> {
        self.instance = Some(*instance);
        store.data_mut().memory = instance.get_memory(&mut *store, "memory");
        Ok(())
    }
}

impl GuestAbi for Reactor {
    fn start(&mut self, store: &mut Store<State>, _given: Given<'_>) -> wasmtime::Result<()> {
        let instance = self.instance()?;
        run_constructors(store, &instance, &["_initialize"])
    }

    fn call(
        &mut self,
        store: &mut Store<State>,
        method: &str,
        _content_type: u32,
        body: &[u8],
    ) -> wasmtime::Result<Answer> {
        let Some(function) = self.instance()?.get_func(&mut *store, method) else {
            if let Some(answer) = of_memory(store, method, body)? {
                return Ok(answer);
            }
            return Ok(Answer::error(
                "no_method",
                &format!("it exports no function {}", method.escape_debug()),
            ));
        };
        let ty = function.ty(&*store);
        let wanted: Vec<ValType> = ty.params().collect();
        let arguments = match arguments(&wanted, body) {
            Ok(arguments) => arguments,
            Err(why) => return Ok(Answer::error("bad_input", &why)),
        };
        let mut results = vec![Val::I32(0); ty.results().len()];
        block_on(function.call_async(&mut *store, &arguments, &mut results))?;
        store.data_mut().around.end();
        let results: Vec<Value> = results.iter().map(json).collect();
        let answer = match results.as_slice() {
            [] => Value::Null,
            [one] => one.clone(),
            _ => Value::Array(results),
        };
        Ok(Answer::json(&answer))
    }
}

impl Reactor {
    fn instance(&self) -> Result<Instance, Fault> {
        bound(self.instance)
    }
}

/// The two methods of ours.
fn of_memory(store: &mut Store<State>, method: &str, body: &[u8]) -> Result<Option<Answer>, Fault> {
    let memory = store.data().memory;
    let memory = memory.ok_or_else(|| Fault::Abi("it exports no memory".to_owned()));
    let refused = |message: &str| Ok(Some(Answer::error("bad_input", message)));
    match method {
        "memory.write" => {
            let Some((address, bytes)) = body.split_first_chunk::<4>() else {
                return refused("memory.write takes a u32 LE address and bytes");
            };
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let block = Block { address: u32::from_le_bytes(*address), length };
            write(memory?, store, block, &[bytes], "what is written")?;
            Ok(Some(Answer::empty()))
        }
        "memory.read" => {
            let Ok([address, length]) = serde_json::from_slice::<[u32; 2]>(body) else {
                return refused("memory.read takes [address, length]");
            };
            if length > store.data().output_bytes_max {
                return refused("so much is more than limits.output");
            }
            let bytes = read(memory?, &*store, Block { address, length }, "what is read")?.to_vec();
            Ok(Some(Answer::new(false, CONTENT_RAW, bytes)))
        }
        _ => Ok(None),
    }
}

/// Numbers of a list, or the one that is there; nothing, or null, is none.
fn arguments(wanted: &[ValType], body: &[u8]) -> Result<Vec<Val>, String> {
    let given = if body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(body).map_err(|error| error.to_string())?
    };
    let given = match given {
        Value::Null => Vec::new(),
        Value::Array(values) => values,
        one => vec![one],
    };
    if given.len() != wanted.len() {
        return Err(format!("it takes {} numbers and was given {}", wanted.len(), given.len()));
    }
    wanted.iter().zip(&given).map(|(ty, value)| number(ty, value)).collect()
}

fn number(ty: &ValType, value: &Value) -> Result<Val, String> {
    let wrong = || format!("{value} is no {ty}");
    let integer = || value.as_i64().or_else(|| value.as_u64().map(u64::cast_signed)).ok_or_else(wrong);
    Ok(match ty {
        // Also as wasm itself has no sign.
        ValType::I32 => {
            let integer = integer()?;
            let signed = i32::try_from(integer).ok();
            Val::I32(signed.or_else(|| u32::try_from(integer).ok().map(u32::cast_signed)).ok_or_else(wrong)?)
        }
        ValType::I64 => Val::I64(integer()?),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the nearest number of its type is what is asked for"
        )]
        ValType::F32 => Val::F32((value.as_f64().ok_or_else(wrong)? as f32).to_bits()),
        ValType::F64 => Val::F64(value.as_f64().ok_or_else(wrong)?.to_bits()),
        _ => return Err(format!("a {ty} cannot be given")),
    })
}

fn json(value: &Val) -> Value {
    let float = |number: f64| {
        Number::from_f64(number).map_or_else(|| Value::String(number.to_string()), Value::Number)
    };
    match value {
        Val::I32(number) => (*number).into(),
        Val::I64(number) => (*number).into(),
        Val::F32(bits) => float(f32::from_bits(*bits).into()),
        Val::F64(bits) => float(f64::from_bits(*bits)),
        _ => Value::Null,
    }
}
