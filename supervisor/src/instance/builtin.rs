//! Host methods about the call itself. They need no permission and count for no rate: they lead nowhere but to the caller.

use super::Asked;
use crate::host::{HostError, HostReply};
use crate::scope::Bodies;
use casemate_protocol::link::{CONTENT_JSON, CONTENT_RAW};
use std::time::Duration;

/// Bytes of one answer to `stream.read`.
const READ_BYTES_MAX: usize = 64 * 1024;

/// One of them.
#[derive(Debug)]
pub(super) enum Builtin<'a> {
    /// `stream.read`: more of the input, as bytes; none at its end. The body may be the most bytes that are wanted, as JSON.
    Read(Option<&'a Bodies>),
    /// `stream.write`: more of the output.
    Write(Option<&'a Bodies>),
    /// `call.context`: how long the call can still run and where it belongs, as JSON.
    Context,
}

impl<'a> Asked<'a> {
    pub(super) fn builtin(&self, method: &str) -> Option<Builtin<'a>> {
        let bodies = self.scope.bodies.as_ref();
        match method {
            "stream.read" => Some(Builtin::Read(bodies)),
            "stream.write" => Some(Builtin::Write(bodies)),
            "call.context" => Some(Builtin::Context),
            _ => None,
        }
    }

    pub(super) async fn answer_builtin(
        &self,
        builtin: Builtin<'_>,
        body: &[u8],
        remaining: Duration,
        bytes_max: u32,
    ) -> Result<HostReply, HostError> {
        match builtin {
            Builtin::Read(bodies) => {
                let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX).min(READ_BYTES_MAX);
                let wanted: usize = serde_json::from_slice(body).unwrap_or(bytes_max);
                let body = streaming(bodies)?.input.read(wanted.clamp(1, bytes_max)).await;
                Ok(HostReply { content_type: CONTENT_RAW, body })
            }
            Builtin::Write(bodies) => {
                let written = streaming(bodies)?.output.write(body).await;
                written.map_err(|closed| HostError::new("closed", closed.to_string()))?;
                Ok(HostReply { content_type: CONTENT_JSON, body: b"null".to_vec() })
            }
            Builtin::Context => {
                let context = serde_json::json!({
                    "remaining_ms": u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX),
                    "traceparent": self.scope.trace.parent, "tracestate": self.scope.trace.state,
                    "stream": self.scope.bodies.is_some(),
                });
                Ok(HostReply { content_type: CONTENT_JSON, body: context.to_string().into_bytes() })
            }
        }
    }
}

fn streaming(bodies: Option<&Bodies>) -> Result<&Bodies, HostError> {
    bodies.ok_or_else(|| {
        HostError::new("no_stream", "this call has no streams; its caller has to call it as one")
    })
}
