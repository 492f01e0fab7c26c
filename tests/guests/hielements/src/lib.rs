//! The Rust example of Hielements' design. Mended; `mended.diff` beside this has each change with its reason:
//! attributes as this edition wants them, the conversions between the functions' types, and checks in place of the placeholder.

use serde::{Deserialize, Serialize};
use std::alloc::{Layout, alloc as allocate};
use std::slice;

#[derive(Deserialize)]
struct Request {
    function: String,
    args: Vec<serde_json::Value>,
    #[allow(dead_code)]
    workspace: String,
}

#[derive(Serialize)]
#[allow(non_snake_case)]
struct ScopeResult {
    Scope: Scope,
}

#[derive(Serialize)]
struct Scope {
    kind: ScopeKind,
    paths: Vec<String>,
    resolved: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
#[allow(dead_code)]
enum ScopeKind {
    File(String),
    Folder(String),
    Glob(String),
}

/// What Rust makes of a pair that is returned: two words at an address that the caller gives.
#[repr(C)]
pub struct Pair(i32, i32);

#[unsafe(no_mangle)]
pub extern "C" fn alloc(size: i32) -> *mut u8 {
    let layout = Layout::from_size_align(size.max(1) as usize, 1).unwrap();
    // SAFETY: the layout is not of no bytes.
    unsafe { allocate(layout) }
}

#[unsafe(no_mangle)]
pub extern "C" fn library_call(input_ptr: i32, input_len: i32) -> Pair {
    let request = match request(input_ptr, input_len) {
        Ok(request) => request,
        Err(error) => return error,
    };
    match request.function.as_str() {
        "module_selector" => handle_module_selector(&request),
        "steps" => steps(&request),
        // Attacks that a host asks for, to see what they come to.
        "leak" => leak(&request),
        "spin" => loop {
            std::hint::black_box(0);
        },
        "trap" => unreachable!(),
        _ => error_result(&format!("Unknown function: {}", request.function)),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn library_check(input_ptr: i32, input_len: i32) -> Pair {
    let request = match request(input_ptr, input_len) {
        Ok(request) => request,
        Err(error) => return error,
    };
    let path = request.args.first().and_then(|value| value.as_str()).unwrap_or("");
    let result = match request.function.as_str() {
        "is_module" if path.ends_with('/') => serde_json::json!({ "Pass": null }),
        "is_module" => serde_json::json!({ "Fail": format!("{path} is not a folder") }),
        other => serde_json::json!({ "Error": format!("Unknown function: {other}") }),
    };
    give(&result.to_string())
}

fn request(input_ptr: i32, input_len: i32) -> Result<Request, Pair> {
    // SAFETY: the host has written that many bytes there.
    let input_bytes = unsafe { slice::from_raw_parts(input_ptr as *const u8, input_len as usize) };
    serde_json::from_slice(input_bytes)
        .map_err(|error| error_result(&format!("Failed to parse request: {error}")))
}

fn handle_module_selector(request: &Request) -> Pair {
    let path = request.args.first().and_then(|v| v.as_str()).unwrap_or("");
    let scope = ScopeResult {
        Scope: Scope { kind: ScopeKind::Folder(path.to_string()), paths: vec![], resolved: true },
    };
    give(&serde_json::to_string(&scope).unwrap())
}

/// Computes, so many steps, what nobody can tell beforehand.
fn steps(request: &Request) -> Pair {
    let steps = request.args.first().and_then(|value| value.as_u64()).unwrap_or(0);
    let number = (0..steps).fold(1_u32, |mut number, _| {
        number ^= number << 13;
        number ^= number >> 17;
        number ^ (number << 5)
    });
    give(&format!("{{\"Int\":{number}}}"))
}

/// Takes memory and gives none back, as every call here does, only more.
fn leak(request: &Request) -> Pair {
    let bytes = request.args.first().and_then(|value| value.as_u64()).unwrap_or(0);
    let room = alloc(bytes as i32);
    // SAFETY: none: this is an attack, and what it breaks is its own.
    unsafe { std::hint::black_box(room).write_bytes(1, bytes as usize) };
    give("{\"Int\":0}")
}

fn error_result(message: &str) -> Pair {
    give(&serde_json::json!({ "Error": message }).to_string())
}

fn give(json: &str) -> Pair {
    let bytes = json.as_bytes();
    let result_ptr = alloc(bytes.len() as i32);
    // SAFETY: that much room was asked for.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), result_ptr, bytes.len()) };
    Pair(result_ptr as i32, bytes.len() as i32)
}
