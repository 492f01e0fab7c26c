//! A plugin of Signal K in its buffer dialect: says values in the units that people on board read, beside those of the standard.

use serde_json::{Value, json};

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn sk_handle_message(delta: *const u8, bytes: usize, version: i32);
}

/// A unit as its multiple of the standard's, and where it begins.
struct Unit {
    name: &'static str,
    factor: f64,
    offset: f64,
}

const KNOTS: Unit = Unit { name: "kn", factor: 3600.0 / 1852.0, offset: 0.0 };
const DEGREES: Unit = Unit { name: "deg", factor: 180.0 / std::f64::consts::PI, offset: 0.0 };
const CELSIUS: Unit = Unit { name: "C", factor: 1.0, offset: -273.15 };

/// The unit that a path's value is read in.
fn unit(path: &str) -> Option<Unit> {
    let last = path.rsplit('.').next().unwrap_or(path).to_lowercase();
    match last.as_str() {
        _ if last.contains("speed") => Some(KNOTS),
        _ if last.contains("course") || last.contains("heading") => Some(DEGREES),
        _ if last.contains("temperature") => Some(CELSIUS),
        _ => None,
    }
}

/// What is to be said of a delta; nothing where it has no number in a unit.
fn converted(delta: &Value) -> Option<Value> {
    let updates = delta.get("updates")?.as_array()?;
    let values = updates.iter().filter_map(|update| update.get("values")?.as_array()).flatten();
    let converted: Vec<Value> = values
        .filter_map(|value| {
            let path = value.get("path")?.as_str()?;
            let Unit { name, factor, offset } = unit(path)?;
            let number = value.get("value")?.as_f64()? * factor + offset;
            Some(json!({"path": format!("units.{path}.{name}"), "value": (number * 10.0).round() / 10.0}))
        })
        .collect();
    (!converted.is_empty()).then(|| json!({"updates": [{"values": converted}]}))
}

fn given<'a>(address: *const u8, bytes: usize) -> &'a [u8] {
    // SAFETY: the host has written that many bytes there.
    unsafe { std::slice::from_raw_parts(address, bytes) }
}

fn put(text: &str, room: *mut u8, room_bytes: usize) -> i32 {
    let bytes = &text.as_bytes()[..text.len().min(room_bytes)];
    // SAFETY: the host gives that much room.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), room, bytes.len()) };
    bytes.len() as i32
}

#[unsafe(no_mangle)]
extern "C" fn allocate(bytes: usize) -> *mut u8 {
    let mut room = Vec::<u8>::with_capacity(bytes.max(1));
    let address = room.as_mut_ptr();
    std::mem::forget(room);
    address
}

#[unsafe(no_mangle)]
extern "C" fn deallocate(address: *mut u8, bytes: usize) {
    // SAFETY: it is what `allocate` gave.
    drop(unsafe { Vec::from_raw_parts(address, 0, bytes.max(1)) });
}

#[unsafe(no_mangle)]
extern "C" fn plugin_id(room: *mut u8, bytes: usize) -> i32 {
    put("units", room, bytes)
}

#[unsafe(no_mangle)]
extern "C" fn plugin_name(room: *mut u8, bytes: usize) -> i32 {
    put("Units on board", room, bytes)
}

#[unsafe(no_mangle)]
extern "C" fn plugin_start(_config: *const u8, _bytes: usize) -> i32 {
    0
}

#[unsafe(no_mangle)]
extern "C" fn plugin_stop() -> i32 {
    0
}

#[unsafe(no_mangle)]
extern "C" fn delta_handler(delta: *const u8, bytes: usize) {
    let delta: Value = serde_json::from_slice(given(delta, bytes)).unwrap_or_default();
    if let Some(said) = converted(&delta) {
        let said = said.to_string();
        // SAFETY: the text is there for the length of the call.
        unsafe { sk_handle_message(said.as_ptr(), said.len(), 1) };
    }
}
