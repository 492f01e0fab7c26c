//! The native core dialect, `casemate-1`.
//!
//! ```text
//! request  u16 LE method length, method, u8 content type, body
//! reply    u8 status (0 answer, 1 error), u8 content type, body
//! ```
//! Blocks from host to guest are made with `casemate_alloc(length, 1)` and belong to the guest from then on. Blocks that a
//! guest returns, as `length << 32 | address`, belong to it until `casemate_free(address, length, 1)`.

use super::memory::{Block, read, write};
use super::{Answer, GuestAbi, host, invoke};
use crate::fault::Fault;
use crate::guest::State;
use casemate_protocol::link::CONTENT_JSON;
use casemate_protocol::outcome::LimitName;
use wasmtime::{AsContextMut, Caller, Func, Instance, Linker, Memory, Store, TypedFunc};

const MODULE: &str = "casemate";
const VERSION: i32 = 1;
const REPLY_HEADER_BYTES: u32 = 2;

type Alloc = TypedFunc<(i32, i32), i32>;
type Free = TypedFunc<(i32, i32, i32), ()>;
type OnBlock = TypedFunc<(i32, i32), i64>;

/// The exports of one instance.
struct Exports {
    memory: Memory,
    /// A WASI library's own constructors.
    initialize: Option<TypedFunc<(), ()>>,
    version: TypedFunc<(), i32>,
    alloc: Alloc,
    free: Free,
    call: OnBlock,
    init: Option<OnBlock>,
    describe: Option<TypedFunc<(), i64>>,
    event: Option<TypedFunc<(i32, i32), i32>>,
}

/// The adapter.
#[derive(Default)]
pub(crate) struct Casemate1 {
    exports: Option<Exports>,
}

impl Casemate1 {
    fn exports(&self) -> Result<&Exports, Fault> {
        self.exports.as_ref().ok_or_else(|| Fault::Abi("it was called before it was bound".to_owned()))
    }
}

impl GuestAbi for Casemate1 {
    fn link(&self, linker: &mut Linker<State>) -> wasmtime::Result<()> {
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
        let memory = instance
            .get_memory(&mut *store, "memory")
            .ok_or_else(|| Fault::Abi("it exports no memory".to_owned()))?;
        store.data_mut().memory = Some(memory);
        self.exports = Some(Exports {
            memory,
            version: instance.get_typed_func(&mut *store, "casemate_abi")?,
            alloc: instance.get_typed_func(&mut *store, "casemate_alloc")?,
            free: instance.get_typed_func(&mut *store, "casemate_free")?,
            call: instance.get_typed_func(&mut *store, "casemate_call")?,
            initialize: match instance.get_func(&mut *store, "_initialize") {
                Some(initialize) => Some(initialize.typed(&*store)?),
                None => None,
            },
            init: match instance.get_func(&mut *store, "casemate_init") {
                Some(init) => Some(init.typed(&*store)?),
                None => None,
            },
            describe: match instance.get_func(&mut *store, "casemate_describe") {
                Some(describe) => Some(describe.typed(&*store)?),
                None => None,
            },
            event: match instance.get_func(&mut *store, "casemate_event") {
                Some(event) => Some(event.typed(&*store)?),
                None => None,
            },
        });
        Ok(())
    }

    fn start(&mut self, store: &mut Store<State>, config: Option<&[u8]>) -> wasmtime::Result<()> {
        let exports = self.exports()?;
        if let Some(initialize) = &exports.initialize {
            invoke(initialize, &mut *store, ())?;
        }
        let version = invoke(&exports.version, &mut *store, ())?;
        if version != VERSION {
            return Err(
                Fault::Abi(format!("its casemate_abi is {version}; this worker speaks {VERSION}")).into()
            );
        }
        let Some(init) = &exports.init else { return Ok(()) };
        let block = place(exports, store, &[config.unwrap_or_default()])?;
        let packed = invoke(init, &mut *store, (block.address.cast_signed(), block.length.cast_signed()))?;
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
            return Ok(Answer::new(false, 0, Vec::new()));
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
        let packed =
            invoke(&exports.call, &mut *store, (block.address.cast_signed(), block.length.cast_signed()))?;
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
            return Ok(event_error("no_event", "it exports no casemate_event"));
        };
        let block = place_request(exports, store, topic, content_type, body)?;
        match invoke(event, &mut *store, (block.address.cast_signed(), block.length.cast_signed()))? {
            0 => Ok(Answer::new(false, 0, Vec::new())),
            code => Ok(event_error(
                "event",
                &format!("its casemate_event answered {code}; what it says of that is in its log"),
            )),
        }
    }
}

/// As a guest's own error. The words are ours and need no escaping.
fn event_error(code: &str, message: &str) -> Answer {
    let body = format!(r#"{{"code":"{code}","message":"{message}","retryable":false}}"#).into_bytes();
    Answer::new(true, CONTENT_JSON, body)
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
    place(exports, store, &[&method_bytes, method.as_bytes(), &content_type, body])
}

/// Asks the guest for a block and fills it.
fn place(exports: &Exports, store: &mut Store<State>, parts: &[&[u8]]) -> wasmtime::Result<Block> {
    place_with(exports.memory, &exports.alloc, store, parts)
}

fn place_with(
    memory: Memory,
    alloc: &Alloc,
    mut store: impl AsContextMut<Data = State>,
    parts: &[&[u8]],
) -> wasmtime::Result<Block> {
    let bytes = parts.iter().map(|part| part.len()).sum::<usize>();
    let length = i32::try_from(bytes)
        .ok()
        .ok_or_else(|| Fault::Abi(format!("{bytes} bytes do not fit into a 32-bit memory")))?;
    let address = invoke(alloc, &mut store, (length, 1))?;
    let block = Block::new(address, length);
    if block.address == 0 && length > 0 {
        return Err(Fault::Abi(format!("casemate_alloc gave no block of {length} bytes")).into());
    }
    write(memory, &mut store, block, parts, "the block casemate_alloc gave")?;
    Ok(block)
}

/// Reads a reply and gives its block back to the guest.
fn take_reply(exports: &Exports, store: &mut Store<State>, packed: i64) -> wasmtime::Result<Answer> {
    let block = Block::unpack(packed);
    let configured = u64::from(store.data().output_bytes_max);
    let observed = u64::from(block.length.saturating_sub(REPLY_HEADER_BYTES));
    let answer = {
        let reply = read(exports.memory, &*store, block, "its reply")?;
        if observed > configured {
            return Err(Fault::Limit { limit: LimitName::Output, configured, observed }.into());
        }
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
    invoke(&exports.free, &mut *store, (block.address.cast_signed(), block.length.cast_signed(), 1))?;
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
    let alloc = caller
        .get_export("casemate_alloc")
        .and_then(wasmtime::Extern::into_func)
        .map(|func: Func| func.typed::<(i32, i32), i32>(&caller))
        .ok_or_else(|| Fault::Abi("it exports no casemate_alloc".to_owned()))??;
    let header = [u8::from(answer.is_error), u8::try_from(answer.content_type).unwrap_or(0)];
    Ok(place_with(memory, &alloc, &mut caller, &[&header, &answer.body])?.pack())
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
