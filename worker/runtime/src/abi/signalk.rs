//! Plugins of Signal K, in both of its dialects: AssemblyScript's own strings, and the host's buffers.
//!
//! Methods are the exports that the project calls: handlers of `http_endpoints`, `handle_put_…`, and those of resource,
//! weather and radar providers; bodies are JSON in UTF-8 either way. An event is a delta. What a plugin imports are host calls
//! named `sk.…`, in [`env`].

mod env;
mod script;

use super::allocator::Allocator;
use super::answer::is_json;
use super::imports;
use super::room::{Short, fill};
use super::{Answer, Given, GuestAbi, ModuleAbi, bound, function, invoke, run_constructors};
use crate::fault::Fault;
use crate::guest::State;
use casemate_lockdown::link::Turn;
use casemate_protocol::link::CONTENT_JSON;
use env::Kept;
use script::Script;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use wasmtime::{Instance, Linker, Module, Store, TypedFunc};

/// Room for what a plugin says of itself, and for answers to PUT, as the project gives it.
const SMALL_ROOM_BYTES: usize = 8192;

/// Room for other answers.
const ROOM_BYTES: usize = 65536;

/// Beginnings of exports that can be called, besides handlers.
const CALLABLE: [&str; 4] = ["handle_put_", "radar_", "resources_", "weather_"];

/// What a script may leave lying before its garbage is collected: programs with the smallest of AssemblyScript's runtimes never do
/// that themselves, and may not while anything of them runs.
const LITTER_BYTES_MAX: usize = 1 << 20;

/// What one operation may leave besides its body.
const LITTER_BYTES: usize = 16 << 10;

/// How texts go over.
#[derive(Clone)]
enum Texts {
    Script(Script),
    Buffer(Allocator),
}

/// The adapter.
pub(crate) struct SignalK {
    is_script: bool,
    /// Whether handlers get AssemblyScript's strings too, which the project's own host does and its documents do not say.
    handlers_take_strings: bool,
    bound: Option<(Instance, Texts)>,
    handlers: BTreeSet<String>,
    litter_bytes: usize,
}

impl SignalK {
    pub(super) fn of_script() -> Self {
        Self {
            is_script: true,
            handlers_take_strings: false,
            bound: None,
            handlers: BTreeSet::new(),
            litter_bytes: 0,
        }
    }

    pub(super) fn of_buffer() -> Self {
        Self { is_script: false, ..Self::of_script() }
    }

    fn bound(&self) -> Result<(Instance, Texts), Fault> {
        bound(self.bound.clone())
    }

    /// After an operation with so long a body.
    fn tidy(&mut self, store: &mut Store<State>, bytes: usize) -> wasmtime::Result<()> {
        let (_, Texts::Script(script)) = self.bound()? else { return Ok(()) };
        self.litter_bytes = self.litter_bytes.saturating_add(bytes).saturating_add(LITTER_BYTES);
        if self.litter_bytes < LITTER_BYTES_MAX {
            return Ok(());
        }
        self.litter_bytes = 0;
        script.collect(store)
    }

    /// What an export without parameters says.
    fn said(&self, store: &mut Store<State>, name: &str) -> wasmtime::Result<Option<String>> {
        let (instance, texts) = self.bound()?;
        let bytes = match &texts {
            Texts::Script(script) => match function(store, &instance, name)? {
                Some(says) => {
                    let address = invoke(&says, &mut *store, ())?;
                    script.read(store, address)?.map(String::into_bytes)
                }
                None => None,
            },
            Texts::Buffer(allocator) => match function(store, &instance, name)? {
                Some(says) => fill(store, allocator, SMALL_ROOM_BYTES, Short::Cuts, |store, room, bytes| {
                    invoke(&says, store, (room, bytes))
                })?,
                None => None,
            },
        };
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn json_said(&self, store: &mut Store<State>, name: &str) -> wasmtime::Result<Value> {
        let said = self.said(store, name)?.filter(|said| !said.trim().is_empty());
        let Some(said) = said else { return Ok(Value::Null) };
        serde_json::from_str(&said)
            .map_err(|error| Fault::Abi(format!("its {name} is not JSON: {error}")).into())
    }
}

impl ModuleAbi for SignalK {
    fn link(&self, linker: &mut Linker<State>, module: &Module) -> wasmtime::Result<()> {
        imports::link(linker, module, |from, name| match from {
            "env" => env::import(name),
            "as-fetch" => env::fetch(name),
            _ => None,
        })
    }

    fn bind(&mut self, store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<()> {
        let texts = if self.is_script {
            Texts::Script(Script::find(store, instance)?)
        } else {
            Texts::Buffer(Allocator::find(store, instance, "allocate", "deallocate")?)
        };
        store.data_mut().kept = Box::new(Kept::default());
        self.bound = Some((*instance, texts));
        Ok(())
    }
}

impl GuestAbi for SignalK {
    fn start(&mut self, store: &mut Store<State>, given: Given<'_>) -> wasmtime::Result<()> {
        let (instance, texts) = self.bound()?;
        self.handlers_take_strings = match given.option("http_encoding") {
            None | Some("utf8") => false,
            Some("as") => true,
            Some(other) => {
                let why = format!("options.http_encoding is {other:?}: it can be utf8 or as");
                return Err(Fault::Abi(why).into());
            }
        };
        let config = given.config.filter(|config| !config.is_empty()).unwrap_or(b"{}");
        store.data_mut().kept::<Kept>()?.begin(&given, config);
        run_constructors(store, &instance, &["_initialize"])?;
        let start = instance.get_typed_func::<(i32, i32), i32>(&mut *store, "plugin_start")?;
        let code = match &texts {
            Texts::Script(script) => {
                let (address, length) = script.place_bytes(store, config)?;
                let code = invoke(&start, &mut *store, (address, length))?;
                script.drop(store, address)?;
                code
            }
            Texts::Buffer(allocator) => {
                let block = allocator.place(&mut *store, &[config])?;
                let code = invoke(&start, &mut *store, block.numbers())?;
                allocator.free(&mut *store, block)?;
                code
            }
        };
        if code != 0 {
            return Err(Fault::refused("plugin_start", code).into());
        }
        let endpoints = self.json_said(store, "http_endpoints")?;
        let endpoints = endpoints.as_array().map(Vec::as_slice).unwrap_or_default();
        let handler = |endpoint: &Value| endpoint.get("handler").and_then(Value::as_str).map(str::to_owned);
        self.handlers = endpoints.iter().filter_map(handler).collect();
        Ok(())
    }

