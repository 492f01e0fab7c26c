//! Events: who publishes a topic reaches everybody who has subscribed to it. Nothing waits for a subscriber: each has a
//! bounded buffer of its own, which is its business.

use casemate_protocol::feed::Event;
use casemate_protocol::policy::matches_topic;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Takes events, at once: what it cannot take it drops, and says so.
pub trait Subscriber: Send + Sync {
    /// Takes one; how many older ones had to go for it.
    fn take(&self, event: &Event) -> u64;

    /// The plugin that it is; `None`: it is none.
    fn plugin(&self) -> Option<&str> {
        None
    }
}

/// Everybody who has subscribed to something.
#[derive(Clone, Default)]
pub struct Events {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    entries: RwLock<Vec<Entry>>,
    last: AtomicU64,
    published: AtomicU64,
    dropped: AtomicU64,
}

struct Entry {
    number: u64,
    patterns: Vec<String>,
    /// Besides those.
    added: Vec<String>,
    subscriber: Arc<dyn Subscriber>,
}

/// How many events there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventCounts {
    /// Published.
    pub published: u64,
    /// Dropped from the buffers of subscribers that were too slow, or will not take them any more.
    pub dropped: u64,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.state.entries.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_list().entries(entries.iter().map(|entry| &entry.patterns)).finish()
    }
}

impl Events {
    /// Gives the subscriber what matches, until the subscription is dropped.
    pub fn subscribe(&self, pattern: &str, subscriber: Arc<dyn Subscriber>) -> EventSubscription {
        self.subscribe_to(vec![pattern.to_owned()], subscriber)
    }

    /// Gives the subscriber what matches any of these, once, until the subscription is dropped.
    pub fn subscribe_to(&self, patterns: Vec<String>, subscriber: Arc<dyn Subscriber>) -> EventSubscription {
        let number = self.state.last.fetch_add(1, Ordering::Relaxed);
        let entry = Entry { number, patterns, added: Vec::new(), subscriber };
        self.state.entries.write().unwrap_or_else(PoisonError::into_inner).push(entry);
        EventSubscription { state: Arc::clone(&self.state), number }
    }

    /// Gives it to everybody who has subscribed to its topic; how many those are.
    pub fn publish(&self, event: &Event) -> usize {
        self.publish_to(event, |_| true)
    }

    /// As [`Events::publish`], but to those plugins alone that its publisher may reach.
    pub fn publish_to(&self, event: &Event, may_reach: impl Fn(&str) -> bool) -> usize {
        self.state.published.fetch_add(1, Ordering::Relaxed);
        let entries = self.state.entries.read().unwrap_or_else(PoisonError::into_inner);
        let wants = |entry: &&Entry| {
            let mut patterns = entry.patterns.iter().chain(&entry.added);
            patterns.any(|pattern| matches_topic(pattern, &event.topic))
                && entry.subscriber.plugin().is_none_or(&may_reach)
        };
        let matching = entries.iter().filter(wants);
        let mut count = 0;
        for entry in matching {
            self.count_dropped(entry.subscriber.take(event));
            count += 1;
        }
        count
    }

    /// A subscriber has dropped so many of what it had taken.
    pub(crate) fn count_dropped(&self, dropped: u64) {
        self.state.dropped.fetch_add(dropped, Ordering::Relaxed);
    }

    /// How many there were.
    pub fn counts(&self) -> EventCounts {
        EventCounts {
            published: self.state.published.load(Ordering::Relaxed),
            dropped: self.state.dropped.load(Ordering::Relaxed),
        }
    }
}

/// Dropping it ends a subscription.
pub struct EventSubscription {
    state: Arc<State>,
    number: u64,
}

impl fmt::Debug for EventSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSubscription").field("number", &self.number).finish_non_exhaustive()
    }
}

impl EventSubscription {
    /// From here on to these topics, without a moment to none.
    pub fn change(&self, patterns: Vec<String>) {
        self.with_entry(|entry| entry.patterns = patterns);
    }

    /// To these topics too; `false`: there are `most` of that kind already.
    pub(crate) fn add(&self, pattern: &str, most: usize) -> bool {
        let mut is_there = false;
        self.with_entry(|entry| {
            let is_known = entry.added.iter().any(|added| added == pattern);
            is_there = is_known || entry.added.len() < most;
            if is_there && !is_known {
                entry.added.push(pattern.to_owned());
            }
        });
        is_there
    }

    /// Of what was added, to these alone from here on.
    pub(crate) fn keep_added(&self, keeps: impl Fn(&str) -> bool) {
        self.with_entry(|entry| entry.added.retain(|added| keeps(added)));
    }

    fn with_entry(&self, act: impl FnOnce(&mut Entry)) {
        let mut entries = self.state.entries.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.iter_mut().find(|entry| entry.number == self.number) {
            act(entry);
        }
    }
}

impl Drop for EventSubscription {
    fn drop(&mut self) {
        let mut entries = self.state.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| entry.number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Seen(Mutex<Vec<String>>);

    impl Subscriber for Seen {
        fn take(&self, event: &Event) -> u64 {
            self.0.lock().unwrap().push(event.topic.clone());
            0
        }
    }

    #[test]
    fn what_a_plugin_adds_stays_beside_what_is_said_for_it() {
        let (events, seen) = (Events::default(), Arc::new(Seen::default()));
        let publish = |topic: &str| {
            let event =
                Event { topic: topic.to_owned(), content_type: 1, body: Arc::from(&b"1"[..]), plugin: None };
            events.publish(&event)
        };
        let subscription = events.subscribe("a", seen as Arc<dyn Subscriber>);
        assert_eq!(
            [subscription.add("b", 1), subscription.add("b", 1), subscription.add("c", 1)],
            [true, true, false]
        );
        subscription.change(Vec::new());
        assert_eq!([publish("a"), publish("b"), publish("c")], [0, 1, 0]);
        subscription.keep_added(|pattern| pattern != "b");
        assert_eq!(publish("b"), 0);
    }

    #[test]
    fn events_reach_those_who_want_them_while_they_do() {
        let (events, seen) = (Events::default(), Arc::new(Seen::default()));
        let event = |topic: &str| Event {
            topic: topic.to_owned(),
            content_type: 1,
            body: Arc::from(&b"1"[..]),
            plugin: None,
        };
        let subscription = events.subscribe("a.*", Arc::clone(&seen) as Arc<dyn Subscriber>);
        assert_eq!([events.publish(&event("a.b")), events.publish(&event("b"))], [1, 0]);
        drop(subscription);
        assert_eq!(events.publish(&event("a.b")), 0);
        assert_eq!(*seen.0.lock().unwrap(), ["a.b"]);
        assert_eq!(events.counts().published, 3);
    }
}
