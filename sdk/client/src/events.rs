//! Events: published for whoever has subscribed to their topic, in the host, in plugins and in other clients.

use crate::{Casemate, Plugin};
use casemate_protocol::feed::{EVENT_BYTES_MAX, EVENTS_WAITING_MAX, Event};
use casemate_protocol::link::{CONTENT_JSON, CONTENT_RAW};
use casemate_protocol::outcome::{Cause, Failure, LimitName};
use casemate_protocol::policy::{is_topic, is_topic_pattern};
use casemate_supervisor::{EventCounts, EventSubscription, Subscriber};
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Events of the topics that were subscribed to. Up to 1,000 wait here; then the oldest go, and are counted. Dropping this
/// ends the subscription.
#[derive(Debug)]
pub struct Subscription {
    queue: Arc<Queue>,
    _held: EventSubscription,
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Event>,
    dropped: u64,
}

impl Subscription {
    /// Waits for the next one. `None`: there will be none; with an embedded supervisor that is never so.
    ///
    /// Cancel safety: dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.queue.lock().waiting.pop_front() {
                return Some(event);
            }
            self.queue.filled.notified().await;
        }
    }

    /// How many had to go so far, because they were not taken in time.
    pub fn dropped(&self) -> u64 {
        self.queue.lock().dropped
    }
}

impl Queue {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber for Queue {
    fn take(&self, event: &Event) -> u64 {
        let mut state = self.lock();
        let is_full = state.waiting.len() >= EVENTS_WAITING_MAX;
        if is_full {
            state.waiting.pop_front();
            state.dropped += 1;
        }
        state.waiting.push_back(event.clone());
        drop(state);
        self.filled.notify_one();
        u64::from(is_full)
    }
}

impl Casemate {
    /// Publishes an event with a value as JSON, of at most 65,536 bytes. Nobody is waited for. A topic is parts with dots
    /// between, at most 256 bytes in all.
    pub async fn publish<T: Serialize + ?Sized>(&self, topic: &str, value: &T) -> Result<(), Failure> {
        let body = serde_json::to_vec(value).map_err(|error| wrong(error.to_string()))?;
        self.publish_as(topic, CONTENT_JSON, &body)
    }

    /// Publishes an event with bytes as they are.
    pub async fn publish_raw(&self, topic: &str, body: &[u8]) -> Result<(), Failure> {
        self.publish_as(topic, CONTENT_RAW, body)
    }

    fn publish_as(&self, topic: &str, content_type: u32, body: &[u8]) -> Result<(), Failure> {
        if !is_topic(topic) {
            return Err(wrong(format!("{topic:?} is no topic: write parts with dots between")));
        }
        if body.len() > EVENT_BYTES_MAX {
            let (configured, observed) = (EVENT_BYTES_MAX as u64, body.len() as u64);
            return Err(Failure::not_started(Cause::Limit { limit: LimitName::Input, configured, observed }));
        }
        let event = Event { topic: topic.to_owned(), content_type, body: body.into(), plugin: None };
        self.supervisor().events().publish(&event);
        Ok(())
    }

    /// From here on, every event whose topic matches: parts between dots, `*` for any one, a final `**` for any number.
    pub async fn subscribe(&self, pattern: &str) -> Result<Subscription, Failure> {
        if !is_topic_pattern(pattern) {
            let wanted = "write parts with dots between; a part may be *, the last one **";
            return Err(wrong(format!("{pattern:?} is no pattern of topics: {wanted}")));
        }
        let queue = Arc::new(Queue::default());
        let held = self.supervisor().events().subscribe(pattern, Arc::clone(&queue) as Arc<dyn Subscriber>);
        Ok(Subscription { queue, _held: held })
    }

    /// How many events there were, and how many a subscriber of any kind has dropped.
    pub fn event_counts(&self) -> EventCounts {
        self.supervisor().events().counts()
    }
}

impl Plugin {
    /// Has it told every event whose topic one of these matches, in place of those before; a manifest's `subscriptions` do
    /// that from the load on. Its policy has to grant all of them (`permissions.subscribe`).
    pub fn subscribe_to(&self, patterns: &[&str]) -> Result<(), Failure> {
        self.inner.subscribe_to(patterns.iter().map(|pattern| (*pattern).to_owned()).collect())
    }
}

fn wrong(message: String) -> Failure {
    Failure::not_started(Cause::Input { message })
}
