//! Host methods that the supervisor answers itself. Those about the call need no permission and count for no rate: they lead
//! nowhere but to the caller. An event leads to others, and is held to both.

use super::hosting::DENIED;
use super::{Asked, Instance};
use crate::host::{HostError, HostReply};
use crate::scope::Bodies;
use casemate_protocol::feed::{EVENT_BYTES_MAX, Event, SUBSCRIPTIONS_MAX, split_event};
use casemate_protocol::link::{CONTENT_JSON, CONTENT_RAW};
use casemate_protocol::outcome::escape;
use casemate_protocol::policy::{covers_topics, is_topic, is_topic_pattern, matches_topic};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Bytes of a topic where it is told.
const TOPIC_BYTES_SHOWN: usize = 200;

/// Bytes of what `events.subscribe` is asked: a pattern has 256 at most.
const SUBSCRIBE_BYTES_MAX: usize = 1024;

/// Bytes of one answer to `stream.read`.
const READ_BYTES_MAX: usize = 64 * 1024;

/// One of them.
#[derive(Debug)]
pub(super) enum Builtin<'a> {
    /// `stream.read`: more of the input, as bytes; none at its end. The body may be the most bytes that are wanted, as JSON.
    Read(Option<&'a Bodies>),
    /// `stream.write`: more of the output.
    Write(Option<&'a Bodies>),
    /// `stream.error`: more of what a program complains about.
    Error(Option<&'a Bodies>),
    /// `call.context`: how long the call can still run and where it belongs, as JSON.
    Context,
}

impl<'a> Asked<'a> {
    pub(super) fn builtin(&self, method: &str) -> Option<Builtin<'a>> {
        let bodies = self.scope.bodies.as_ref();
        match method {
            "stream.read" => Some(Builtin::Read(bodies)),
            "stream.write" => Some(Builtin::Write(bodies)),
            "stream.error" => Some(Builtin::Error(bodies)),
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
                Ok(nothing())
            }
            Builtin::Error(bodies) => {
                let Some(errors) = &streaming(bodies)?.errors else {
                    return Err(HostError::new("no_stream", "the caller takes no complaints"));
                };
                let written = errors.write(body).await;
                written.map_err(|closed| HostError::new("closed", closed.to_string()))?;
                Ok(nothing())
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

impl Instance {
    /// `events.publish`: an event for everybody who has subscribed to its topic.
    pub(super) fn publish(&self, during: &str, bytes: &[u8], now: Instant) -> Result<HostReply, HostError> {
        let Some((topic, content_type, body)) = split_event(bytes) else {
            let message = "an event is u16 LE topic length, topic in UTF-8, u8 content type (0 or 1), body";
            return Err(HostError::new("bad_input", message));
        };
        let policy = &*self.shared.policy();
        let shown = || escape(topic, TOPIC_BYTES_SHOWN);
        if !policy.allows_publish(topic) {
            self.denied(&format!("events.publish {}", shown()));
            let place = self.place_to_grant("permissions.publish", |asked| matches_topic(asked, topic));
            let message = format!("events of topic {:?} are not granted: {place}", shown());
            return Err(HostError::new(DENIED, message));
        }
        if !is_topic(topic) {
            let message = format!(
                "{:?} is no topic: write parts with dots between, at most 256 bytes in all, without * in them",
                shown()
            );
            return Err(HostError::new("bad_topic", message));
        }
        if body.len() > EVENT_BYTES_MAX {
            let bytes = body.len();
            let message = format!("the event has {bytes} bytes; {EVENT_BYTES_MAX} are the most");
            return Err(HostError::new("too_large", message));
        }
        self.admit_rate(policy, during, now)?;
        self.shared.context.events.publish(&Event {
            topic: topic.to_owned(),
            content_type,
            body: body.into(),
            plugin: Some(self.shared.name.clone()),
        });
        Ok(nothing())
    }

    /// `events.subscribe`: the plugin is told of these topics too, as long as it is loaded.
    pub(super) fn subscribe(&self, during: &str, bytes: &[u8], now: Instant) -> Result<HostReply, HostError> {
        // It is read before anything else is asked.
        let wanted = bytes.get(..bytes.len().min(SUBSCRIBE_BYTES_MAX)).unwrap_or_default();
        let wanted: Value = serde_json::from_slice(wanted).unwrap_or_default();
        let Some(topic) = wanted.get("topic").and_then(Value::as_str) else {
            return Err(HostError::new(
                "bad_input",
                "what is subscribed to is {\"topic\": PATTERN}, as JSON of 1024 bytes at most",
            ));
        };
        let policy = &*self.shared.policy();
        let shown = || escape(topic, TOPIC_BYTES_SHOWN);
        if !is_topic_pattern(topic) {
            let message = format!(
                "{:?} is no pattern of topics: write parts with dots between, * for any part, ** for all that follow",
                shown()
            );
            return Err(HostError::new("bad_topic", message));
        }
        if !policy.allows_subscribe(topic) {
            self.denied(&format!("events.subscribe {}", shown()));
            let place = self.place_to_grant("permissions.subscribe", |asked| covers_topics(asked, topic));
            let message = format!("events of {:?} are not granted: {place}", shown());
            return Err(HostError::new(DENIED, message));
        }
        self.admit_rate(policy, during, now)?;
        let subscription = self.shared.subscription();
        // One that a new policy does not grant is not told, whoever added it when (`Driver::deliver_one`).
        if subscription.is_some_and(|subscription| !subscription.add(topic, SUBSCRIPTIONS_MAX)) {
            let message = format!("a plugin subscribes to {SUBSCRIPTIONS_MAX} patterns at most");
            return Err(HostError::new("too_many", message));
        }
        Ok(nothing())
    }
}

/// What is answered where there is nothing to say.
pub(super) fn nothing() -> HostReply {
    HostReply { content_type: CONTENT_JSON, body: b"null".to_vec() }
}

fn streaming(bodies: Option<&Bodies>) -> Result<&Bodies, HostError> {
    bodies.ok_or_else(|| {
        HostError::new("no_stream", "this call has no streams; its caller has to call it as one")
    })
}
