//! What a client follows and has not taken yet.

use casemate_protocol::client::Item;
use casemate_protocol::feed::Backlog;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// One following's buffer.
#[derive(Debug)]
pub(crate) struct Mailbox {
    backlog: Mutex<Backlog<(Item, Arc<[u8]>)>>,
    wake: Arc<Notify>,
}

impl Mailbox {
    pub(crate) fn new(wake: Arc<Notify>) -> Self {
        Self { backlog: Mutex::default(), wake }
    }

    /// How many older ones had to go for it.
    pub(crate) fn put(&self, item: Item, body: Arc<[u8]>) -> u64 {
        let bytes = body.len();
        let gone = self.backlog.lock().unwrap_or_else(PoisonError::into_inner).put((item, body), bytes);
        self.wake.notify_one();
        gone
    }

    /// The oldest, with how many were dropped before it.
    pub(crate) fn take(&self) -> Option<(Item, Arc<[u8]>)> {
        let ((item, body), dropped) = self.backlog.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some((Item { dropped, ..item }, body))
    }
}
