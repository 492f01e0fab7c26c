//! Components: the world `casemate:plugin`, programs that export `wasi:cli/run`, and any other by its types.

mod denied;
mod files;
mod json;
mod own;

use super::{Answer, Given as Setup, GuestAbi, bound, command, host};
use crate::fault::Fault;
use crate::guest::State;
use crate::wasi::block_on;
use bindings::casemate::plugin::host::{Host, Level};
use bindings::casemate::plugin::types::{self, Body, Content};
use casemate_protocol::link::{CONTENT_JSON, CONTENT_RAW};
use casemate_protocol::module::Dialect;
use json::Resources;
use serde_json::Value;
use wasmtime::component::{Component, Func, HasSelf, Instance, InstancePre, Linker, Val};
use wasmtime::{Engine, Store};
use wasmtime_wasi::p2;
use wasmtime_wasi::p2::bindings::Command as Program;

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::large_futures, reason = "made from sdk/wit")]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit",
        world: "plugin",
        imports: { default: trappable },
        exports: { default: async },
    });
}

/// What is spoken with an instance.
enum Spoken {
    Plugin(bindings::Plugin),
    Command(Option<Program>),
    Any { instance: Instance, resources: Resources },
}

/// The adapter of all components.
pub(crate) struct ComponentAbi {
    dialect: Dialect,
    spoken: Option<Spoken>,
}

/// A component with everything that it can import. What the network offers is there, and denied.
pub(crate) fn link(engine: &Engine, component: &Component) -> wasmtime::Result<InstancePre<State>> {
    let mut linker = Linker::new(engine);
    linker.allow_shadowing(true);
    p2::add_to_linker_async(&mut linker)?;
    files::link(&mut linker)?;
    own::link(&mut linker)?;
    bindings::Plugin::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    denied::link(engine, &mut linker, component)?;
    linker.instantiate_pre(component)
}

impl types::Host for State {}

impl Host for State {
    fn call(&mut self, method: String, request: Body) -> wasmtime::Result<Result<Body, Body>> {
        let (content_type, data) = given(request);
        let answer = host::call_in(self, &method, content_type, &data)?;
        let body = taken(answer.content_type, answer.body);
        Ok(if answer.is_error { Err(body) } else { Ok(body) })
    }

    fn log(&mut self, level: Level, line: String) -> wasmtime::Result<()> {
        let level = match level {
            Level::Trace => 0,
            Level::Debug => 1,
            Level::Info => 2,
            Level::Warn => 3,
            Level::Error => 4,
        };
        Ok(host::log_in(self, level, line.as_bytes())?)
    }

    fn cancelled(&mut self) -> wasmtime::Result<bool> {
        Ok(host::is_cancelled())
    }
}

fn given(body: Body) -> (u32, Vec<u8>) {
    let content_type = match body.content {
        Content::Bytes => CONTENT_RAW,
        Content::Json => CONTENT_JSON,
    };
    (content_type, body.data)
}

fn taken(content_type: u32, data: Vec<u8>) -> Body {
    let content = if content_type == CONTENT_JSON { Content::Json } else { Content::Bytes };
    Body { content, data }
}

fn answer(result: Result<Body, Body>) -> Answer {
    let is_error = result.is_err();
    let (content_type, body) = given(result.unwrap_or_else(|body| body));
    Answer::new(is_error, content_type, body)
}

impl ComponentAbi {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self { dialect, spoken: None }
    }

    /// Finds the exports that calls need, which runs no guest code.
    pub(crate) fn bind(&mut self, store: &mut Store<State>, instance: Instance) -> wasmtime::Result<()> {
        self.spoken = Some(match self.dialect {
            Dialect::PluginComponent => Spoken::Plugin(bindings::Plugin::new(&mut *store, &instance)?),
            Dialect::CommandComponent => Spoken::Command(Some(Program::new(&mut *store, &instance)?)),
            _ => Spoken::Any { instance, resources: Resources::default() },
        });
        Ok(())
    }

    fn spoken(&mut self) -> Result<&mut Spoken, Fault> {
        bound(self.spoken.as_mut())
    }
}

impl GuestAbi for ComponentAbi {
    fn start(&mut self, store: &mut Store<State>, setup: Setup<'_>) -> wasmtime::Result<()> {
        let Spoken::Plugin(plugin) = self.spoken()? else { return Ok(()) };
        let config = taken(CONTENT_JSON, setup.config.unwrap_or_default().to_vec());
        let guest = plugin.casemate_plugin_guest();
        match block_on(guest.call_init(&mut *store, &config))? {
            Ok(()) => Ok(()),
            Err(body) => {
                let (content_type, body) = given(body);
                Err(Fault::Refused { content_type, body }.into())
            }
        }
    }

    fn describe(&mut self, store: &mut Store<State>) -> wasmtime::Result<Answer> {
        let Spoken::Plugin(plugin) = self.spoken()? else {
            return Ok(Answer::empty());
        };
        let described = block_on(plugin.casemate_plugin_guest().call_describe(&mut *store))?;
        Ok(answer(Ok(described)))
    }

