//! The native core dialect, `casemate-1`.
//!
//! ```text
//! request  u16 LE method length, method, u8 content type, body
//! reply    u8 status (0 answer, 1 error), u8 content type, body
//! ```
//! Blocks from host to guest are made with `casemate_alloc(length, 1)` and belong to the guest from then on. Blocks that a
//! guest returns, as `length << 32 | address`, belong to it until `casemate_free(address, length, 1)`.

use super::memory::{Block, read};
use super::{Allocator, Answer, Given, GuestAbi, ModuleAbi, bound, function, host, invoke, run_constructors};
use crate::fault::Fault;
use crate::guest::State;
use casemate_lockdown::link::Turn;
use wasmtime::{Caller, Instance, Linker, Module, Store, TypedFunc};

const MODULE: &str = "casemate";
const VERSION: i32 = 1;
const REPLY_HEADER_BYTES: usize = 2;

type OnBlock = TypedFunc<(i32, i32), i64>;

/// The exports of one instance.
struct Exports {
    instance: Instance,
    allocator: Allocator,
    version: TypedFunc<(), i32>,
    call: OnBlock,
    init: Option<OnBlock>,
    describe: Option<TypedFunc<(), i64>>,
    event: Option<TypedFunc<(i32, i32), i32>>,
    shutdown: Option<TypedFunc<(), i32>>,
}

/// The adapter.
#[derive(Default)]
pub(crate) struct Casemate1 {
    exports: Option<Exports>,
}

impl Casemate1 {
    fn exports(&self) -> Result<&Exports, Fault> {
        bound(self.exports.as_ref())
    }
}

impl ModuleAbi for Casemate1 {
    fn link(&self, linker: &mut Linker<State>, _module: &Module) -> wasmtime::Result<()> {
        linker.func_wrap(MODULE, "host_call", host_call)?;
        linker.func_wrap(
            MODULE,
            "log",
            |mut caller: Caller<'_, State>, level: i32, address: i32, length: i32| -> wasmtime::Result<()> {
                Ok(host::log(&mut caller, level, Block::new(address, length))?)
            },
        )?;
        linker.func_wrap(MODULE, "cancelled", || i32::from(host::is_cancelled()))?;
        Ok(())
    }

    fn bind(&mut self, store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<()> {
        let allocator = Allocator::find(store, instance, "casemate_alloc", "casemate_free")?;
        store.data_mut().kept = Box::new(allocator.clone());
        self.exports = Some(Exports {
            instance: *instance,
            allocator,
            version: instance.get_typed_func(&mut *store, "casemate_abi")?,
            call: instance.get_typed_func(&mut *store, "casemate_call")?,
            init: function(store, instance, "casemate_init")?,
            describe: function(store, instance, "casemate_describe")?,
            event: function(store, instance, "casemate_event")?,
            shutdown: function(store, instance, "casemate_shutdown")?,
        });
        Ok(())
    }
}

impl GuestAbi for Casemate1 {
    fn start(&mut self, store: &mut Store<State>, given: Given<'_>) -> wasmtime::Result<()> {
        let exports = self.exports()?;
        run_constructors(store, &exports.instance, &["_initialize"])?;
        let version = invoke(&exports.version, &mut *store, ())?;
        if version != VERSION {
            return Err(
                Fault::Abi(format!("its casemate_abi is {version}; this worker speaks {VERSION}")).into()
            );
        }
        let Some(init) = &exports.init else { return Ok(()) };
        let block = exports.allocator.place(&mut *store, &[given.config.unwrap_or_default()])?;
        let packed = invoke(init, &mut *store, block.numbers())?;
        let answer = take_reply(exports, store, packed)?;
        if answer.is_error {
            let Answer { content_type, body, .. } = answer;
            return Err(Fault::Refused { content_type, body }.into());
        }
        Ok(())
    }

    fn describe(&mut self, store: &mut Store<State>) -> wasmtime::Result<Answer> {
        let exports = self.exports()?;
        let Some(describe) = &exports.describe else {
            return Ok(Answer::empty());
        };
        let packed = invoke(describe, &mut *store, ())?;
        take_reply(exports, store, packed)
    }

    fn call(
        &mut self,
        store: &mut Store<State>,
        method: &str,
        content_type: u32,
        body: &[u8],
    ) -> wasmtime::Result<Answer> {
        let exports = self.exports()?;
        let block = place_request(exports, store, method, content_type, body)?;
        let packed = invoke(&exports.call, &mut *store, block.numbers())?;
        take_reply(exports, store, packed)
    }

