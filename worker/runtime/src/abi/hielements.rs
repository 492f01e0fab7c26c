//! Libraries of Hielements: JSON in, JSON out, and no free.
//!
//! Methods are those of its external programs: `library.call` and `library.check`, with `{function, args, workspace}`. What a
//! library answers is passed on as it is, but for the `{"Error": …}` of a call, which is its error. With the option `arg_encoding=tagged` its arguments
//! are wrapped as external programs get them: `{"String": "src/"}`.

use super::allocator::Allocator;
use super::answer::value;
use super::block_call::{BlockCall, take};
use super::{Answer, Given, GuestAbi, ModuleAbi, bound, imports};
use crate::fault::Fault;
use crate::guest::State;
use casemate_protocol::link::CONTENT_JSON;
use serde_json::{Value, json};
use wasmtime::{Instance, Linker, Module, Store};

const CALL: &str = "library.call";
const CHECK: &str = "library.check";

struct Exports {
    allocator: Allocator,
    call: BlockCall,
    check: BlockCall,
}

/// The adapter.
#[derive(Default)]
pub(crate) struct Hielements {
    exports: Option<Exports>,
    is_tagged: bool,
}

impl ModuleAbi for Hielements {
    fn link(&self, linker: &mut Linker<State>, module: &Module) -> wasmtime::Result<()> {
        imports::link(linker, module, |_, _| None)
    }

    fn bind(&mut self, store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<()> {
        self.exports = Some(Exports {
            allocator: Allocator::find(store, instance, "alloc", "")?,
            call: BlockCall::find(store, instance, "library_call")?,
            check: BlockCall::find(store, instance, "library_check")?,
        });
        Ok(())
    }
}

impl GuestAbi for Hielements {
    fn start(&mut self, _store: &mut Store<State>, given: Given<'_>) -> wasmtime::Result<()> {
        self.is_tagged = match given.option("arg_encoding") {
            None | Some("plain") => false,
            Some("tagged") => true,
            Some(other) => {
                let why = format!("options.arg_encoding is {other:?}: it can be plain or tagged");
                return Err(Fault::Abi(why).into());
            }
        };
        Ok(())
    }

    fn call(
        &mut self,
        store: &mut Store<State>,
        method: &str,
        _content_type: u32,
        body: &[u8],
    ) -> wasmtime::Result<Answer> {
        let exports = bound(self.exports.as_ref())?;
        let function = match method {
            CALL => &exports.call,
            CHECK => &exports.check,
            _ => return Ok(Answer::error("no_method", "a library has library.call and library.check")),
        };
        let tagged = if self.is_tagged { tag_arguments(body) } else { None };
        let request = exports.allocator.place(&mut *store, &[tagged.as_deref().unwrap_or(body)])?;
        let reply = function.call(store, &exports.allocator, request)?;
        let reply = take(store, &exports.allocator, reply, "its result")?;
        let result = value(&reply, "its result")?;
        match result.get("Error").filter(|_| method == CALL) {
            Some(Value::String(message)) => Ok(Answer::error("Error", message)),
            Some(other) => Ok(Answer::error("Error", &other.to_string())),
            None => Ok(Answer::new(false, CONTENT_JSON, reply)),
        }
    }
}

/// The request with its arguments wrapped. What is no request is the library's to refuse.
fn tag_arguments(body: &[u8]) -> Option<Vec<u8>> {
    let mut request: Value = serde_json::from_slice(body).ok()?;
    for argument in request.get_mut("args")?.as_array_mut()? {
        *argument = tagged(argument.take());
    }
    Some(request.to_string().into_bytes())
}

fn tagged(argument: Value) -> Value {
    match argument {
        Value::String(text) => json!({ "String": text }),
        Value::Bool(flag) => json!({ "Bool": flag }),
        Value::Number(number) if number.is_f64() => json!({ "Float": number }),
        Value::Number(number) => json!({ "Int": number }),
        Value::Array(values) => json!({ "List": values.into_iter().map(tagged).collect::<Vec<_>>() }),
        // Scopes and connection points carry their tag already.
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_wrapped_as_external_programs_get_them() {
        let body = br#"{"function":"f","args":["src/",3,0.5,["a"],{"Scope":{}}],"workspace":"/w"}"#;
        let tagged: Value = serde_json::from_slice(&tag_arguments(body).unwrap()).unwrap();
        let args = json!([{"String": "src/"}, {"Int": 3}, {"Float": 0.5}, {"List": [{"String": "a"}]}, {"Scope": {}}]);
        assert_eq!(tagged["args"], args);
        assert_eq!(tag_arguments(b"nonsense"), None);
    }
}
