//! A host's refusal as the guest gets it.

use casemate_protocol::link::{CONTENT_JSON, cut};

pub use casemate_protocol::host::{Host, HostError, HostFuture, HostReply, HostRequest};

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
