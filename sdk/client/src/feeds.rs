//! What can be followed: events, and a daemon's log lines. And how events are published.

use crate::casemate::{Casemate, Inner};
#[cfg(feature = "connected")]
use crate::connected::Inbox;
#[cfg(feature = "embedded")]
use crate::plugin::{Inner as PluginInner, Plugin};
#[cfg(feature = "connected")]
use casemate_protocol::client::{Item, Logs, Publish, Subscribe, follow::What, item, request::Operation};
#[cfg(feature = "embedded")]
use casemate_protocol::feed::Backlog;
use casemate_protocol::feed::{EVENT_BYTES_MAX, Event, LogRecord};
use casemate_protocol::ids::{InstanceId, PluginName};
use casemate_protocol::link::CONTENT_JSON;
use casemate_protocol::outcome::{Cause, Failure, LimitName};
use casemate_protocol::policy::{is_topic, is_topic_pattern};
#[cfg(feature = "embedded")]
use casemate_supervisor::{EventSubscription, Subscriber};
use serde::Serialize;
use std::sync::Arc;
#[cfg(feature = "embedded")]
use std::sync::{Mutex, PoisonError};
#[cfg(feature = "embedded")]
use tokio::sync::Notify;

/// Events of some topics, from here on. Dropping it ends that.
#[derive(Debug)]
pub struct Events {
    source: Source,
    dropped: u64,
}

#[derive(Debug)]
enum Source {
    #[cfg(feature = "embedded")]
    Here { waiting: Arc<Waiting>, _held: EventSubscription },
    #[cfg(feature = "connected")]
    Daemon(Inbox),
}

/// Events that have not been taken.
#[cfg(feature = "embedded")]
#[derive(Debug, Default)]
struct Waiting {
    backlog: Mutex<Backlog<Event>>,
    has_some: Notify,
}

#[cfg(feature = "embedded")]
impl Subscriber for Waiting {
    fn take(&self, event: &Event) -> u64 {
        let bytes = event.body.len();
        let gone = self.backlog.lock().unwrap_or_else(PoisonError::into_inner).put(event.clone(), bytes);
        self.has_some.notify_one();
        gone
    }
}

impl Events {
    /// The next event; `None` once the daemon or the connection to it is gone.
    ///
    /// Cancel safety: dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        let (event, dropped) = match &mut self.source {
            #[cfg(feature = "embedded")]
            Source::Here { waiting, .. } => loop {
                let taken = waiting.backlog.lock().unwrap_or_else(PoisonError::into_inner).take();
                match taken {
                    Some(taken) => break taken,
                    None => waiting.has_some.notified().await,
                }
            },
            #[cfg(feature = "connected")]
            Source::Daemon(inbox) => loop {
                let (item, body) = inbox.next().await?;
                if let Some(event) = event(&item, body) {
                    break (event, item.dropped);
                }
            },
        };
        self.dropped += dropped;
        Some(event)
    }

    /// How many were dropped so far, because 1,000 were waiting.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(feature = "connected")]
fn event(item: &Item, body: Vec<u8>) -> Option<Event> {
    let Some(item::Of::Event(event)) = &item.of else { return None };
    Some(Event {
        topic: event.topic.clone(),
        content_type: u32::try_from(event.content_type).unwrap_or_default(),
        body: Arc::from(body),
        plugin: PluginName::new(&event.plugin).ok(),
    })
}

/// Log lines of a daemon's plugins, from here on. Dropping it ends that.
#[cfg(feature = "connected")]
#[derive(Debug)]
pub struct LogLines {
    inbox: Inbox,
    dropped: u64,
}

