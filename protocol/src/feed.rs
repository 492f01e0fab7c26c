//! What can be followed: events, and the log lines of plugins.

use crate::ids::{InstanceId, PluginName};
use std::collections::VecDeque;
use std::sync::Arc;

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

/// What waits for somebody who is slow to take it: bounded, the oldest goes first, and is counted.
#[derive(Debug)]
pub struct Backlog<T> {
    items: VecDeque<T>,
    dropped: u64,
}

impl<T> Default for Backlog<T> {
    fn default() -> Self {
        Self { items: VecDeque::new(), dropped: 0 }
    }
}

impl<T> Backlog<T> {
    /// Adds one; whether the oldest had to go for it.
    pub fn put(&mut self, item: T) -> bool {
        let is_full = self.items.len() >= WAITING_MAX;
        if is_full {
            self.items.pop_front();
            self.dropped += 1;
        }
        self.items.push_back(item);
        is_full
    }

    /// The oldest, and how many were dropped before it since one was taken.
    pub fn take(&mut self) -> Option<(T, u64)> {
        let item = self.items.pop_front()?;
        Some((item, std::mem::take(&mut self.dropped)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_and_are_counted() {
        let mut backlog = Backlog::default();
        for number in 0..WAITING_MAX + 5 {
            assert_eq!(backlog.put(number), number >= WAITING_MAX);
        }
        assert_eq!(backlog.take(), Some((5, 5)));
        assert_eq!(backlog.take(), Some((6, 0)));
        assert_eq!(std::iter::from_fn(|| backlog.take()).count(), WAITING_MAX - 2);
    }
}
