//! A plugin of Signal K in its buffer dialect: watches whether the ship leaves its place, and says so. Everything that the
//! host offers is used once, so that a suite can see it.

use serde_json::{Value, json};
use std::cell::RefCell;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn sk_debug(text: *const u8, bytes: usize);
    fn sk_set_status(text: *const u8, bytes: usize);
    // Older guests declare it without the version.
    fn sk_handle_message(delta: *const u8, bytes: usize);
    fn sk_publish_notification(path: *const u8, path_bytes: usize, value: *const u8, bytes: usize) -> i32;
    fn sk_get_self_path(path: *const u8, path_bytes: usize, room: *mut u8, bytes: usize) -> i32;
    fn sk_read_config(room: *mut u8, bytes: usize) -> i32;
    fn sk_save_config(config: *const u8, bytes: usize) -> i32;
    fn sk_has_capability(name: *const u8, bytes: usize) -> i32;
    fn sk_register_put_handler(
        context: *const u8,
        context_bytes: usize,
        path: *const u8,
        bytes: usize,
    ) -> i32;
    fn sk_register_resource_provider(kind: *const u8, bytes: usize) -> i32;
    fn sk_register_weather_provider(name: *const u8, bytes: usize) -> i32;
    fn sk_register_radar_provider(name: *const u8, bytes: usize) -> i32;
    fn sk_emit_binary_stream(name: *const u8, name_bytes: usize, data: *const u8, bytes: usize) -> i32;
    fn sk_radar_emit_spokes(radar: *const u8, radar_bytes: usize, data: *const u8, bytes: usize) -> i32;
    fn sk_udp_create(kind: i32) -> i32;
    fn sk_tcp_create() -> i32;
}

/// What it knows.
#[derive(Default)]
struct Watch {
    radius: f64,
    /// Where it dropped: the first place that it hears of.
    anchor: Option<(f64, f64)>,
    deltas: u64,
    polls: u64,
    is_dragging: bool,
}

thread_local! {
    static WATCH: RefCell<Watch> = RefCell::default();
}

/// The last place in a delta.
fn position(delta: &Value) -> Option<(f64, f64)> {
    let updates = delta.get("updates")?.as_array()?;
    let values = updates.iter().filter_map(|update| update.get("values")?.as_array()).flatten();
    values.filter(|value| value["path"] == "navigation.position").last().and_then(|value| {
        let place = value.get("value")?;
        Some((place.get("latitude")?.as_f64()?, place.get("longitude")?.as_f64()?))
    })
}

/// Metres between two places, near enough for the length of a chain.
fn metres(from: (f64, f64), to: (f64, f64)) -> f64 {
    const METRES_A_DEGREE: f64 = 60.0 * 1852.0;
    let north = (to.0 - from.0) * METRES_A_DEGREE;
    let east = (to.1 - from.1) * METRES_A_DEGREE * from.0.to_radians().cos();
    north.hypot(east).round()
}

fn text(call: unsafe extern "C" fn(*const u8, usize), text: &str) {
    // SAFETY: the text is there for the length of the call.
    unsafe { call(text.as_ptr(), text.len()) };
}

fn put(bytes: &[u8], room: *mut u8, room_bytes: usize) -> i32 {
    let bytes = &bytes[..bytes.len().min(room_bytes)];
    // SAFETY: the host gives that much room.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), room, bytes.len()) };
    bytes.len() as i32
}

fn given<'a>(address: *const u8, bytes: usize) -> &'a [u8] {
    // SAFETY: the host has written that many bytes there.
    unsafe { std::slice::from_raw_parts(address, bytes) }
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
    put(b"anchor-watch", room, bytes)
}

#[unsafe(no_mangle)]
extern "C" fn plugin_name(room: *mut u8, bytes: usize) -> i32 {
    put("Anchor watch ⚓".as_bytes(), room, bytes)
}

