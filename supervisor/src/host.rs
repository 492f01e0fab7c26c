//! A host's refusal as the guest gets it, and as a security team hears of it.

use casemate_protocol::ids::PluginName;
use casemate_protocol::link::{CONTENT_JSON, cut};
use std::sync::Arc;

pub use casemate_protocol::host::{Host, HostError, HostFuture, HostReply, HostRequest};

/// Is told of what a plugin asks for and is not granted: the plugin, and the host method or the topic, escaped and bounded.
pub type DenialSink = Arc<dyn Fn(&PluginName, &str) + Send + Sync>;

/// Bytes of a refusal's code and message as the guest gets them. Escaped for JSON each can become six times as long.
const CODE_BYTES_MAX: usize = 128;
const MESSAGE_BYTES_MAX: usize = 4096;

/// JSON `{"code","message","retryable"}`. Whatever a handler says fits into a frame.
pub(crate) fn refusal(error: &HostError) -> HostReply {
    let body = serde_json::json!({
        "code": cut(&error.code, CODE_BYTES_MAX), "message": cut(&error.message, MESSAGE_BYTES_MAX),
        "retryable": error.retryable,
    });
    HostReply { content_type: CONTENT_JSON, body: body.to_string().into_bytes() }
}
