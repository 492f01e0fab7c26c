//! Events: published for whoever has subscribed to their topic, in the host, in plugins and in other clients.

use crate::casemate::{Casemate, Inner};
#[cfg(feature = "connected")]
use crate::connected::Inbox;
#[cfg(feature = "embedded")]
use crate::plugin::{Inner as PluginInner, Plugin};
#[cfg(feature = "connected")]
use casemate_protocol::client::{Publish, Subscribe, follow::What, item, request::Operation};
#[cfg(feature = "embedded")]
use casemate_protocol::feed::Backlog;
use casemate_protocol::feed::{EVENT_BYTES_MAX, Event};
#[cfg(feature = "connected")]
use casemate_protocol::ids::PluginName;
use casemate_protocol::link::{CONTENT_JSON, CONTENT_RAW};
use casemate_protocol::outcome::{Cause, Failure, LimitName};
use casemate_protocol::policy::{is_topic, is_topic_pattern};
#[cfg(feature = "embedded")]
use casemate_supervisor::{EventSubscription, Subscriber};
use serde::Serialize;
#[cfg(feature = "embedded")]
use std::sync::{Arc, Mutex, PoisonError};
#[cfg(feature = "embedded")]
use tokio::sync::Notify;

/// Events of the topics that were subscribed to. Up to 1,000 wait; then the oldest go, and are counted. Dropping this ends
/// the subscription.
#[derive(Debug)]
pub struct Subscription {
    from: From,
    dropped: u64,
}

#[derive(Debug)]
enum From {
    #[cfg(feature = "embedded")]
    Supervisor { queue: Arc<Queue>, _held: EventSubscription },
    #[cfg(feature = "connected")]
    Daemon(Inbox),
}

impl Subscription {
    /// Waits for the next one. `None`: there will be none, since the connection to the daemon has ended.
    ///
    /// Cancel safety: dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        match &mut self.from {
            #[cfg(feature = "embedded")]
            From::Supervisor { queue, .. } => {
                let (event, dropped) = queue.next().await;
                self.dropped += dropped;
                Some(event)
            }
            #[cfg(feature = "connected")]
            From::Daemon(inbox) => loop {
                let (item, body) = inbox.next().await?;
                self.dropped += item.dropped;
                if let Some(item::Of::Event(event)) = item.of {
                    let plugin = Some(event.plugin).filter(|name| !name.is_empty());
                    return Some(Event {
                        topic: event.topic,
                        content_type: u32::try_from(event.content_type).unwrap_or_default(),
                        body: body.into(),
                        plugin: plugin.map(|name| PluginName::from_lossy(&name)),
                    });
                }
            },
        }
    }

    /// How many had to go, before the one that came last, because they were not taken in time.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// What waits in this process.
#[cfg(feature = "embedded")]
#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Backlog<Event>>,
    filled: Notify,
}

#[cfg(feature = "embedded")]
impl Queue {
    async fn next(&self) -> (Event, u64) {
        loop {
            if let Some(next) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return next;
            }
            self.filled.notified().await;
        }
    }
}

#[cfg(feature = "embedded")]
impl Subscriber for Queue {
    fn take(&self, event: &Event) -> u64 {
        let is_full = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).put(event.clone());
        self.filled.notify_one();
        u64::from(is_full)
    }
}

impl Casemate {
    /// Publishes an event with a value as JSON, of at most 65,536 bytes. Nobody is waited for. A topic is parts with dots
    /// between, at most 256 bytes in all.
    pub async fn publish<T: Serialize + ?Sized>(&self, topic: &str, value: &T) -> Result<(), Failure> {
        let body = serde_json::to_vec(value).map_err(|error| wrong(error.to_string()))?;
        self.publish_as(topic, CONTENT_JSON, body).await
    }

    /// Publishes an event with bytes as they are.
    pub async fn publish_raw(&self, topic: &str, body: &[u8]) -> Result<(), Failure> {
        self.publish_as(topic, CONTENT_RAW, body.to_vec()).await
    }

    async fn publish_as(&self, topic: &str, content_type: u32, body: Vec<u8>) -> Result<(), Failure> {
        if !is_topic(topic) {
            return Err(wrong(format!("{topic:?} is no topic: write parts with dots between")));
        }
        if body.len() > EVENT_BYTES_MAX {
            let (configured, observed) = (EVENT_BYTES_MAX as u64, body.len() as u64);
            return Err(Failure::not_started(Cause::Limit { limit: LimitName::Input, configured, observed }));
        }
        let topic = topic.to_owned();
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(supervisor) => {
                supervisor.events().publish(&Event { topic, content_type, body: body.into(), plugin: None });
                Ok(())
            }
            #[cfg(feature = "connected")]
            Inner::Connected(connection) => {
                let content_type = i32::try_from(content_type).unwrap_or_default();
                let publish = Operation::Publish(Publish { topic, content_type });
                connection.request(publish, body).await.map(drop)
            }
        }
    }

    /// From here on, every event whose topic matches: parts between dots, `*` for any one, a final `**` for any number.
    pub async fn subscribe(&self, pattern: &str) -> Result<Subscription, Failure> {
        if !is_topic_pattern(pattern) {
            let wanted = "write parts with dots between; a part may be *, the last one **";
            return Err(wrong(format!("{pattern:?} is no pattern of topics: {wanted}")));
        }
        let from = match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(supervisor) => {
                let queue = Arc::new(Queue::default());
                let subscriber = Arc::clone(&queue) as Arc<dyn Subscriber>;
                From::Supervisor { queue, _held: supervisor.events().subscribe(pattern, subscriber) }
            }
            #[cfg(feature = "connected")]
            Inner::Connected(connection) => {
                let subscribe = What::Subscribe(Subscribe { pattern: pattern.to_owned() });
                From::Daemon(connection.follow(subscribe).await?)
            }
        };
        Ok(Subscription { from, dropped: 0 })
    }
}

#[cfg(feature = "embedded")]
impl Plugin {
    /// Has it told every event whose topic one of these matches, in place of those before; a manifest's `subscriptions` do
    /// that from the load on. Its policy has to grant all of them (`permissions.subscribe`). What a daemon's plugin
    /// subscribes to is its manifest's to say alone.
    pub fn subscribe_to(&self, patterns: &[&str]) -> Result<(), Failure> {
        match &self.inner {
            PluginInner::Embedded(plugin) => {
                plugin.subscribe_to(patterns.iter().map(|pattern| (*pattern).to_owned()).collect())
            }
            #[cfg(feature = "connected")]
            PluginInner::Connected(_) => {
                Err(wrong("what a daemon's plugin subscribes to is said by its manifest".to_owned()))
            }
        }
    }
}

fn wrong(message: String) -> Failure {
    Failure::not_started(Cause::Input { message })
}
