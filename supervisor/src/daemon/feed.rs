//! What clients follow: events, and the log lines of plugins.

use super::access::Access;
use super::mailbox::Mailbox;
use crate::events::{EventSubscription, Subscriber};
use casemate_protocol::client::{self, Item, item};
use casemate_protocol::feed::{Event, LogRecord};
use std::sync::{Arc, PoisonError, RwLock};

/// A client's mailbox for events: those of plugins that it may not use are not for it.
#[derive(Debug)]
pub(super) struct EventMailbox {
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) access: Access,
}

impl Subscriber for EventMailbox {
    fn take(&self, event: &Event) -> u64 {
        if event.plugin.as_ref().is_some_and(|plugin| !self.access.may_use(plugin.as_str())) {
            return 0;
        }
        let of = client::Event {
            topic: event.topic.clone(),
            content_type: i32::try_from(event.content_type).unwrap_or_default(),
            plugin: event.plugin.as_ref().map(ToString::to_string).unwrap_or_default(),
        };
        let item = Item { dropped: 0, of: Some(item::Of::Event(of)) };
        self.mailbox.put(item, Arc::clone(&event.body))
    }
}

/// Dropping it ends what is followed.
pub(super) enum Subscription {
    Events { _held: EventSubscription },
    Logs { _held: LogSubscription },
}

/// Everybody who follows log lines.
#[derive(Debug, Clone, Default)]
pub(super) struct Logs {
    readers: Arc<RwLock<Vec<Reader>>>,
}

#[derive(Debug)]
struct Reader {
    wanted: Wanted,
    mailbox: Arc<Mailbox>,
}

/// Which lines.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// `None`: of all plugins that these patterns allow.
    pub(super) plugin: Option<String>,
    pub(super) plugins: Vec<String>,
    pub(super) level_min: u32,
}

impl Wanted {
    fn wants(&self, record: &LogRecord) -> bool {
        let name = record.plugin.as_str();
        let is_named = self.plugin.as_ref().is_none_or(|plugin| plugin == name);
        let may_see =
            || self.plugins.iter().any(|pattern| casemate_protocol::policy::matches_pattern(pattern, name));
        record.level >= self.level_min && is_named && may_see()
    }
}

impl Logs {
    pub(super) fn follow(&self, wanted: Wanted, mailbox: &Arc<Mailbox>) -> LogSubscription {
        let reader = Reader { wanted, mailbox: Arc::clone(mailbox) };
        self.readers.write().unwrap_or_else(PoisonError::into_inner).push(reader);
        LogSubscription { logs: self.clone(), mailbox: Arc::clone(mailbox) }
    }

    pub(super) fn take(&self, record: &LogRecord) {
        let readers = self.readers.read().unwrap_or_else(PoisonError::into_inner);
        for reader in readers.iter().filter(|reader| reader.wanted.wants(record)) {
            let line = client::LogLine {
                plugin: record.plugin.to_string(),
                instance: record.instance.0,
                level: record.level,
                dropped_lines: record.dropped_lines,
            };
            let item = Item { dropped: 0, of: Some(item::Of::Log(line)) };
            reader.mailbox.put(item, Arc::from(record.message.as_bytes()));
        }
    }
}

/// Dropping it ends that.
#[derive(Debug)]
pub(super) struct LogSubscription {
    logs: Logs,
    mailbox: Arc<Mailbox>,
}

impl Drop for LogSubscription {
    fn drop(&mut self) {
        let mut readers = self.logs.readers.write().unwrap_or_else(PoisonError::into_inner);
        readers.retain(|reader| !Arc::ptr_eq(&reader.mailbox, &self.mailbox));
    }
}
