//! What a client follows and has not taken yet: bounded, and the oldest goes first.

use casemate_protocol::client::Item;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Items of one following that wait for a slow client.
pub(crate) const ITEMS_MAX: usize = 1000;

/// One following's buffer.
#[derive(Debug)]
pub(crate) struct Mailbox {
    state: Mutex<State>,
    wake: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<(Item, Arc<[u8]>)>,
    dropped: u64,
}

impl Mailbox {
    pub(crate) fn new(wake: Arc<Notify>) -> Self {
        Self { state: Mutex::default(), wake }
    }

    /// Whether an older one had to go for it.
    pub(crate) fn put(&self, item: Item, body: Arc<[u8]>) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = state.items.len() >= ITEMS_MAX;
        if is_full {
            state.items.pop_front();
            state.dropped += 1;
        }
        state.items.push_back((item, body));
        drop(state);
        self.wake.notify_one();
        is_full
    }

    /// The oldest, with how many were dropped before it.
    pub(crate) fn take(&self) -> Option<(Item, Arc<[u8]>)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut item, body) = state.items.pop_front()?;
        item.dropped = std::mem::take(&mut state.dropped);
        Some((item, body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_and_are_counted() {
        let mailbox = Mailbox::new(Arc::default());
        for number in 0..ITEMS_MAX + 5 {
            let is_full = mailbox.put(Item::default(), number.to_string().into_bytes().into());
            assert_eq!(is_full, number >= ITEMS_MAX);
        }
        let (item, body) = mailbox.take().unwrap();
        assert_eq!((item.dropped, &*body), (5, &b"5"[..]));
        assert_eq!(mailbox.take().unwrap().0.dropped, 0);
        assert_eq!(std::iter::from_fn(|| mailbox.take()).count(), ITEMS_MAX - 2);
    }
}