#[unsafe(no_mangle)]
extern "C" fn plugin_schema(room: *mut u8, bytes: usize) -> i32 {
    put(br#"{"type":"object","properties":{"radius":{"type":"number"}}}"#, room, bytes)
}

#[unsafe(no_mangle)]
extern "C" fn http_endpoints(room: *mut u8, bytes: usize) -> i32 {
    put(br#"[{"method":"GET","path":"/api/status","handler":"http_status"}]"#, room, bytes)
}

#[unsafe(no_mangle)]
extern "C" fn plugin_start(config: *const u8, bytes: usize) -> i32 {
    let config: Value = serde_json::from_slice(given(config, bytes)).unwrap_or_default();
    if config.get("refuse").is_some() {
        return 7;
    }
    let radius = config.get("radius").and_then(Value::as_f64).unwrap_or(30.0);
    WATCH.with_borrow_mut(|watch| watch.radius = radius);
    text(sk_set_status, "watching");
    let (context, path) = ("vessels.self", "navigation.anchor.position");
    // SAFETY: both texts are there for the length of the call.
    unsafe { sk_register_put_handler(context.as_ptr(), context.len(), path.as_ptr(), path.len()) };
    for (register, what) in [
        (sk_register_resource_provider as unsafe extern "C" fn(*const u8, usize) -> i32, "anchorages"),
        (sk_register_weather_provider, "swell"),
        (sk_register_radar_provider, "harbour"),
    ] {
        // SAFETY: the text is there for the length of the call. Who has not the capability is told 0, and goes on.
        unsafe { register(what.as_ptr(), what.len()) };
    }
    0
}

#[unsafe(no_mangle)]
extern "C" fn plugin_stop() -> i32 {
    text(sk_set_status, "stopped");
    0
}

#[unsafe(no_mangle)]
extern "C" fn poll() -> i32 {
    WATCH.with_borrow_mut(|watch| watch.polls += 1);
    0
}

#[unsafe(no_mangle)]
extern "C" fn delta_handler(delta: *const u8, bytes: usize) {
    let delta: Value = serde_json::from_slice(given(delta, bytes)).unwrap_or_default();
    // Suites say the distance itself.
    let distance = match position(&delta) {
        Some(place) => WATCH.with_borrow_mut(|watch| metres(*watch.anchor.get_or_insert(place), place)),
        None => delta.get("distance").and_then(Value::as_f64).unwrap_or(0.0),
    };
    if delta.get("crash").is_some() {
        unreachable!("it was told to");
    }
    WATCH.with_borrow_mut(|watch| {
        watch.deltas += 1;
        watch.is_dragging = distance > watch.radius;
        if watch.is_dragging {
            let (path, value) =
                ("navigation.anchor", json!({"state": "alarm", "message": "it drags"}).to_string());
            // SAFETY: both texts are there for the length of the call.
            unsafe { sk_publish_notification(path.as_ptr(), path.len(), value.as_ptr(), value.len()) };
        }
    });
    let values =
        json!({"updates": [{"values": [{"path": "navigation.anchor.distance", "value": distance}]}]});
    let values = values.to_string();
    // SAFETY: as above.
    unsafe { sk_handle_message(values.as_ptr(), values.len()) };
}

#[unsafe(no_mangle)]
extern "C" fn http_status(_request: *const u8, _bytes: usize, room: *mut u8, room_bytes: usize) -> i32 {
    let mut config = [0; 512];
    // SAFETY: the room is as large as it says.
    let bytes = unsafe { sk_read_config(config.as_mut_ptr(), config.len()) };
    let config: Value = serde_json::from_slice(&config[..bytes.max(0) as usize]).unwrap_or_default();
    let capability = "network";
    // SAFETY: the text is there for the length of the call.
    let network = unsafe { sk_has_capability(capability.as_ptr(), capability.len()) };
    // SAFETY: it takes a number.
    let socket = unsafe { sk_udp_create(0) };
    // SAFETY: it takes nothing.
    let stream = unsafe { sk_tcp_create() };
    let (stream_of, radar, data) = ("plugins/anchor-watch/chain", "harbour", [0_u8, 255, 10]);
    // SAFETY: texts and bytes are there for the length of the calls.
    let emitted = unsafe {
        [
            sk_emit_binary_stream(stream_of.as_ptr(), stream_of.len(), data.as_ptr(), data.len()),
            sk_radar_emit_spokes(radar.as_ptr(), radar.len(), data.as_ptr(), data.len()),
        ]
    };
    text(sk_debug, "somebody asks for the status");
    let body = WATCH.with_borrow(|watch| {
        json!({
            "deltas": watch.deltas, "polls": watch.polls, "dragging": watch.is_dragging, "radius": watch.radius,
            "position": path("navigation.position"), "config": config, "network": network, "socket": socket,
            "stream": stream, "emitted": emitted,
        })
    });
    put(json!({"statusCode": 200, "headers": {}, "body": body}).to_string().as_bytes(), room, room_bytes)
}

/// What it knows of a kind of resources, and what it was asked.
#[unsafe(no_mangle)]
extern "C" fn resources_list_resources(
    request: *const u8,
    bytes: usize,
    room: *mut u8,
    room_bytes: usize,
) -> i32 {
    let asked: Value = serde_json::from_slice(given(request, bytes)).unwrap_or_default();
    let found = json!({"bay": {"name": "Eckernförde", "asked": asked}});
    put(found.to_string().as_bytes(), room, room_bytes)
}

#[unsafe(no_mangle)]
extern "C" fn weather_get_observations(
    request: *const u8,
    bytes: usize,
    room: *mut u8,
    room_bytes: usize,
) -> i32 {
    let asked: Value = serde_json::from_slice(given(request, bytes)).unwrap_or_default();
    put(json!([{"swell": 0.4, "asked": asked}]).to_string().as_bytes(), room, room_bytes)
}

/// The one that is asked nothing.
#[unsafe(no_mangle)]
extern "C" fn radar_get_radars(room: *mut u8, room_bytes: usize) -> i32 {
    put(br#"["harbour"]"#, room, room_bytes)
}

fn path(path: &str) -> Value {
    let mut room = [0; 256];
    // SAFETY: path and room are as large as they say.
    let bytes = unsafe { sk_get_self_path(path.as_ptr(), path.len(), room.as_mut_ptr(), room.len()) };
    serde_json::from_slice(&room[..bytes.max(0) as usize]).unwrap_or_default()
}

#[unsafe(no_mangle)]
extern "C" fn handle_put_vessels_self_navigation_anchor_position(
    request: *const u8,
    bytes: usize,
    room: *mut u8,
    room_bytes: usize,
) -> i32 {
    let request: Value = serde_json::from_slice(given(request, bytes)).unwrap_or_default();
    let config = json!({"radius": request.get("value")}).to_string();
    // SAFETY: the text is there for the length of the call.
    let saved = unsafe { sk_save_config(config.as_ptr(), config.len()) };
    let answer = json!({"state": "COMPLETED", "statusCode": if saved == 0 { 200 } else { 500 }});
    put(answer.to_string().as_bytes(), room, room_bytes)
}