    fn describe(&mut self, store: &mut Store<State>) -> wasmtime::Result<Answer> {
        let said = json!({
            "id": self.said(store, "plugin_id")?,
            "name": self.said(store, "plugin_name")?,
            "schema": self.json_said(store, "plugin_schema")?,
            "endpoints": self.json_said(store, "http_endpoints")?,
        });
        Ok(Answer::json(&said))
    }

    fn call(
        &mut self,
        store: &mut Store<State>,
        method: &str,
        _content_type: u32,
        body: &[u8],
    ) -> wasmtime::Result<Answer> {
        let is_handler = self.handlers.contains(method);
        if !is_handler && !CALLABLE.iter().any(|beginning| method.starts_with(beginning)) {
            let wanted = "it can be called for the handlers of its http_endpoints, for handle_put_…, resources_…, \
                          weather_… and radar_…";
            return Ok(Answer::error("no_method", wanted));
        }
        let (instance, texts) = self.bound()?;
        let answered = match &texts {
            Texts::Script(script) => {
                let as_bytes = is_handler && !self.handlers_take_strings;
                script.call(store, &instance, method, body, as_bytes)?
            }
            Texts::Buffer(allocator) => of_buffer(store, &instance, allocator, method, body)?,
        };
        let Some(answer) = answered else {
            return Ok(Answer::error("no_method", "it does not export that, or not as a handler"));
        };
        self.tidy(store, body.len().saturating_add(answer.len()))?;
        if answer.is_empty() {
            return Ok(Answer::json(&Value::Null));
        }
        Fault::unless_output_fits(answer.len(), store.data().output_bytes_max)?;
        is_json(&answer, "its answer")?;
        Ok(Answer::new(false, CONTENT_JSON, answer))
    }

    fn event(
        &mut self,
        store: &mut Store<State>,
        _topic: &str,
        _content_type: u32,
        body: &[u8],
    ) -> wasmtime::Result<Answer> {
        let (instance, texts) = self.bound()?;
        match &texts {
            Texts::Script(script) => {
                let Some(hear) = function::<i32, ()>(store, &instance, "delta_handler")? else {
                    return Ok(Answer::error("no_event", "it exports no delta_handler"));
                };
                let text = script.place(store, &String::from_utf8_lossy(body))?;
                invoke(&hear, &mut *store, text)?;
                script.drop(store, text)?;
                self.tidy(store, body.len())?;
            }
            Texts::Buffer(allocator) => {
                let Some(hear) = function::<(i32, i32), ()>(store, &instance, "delta_handler")? else {
                    return Ok(Answer::error("no_event", "it exports no delta_handler"));
                };
                let block = allocator.place(&mut *store, &[body])?;
                invoke(&hear, &mut *store, block.numbers())?;
                allocator.free(store, block)?;
            }
        }
        Ok(Answer::empty())
    }

    fn turn(&mut self, store: &mut Store<State>, turn: Turn) -> wasmtime::Result<Answer> {
        let (instance, _) = self.bound()?;
        let name = match turn {
            Turn::Poll => "poll",
            Turn::Stop => "plugin_stop",
        };
        let Some(turn) = function::<(), i32>(store, &instance, name)? else { return Ok(Answer::empty()) };
        let code = invoke(&turn, &mut *store, ())?;
        self.tidy(store, 0)?;
        Ok(Answer::of_code(name, name, code))
    }
}

/// A request and room for its answer; some want no request.
fn of_buffer(
    store: &mut Store<State>,
    instance: &Instance,
    allocator: &Allocator,
    name: &str,
    body: &[u8],
) -> wasmtime::Result<Option<Vec<u8>>> {
    let bytes = if name.starts_with("handle_put_") { SMALL_ROOM_BYTES } else { ROOM_BYTES };
    if let Some(says) = function::<(i32, i32), i32>(store, instance, name)? {
        let said = fill(store, allocator, bytes, Short::Cuts, |store, room, bytes| {
            invoke(&says, store, (room, bytes))
        })?;
        return Ok(Some(said.unwrap_or_default()));
    }
    let answers: Option<TypedFunc<(i32, i32, i32, i32), i32>> = function(store, instance, name)?;
    let Some(answers) = answers else { return Ok(None) };
    let request = allocator.place(&mut *store, &[body])?;
    let (address, length) = request.numbers();
    let answer = fill(store, allocator, bytes, Short::Cuts, |store, room, bytes| {
        invoke(&answers, store, (address, length, room, bytes))
    })?;
    allocator.free(store, request)?;
    Ok(Some(answer.unwrap_or_default()))
}
