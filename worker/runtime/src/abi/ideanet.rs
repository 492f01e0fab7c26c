//! Plugins of IdeaNet. What a block is made of, and where it comes from, the project leaves open; here a guest's answer is the
//! address of `u32 LE length, bytes`, and the guest gives room by `alloc`.
//!
//! A method is a command's action, the body its payload: the guest gets `{action, payload}` and answers `{ok: …}` or
//! `{error: {code, message}}`. `ideanet.host_call` takes `{method, payload}` and gives the same two.
//!
//! The project initializes a plugin when it is loaded, not when it is first called: so it is polled, and a poll of one that is
//! set up does nothing.

use super::allocator::Allocator;
use super::answer::{input, value};
use super::imports::{self, Arguments, Given as Result_, of};
use super::memory::{Block, read};
use super::{Answer, Given, GuestAbi, ModuleAbi, bound, function, host, invoke, run_constructors};
use crate::fault::Fault;
use crate::guest::State;
use casemate_lockdown::link::Turn;
use casemate_protocol::feed::{PUBLISH, join_event};
use casemate_protocol::link::CONTENT_JSON;
use serde_json::{Value, json};
use wasmtime::{Caller, Instance, Linker, Module, Store, TypedFunc};

const LENGTH_BYTES: u32 = 4;

struct Exports {
    instance: Instance,
    allocator: Allocator,
    initialize: TypedFunc<(i32, i32), i32>,
    command: TypedFunc<(i32, i32), i32>,
    event: Option<TypedFunc<(i32, i32), i32>>,
    shutdown: TypedFunc<(), i32>,
}

/// The adapter.
#[derive(Default)]
pub(crate) struct Ideanet {
    exports: Option<Exports>,
}

impl Ideanet {
    fn exports(&self) -> Result<&Exports, Fault> {
        bound(self.exports.as_ref())
    }
}

impl ModuleAbi for Ideanet {
    fn link(&self, linker: &mut Linker<State>, module: &Module) -> wasmtime::Result<()> {
        imports::link(linker, module, |from, name| match (from, name) {
            ("ideanet", "host_call") => of(host_call),
            _ => None,
        })
    }

    fn bind(&mut self, store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<()> {
        let allocator = Allocator::find(store, instance, "alloc", "dealloc")?;
        store.data_mut().kept = Box::new(allocator.clone());
        self.exports = Some(Exports {
            instance: *instance,
            allocator,
            initialize: instance.get_typed_func(&mut *store, "initialize")?,
            command: instance.get_typed_func(&mut *store, "handle_command")?,
            event: function(store, instance, "handle_event")?,
            shutdown: instance.get_typed_func(&mut *store, "shutdown")?,
        });
        Ok(())
    }
}

impl GuestAbi for Ideanet {
    fn start(&mut self, store: &mut Store<State>, given: Given<'_>) -> wasmtime::Result<()> {
        let exports = self.exports()?;
        run_constructors(store, &exports.instance, &["_initialize"])?;
        let config = given.config.unwrap_or(b"{}");
        match exports.hand(store, &exports.initialize, config)? {
            0 => Ok(()),
            code => Err(Fault::refused("initialize", code).into()),
        }
    }

    fn call(
        &mut self,
        store: &mut Store<State>,
        method: &str,
        _content_type: u32,
        body: &[u8],
    ) -> wasmtime::Result<Answer> {
        let exports = self.exports()?;
        let payload = match input(body) {
            Ok(payload) => payload,
            Err(refusal) => return Ok(refusal),
        };
        let command = json!({ "action": method, "payload": payload }).to_string();
        let address = exports.hand(store, &exports.command, command.as_bytes())?;
        if address == 0 {
            return Ok(Answer::error("failed", "handle_command gave no answer"));
        }
        let block = block_at(store, &exports.allocator, address)?;
        let answer = read(exports.allocator.memory(), &*store, block, "its answer")?;
        Fault::unless_output_fits(answer.len(), store.data().output_bytes_max)?;
        let answer = value(answer, "its answer")?;
        let whole = Block {
            address: block.address.saturating_sub(LENGTH_BYTES),
            length: block.length.saturating_add(LENGTH_BYTES),
        };
        exports.allocator.free(&mut *store, whole)?;
        Ok(match (answer.get("ok"), answer.get("error")) {
            (Some(ok), None) => Answer::json(ok),
            (None, Some(error)) => {
                let text =
                    |key: &str, other| error.get(key).and_then(Value::as_str).unwrap_or(other).to_owned();
                Answer::error(&text("code", "failed"), &text("message", "the plugin does not say why"))
            }
            _ => return Err(Fault::Abi("its answer is neither {ok} nor {error}".to_owned()).into()),
        })
    }

