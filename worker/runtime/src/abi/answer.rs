//! What a guest answers.

use crate::fault::Fault;
use casemate_protocol::link::{CONTENT_JSON, CONTENT_RAW};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

/// A guest's answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Whether the body is an error.
    pub(crate) is_error: bool,
    pub(crate) content_type: u32,
    pub(crate) body: Vec<u8>,
    /// The code that a program ended with; 0 for everything else.
    pub(crate) exit_code: u32,
}

impl Answer {
    /// An answer, or an error.
    pub(crate) fn new(is_error: bool, content_type: u32, body: Vec<u8>) -> Self {
        Self { is_error, content_type, body, exit_code: 0 }
    }

    /// An answer without a body.
    pub(crate) fn empty() -> Self {
        Self::new(false, CONTENT_RAW, Vec::new())
    }

    /// A value.
    pub(crate) fn json(value: &Value) -> Self {
        Self::new(false, CONTENT_JSON, value.to_string().into_bytes())
    }

    /// What a function of the guest's came to: 0 is that it went well.
    pub(crate) fn of_code(error: &str, function: &str, code: i32) -> Self {
        match code {
            0 => Self::empty(),
            code => Self::error(error, &format!("its {function} answered {code}")),
        }
    }

    /// To an event, where a dialect has none.
    pub(crate) fn no_event() -> Self {
        Self::error("no_event", "plugins of this dialect have no ear for events")
    }

    /// As an error of the guest's own.
    pub(crate) fn error(code: &str, message: &str) -> Self {
        let body = json!({"code": code, "message": message, "retryable": false});
        Self::new(true, CONTENT_JSON, body.to_string().into_bytes())
    }
}

/// That bytes of a guest are JSON, as its dialect promises. `what` names them.
pub(crate) fn is_json(bytes: &[u8], what: &str) -> Result<(), Fault> {
    match serde_json::from_slice::<IgnoredAny>(bytes) {
        Ok(_) => Ok(()),
        Err(error) => Err(Fault::Abi(format!("{what} is not JSON: {error}"))),
    }
}

/// A caller's body as a value; none is null.
pub(crate) fn input(body: &[u8]) -> Result<Value, Answer> {
    match body {
        [] => Ok(Value::Null),
        body => serde_json::from_slice(body).map_err(|error| Answer::error("bad_input", &error.to_string())),
    }
}

/// A guest's bytes as a value.
pub(crate) fn value(bytes: &[u8], what: &str) -> Result<Value, Fault> {
    serde_json::from_slice(bytes).map_err(|error| Fault::Abi(format!("{what} is not JSON: {error}")))
}
