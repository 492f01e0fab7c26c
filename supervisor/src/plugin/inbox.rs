//! The events that wait for a plugin: bounded, the oldest goes first, and what is dropped is counted.

use crate::events::Subscriber;
use casemate_protocol::feed::{Backlog, Event};
use casemate_protocol::status::EventStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What waits, and what became of the rest.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// Whose it is.
    plugin: String,
    state: Mutex<State>,
    filled: Notify,
    closed: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: Backlog<Event>,
    is_closed: bool,
    counts: EventStatus,
}

impl Subscriber for Inbox {
    fn take(&self, event: &Event) -> u64 {
        let mut state = self.lock();
        if state.is_closed {
            return 0;
        }
        let dropped = state.waiting.put(event.clone(), event.body.len());
        state.counts.dropped += dropped;
        drop(state);
        self.filled.notify_one();
        dropped
    }

    fn plugin(&self) -> Option<&str> {
        Some(&self.plugin)
    }
}

impl Inbox {
    pub(super) fn of(plugin: &str) -> Self {
        Self { plugin: plugin.to_owned(), ..Self::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is one; whether there will be any.
    pub(super) async fn has_some(&self) -> bool {
        loop {
            {
                let state = self.lock();
                if state.is_closed || !state.waiting.is_empty() {
                    return !state.is_closed;
                }
            }
            self.filled.notified().await;
        }
    }

    /// The oldest. Whoever takes it out tells what became of it.
    pub(super) fn pop(&self) -> Option<Event> {
        Some(self.lock().waiting.take()?.0)
    }

    pub(super) fn count(&self, is_delivered: bool) {
        let counts = &mut self.lock().counts;
        if is_delivered { counts.delivered += 1 } else { counts.failed += 1 }
    }

    /// Drops all of them; how many those were.
    pub(super) fn drop_all(&self) -> u64 {
        let mut state = self.lock();
        let dropped = state.waiting.len() as u64;
        state.counts.dropped += dropped;
        state.waiting = Backlog::default();
        dropped
    }

    /// Takes nothing more.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.filled.notify_one();
        self.closed.notify_waiters();
    }

    /// Waits until it takes nothing more.
    pub(super) async fn is_closed(&self) {
        loop {
            // From here on it is woken, also by what happens before it waits.
            let closed = self.closed.notified();
            if self.lock().is_closed {
                return;
            }
            closed.await;
        }
    }

    pub(super) fn counts(&self) -> EventStatus {
        let state = self.lock();
        EventStatus { waiting: u32::try_from(state.waiting.len()).unwrap_or(u32::MAX), ..state.counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casemate_protocol::feed::WAITING_MAX;
    use std::sync::Arc;

    fn event(number: usize) -> Event {
        Event { topic: format!("n.{number}"), content_type: 0, body: Arc::from(&b""[..]), plugin: None }
    }

    #[test]
    fn the_oldest_go_and_are_counted() {
        let inbox = Inbox::default();
        for number in 0..WAITING_MAX + 5 {
            assert_eq!(inbox.take(&event(number)), u64::from(number >= WAITING_MAX));
        }
        assert_eq!(inbox.pop().unwrap().topic, "n.5");
        inbox.count(true);
        let counts = EventStatus { waiting: 999, delivered: 1, failed: 0, dropped: 5 };
        assert_eq!(inbox.counts(), counts);
        inbox.close();
        assert_eq!(inbox.take(&event(0)), 0, "nobody is there any more");
        assert_eq!((inbox.drop_all(), inbox.pop()), (999, None));
        assert_eq!(inbox.counts(), EventStatus { waiting: 0, dropped: 1004, ..counts });
    }
}