    fn event(
        &mut self,
        store: &mut Store<State>,
        topic: &str,
        _content_type: u32,
        body: &[u8],
    ) -> wasmtime::Result<Answer> {
        let exports = self.exports()?;
        let Some(event) = &exports.event else {
            return Ok(Answer::error("no_event", "it exports no handle_event"));
        };
        let payload = match input(body) {
            Ok(payload) => payload,
            Err(refusal) => return Ok(refusal),
        };
        let told = json!({ "topic": topic, "payload": payload }).to_string();
        Ok(Answer::of_code("event", "handle_event", exports.hand(store, event, told.as_bytes())?))
    }

    fn turn(&mut self, store: &mut Store<State>, turn: Turn) -> wasmtime::Result<Answer> {
        match turn {
            Turn::Poll => Ok(Answer::empty()),
            Turn::Stop => {
                let code = invoke(&self.exports()?.shutdown, store, ())?;
                Ok(Answer::of_code("shutdown", "shutdown", code))
            }
        }
    }
}

impl Exports {
    /// Calls with a block that is the guest's from then on.
    fn hand(
        &self,
        store: &mut Store<State>,
        function: &TypedFunc<(i32, i32), i32>,
        bytes: &[u8],
    ) -> wasmtime::Result<i32> {
        let block = self.allocator.place(&mut *store, &[bytes])?;
        invoke(function, store, block.numbers())
    }
}

/// The bytes behind a length.
fn block_at(store: &Store<State>, allocator: &Allocator, address: i32) -> Result<Block, Fault> {
    let head = Block { address: address.cast_unsigned(), length: LENGTH_BYTES };
    let length = read(allocator.memory(), store, head, "the length of its answer")?;
    let length = u32::from_le_bytes(*length.first_chunk().unwrap_or(&[0; 4]));
    let address = head.address.checked_add(LENGTH_BYTES);
    let address = address.ok_or_else(|| Fault::Abi("its answer is at the end of its memory".to_owned()))?;
    Ok(Block { address, length })
}

/// `{topic, payload}` as events are published.
fn event(published: &Value) -> Result<Vec<u8>, Fault> {
    let topic = published.get("topic").and_then(Value::as_str).unwrap_or_default();
    let body = published.get("payload").unwrap_or(&Value::Null).to_string();
    join_event(topic, CONTENT_JSON, body.as_bytes())
        .ok_or_else(|| Fault::Abi("it publishes an event whose topic is too long".to_owned()))
}

fn host_call(caller: &mut Caller<'_, State>, arguments: Arguments<'_>) -> wasmtime::Result<Result_> {
    let request = value(&arguments.bytes(caller, 0, "a host call")?, "a host call")?;
    let method = request.get("method").and_then(Value::as_str);
    let method = method.ok_or_else(|| Fault::Abi("a host call names no method".to_owned()))?;
    let payload = request.get("payload").unwrap_or(&Value::Null);
    let answer = match method {
        PUBLISH => host::call(caller, method, CONTENT_JSON, &event(payload)?)?,
        _ => host::call(caller, method, CONTENT_JSON, payload.to_string().as_bytes())?,
    };
    let given = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let reply = if answer.is_error { json!({ "error": given }) } else { json!({ "ok": given }) }.to_string();
    let length = u32::try_from(reply.len()).unwrap_or(u32::MAX).to_le_bytes();
    let allocator = caller.data_mut().kept::<Allocator>()?.clone();
    let block = allocator.place(caller, &[&length, reply.as_bytes()])?;
    Ok(Result_::Number(block.numbers().0))
}
