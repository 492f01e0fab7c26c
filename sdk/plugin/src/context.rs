//! What is around the running call.

use std::time::Duration;

use serde::Deserialize;

use crate::Error;
use crate::host;

/// What is around the running call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallContext {
    /// How long it can still run.
    pub remaining: Duration,
    /// W3C trace context of the caller, or empty.
    pub traceparent: String,
    /// W3C trace state of the caller, or empty.
    pub tracestate: String,
    /// Whether [`crate::stream`] has something to read and somewhere to write.
    pub streams: bool,
}

#[derive(Deserialize)]
struct Wire {
    remaining_ms: u64,
    traceparent: String,
    tracestate: String,
    stream: bool,
}

/// Asks the host what is around the running call. It needs no permission.
///
/// # Errors
///
/// `no_host` in a native build; `cancelled` when the call's deadline has passed.
pub fn call_context() -> Result<CallContext, Error> {
    let Wire { remaining_ms, traceparent, tracestate, stream } = host::call("call.context", &())?;
    Ok(CallContext {
        remaining: Duration::from_millis(remaining_ms),
        traceparent,
        tracestate,
        streams: stream,
    })
}
