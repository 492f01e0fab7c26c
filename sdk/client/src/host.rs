//! Host methods as typed closures.

use casemate_protocol::host::{HostError, HostReply, HostRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;

const JSON: u32 = casemate_protocol::link::CONTENT_JSON;

/// A plugin's request as the handler's type.
pub(crate) fn input<In: DeserializeOwned>(request: &HostRequest) -> Result<In, HostError> {
    if request.content_type != JSON {
        return Err(HostError::new(
            "bad_input",
            format!("host method {} takes JSON, not raw bytes", request.method),
        ));
    }
    serde_json::from_slice(&request.body)
        .map_err(|error| HostError::new("bad_input", format!("host method {}: {error}", request.method)))
}

/// The handler's answer as bytes.
pub(crate) fn reply<Out: Serialize>(answer: &Out) -> Result<HostReply, HostError> {
    serde_json::to_vec(answer)
        .map(|body| HostReply { content_type: JSON, body })
        .map_err(|error| HostError::new("internal", format!("the answer is not JSON: {error}")))
}
