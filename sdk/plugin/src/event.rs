//! What reaches the function marked `#[event]`.

use serde::Deserialize;

use crate::Error;
use crate::body::{Body, Subject};
use crate::envelope::Request;

/// Something that happened outside, told to the plugin; nobody waits for an answer.
///
/// On the wire it is a request with the topic in the place of the method.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    request: Request<'a>,
}

impl<'a> Event<'a> {
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, Error> {
        Ok(Event { request: Request::decode(bytes)? })
    }

    /// What it is about.
    #[must_use]
    pub fn topic(&self) -> &'a str {
        self.request.method
    }

    /// The body as it came.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.request.body
    }

    /// The body, read as JSON.
    ///
    /// # Errors
    ///
    /// `bad_input` when it is not JSON or not a `T`.
    pub fn json<T: Deserialize<'a>>(&self) -> Result<T, Error> {
        Body::new(Subject::Event(self.request.method), self.request.content, self.request.body).json()
    }
}
