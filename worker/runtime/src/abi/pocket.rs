//! Nodes of Pocket: one JSON request for everything, `{function, node, config, input, prepResult, execResult}`, and one JSON
//! response, `{success, error?, output?, next?}`.
//!
//! A method is the function: `prep`, `exec`, `post`. The body is the rest of the request; the answer is `{output, next}`, and
//! `next` is `done` where the node does not say.

#[cfg(feature = "wasi")]
pub(super) mod stdio;

use super::allocator::Allocator;
use super::answer::{is_json, value};
use super::block_call::{BlockCall, take};
use super::room::{Short, fill};
use super::{Answer, GuestAbi, ModuleAbi, bound, imports, invoke};
use crate::fault::Fault;
use crate::guest::State;
use casemate_protocol::link::CONTENT_JSON;
use serde_json::{Map, Value, json};
use wasmtime::{Instance, Linker, Module, Store, TypedFunc};

/// Room for an answer, at first.
const ROOM_BYTES: usize = 16 * 1024;

/// Where to go from a node that does not say.
const DONE: &str = "done";

enum Exports {
    Host {
        allocator: Allocator,
        call: BlockCall,
    },
    Buffer {
        allocator: Allocator,
        call: TypedFunc<(i32, i32, i32, i32), i32>,
        metadata: TypedFunc<(i32, i32), i32>,
    },
}

/// The adapter of both dialects in which memory is shared.
pub(crate) struct Pocket {
    is_buffer: bool,
    exports: Option<Exports>,
}

impl Pocket {
    pub(super) fn of_host() -> Self {
        Self { is_buffer: false, exports: None }
    }

    pub(super) fn of_buffer() -> Self {
        Self { is_buffer: true, exports: None }
    }

    fn exports(&self) -> Result<&Exports, Fault> {
        bound(self.exports.as_ref())
    }
}

impl ModuleAbi for Pocket {
    fn link(&self, linker: &mut Linker<State>, module: &Module) -> wasmtime::Result<()> {
        imports::link(linker, module, |_, _| None)
    }

    fn bind(&mut self, store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<()> {
        self.exports = Some(if self.is_buffer {
            Exports::Buffer {
                allocator: Allocator::find(store, instance, "alloc", "dealloc")?,
                call: instance.get_typed_func(&mut *store, "call")?,
                metadata: instance.get_typed_func(&mut *store, "metadata")?,
            }
        } else {
            Exports::Host {
                allocator: Allocator::find(store, instance, "__pocket_alloc", "__pocket_free")?,
                call: BlockCall::find(store, instance, "__pocket_call")?,
            }
        });
        Ok(())
    }
}

impl GuestAbi for Pocket {
    fn describe(&mut self, store: &mut Store<State>) -> wasmtime::Result<Answer> {
        let Exports::Buffer { allocator, metadata, .. } = self.exports()? else { return Ok(Answer::empty()) };
        let said = fill(store, allocator, ROOM_BYTES, Short::Asks, |store, address, bytes| {
            invoke(metadata, store, (address, bytes))
        })?;
        described(said.unwrap_or_default())
    }

    fn call(
        &mut self,
        store: &mut Store<State>,
        method: &str,
        _content_type: u32,
        body: &[u8],
    ) -> wasmtime::Result<Answer> {
        let request = match request(method, body) {
            Ok(request) => request,
            Err(refusal) => return Ok(refusal),
        };
        let response = match self.exports()? {
            Exports::Host { allocator, call } => {
                let block = allocator.place(&mut *store, &[&request])?;
                let given = call.call(store, allocator, block)?;
                let response = take(store, allocator, given, "its response")?;
                allocator.free(&mut *store, given)?;
                allocator.free(&mut *store, block)?;
                response
            }
            Exports::Buffer { allocator, call, .. } => {
                let block = allocator.place(&mut *store, &[&request])?;
                let (address, bytes) = block.numbers();
                let response = fill(store, allocator, ROOM_BYTES, Short::Asks, |store, room, room_bytes| {
                    invoke(call, store, (address, bytes, room, room_bytes))
                })?;
                allocator.free(&mut *store, block)?;
                response.unwrap_or_default()
            }
        };
        Ok(answer(&response)?)
    }
}

/// The request for a function, or why there is none.
fn request(method: &str, body: &[u8]) -> Result<Vec<u8>, Answer> {
    if !matches!(method, "prep" | "exec" | "post") {
        return Err(Answer::error("no_method", "a node has prep, exec and post"));
    }
    let rest = if body.is_empty() { Ok(Map::new()) } else { serde_json::from_slice::<Map<_, _>>(body) };
    let mut request = rest.map_err(|error| {
        let wanted = "a node's request is an object of node, config, input, prepResult, execResult";
        Answer::error("bad_input", &format!("{wanted}: {error}"))
    })?;
    request.insert("function".to_owned(), method.into());
    Ok(Value::Object(request).to_string().into_bytes())
}

/// What a response says.
fn answer(response: &[u8]) -> Result<Answer, Fault> {
    let response = value(response, "its response")?;
    if response.get("success").and_then(Value::as_bool) != Some(true) {
        let why = response.get("error").and_then(Value::as_str);
        return Ok(Answer::error("failed", why.unwrap_or("the node does not say why")));
    }
    let next = response.get("next").and_then(Value::as_str).filter(|next| !next.is_empty());
    let output = response.get("output").cloned().unwrap_or_default();
    Ok(Answer::json(&json!({ "output": output, "next": next.unwrap_or(DONE) })))
}

fn described(said: Vec<u8>) -> wasmtime::Result<Answer> {
    if said.is_empty() {
        return Ok(Answer::empty());
    }
    is_json(&said, "its metadata")?;
    Ok(Answer::new(false, CONTENT_JSON, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_without_success_is_an_error_and_next_is_done() {
        let body = |response: &str| {
            let answer = answer(response.as_bytes()).unwrap();
            (answer.is_error, serde_json::from_slice::<Value>(&answer.body).unwrap())
        };
        let done = json!({"next": "done", "output": [1]});
        assert_eq!(body(r#"{"success":true,"output":[1]}"#), (false, done));
        assert_eq!(body(r#"{"success":true,"next":"a"}"#), (false, json!({"next": "a", "output": null})));
        let (is_error, text) = body(r#"{"success":false,"error":"Input array is empty"}"#);
        assert!(is_error && text["message"] == "Input array is empty", "{text}");
        assert!(body("{}").0);
        assert!(answer(b"").is_err(), "no JSON is no response");
    }

    #[test]
    fn a_method_becomes_the_requests_function() {
        let made = request("exec", br#"{"function":"x","input":1}"#).unwrap();
        let made: Value = serde_json::from_slice(&made).unwrap();
        assert_eq!(made, json!({"function": "exec", "input": 1}));
        assert!(request("metadata", b"").is_err());
        assert!(request("exec", b"[]").is_err());
    }
}
