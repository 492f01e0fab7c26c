//! The calls that wait, in the order they came, up to a limit; what is dropped is counted. An event that waits with them takes
//! no place of theirs and is counted elsewhere: its plugin's inbox sends one at a time.

use super::event::CallNo;
use casemate_protocol::ids::ClientId;
use std::collections::VecDeque;

/// A call that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) call: CallNo,
    pub(super) client: ClientId,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    dropped: u64,
    said: u64,
}

impl Queue {
    /// Takes a new call, if not too many wait.
    pub(super) fn push(&mut self, waiting: Waiting, max: u32) -> Result<(), u32> {
        let is_full = || self.len() >= max && self.calls() >= max;
        if waiting.client != ClientId::NOBODY && is_full() {
            self.dropped += 1;
            return Err(self.calls());
        }
        self.put_back(waiting);
        Ok(())
    }

    /// Takes one that was accepted before; it keeps its place, and no limit drops it.
    pub(super) fn put_back(&mut self, waiting: Waiting) {
        let at = self.waiting.partition_point(|other| other.call < waiting.call);
        self.waiting.insert(at, waiting);
    }

    pub(super) fn front(&self) -> Option<Waiting> {
        self.waiting.front().copied()
    }

    pub(super) fn pop(&mut self) {
        self.waiting.pop_front();
    }

    pub(super) fn remove(&mut self, call: CallNo) {
        if let Ok(at) = self.waiting.binary_search_by_key(&call, |waiting| waiting.call) {
            self.waiting.remove(at);
        }
    }

    /// All of them, oldest first; it is empty then. They count as dropped.
    pub(super) fn drop_all(&mut self) -> VecDeque<Waiting> {
        self.dropped += u64::from(self.calls());
        std::mem::take(&mut self.waiting)
    }

    #[cfg(test)]
    pub(super) fn has(&self, call: CallNo) -> bool {
        self.waiting.iter().any(|waiting| waiting.call == call)
    }

    /// Without events.
    pub(super) fn calls(&self) -> u32 {
        let calls = self.waiting.iter().filter(|waiting| waiting.client != ClientId::NOBODY).count();
        u32::try_from(calls).unwrap_or(u32::MAX)
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.waiting.len()).unwrap_or(u32::MAX)
    }

    /// Calls that were accepted and then dropped, or not accepted, since the beginning.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What was dropped and not said yet, once nothing waits any more: one line for a flood and not a flood of lines.
    pub(super) fn news(&mut self) -> Option<u64> {
        let dropped = self.dropped - self.said;
        (dropped > 0 && self.waiting.is_empty()).then(|| {
            self.said = self.dropped;
            dropped
        })
    }
}
