//! What can be followed: events, and the log lines of plugins.

use crate::ids::{InstanceId, PluginName};
use std::collections::VecDeque;
use std::sync::Arc;

/// The host method by which a guest publishes an event.
pub const PUBLISH: &str = "events.publish";

/// The host method by which a guest subscribes to topics, besides those of its manifest.
pub const SUBSCRIBE: &str = "events.subscribe";

/// Patterns that a guest may subscribe to so.
pub const SUBSCRIPTIONS_MAX: usize = 64;

/// Bytes of an event's body.
pub const EVENT_BYTES_MAX: usize = 64 << 10;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What it is about: parts with dots between.
    pub topic: String,
    /// 0 raw bytes, 1 JSON.
    pub content_type: u32,
    /// What it carries.
    pub body: Arc<[u8]>,
    /// The plugin that published it; nobody: the host or a client.
    pub plugin: Option<PluginName>,
}

/// Reads what a guest wants to publish: topic, content type and body, laid out as a request is, with the topic in the
/// method's place. `None`: it is cut off, its topic is not UTF-8, or its content type not known.
pub fn split_event(bytes: &[u8]) -> Option<(&str, u32, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (topic, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    let (content_type, body) = rest.split_first()?;
    (*content_type <= 1).then_some((std::str::from_utf8(topic).ok()?, u32::from(*content_type), body))
}

/// As a guest writes it, for [`split_event`]; `None`: no topic is so long.
pub fn join_event(topic: &str, content_type: u32, body: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(topic.len()).ok()?.to_le_bytes();
    let content_type = [u8::try_from(content_type).ok()?];
    Some([&length, topic.as_bytes(), &content_type, body].concat())
}

/// A log line of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// The plugin.
    pub plugin: PluginName,
    /// Its instance.
    pub instance: InstanceId,
    /// 0 trace, 1 debug, 2 info, 3 warn, 4 error.
    pub level: u32,
    /// One line: control and other invisible characters are escaped, the rest is cut.
    pub message: String,
    /// Lines of this instance that were dropped before this one for their volume.
    pub dropped_lines: u64,
}

/// How many events or lines wait for somebody who is slow to take them.
pub const WAITING_MAX: usize = 1000;

/// How many bytes of them: whoever follows much with long bodies keeps that much of others' memory.
pub const WAITING_BYTES_MAX: usize = 1024 * 1024;

/// What waits for somebody who is slow to take it: bounded in number and bytes, the oldest goes first, and is counted.
#[derive(Debug)]
pub struct Backlog<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    dropped: u64,
}

impl<T> Default for Backlog<T> {
    fn default() -> Self {
        Self { items: VecDeque::new(), bytes: 0, dropped: 0 }
    }
}

impl<T> Backlog<T> {
    /// Adds one with a body of so many bytes; how many older ones had to go for it.
    pub fn put(&mut self, item: T, bytes: usize) -> u64 {
        let mut gone = 0;
        while self.items.len() >= WAITING_MAX
            || (self.bytes + bytes > WAITING_BYTES_MAX && !self.items.is_empty())
        {
            if let Some((_, bytes)) = self.items.pop_front() {
                self.bytes -= bytes;
                gone += 1;
            }
        }
        self.dropped += gone;
        self.bytes += bytes;
        self.items.push_back((item, bytes));
        gone
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The oldest, and how many were dropped before it since one was taken.
    pub fn take(&mut self) -> Option<(T, u64)> {
        let (item, bytes) = self.items.pop_front()?;
        self.bytes -= bytes;
        Some((item, std::mem::take(&mut self.dropped)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_every_length_are_split_or_refused() {
        let whole = [3, 0, b'a', b'.', b'b', 1, 9, 9];
        assert_eq!(split_event(&whole), Some(("a.b", 1, &[9, 9][..])));
        for cut in 0..6 {
            assert_eq!(split_event(&whole[..cut]), None, "cut at {cut}");
        }
        assert_eq!(split_event(&[1, 0, 0xff, 0]), None, "not UTF-8");
        assert_eq!(split_event(&[0, 0, 2]), None, "content type");
    }

    #[test]
    fn the_oldest_go_and_are_counted() {
        let mut backlog = Backlog::default();
        for number in 0..WAITING_MAX + 5 {
            assert_eq!(backlog.put(number, 1), u64::from(number >= WAITING_MAX));
        }
        assert_eq!(backlog.take(), Some((5, 5)));
        assert_eq!(backlog.take(), Some((6, 0)));
        assert_eq!(std::iter::from_fn(|| backlog.take()).count(), WAITING_MAX - 2);
    }

    #[test]
    fn long_ones_make_room_in_bytes() {
        let mut backlog = Backlog::default();
        assert_eq!((0..16).map(|number| backlog.put(number, WAITING_BYTES_MAX / 16)).sum::<u64>(), 0);
        assert_eq!(backlog.put(16, WAITING_BYTES_MAX / 8), 2);
        assert_eq!(backlog.take(), Some((2, 2)));
        // One that is too long alone stays: its length has a bound of its own.
        assert_eq!(backlog.put(17, 2 * WAITING_BYTES_MAX), 14);
        assert_eq!(backlog.take(), Some((17, 14)));
    }
}