#[cfg(feature = "connected")]
impl LogLines {
    /// The next line; `None` once the daemon or the connection to it is gone.
    ///
    /// Cancel safety: dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<LogRecord> {
        loop {
            let (item, body) = self.inbox.next().await?;
            self.dropped += item.dropped;
            if let Some(item::Of::Log(line)) = &item.of {
                return Some(LogRecord {
                    plugin: PluginName::from_lossy(&line.plugin),
                    instance: InstanceId(line.instance),
                    level: line.level,
                    message: String::from_utf8_lossy(&body).into_owned(),
                    dropped_lines: line.dropped_lines,
                });
            }
        }
    }

    /// How many were dropped so far on the way here, because 1,000 were waiting.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Casemate {
    /// Publishes an event, its body as JSON of at most 65,536 bytes, to whoever has subscribed to its topic: parts with dots
    /// between.
    pub async fn publish<T: Serialize + ?Sized>(&self, topic: &str, body: &T) -> Result<(), Failure> {
        let body = serde_json::to_vec(body).map_err(|error| wrong(error.to_string()))?;
        self.publish_raw(topic, CONTENT_JSON, body).await
    }

    /// Publishes an event with bytes as they are: 0 raw, 1 JSON.
    pub async fn publish_raw(&self, topic: &str, content_type: u32, body: Vec<u8>) -> Result<(), Failure> {
        if !is_topic(topic) {
            return Err(wrong(format!("{topic:?} is no topic: write parts with dots between")));
        }
        if body.len() > EVENT_BYTES_MAX {
            let (configured, observed) = (EVENT_BYTES_MAX as u64, body.len() as u64);
            return Err(Failure::not_started(Cause::Limit { limit: LimitName::Input, configured, observed }));
        }
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(supervisor) => {
                let (topic, body) = (topic.to_owned(), Arc::from(body));
                supervisor.events().publish(&Event { topic, content_type, body, plugin: None });
                Ok(())
            }
            #[cfg(feature = "connected")]
            Inner::Connected(connection) => {
                let content_type = i32::try_from(content_type).unwrap_or_default();
                let publish = Operation::Publish(Publish { topic: topic.to_owned(), content_type });
                connection.request(publish, body).await.map(drop)
            }
        }
    }

    /// Events of the topics that match: `*` is any part, a final `**` any number of parts. Those from here on; 1,000 wait
    /// for whoever is slow to take them, then the oldest are dropped and counted.
    pub async fn subscribe(&self, pattern: &str) -> Result<Events, Failure> {
        if !is_topic_pattern(pattern) {
            let hint = "write parts with dots between; a part may be *, the last one **";
            return Err(wrong(format!("{pattern:?} is no pattern of topics: {hint}")));
        }
        let source = match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(supervisor) => {
                let waiting = Arc::new(Waiting::default());
                let held =
                    supervisor.events().subscribe(pattern, Arc::clone(&waiting) as Arc<dyn Subscriber>);
                Source::Here { waiting, _held: held }
            }
            #[cfg(feature = "connected")]
            Inner::Connected(connection) => {
                let pattern = pattern.to_owned();
                Source::Daemon(connection.follow(What::Subscribe(Subscribe { pattern })).await?)
            }
        };
        Ok(Events { source, dropped: 0 })
    }

    /// Log lines of a daemon's plugins: of one, or of all that this client may use; from this level on (0 trace to 4 error).
    /// An embedded supervisor gives its lines to [`crate::Builder::on_log`].
    #[cfg(feature = "connected")]
    pub async fn logs(&self, plugin: Option<&str>, level_min: u32) -> Result<LogLines, Failure> {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(_) => Err(wrong("an embedded supervisor gives its log lines to Builder::on_log")),
            Inner::Connected(connection) => {
                let logs = Logs { plugin: plugin.unwrap_or_default().to_owned(), level_min };
                Ok(LogLines { inbox: connection.follow(What::Logs(logs)).await?, dropped: 0 })
            }
        }
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
                Err(wrong("what a daemon's plugin subscribes to is said by its manifest"))
            }
        }
    }
}

fn wrong(message: impl Into<String>) -> Failure {
    Failure::not_started(Cause::Input { message: message.into() })
}
