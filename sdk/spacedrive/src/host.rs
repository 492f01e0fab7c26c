//! The imports, and what is made of them.

use crate::Uuid;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;

#[cfg(target_arch = "wasm32")]
#[link(wasm_import_module = "spacedrive")]
unsafe extern "C" {
    fn spacedrive_call(
        method: *const u8,
        method_bytes: usize,
        library: *const u8,
        payload: *const u8,
        payload_bytes: usize,
    ) -> *mut u8;
    fn spacedrive_log(level: i32, line: *const u8, bytes: usize);
    fn register_job(
        name: *const u8,
        name_bytes: usize,
        function: *const u8,
        function_bytes: usize,
        resumable: i32,
    ) -> i32;
}

/// Why a call has no result, in the host's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(pub String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<Error> for String {
    fn from(error: Error) -> Self {
        error.0
    }
}

/// Calls an operation of the host's.
pub fn call<T: DeserializeOwned>(
    method: &str,
    library: Option<&Uuid>,
    payload: &impl Serialize,
) -> Result<T, Error> {
    let payload = serde_json::to_vec(payload).map_err(|error| Error(error.to_string()))?;
    let reply = raw(method, library, &payload).ok_or_else(|| Error("the host gave no result".to_owned()))?;
    let reply: Value = serde_json::from_slice(&reply).map_err(|error| Error(error.to_string()))?;
    match reply.get("error").and_then(Value::as_str) {
        Some(error) => Err(Error(error.to_owned())),
        None => serde_json::from_value(reply).map_err(|error| Error(error.to_string())),
    }
}

#[cfg(target_arch = "wasm32")]
fn raw(method: &str, library: Option<&Uuid>, payload: &[u8]) -> Option<Vec<u8>> {
    let library = library.map_or(std::ptr::null(), |library| library.as_ptr());
    // SAFETY: all of it is there for the length of the call.
    let reply =
        unsafe { spacedrive_call(method.as_ptr(), method.len(), library, payload.as_ptr(), payload.len()) };
    if reply.is_null() {
        return None;
    }
    // SAFETY: the host writes a zero behind its reply, in a block of `wasm_alloc`'s that is ours now.
    let text = unsafe { std::ffi::CStr::from_ptr(reply.cast()) }.to_bytes().to_vec();
    let bytes = i32::try_from(text.len() + 1).ok()?;
    // SAFETY: as above.
    unsafe { free(reply, bytes) };
    Some(text)
}

#[cfg(not(target_arch = "wasm32"))]
fn raw(_: &str, _: Option<&Uuid>, _: &[u8]) -> Option<Vec<u8>> {
    None
}

/// Lines for the host's log.
pub mod log {
    /// What only its author wants to know.
    pub fn debug(line: &str) {
        super::say(0, line);
    }

    /// What happens.
    pub fn info(line: &str) {
        super::say(1, line);
    }

    /// What may be wrong.
    pub fn warn(line: &str) {
        super::say(2, line);
    }

    /// What is wrong.
    pub fn error(line: &str) {
        super::say(3, line);
    }
}

#[cfg(target_arch = "wasm32")]
fn say(level: i32, line: &str) {
    // SAFETY: the line is there for the length of the call.
    unsafe { spacedrive_log(level, line.as_ptr(), line.len()) };
}

#[cfg(not(target_arch = "wasm32"))]
fn say(_: i32, _: &str) {}

/// Tells the host of a job.
#[doc(hidden)]
pub fn register(name: &str, function: &str, resumable: bool) -> Result<(), Error> {
    #[cfg(target_arch = "wasm32")]
    // SAFETY: both texts are there for the length of the call.
    let code = unsafe {
        register_job(name.as_ptr(), name.len(), function.as_ptr(), function.len(), i32::from(resumable))
    };
    #[cfg(not(target_arch = "wasm32"))]
    let code = i32::from(name.is_empty() || function.is_empty() || resumable);
    if code == 0 { Ok(()) } else { Err(Error(format!("the job {name} could not be registered"))) }
}

/// Room for the host to write to.
#[doc(hidden)]
pub fn alloc(bytes: i32) -> *mut u8 {
    let Ok(bytes) = usize::try_from(bytes) else { return std::ptr::null_mut() };
    let mut room = Vec::<u8>::with_capacity(bytes.max(1));
    let address = room.as_mut_ptr();
    std::mem::forget(room);
    address
}

/// Takes room back.
///
/// # Safety
///
/// It is what [`alloc`] gave for the same number.
#[doc(hidden)]
pub unsafe fn free(address: *mut u8, bytes: i32) {
    let bytes = usize::try_from(bytes).unwrap_or(0).max(1);
    // SAFETY: as the caller promises.
    drop(unsafe { Vec::from_raw_parts(address, 0, bytes) });
}
