//! Plugins of Extism: any export without parameters, bytes in, bytes out. What both sides pass lies in a memory of the
//! host's, which the guest reaches by load and store; [`blocks`] is that memory.
//!
//! A method is an export; the body is its input, as it is. A result other than 0 is an error, whose words the guest has set.
//! Functions of `extism:host/user` are host calls of the same name: one block in, one block out.

mod blocks;

use super::imports::{Arguments, Given as Result_, HostFunction, of};
use super::{Answer, Given, GuestAbi, ModuleAbi, bound, function, host, imports, invoke, run_constructors};
use crate::fault::Fault;
use crate::guest::State;
use crate::limiter::Limiter;
use blocks::Blocks;
use casemate_protocol::link::CONTENT_RAW;
use casemate_protocol::outcome::escape;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use wasmtime::{Caller, Instance, Linker, Module, Store, TypedFunc};

const KERNEL: &str = "extism:host/env";
const USER: &str = "extism:host/user";

/// Bytes of all variables together, as in Extism itself.
const VARIABLES_BYTES_MAX: usize = 1 << 20;

/// What a variable takes besides its name and its value.
const VARIABLE_BYTES: usize = 128;

/// Functions that a toolchain wants called first.
const CONSTRUCTORS: [&str; 2] = ["_initialize", "__wasm_call_ctors"];

/// What the host's side of the dialect keeps.
#[derive(Default)]
struct Kernel {
    blocks: Blocks,
    input: u64,
    output: Option<(u64, u64)>,
    error: u64,
    config: Map<String, Value>,
    variables: BTreeMap<String, Vec<u8>>,
}

/// The adapter.
#[derive(Default)]
pub(crate) struct Extism {
    instance: Option<Instance>,
}

impl ModuleAbi for Extism {
    fn link(&self, linker: &mut Linker<State>, module: &Module) -> wasmtime::Result<()> {
        imports::link(linker, module, |from, name| match from {
            KERNEL => kernel(name),
            USER => Some(user(name.to_owned())),
            _ => None,
        })
    }

    fn bind(&mut self, store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<()> {
        self.instance = Some(*instance);
        store.data_mut().memory = instance.get_memory(&mut *store, "memory");
        store.data_mut().kept = Box::new(Kernel::default());
        Ok(())
    }
}

impl Extism {
    fn instance(&self) -> Result<Instance, Fault> {
        bound(self.instance)
    }
}

impl GuestAbi for Extism {
    fn start(&mut self, store: &mut Store<State>, given: Given<'_>) -> wasmtime::Result<()> {
        let instance = self.instance()?;
        // What its manifest says, and over that what its host does.
        let said = given.option("config").map(str::as_bytes);
        for config in said.into_iter().chain(given.config).filter(|config| !config.is_empty()) {
            let config = serde_json::from_slice::<Map<_, _>>(config)
                .map_err(|error| Fault::Abi(format!("its configuration is no object: {error}")))?;
            store.data_mut().kept::<Kernel>()?.config.extend(config);
        }
        run_constructors(store, &instance, &CONSTRUCTORS)
    }