    fn event(
        &mut self,
        store: &mut Store<State>,
        topic: &str,
        content_type: u32,
        body: &[u8],
    ) -> wasmtime::Result<Answer> {
        let exports = self.exports()?;
        let Some(event) = &exports.event else {
            return Ok(Answer::error("no_event", "it exports no casemate_event"));
        };
        let block = place_request(exports, store, topic, content_type, body)?;
        // What it says of that is in its log.
        let code = invoke(event, &mut *store, block.numbers())?;
        Ok(Answer::of_code("event", "casemate_event", code))
    }

    fn turn(&mut self, store: &mut Store<State>, turn: Turn) -> wasmtime::Result<Answer> {
        match (turn, &self.exports()?.shutdown) {
            (Turn::Stop, Some(shutdown)) => {
                Ok(Answer::of_code("shutdown", "casemate_shutdown", invoke(shutdown, store, ())?))
            }
            _ => Ok(Answer::empty()),
        }
    }
}

/// A request, or an event, in a block of the guest's.
fn place_request(
    exports: &Exports,
    store: &mut Store<State>,
    method: &str,
    content_type: u32,
    body: &[u8],
) -> wasmtime::Result<Block> {
    let method_bytes = u16::try_from(method.len()).unwrap_or(u16::MAX).to_le_bytes();
    let content_type = [u8::try_from(content_type).unwrap_or(0)];
    exports.allocator.place(&mut *store, &[&method_bytes, method.as_bytes(), &content_type, body])
}

/// Reads a reply and gives its block back to the guest.
fn take_reply(exports: &Exports, store: &mut Store<State>, packed: i64) -> wasmtime::Result<Answer> {
    let block = Block::unpack(packed);
    let answer = {
        let reply = read(exports.allocator.memory(), &*store, block, "its reply")?;
        let body_bytes = reply.len().saturating_sub(REPLY_HEADER_BYTES);
        Fault::unless_output_fits(body_bytes, store.data().output_bytes_max)?;
        match reply {
            [status @ (0 | 1), content_type @ (0 | 1), body @ ..] => {
                Answer::new(*status == 1, (*content_type).into(), body.to_vec())
            }
            [] | [_] => {
                return Err(
                    Fault::Abi(format!("its reply has {} bytes; 2 are the least", reply.len())).into()
                );
            }
            [status, content_type, ..] => {
                return Err(Fault::Abi(format!(
                    "its reply has status {status} and content type {content_type}; 0 and 1 are known"
                ))
                .into());
            }
        }
    };
    exports.allocator.free(&mut *store, block)?;
    Ok(answer)
}

/// `casemate.host_call`: the guest's request to the host, the host's reply in a block of the guest's.
fn host_call(mut caller: Caller<'_, State>, address: i32, length: i32) -> wasmtime::Result<i64> {
    let memory = host::memory(&mut caller)?;
    let (method, content_type, body) = {
        let request = read(memory, &caller, Block::new(address, length), "a host call")?;
        let (method, content_type, body) = split_request(request)?;
        (method.to_owned(), content_type, body.to_vec())
    };
    let answer = host::call(&mut caller, &method, content_type, &body)?;
    let allocator = caller.data_mut().kept::<Allocator>()?.clone();
    let header = [u8::from(answer.is_error), u8::try_from(answer.content_type).unwrap_or(0)];
    Ok(allocator.place(&mut caller, &[&header, &answer.body])?.pack())
}

/// `u16 LE method length, method, u8 content type, body`.
fn split_request(request: &[u8]) -> Result<(&str, u32, &[u8]), Fault> {
    let broken = || Fault::Abi(format!("a host call of {} bytes is cut off", request.len()));
    let (length, rest) = request.split_first_chunk::<2>().ok_or_else(broken)?;
    let (method, rest) =
        rest.split_at_checked(usize::from(u16::from_le_bytes(*length))).ok_or_else(broken)?;
    let (content_type, body) = rest.split_first().ok_or_else(broken)?;
    let method = std::str::from_utf8(method)
        .ok()
        .ok_or_else(|| Fault::Abi("a host call's method is not UTF-8".to_owned()))?;
    if *content_type > 1 {
        return Err(Fault::Abi(format!("a host call has content type {content_type}; 0 and 1 are known")));
    }
    Ok((method, u32::from(*content_type), body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_every_length_are_split_or_refused() {
        let whole = [3, 0, b'a', b'b', b'c', 1, 9, 9];
        assert_eq!(split_request(&whole), Ok(("abc", 1, &[9, 9][..])));
        for cut in 0..6 {
            assert!(split_request(&whole[..cut]).is_err(), "cut at {cut}");
        }
        assert!(split_request(&[1, 0, 0xff, 0]).is_err(), "not UTF-8");
        assert!(split_request(&[0, 0, 2]).is_err(), "content type");
        assert!(split_request(&[0xff, 0xff, 0, 0]).is_err(), "method longer than the request");
    }
}
