//! From a plugin's inbox to its instances: one event after the other, each told to one instance, as a call of nobody's. While
//! the plugin is started again, events wait as calls do. An event leaves the inbox when an instance is there for it, and is
//! told at most once.

use super::driver::Driver;
use super::inbox::Inbox;
use super::ticket::{Ticket, Told};
use crate::events::{EventSubscription, Events, Subscriber};
use casemate_protocol::ids::ClientId;
use casemate_protocol::outcome::{Cause, escape};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// After a fork that failed: the longest pause before the next one, and the first.
const PAUSE_MAX: Duration = Duration::from_secs(5);
const PAUSE_FIRST: Duration = Duration::from_millis(100);

/// Bytes of a topic where it is told.
const TOPIC_BYTES_SHOWN: usize = 200;

/// What a plugin has subscribed to. Dropping it ends that.
#[derive(Debug)]
pub(super) struct Reception {
    inbox: Arc<Inbox>,
    subscription: Arc<EventSubscription>,
}

impl Reception {
    /// Has events delivered as long as this is there; to no topics yet.
    pub(super) fn open(driver: &Arc<Driver>) -> Self {
        let events = driver.shared().context.events.clone();
        let inbox = Arc::clone(driver.inbox());
        let subscription = events.subscribe_to(Vec::new(), Arc::clone(&inbox) as Arc<dyn Subscriber>);
        let subscription = Arc::new(subscription);
        driver.shared().hears_by(&subscription);
        driver.runtime().spawn(deliver(driver.weak(), Arc::clone(&inbox), events));
        Self { inbox, subscription }
    }

    /// From here on to these topics.
    pub(super) fn subscribe_to(&self, patterns: Vec<String>) {
        self.subscription.change(patterns);
    }

    /// Nothing is delivered any more.
    pub(super) fn close(&self) {
        self.inbox.close();
    }
}

impl Drop for Reception {
    fn drop(&mut self) {
        self.close();
    }
}

async fn deliver(driver: Weak<Driver>, inbox: Arc<Inbox>, events: Events) {
    let mut pause = PAUSE_FIRST;
    while inbox.has_some().await {
        let Some(driver) = driver.upgrade() else { break };
        let next = tokio::select! {
            biased;
            () = inbox.is_closed() => break,
            next = driver.deliver_one(&inbox) => next,
        };
        drop(driver);
        match next {
            Next::Event => pause = PAUSE_FIRST,
            Next::Nothing => events.count_dropped(inbox.drop_all()),
            Next::Later => {
                tokio::select! {
                    () = inbox.is_closed() => break,
                    () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE_MAX),
                }
            }
        }
    }
    events.count_dropped(inbox.drop_all());
}

enum Next {
    /// The next event is due.
    Event,
    /// Nobody will take what waits.
    Nothing,
    /// It could not be told anything, and that may change.
    Later,
}

impl Driver {
    async fn deliver_one(&self, inbox: &Inbox) -> Next {
        // What waits may have been subscribed to under a policy that granted more than the one that holds by then.
        let next = || {
            let policy = self.shared().policy();
            loop {
                let event = inbox.pop()?;
                if policy.allows_hearing(&event.topic) {
                    return Some(event);
                }
                inbox.count(false);
            }
        };
        let told = Ticket::take(self, ClientId::NOBODY).tell(next).await;
        let name = &self.shared().name;
        match told {
            Told::Event(event, outcome) => {
                inbox.count(outcome.is_ok());
                if let Err(failure) = outcome {
                    let topic = escape(&event.topic, TOPIC_BYTES_SHOWN);
                    tracing::warn!(plugin = %name, topic, "it did not take an event: {failure}");
                }
                Next::Event
            }
            Told::Nothing => Next::Event,
            Told::Refused(failure) => match failure.cause {
                Cause::PluginDisabled { .. } | Cause::PluginStopped { .. } | Cause::Closed => Next::Nothing,
                _ => {
                    tracing::warn!(plugin = %name, "its events wait: {failure}");
                    Next::Later
                }
            },
        }
    }
}