    fn call(
        &mut self,
        store: &mut Store<State>,
        method: &str,
        _content_type: u32,
        body: &[u8],
    ) -> wasmtime::Result<Answer> {
        let instance = self.instance()?;
        let Some(called) = callable(store, &instance, method)? else {
            let why = format!("it exports no function {} without parameters", escape(method, 80));
            return Ok(Answer::error("no_method", &why));
        };
        {
            let (kernel, limiter) = kept(store.data_mut())?;
            kernel.begin(limiter, body)?;
        }
        let code = match called {
            Called::Code(function) => invoke(&function, &mut *store, ())?,
            Called::Quiet(function) => {
                invoke(&function, &mut *store, ())?;
                0
            }
        };
        let bytes_max = store.data().output_bytes_max;
        let (kernel, _) = kept(store.data_mut())?;
        let error = kernel.blocks.whole(kernel.error).map(|text| String::from_utf8_lossy(text).into_owned());
        match (code, error) {
            (0, _) => {
                let (offset, length) = kernel.output.unwrap_or_default();
                Fault::unless_output_fits(usize::try_from(length).unwrap_or(usize::MAX), bytes_max)?;
                let output = kernel.blocks.part(offset, length).ok_or_else(|| outside("its output"))?;
                Ok(Answer::new(false, CONTENT_RAW, output.to_vec()))
            }
            (_, Some(error)) => Ok(Answer::error("failed", &error)),
            (code, None) => Ok(Answer::error("failed", &format!("it answered {code} and does not say why"))),
        }
    }
}

enum Called {
    Code(TypedFunc<(), i32>),
    Quiet(TypedFunc<(), ()>),
}

/// What a toolchain exports for itself begins with an underscore.
fn callable(store: &mut Store<State>, instance: &Instance, name: &str) -> wasmtime::Result<Option<Called>> {
    if name.starts_with('_') {
        return Ok(None);
    }
    Ok(match function(store, instance, name)? {
        Some(code) => Some(Called::Code(code)),
        None => function(store, instance, name)?.map(Called::Quiet),
    })
}

impl Kernel {
    /// A call begins: what the last one left is gone, but for variables.
    fn begin(&mut self, limiter: &mut Limiter, input: &[u8]) -> Result<(), Fault> {
        self.blocks.clear(limiter);
        (self.output, self.error) = (None, 0);
        self.input = self.blocks.put(limiter, input)?;
        Ok(())
    }

