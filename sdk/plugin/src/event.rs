//! Events: what reaches the function marked `#[event]`, and what is published for others.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::body::{Body, Subject};
use crate::envelope::{JSON, RAW, Request};
use crate::host;

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

/// Publishes an event with a value as JSON, for everybody who has subscribed to its topic: other plugins, the host, and this
/// plugin itself, if it wants its own topic. Nobody is waited for.
///
/// ```no_run
/// # fn main() -> Result<(), casemate_plugin::Error> {
/// casemate_plugin::publish("content.rated", &("essay.txt", 0.8))?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// `denied` when the policy's `permissions.publish` does not grant the topic, `bad_topic` when it is none (parts with dots
/// between, at most 256 bytes), `too_large` above 65,536 bytes, `limit.host_calls` when the plugin has asked for too much;
/// `bad_input` when the value does not fit in JSON.
pub fn publish<T: Serialize + ?Sized>(topic: &str, value: &T) -> Result<(), Error> {
    let body = serde_json::to_vec(value)
        .map_err(|error| Error::new("bad_input", format!("event `{topic}`: the value: {error}")))?;
    send(&Request { method: topic, content: JSON, body: &body })
}

/// Publishes an event with bytes as they are.
///
/// # Errors
///
/// As [`publish`], without those about JSON.
pub fn publish_raw(topic: &str, body: &[u8]) -> Result<(), Error> {
    send(&Request { method: topic, content: RAW, body })
}

/// Subscribes to topics, besides those of the manifest's `subscriptions`: `content.*`. It holds as long as the plugin is
/// loaded, whatever becomes of this instance; to say it again changes nothing.
///
/// # Errors
///
/// `denied` when the policy's `permissions.subscribe` does not grant the pattern, `bad_topic` when it is none, `too_many` after
/// 64 of them.
pub fn subscribe(topic: &str) -> Result<(), Error> {
    let wanted = serde_json::json!({ "topic": topic });
    host::call::<_, Option<()>>("events.subscribe", &wanted).map(drop)
}

fn send(event: &Request<'_>) -> Result<(), Error> {
    host::call_raw("events.publish", &event.encode()?).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_host_nobody_hears() {
        assert_eq!(publish("a.b", &1).unwrap_err().code, host::NO_HOST);
        assert_eq!(publish_raw("a.b", b"").unwrap_err().code, host::NO_HOST);
        assert_eq!(subscribe("a.*").unwrap_err().code, host::NO_HOST);
        let map = std::collections::HashMap::from([((1, 2), 3)]);
        assert_eq!(publish("a.b", &map).unwrap_err().code, "bad_input");
    }
}
