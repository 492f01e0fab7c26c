//! What a node of Pocket in Rust links: [`PluginNode`], and [`export_plugin!`] for the exports that its host calls.
//!
//! ```
//! use pocket_plugin_sdk::{NodeMetadata, PluginNode, export_plugin};
//!
//! struct Shout;
//!
//! impl PluginNode for Shout {
//!     type Input = String;
//!     type Output = String;
//!     fn exec(&self, input: String) -> Result<String, String> {
//!         Ok(input.to_uppercase())
//!     }
//!     fn metadata(&self) -> NodeMetadata {
//!         NodeMetadata { node_type: "shout".into(), category: "text".into(), ..NodeMetadata::default() }
//!     }
//! }
//!
//! export_plugin!(Shout);
//! # fn main() {}
//! ```
//!
//! A request is one JSON object, `{function, node, config, input, prepResult, execResult}`, and so is a response,
//! `{success, error?, output?, next?}`; [`serve`] makes one of the other. Exports and their types:
//!
//! | export | type | |
//! |---|---|---|
//! | `alloc` | `(bytes) -> address` | room for the host to write to |
//! | `dealloc` | `(address, bytes)` | gives it back |
//! | `metadata` | `(room, bytes) -> wanted` | writes the metadata if there is room for it |
//! | `call` | `(address, bytes, room, bytes) -> wanted` | the same for the response to a request |

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A JSON Schema.
pub type JSONSchema = Value;

/// One node.
pub trait PluginNode {
    /// What it takes.
    type Input: DeserializeOwned;
    /// What it makes of it.
    type Output: Serialize;

    /// Does its work.
    fn exec(&self, input: Self::Input) -> Result<Self::Output, String>;

    /// Looks at the input before [`PluginNode::exec`] gets what this gives.
    fn prep(&self, input: Value, _config: &Value) -> Result<Value, String> {
        Ok(input)
    }

    /// Says what comes out, and where to go from here.
    fn post(&self, _input: Value, result: Value, _config: &Value) -> Result<Next, String> {
        Ok(Next { output: result, next: "done".to_owned() })
    }

    /// What it is.
    fn metadata(&self) -> NodeMetadata;
}

/// What comes out of a node, and where to go from there.
#[derive(Debug, Clone, PartialEq)]
pub struct Next {
    /// What comes out.
    pub output: Value,
    /// The name of the way.
    pub next: String,
}

/// What a node is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeMetadata {
    /// The word for it in workflows.
    #[serde(rename = "type")]
    pub node_type: String,
    /// Among which others it stands.
    pub category: String,
    /// One sentence.
    pub description: String,
    /// What it can be configured with.
    pub config_schema: JSONSchema,
    /// How it is used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    function: String,
    #[serde(default)]
    config: Value,
    #[serde(default)]
    input: Value,
    prep_result: Option<Value>,
    #[serde(default)]
    exec_result: Value,
}

/// Answers one request.
pub fn serve<N: PluginNode>(node: &N, request: &[u8]) -> Vec<u8> {
    let response = match answer(node, request) {
        Ok(Next { output, next }) => json!({ "success": true, "output": output, "next": next }),
        Err(error) => json!({ "success": false, "error": error }),
    };
    response.to_string().into_bytes()
}

fn answer<N: PluginNode>(node: &N, request: &[u8]) -> Result<Next, String> {
    let request: Request =
        serde_json::from_slice(request).map_err(|error| format!("Failed to parse request: {error}"))?;
    let done = |output| Next { output, next: "done".to_owned() };
    match request.function.as_str() {
        "prep" => node.prep(request.input, &request.config).map(done),
        "exec" => {
            let input = request.prep_result.unwrap_or(request.input);
            let input = serde_json::from_value(input).map_err(|error| format!("Invalid input: {error}"))?;
            let output = node.exec(input)?;
            serde_json::to_value(output).map(done).map_err(|error| error.to_string())
        }
        "post" => node.post(request.input, request.exec_result, &request.config),
        other => Err(format!("Unknown function: {other}")),
    }
}

/// The metadata as its host wants it.
pub fn metadata<N: PluginNode>(node: &N) -> Vec<u8> {
    // Texts and values always can be.
    serde_json::to_vec(&node.metadata()).unwrap_or_default()
}

/// Exports a node, given as a value.
#[macro_export]
macro_rules! export_plugin {
    ($node:expr) => {
        #[doc(hidden)]
        mod pocket_exports {
            use super::*;

            /// An answer that is longer than its room stays here until it is asked for again.
            static KEPT: ::std::sync::Mutex<Option<(::std::vec::Vec<u8>, ::std::vec::Vec<u8>)>> =
                ::std::sync::Mutex::new(None);

            #[unsafe(no_mangle)]
            extern "C" fn alloc(bytes: usize) -> *mut u8 {
                let mut room = ::std::vec::Vec::<u8>::with_capacity(bytes);
                let address = room.as_mut_ptr();
                ::std::mem::forget(room);
                address
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn dealloc(address: *mut u8, bytes: usize) {
                // SAFETY: the host gives back what `alloc` gave, with the same number.
                drop(unsafe { ::std::vec::Vec::from_raw_parts(address, 0, bytes) });
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn metadata(room: *mut u8, bytes: usize) -> usize {
                // SAFETY: the room is the host's, of that many bytes.
                unsafe { put(&$crate::metadata(&$node), room, bytes) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn call(
                request: *const u8,
                length: usize,
                room: *mut u8,
                bytes: usize,
            ) -> usize {
                // SAFETY: the host has written that many bytes there.
                let request = unsafe { ::std::slice::from_raw_parts(request, length) };
                let mut kept = KEPT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                let response = match kept.take() {
                    Some((asked, response)) if asked == request => response,
                    _ => $crate::serve(&$node, request),
                };
                // SAFETY: as above.
                let wanted = unsafe { put(&response, room, bytes) };
                if wanted > bytes {
                    *kept = Some((request.to_vec(), response));
                }
                wanted
            }

            /// # Safety
            ///
            /// The room is of that many bytes.
            unsafe fn put(bytes: &[u8], room: *mut u8, room_bytes: usize) -> usize {
                if bytes.len() <= room_bytes {
                    // SAFETY: there is room for them, and it is nobody else's.
                    unsafe { ::std::ptr::copy_nonoverlapping(bytes.as_ptr(), room, bytes.len()) };
                }
                bytes.len()
            }
        }
    };
}
