//! The error that crosses the boundary, in both directions.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What a method answers instead of a value, and what a host call can fail with.
///
/// The codes that this crate itself answers with:
///
/// | code | when |
/// |---|---|
/// | `unknown_method` | the plugin has no method of that name; the message lists those it has |
/// | `bad_input` | the body is not what the method takes; the message is serde's |
/// | `bad_config` | the same for the configuration |
/// | `bad_request` | the request itself is malformed |
/// | `bad_output` | the answer does not fit in JSON, such as a map whose keys are no strings |
/// | `bad_reply` | the host's reply is malformed or not of the type asked for |
/// | `already_initialised`, `shut_down`, `busy` | the host called in an order that the ABI does not have |
/// | [`host::NO_HOST`](crate::host::NO_HOST) | a host call in a native build |
/// | `failed` | made by [`Error::failed`] |
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// For programs: a short name of what went wrong, in `snake_case`.
    pub code: Cow<'static, str>,
    /// For people: what went wrong with what, and what to do.
    pub message: String,
    /// Whether the same call may succeed later.
    #[serde(default)]
    pub retryable: bool,
}

impl Error {
    /// An error that stays one however often the call is repeated.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Error { code: code.into(), message: message.into(), retryable: false }
    }

    /// The same error, marked as one that may be gone at the next try.
    #[must_use]
    pub fn retryable(self) -> Self {
        Error { retryable: true, ..self }
    }

    /// Any other error, under the code `failed`: `.map_err(Error::failed)?`.
    pub fn failed(cause: impl fmt::Display) -> Self {
        Error::new("failed", cause.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}
