//! One compilation of a module at a time: who comes second waits, and finds what the first has stored.

use super::key::Key;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::OwnedMutexGuard;

/// Who compiles what.
#[derive(Debug, Default)]
pub(super) struct Turns {
    locks: Mutex<HashMap<Key, Weak<tokio::sync::Mutex<()>>>>,
}

impl Turns {
    /// Waits for the turn at a key; dropping the turn gives it to the next.
    pub(super) async fn take(&self, key: &Key) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            locks.retain(|_, lock| lock.strong_count() > 0);
            let lock = locks.get(key).and_then(Weak::upgrade).unwrap_or_default();
            locks.insert(key.clone(), Arc::downgrade(&lock));
            lock
        };
        lock.lock_owned().await
    }
}