    fn call(
        &mut self,
        store: &mut Store<State>,
        method: &str,
        content_type: u32,
        body: &[u8],
    ) -> wasmtime::Result<Answer> {
        let bytes_max = store.data().output_bytes_max;
        let answer = match self.spoken()? {
            Spoken::Plugin(plugin) => {
                let request = taken(content_type, body.to_vec());
                let guest = plugin.casemate_plugin_guest();
                answer(block_on(guest.call_call(&mut *store, method, &request))?)
            }
            Spoken::Command(program) => {
                let program = program.take().ok_or_else(|| Fault::Abi("it has run already".to_owned()))?;
                store.data_mut().look_around_for(body);
                let ended = block_on(program.wasi_cli_run().call_run(&mut *store));
                return match ended {
                    Ok(Err(())) => {
                        let answer = command::answer(store, Ok(()))?;
                        Ok(Answer { exit_code: 1, ..answer })
                    }
                    Ok(Ok(())) => command::answer(store, Ok(())),
                    Err(error) => command::answer(store, Err(error)),
                };
            }
            Spoken::Any { instance, resources } => call_any(*instance, resources, store, method, body)?,
        };
        store.data_mut().around.end();
        Fault::unless_output_fits(answer.body.len(), bytes_max)?;
        Ok(answer)
    }

    fn event(
        &mut self,
        store: &mut Store<State>,
        topic: &str,
        content_type: u32,
        body: &[u8],
    ) -> wasmtime::Result<Answer> {
        let Spoken::Plugin(plugin) = self.spoken()? else {
            return Ok(Answer::no_event());
        };
        let event = taken(content_type, body.to_vec());
        let heard = block_on(plugin.casemate_plugin_guest().call_event(&mut *store, topic, &event))?;
        Ok(match heard {
            Ok(()) => Answer::new(false, CONTENT_RAW, Vec::new()),
            Err(body) => answer(Err(body)),
        })
    }
}

/// Calls `function` or `interface#function` with arguments of its types.
fn call_any(
    instance: Instance,
    resources: &mut Resources,
    store: &mut Store<State>,
    method: &str,
    body: &[u8],
) -> wasmtime::Result<Answer> {
    let Some(function) = find(instance, store, method) else {
        return Ok(Answer::error("no_method", &format!("it exports no function {}", method.escape_debug())));
    };
    let ty = function.ty(&*store);
    let input = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(body) };
    let arguments = input.map_err(|error| error.to_string()).and_then(|input| {
        let mut parameters = ty.params();
        let count = parameters.len();
        let by_name = |object: &serde_json::Map<String, Value>| {
            object.len() == count && ty.params().all(|(name, _)| object.contains_key(name))
        };
        match &input {
            Value::Null if count == 0 => Ok(Vec::new()),
            Value::Object(object) if by_name(object) => parameters
                .map(|(name, ty)| json::value(&ty, object.get(name).unwrap_or(&Value::Null), resources))
                .collect(),
            // The one argument itself: nobody has to wrap it.
            one if count == 1 => match parameters.next() {
                Some((_, ty)) => Ok(vec![json::value(&ty, one, resources)?]),
                None => Ok(Vec::new()),
            },
            several => json::values(
                ty.params().map(|(_, ty)| ty).collect::<Vec<_>>().into_iter(),
                several,
                resources,
            )
            .unwrap_or_else(|| {
                let names: Vec<&str> = ty.params().map(|(name, _)| name).collect();
                Err(format!("it takes {count} arguments, as an array or an object: {}", names.join(", ")))
            }),
        }
    });
    let arguments = match arguments {
        Ok(arguments) => arguments,
        Err(why) => return Ok(Answer::error("bad_input", &why)),
    };
    let mut results = vec![Val::Bool(false); ty.results().len()];
    block_on(function.call_async(&mut *store, &arguments, &mut results))?;
    let value = match results.as_slice() {
        [] => Value::Null,
        [Val::Result(Ok(payload))] => json::of_payload(payload.as_deref(), resources),
        [Val::Result(Err(payload))] => {
            let error = json::of_payload(payload.as_deref(), resources);
            let text = error.as_str().map_or_else(|| error.to_string(), str::to_owned);
            return Ok(Answer::error("err", &text));
        }
        [one] => json::json(one, resources),
        several => Value::Array(several.iter().map(|value| json::json(value, resources)).collect()),
    };
    Ok(Answer::new(false, CONTENT_JSON, value.to_string().into_bytes()))
}

fn find(instance: Instance, store: &mut Store<State>, method: &str) -> Option<Func> {
    match method.rsplit_once('#') {
        Some((interface, name)) => {
            let interface = instance.get_export_index(&mut *store, None, interface)?;
            let function = instance.get_export_index(&mut *store, Some(&interface), name)?;
            instance.get_func(store, function)
        }
        None => {
            let function = instance.get_export_index(&mut *store, None, method)?;
            instance.get_func(store, function)
        }
    }
}
