//! What plugins of Signal K import. Texts are UTF-8 here, address and length, in both dialects.

use super::super::Given as Setup;
use super::super::host;
use super::super::imports::{Arguments, Given, HostFunction, of};
use super::super::memory::{Block, write};
use super::script::read_string;
use crate::fault::Fault;
use crate::guest::State;
use casemate_protocol::link::{CONTENT_JSON, CONTENT_RAW};
use casemate_protocol::outcome::TrapKind;
use serde_json::{Value, json};
use wasmtime::Caller;

/// Levels of the log.
const DEBUG: i32 = 1;
const INFO: i32 = 2;
const WARN: i32 = 3;

/// What a function says that failed.
const FAILED: i32 = -1;

/// What the functions keep between them.
#[derive(Default)]
pub(super) struct Kept {
    config: Vec<u8>,
    capabilities: Vec<String>,
    seed: f64,
}

impl Kept {
    pub(super) fn begin(&mut self, given: &Setup<'_>, config: &[u8]) {
        self.config = config.to_vec();
        let capabilities = given.option("capabilities").unwrap_or_default().split(',');
        self.capabilities = capabilities.map(|one| one.trim().to_owned()).collect();
        let seed = u32::from_le_bytes(*given.seed.first_chunk().unwrap_or(&[0; 4]));
        self.seed = f64::from(seed) / f64::from(u32::MAX);
    }
}

/// The functions of `env`.
pub(super) fn import(name: &str) -> Option<HostFunction> {
    match name {
        "sk_debug" => of(|caller, arguments| log(caller, arguments, DEBUG)),
        "console.log" => of(|caller, arguments| {
            if arguments.has(1) {
                return log(caller, arguments, INFO);
            }
            // AssemblyScript's own passes a string of its own.
            let line = read_string(host::memory(caller)?, &*caller, arguments.number(0))?;
            host::log_in(caller.data_mut(), INFO, line.unwrap_or_default().as_bytes())?;
            Ok(Given::Nothing)
        }),
        "abort" => of(abort),
        "seed" => of(|caller, _| Ok(Given::Float(caller.data_mut().kept::<Kept>()?.seed))),
        "sk_set_status" => of(|caller, arguments| told(caller, arguments, "sk.set_status", "message")),
        "sk_set_error" => of(|caller, arguments| told(caller, arguments, "sk.set_error", "message")),
        "sk_handle_message" => of(handle_message),
        "sk_publish_notification" => of(publish_notification),
        "sk_get_self_path" => of(|caller, arguments| look(caller, arguments, "sk.get_self_path")),
        "sk_get_path" => of(|caller, arguments| look(caller, arguments, "sk.get_path")),
        "sk_read_config" => of(|caller, arguments| {
            let config = caller.data_mut().kept::<Kept>()?.config.clone();
            fit(caller, arguments.block(0), &config)
        }),
        "sk_save_config" => of(save_config),
        "sk_has_capability" => of(|caller, arguments| {
            let wanted = arguments.text(caller, 0, "the name of a capability")?;
            let kept = caller.data_mut().kept::<Kept>()?;
            Ok(Given::Number(i32::from(kept.capabilities.contains(&wanted))))
        }),
        "sk_register_put_handler" => of(|caller, arguments| {
            let context = arguments.text(caller, 0, "a context")?;
            let path = arguments.text(caller, 2, "a path")?;
            registered(caller, "sk.register_put_handler", &json!({ "context": context, "path": path }))
        }),
        "sk_register_resource_provider" => {
            of(|caller, arguments| provider(caller, arguments, "sk.register_resource_provider"))
        }
        "sk_register_weather_provider" => {
            of(|caller, arguments| provider(caller, arguments, "sk.register_weather_provider"))
        }
        "sk_register_radar_provider" => {
            of(|caller, arguments| provider(caller, arguments, "sk.register_radar_provider"))
        }
        "sk_emit_binary_stream" => {
            of(|caller, arguments| emit(caller, arguments, "sk.emit_binary_stream", ""))
        }
        "sk_radar_emit_spokes" => {
            of(|caller, arguments| emit(caller, arguments, "sk.radar_emit_spokes", "radars/"))
        }
        _ if name.starts_with("sk_udp_") || name.starts_with("sk_tcp_") => of(denied),
        _ => None,
    }
}

/// The functions of `as-fetch`, which answer at once and never wait.
pub(super) fn fetch(name: &str) -> Option<HostFunction> {
    match name {
        "_initAsyncify" => of(|_, _| Ok(Given::Nothing)),
        "_fetchGET" | "_fetchGETSync" | "_fetchPOST" | "_fetchPOSTSync" => of(|caller, arguments| {
            denied(caller, arguments)?;
            Ok(Given::Number(0))
        }),
        _ => None,
    }
}

fn log(caller: &mut Caller<'_, State>, arguments: Arguments<'_>, level: i32) -> wasmtime::Result<Given> {
    host::log(caller, level, arguments.block(0))?;
    Ok(Given::Nothing)
}

/// The network is closed to all.
fn denied(caller: &mut Caller<'_, State>, _: Arguments<'_>) -> wasmtime::Result<Given> {
    let why = b"it wanted the network: permissions.network is denied to all in this version";
    host::log_in(caller.data_mut(), WARN, why)?;
    Ok(Given::Number(FAILED))
}

