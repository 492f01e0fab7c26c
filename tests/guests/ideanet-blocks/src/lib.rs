//! A plugin of IdeaNet, by its ABI alone: registers a block type, renders blocks, and counts what it hears.

use serde_json::{Value, json};
use std::cell::Cell;

#[link(wasm_import_module = "ideanet")]
unsafe extern "C" {
    fn host_call(request: *const u8, bytes: usize) -> *mut u8;
}

thread_local! {
    static HEARD: Cell<u64> = const { Cell::new(0) };
}

/// Calls the host: its answer, or the code of its error.
fn call(method: &str, payload: Value) -> Result<Value, String> {
    let request = json!({ "method": method, "payload": payload }).to_string();
    // SAFETY: the request is there for the length of the call; the answer is a block of `alloc`'s, its length in front.
    let reply = unsafe {
        let block = host_call(request.as_ptr(), request.len());
        let length = u32::from_le_bytes(*block.cast::<[u8; 4]>()) as usize;
        let bytes = std::slice::from_raw_parts(block.add(4), length).to_vec();
        dealloc(block, length + 4);
        bytes
    };
    let reply: Value = serde_json::from_slice(&reply).map_err(|error| error.to_string())?;
    match reply.get("ok") {
        Some(ok) => Ok(ok.clone()),
        None => Err(reply["error"]["code"].as_str().unwrap_or("?").to_owned()),
    }
}

#[unsafe(no_mangle)]
extern "C" fn alloc(bytes: usize) -> *mut u8 {
    let mut room = Vec::<u8>::with_capacity(bytes.max(1));
    let address = room.as_mut_ptr();
    std::mem::forget(room);
    address
}

#[unsafe(no_mangle)]
extern "C" fn dealloc(address: *mut u8, bytes: usize) {
    // SAFETY: it is what `alloc` gave.
    drop(unsafe { Vec::from_raw_parts(address, 0, bytes.max(1)) });
}

fn given(address: *mut u8, bytes: usize) -> Value {
    // SAFETY: the host has written that many bytes there, and they are ours.
    let value = serde_json::from_slice(unsafe { std::slice::from_raw_parts(address, bytes) });
    dealloc(address, bytes);
    value.unwrap_or_default()
}

fn answer(value: &Value) -> *mut u8 {
    let text = value.to_string();
    let block = alloc(text.len() + 4);
    // SAFETY: there is room for both.
    unsafe {
        block.cast::<[u8; 4]>().write((text.len() as u32).to_le_bytes());
        std::ptr::copy_nonoverlapping(text.as_ptr(), block.add(4), text.len());
    }
    block
}

#[unsafe(no_mangle)]
extern "C" fn initialize(config: *mut u8, bytes: usize) -> u32 {
    if given(config, bytes).get("refuse").is_some() {
        return 3;
    }
    let block =
        json!({"id": "my-custom-block", "name": "My Custom Block", "component": "MyCustomBlockComponent"});
    u32::from(call("ui.register_block_type", block).is_err())
}

#[unsafe(no_mangle)]
extern "C" fn handle_command(command: *mut u8, bytes: usize) -> *mut u8 {
    let command = given(command, bytes);
    let payload = &command["payload"];
    match command["action"].as_str().unwrap_or("") {
        "render_block" => {
            answer(&json!({ "ok": { "html": format!("<p>{}</p>", payload["text"].as_str().unwrap_or("")) } }))
        }
        "heard" => answer(&json!({ "ok": HEARD.get() })),
        "ask" => match call(payload["method"].as_str().unwrap_or(""), payload["payload"].clone()) {
            Ok(value) => answer(&json!({ "ok": value })),
            Err(code) => answer(&json!({ "error": { "code": code, "message": "the host refused" } })),
        },
        "fault" => std::ptr::null_mut(),
        other => answer(&json!({ "error": { "code": "UnknownCommand", "message": other } })),
    }
}

#[unsafe(no_mangle)]
extern "C" fn handle_event(event: *mut u8, bytes: usize) -> u32 {
    match given(event, bytes)["topic"].as_str() {
        Some("content.created") => {
            HEARD.set(HEARD.get() + 1);
            0
        }
        _ => 1,
    }
}

#[unsafe(no_mangle)]
extern "C" fn shutdown() -> u32 {
    u32::from(call("ui.farewell", Value::Null).is_err())
}