    fn text(&self, offset: u64, what: &str) -> Result<String, Fault> {
        let bytes = self.blocks.whole(offset).ok_or_else(|| outside(what))?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}

fn kept(state: &mut State) -> Result<(&mut Kernel, &mut Limiter), Fault> {
    state.kept_and_limiter()
}

fn outside(what: &str) -> Fault {
    Fault::Abi(format!("{what} lies in no block that it was given"))
}

fn offset(arguments: &Arguments<'_>, at: usize) -> u64 {
    arguments.long(at).cast_unsigned()
}

fn long(number: u64) -> wasmtime::Result<Result_> {
    Ok(Result_::Long(number.cast_signed()))
}

/// The functions of the kernel.
fn kernel(name: &str) -> Option<HostFunction> {
    match name {
        "alloc" | "free" | "length" | "length_unsafe" | "memory_bytes" | "reset" => memory(name),
        "load_u8" | "load_u64" | "store_u8" | "store_u64" => reach(name),
        "config_get" | "var_get" | "var_set" => words(name),
        "http_request" | "http_status_code" | "http_headers" => network(name),
        "input_length" | "input_offset" | "input_load_u8" | "input_load_u64" => input(name),
        "output_set" | "output_length" | "output_offset" | "error_set" | "error_get" => outcome(name),
        "get_log_level" => of(|_, _| Ok(Result_::Number(0))),
        "log_trace" => of(|caller, arguments| log(caller, arguments, 0)),
        "log_debug" => of(|caller, arguments| log(caller, arguments, 1)),
        "log_info" => of(|caller, arguments| log(caller, arguments, 2)),
        "log_warn" => of(|caller, arguments| log(caller, arguments, 3)),
        "log_error" => of(|caller, arguments| log(caller, arguments, 4)),
        _ => None,
    }
}

fn memory(name: &str) -> Option<HostFunction> {
    match name {
        "alloc" => of(|caller, arguments| {
            let (kernel, limiter) = kept(caller.data_mut())?;
            let length = usize::try_from(arguments.long(0)).ok();
            let length =
                length.ok_or_else(|| Fault::Abi("it asked for a block of a negative length".to_owned()))?;
            long(kernel.blocks.alloc(limiter, length)?)
        }),
        "free" => of(|caller, arguments| {
            let (kernel, limiter) = kept(caller.data_mut())?;
            kernel.blocks.free(limiter, offset(&arguments, 0));
            Ok(Result_::Nothing)
        }),
        "reset" => of(|caller, _| {
            let (kernel, limiter) = kept(caller.data_mut())?;
            kernel.blocks.clear(limiter);
            Ok(Result_::Nothing)
        }),
        "memory_bytes" => of(|caller, _| long(kept(caller.data_mut())?.0.blocks.bytes())),
        _ => of(|caller, arguments| {
            let (kernel, _) = kept(caller.data_mut())?;
            let length = kernel.blocks.whole(offset(&arguments, 0)).map_or(0, <[u8]>::len);
            long(u64::try_from(length).unwrap_or(0))
        }),
    }
}

fn reach(name: &str) -> Option<HostFunction> {
    match name {
        "load_u8" => of(|caller, arguments| {
            let (kernel, _) = kept(caller.data_mut())?;
            let bytes = kernel.blocks.part(offset(&arguments, 0), 1);
            let byte = bytes.and_then(<[u8]>::first).ok_or_else(|| outside("what it loads"))?;
            Ok(Result_::Number(i32::from(*byte)))
        }),
        "load_u64" => of(|caller, arguments| {
            let (kernel, _) = kept(caller.data_mut())?;
            let bytes = kernel.blocks.part(offset(&arguments, 0), 8).and_then(<[u8]>::first_chunk);
            Ok(Result_::Long(i64::from_le_bytes(*bytes.ok_or_else(|| outside("what it loads"))?)))
        }),
        "store_u8" => of(|caller, arguments| {
            let [byte, ..] = arguments.number(1).to_le_bytes();
            store(caller, &arguments, &[byte])
        }),
        _ => of(|caller, arguments| store(caller, &arguments, &arguments.long(1).to_le_bytes())),
    }
}

fn store(
    caller: &mut Caller<'_, State>,
    arguments: &Arguments<'_>,
    bytes: &[u8],
) -> wasmtime::Result<Result_> {
    let (kernel, _) = kept(caller.data_mut())?;
    let written = kernel.blocks.write(offset(arguments, 0), bytes);
    written.ok_or_else(|| outside("where it stores"))?;
    Ok(Result_::Nothing)
}

fn input(name: &str) -> Option<HostFunction> {
    match name {
        "input_offset" => of(|caller, _| long(kept(caller.data_mut())?.0.input)),
        "input_length" => of(|caller, _| {
            let (kernel, _) = kept(caller.data_mut())?;
            let length = kernel.blocks.whole(kernel.input).map_or(0, <[u8]>::len);
            long(u64::try_from(length).unwrap_or(0))
        }),
        "input_load_u8" => of(|caller, arguments| {
            let (kernel, _) = kept(caller.data_mut())?;
            let at = kernel.input.saturating_add(offset(&arguments, 0));
            let bytes = kernel.blocks.part(at, 1);
            Ok(Result_::Number(bytes.and_then(<[u8]>::first).map_or(0, |byte| i32::from(*byte))))
        }),
        _ => of(|caller, arguments| {
            let (kernel, _) = kept(caller.data_mut())?;
            let at = kernel.input.saturating_add(offset(&arguments, 0));
            let bytes = kernel.blocks.part(at, 8).and_then(<[u8]>::first_chunk);
            Ok(Result_::Long(bytes.map_or(0, |bytes| i64::from_le_bytes(*bytes))))
        }),
    }
}

fn outcome(name: &str) -> Option<HostFunction> {
    match name {
        "output_set" => of(|caller, arguments| {
            let output = (offset(&arguments, 0), offset(&arguments, 1));
            kept(caller.data_mut())?.0.output = Some(output);
            Ok(Result_::Nothing)
        }),
        "output_offset" => of(|caller, _| long(kept(caller.data_mut())?.0.output.unwrap_or_default().0)),
        "output_length" => of(|caller, _| long(kept(caller.data_mut())?.0.output.unwrap_or_default().1)),
        "error_set" => of(|caller, arguments| {
            kept(caller.data_mut())?.0.error = offset(&arguments, 0);
            Ok(Result_::Nothing)
        }),
        _ => of(|caller, _| long(kept(caller.data_mut())?.0.error)),
    }
}

fn words(name: &str) -> Option<HostFunction> {
    match name {
        "config_get" => of(|caller, arguments| {
            let (kernel, limiter) = kept(caller.data_mut())?;
            let key = kernel.text(offset(&arguments, 0), "the key of its configuration")?;
            match kernel.config.get(&key) {
                Some(Value::String(text)) => long(kernel.blocks.put(limiter, text.as_bytes())?),
                Some(other) => long(kernel.blocks.put(limiter, other.to_string().as_bytes())?),
                None => long(0),
            }
        }),
        "var_get" => of(|caller, arguments| {
            let (kernel, limiter) = kept(caller.data_mut())?;
            let key = kernel.text(offset(&arguments, 0), "the name of its variable")?;
            match kernel.variables.get(&key) {
                Some(value) => long(kernel.blocks.put(limiter, value)?),
                None => long(0),
            }
        }),
        _ => of(|caller, arguments| {
            let (kernel, _) = kept(caller.data_mut())?;
            let key = kernel.text(offset(&arguments, 0), "the name of its variable")?;
            kernel.variables.remove(&key);
            // No value takes it away.
            if offset(&arguments, 1) == 0 {
                return Ok(Result_::Nothing);
            }
            let value = kernel.blocks.whole(offset(&arguments, 1)).ok_or_else(|| outside("its variable"))?;
            let taken = |key: &String, value: usize| key.len() + value + VARIABLE_BYTES;
            let held: usize = kernel.variables.iter().map(|(key, value)| taken(key, value.len())).sum();
            if held + taken(&key, value.len()) > VARIABLES_BYTES_MAX {
                let why = format!("its variables together may have {VARIABLES_BYTES_MAX} bytes");
                return Err(Fault::Abi(why).into());
            }
            let value = value.to_vec();
            kernel.variables.insert(key, value);
            Ok(Result_::Nothing)
        }),
    }
}

fn network(name: &str) -> Option<HostFunction> {
    match name {
        "http_request" => of(|_, _| {
            let why = "it made an HTTP request: permissions.network is denied to all in this version";
            Err(Fault::Abi(why.to_owned()).into())
        }),
        "http_status_code" => of(|_, _| Ok(Result_::Number(0))),
        _ => of(|_, _| long(0)),
    }
}

fn log(caller: &mut Caller<'_, State>, arguments: Arguments<'_>, level: i32) -> wasmtime::Result<Result_> {
    let line = kept(caller.data_mut())?.0.text(offset(&arguments, 0), "a log line")?;
    host::log_in(caller.data_mut(), level, line.as_bytes())?;
    Ok(Result_::Nothing)
}

/// A function of the host application's.
fn user(name: String) -> HostFunction {
    Arc::new(move |caller, arguments| {
        let body = match arguments.has(0) {
            true => {
                let (kernel, _) = kept(caller.data_mut())?;
                let block = kernel.blocks.whole(offset(&arguments, 0));
                block.ok_or_else(|| outside("what it passes to the host"))?.to_vec()
            }
            false => Vec::new(),
        };
        let answer = host::call(caller, &name, CONTENT_RAW, &body)?;
        if answer.is_error {
            let why = String::from_utf8_lossy(&answer.body).into_owned();
            return Err(Fault::Abi(format!("its host call {} failed: {why}", escape(&name, 80))).into());
        }
        let (kernel, limiter) = kept(caller.data_mut())?;
        long(kernel.blocks.put(limiter, &answer.body)?)
    })
}