/// AssemblyScript's own way to fail.
fn abort(caller: &mut Caller<'_, State>, arguments: Arguments<'_>) -> wasmtime::Result<Given> {
    let memory = host::memory(caller)?;
    let text = |at| read_string(memory, &*caller, arguments.number(at)).map(Option::unwrap_or_default);
    let (message, file) = (text(0)?, text(1)?);
    let (line, column) = (arguments.number(2), arguments.number(3));
    let message = format!("abort: {message} in {file}:{line}:{column}");
    Err(Fault::Trap { kind: TrapKind::Unreachable, message }.into())
}

/// Calls the host. `Err` are the host's own words.
fn call(
    caller: &mut Caller<'_, State>,
    method: &str,
    said: &Value,
) -> Result<Result<Vec<u8>, Vec<u8>>, Fault> {
    let answer = host::call(caller, method, CONTENT_JSON, said.to_string().as_bytes())?;
    Ok(if answer.is_error { Err(answer.body) } else { Ok(answer.body) })
}

/// A text for the host, of which the guest wants to know nothing more.
fn told(
    caller: &mut Caller<'_, State>,
    arguments: Arguments<'_>,
    method: &str,
    key: &str,
) -> wasmtime::Result<Given> {
    let text = arguments.text(caller, 0, "a text for the host")?;
    settled(caller, method, &json!({ key: text }))
}

/// 0, or what says that it failed; why is in the log.
fn settled(caller: &mut Caller<'_, State>, method: &str, said: &Value) -> wasmtime::Result<Given> {
    match call(caller, method, said)? {
        Ok(_) => Ok(Given::Number(0)),
        Err(why) => {
            host::log_in(caller.data_mut(), WARN, &why)?;
            Ok(Given::Number(FAILED))
        }
    }
}

/// 1 for yes, and 0.
fn registered(caller: &mut Caller<'_, State>, method: &str, said: &Value) -> wasmtime::Result<Given> {
    let given = settled(caller, method, said)?;
    Ok(Given::Number(i32::from(given == Given::Number(0))))
}

fn provider(
    caller: &mut Caller<'_, State>,
    arguments: Arguments<'_>,
    method: &str,
) -> wasmtime::Result<Given> {
    let kind = arguments.text(caller, 0, "what it provides")?;
    registered(caller, method, &json!({ "type": kind }))
}

fn handle_message(caller: &mut Caller<'_, State>, arguments: Arguments<'_>) -> wasmtime::Result<Given> {
    let delta = arguments.bytes(caller, 0, "a delta")?;
    let delta: Value = match serde_json::from_slice(&delta) {
        Ok(delta) => delta,
        Err(error) => {
            let why = format!("its delta is not JSON: {error}");
            host::log_in(caller.data_mut(), WARN, why.as_bytes())?;
            return Ok(Given::Number(FAILED));
        }
    };
    // Older guests do not say which version theirs is of.
    let version = if arguments.has(2) { arguments.number(2) } else { 1 };
    settled(caller, "sk.handle_message", &json!({ "delta": delta, "version": version }))
}

fn publish_notification(caller: &mut Caller<'_, State>, arguments: Arguments<'_>) -> wasmtime::Result<Given> {
    let path = arguments.text(caller, 0, "the path of a notification")?;
    let value = arguments.bytes(caller, 2, "a notification")?;
    match serde_json::from_slice::<Value>(&value) {
        Ok(value) => settled(caller, "sk.publish_notification", &json!({ "path": path, "value": value })),
        Err(_) => Ok(Given::Number(FAILED)),
    }
}

/// A value of the host's, as JSON, if it fits into the guest's room.
fn look(caller: &mut Caller<'_, State>, arguments: Arguments<'_>, method: &str) -> wasmtime::Result<Given> {
    let path = arguments.text(caller, 0, "a path")?;
    match call(caller, method, &json!({ "path": path }))? {
        Ok(value) if value != b"null" => fit(caller, arguments.block(2), &value),
        Ok(_) => Ok(Given::Number(0)),
        Err(why) => {
            host::log_in(caller.data_mut(), WARN, &why)?;
            Ok(Given::Number(0))
        }
    }
}

/// Writes into room of the guest's: how many bytes, or 0 where there is too little room.
fn fit(caller: &mut Caller<'_, State>, room: Block, bytes: &[u8]) -> wasmtime::Result<Given> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    if length > room.length {
        return Ok(Given::Number(0));
    }
    let memory = host::memory(caller)?;
    write(memory, caller, Block { length, ..room }, &[bytes], "the room that it gives")?;
    Ok(Given::Number(length.cast_signed()))
}

fn save_config(caller: &mut Caller<'_, State>, arguments: Arguments<'_>) -> wasmtime::Result<Given> {
    let bytes = arguments.bytes(caller, 0, "a configuration")?;
    let Ok(config) = serde_json::from_slice::<Value>(&bytes) else { return Ok(Given::Number(FAILED)) };
    let given = settled(caller, "config.save", &config)?;
    if given == Given::Number(0) {
        caller.data_mut().kept::<Kept>()?.config = bytes;
    }
    Ok(given)
}

/// Bytes of a stream: its name, a line feed, the bytes.
fn emit(
    caller: &mut Caller<'_, State>,
    arguments: Arguments<'_>,
    method: &str,
    before: &str,
) -> wasmtime::Result<Given> {
    let name = arguments.text(caller, 0, "the name of a stream")?;
    let data = arguments.bytes(caller, 2, "bytes of a stream")?;
    let body = [before.as_bytes(), name.as_bytes(), b"\n", &data].concat();
    let answer = host::call(caller, method, CONTENT_RAW, &body)?;
    Ok(Given::Number(i32::from(!answer.is_error)))
}
