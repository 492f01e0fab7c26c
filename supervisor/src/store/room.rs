//! How much of its own files a plugin may still make: what is there, as it was last measured, and what its instances were
//! lent since.
//!
//! ```text
//! what may be there ≤ measured + ended + Σ lent + Σ nameless        (what is asked for must fit into what that leaves)
//! ```
//! `lent` is what an instance asked for during the call that it is in, `ended` what was lent for calls that are over, as if
//! they had used all of it. When that leaves too little, the files are measured, which is the only thing that is believed:
//! so what was not used, deleted or cut off comes back. A worker that was taken over asks nobody; it is found by measuring.

use super::vfs::Measure;
use super::{Store, StoreError};
use casemate_protocol::ids::InstanceId;
use casemate_protocol::outcome::{Cause, Failure, LimitName};
use casemate_protocol::room::{Amount, Ask};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What is lent beyond what was asked for, at the most: an ask costs as much as a hundred writes.
const LENT_MORE: Amount = Amount { bytes: 1 << 20, files: 64 };
/// And which part of what is left.
const LENT_PART: u64 = 8;
/// What files can be above a limit without that anybody was taken over: two instances that write to one file count for
/// themselves what it grows by.
const SLACK: Amount = Amount { bytes: 1 << 20, files: 64 };
/// How often the files of a plugin whose instances run are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Looking takes no more than this part of the time.
const LOOK_PART: u32 = 20;

/// The count of a plugin's own files.
#[derive(Debug, Default)]
pub(super) struct Room {
    count: Mutex<Count>,
    /// One measures at a time.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Count {
    measured: Amount,
    ended: Amount,
    held: HashMap<InstanceId, Held>,
    /// When it was last measured, and how long that took; not at all yet, or something has ended since.
    looked: Option<(Instant, Duration)>,
    has_ended: bool,
}

#[derive(Debug, Default, Clone, Copy)]
struct Held {
    lent: Amount,
    nameless_bytes: u64,
}

/// An instance that may write to its plugin's own files. What it held is counted as used when this is dropped.
#[derive(Debug)]
pub(crate) struct Tenant {
    store: Arc<Store>,
    instance: InstanceId,
}

impl Count {
    fn used(&self) -> Amount {
        let of = |held: &Held| held.lent.plus(Amount { bytes: held.nameless_bytes, files: 0 });
        self.held.values().fold(self.measured.plus(self.ended), |used, held| used.plus(of(held)))
    }

    /// Lends what is needed, and some more while there is much.
    fn lend(&mut self, instance: InstanceId, ask: Ask, limits: Amount) -> Option<Amount> {
        let used = self.used().plus(ask.need);
        if !used.fits(limits) {
            return None;
        }
        let left = limits.less(used);
        let lent = ask.need.plus(Amount {
            bytes: (left.bytes / LENT_PART).min(LENT_MORE.bytes),
            files: (left.files / LENT_PART).min(LENT_MORE.files),
        });
        self.held.insert(instance, Held { lent, nameless_bytes: ask.nameless_bytes });
        Some(lent)
    }

    /// What an instance was lent counts as used.
    fn end(&mut self, instance: InstanceId) {
        if let Some(held) = self.held.get_mut(&instance) {
            self.ended = self.ended.plus(std::mem::take(&mut held.lent));
        }
    }

    /// Whether it is time to look again.
    fn is_due(&self, now: Instant, limits: Amount) -> bool {
        let Some((when, took)) = self.looked else { return true };
        let rest = took.saturating_mul(LOOK_PART);
        let at_once = self.has_ended || self.verdict(limits).is_err();
        let every = if at_once { rest } else { rest.max(LOOK) };
        now.saturating_duration_since(when) >= every
    }

    /// Whether what was measured is beyond all doubt more than the plugin may have.
    fn verdict(&self, limits: Amount) -> Result<(), Failure> {
        let at_most = limits.plus(SLACK);
        let over = |limit, configured, observed| {
            Err(Failure::not_started(Cause::Limit { limit, configured, observed }))
        };
        match self.measured {
            Amount { bytes, .. } if bytes > at_most.bytes => over(LimitName::Store, limits.bytes, bytes),
            Amount { files, .. } if files > at_most.files => over(LimitName::Files, limits.files, files),
            _ => Ok(()),
        }
    }
}

impl Room {
    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Measures the files of a plugin, and refuses what is beyond all doubt more than it may have.
    #[expect(clippy::disallowed_methods, reason = "how often the files are looked at is measured here")]
    async fn measure(self: &Arc<Self>, limits: Amount) -> Result<(), Failure> {
        // What is lent from here on may be used behind the back of the one who measures.
        {
            let mut count = self.room.count();
            count.measured = count.measured.plus(std::mem::take(&mut count.ended));
            count.has_ended = false;
        }
        let (store, at_most, start) = (Arc::clone(self), limits.plus(SLACK), Instant::now());
        let found = match tokio::task::spawn_blocking(move || store.measure_vfs(at_most)).await {
            Ok(found) => found.map_err(|error: StoreError| error.not_loaded())?,
            Err(panicked) => {
                let message = format!("measuring the plugin's own files failed: {panicked}");
                return Err(Failure::not_started(Cause::Configuration { message }));
            }
        };
        let mut count = self.room.count();
        count.looked = Some((Instant::now(), start.elapsed()));
        count.measured = match found {
            Measure::All(amount) | Measure::More(amount) => amount,
        };
        count.verdict(limits)
    }

    /// Whether the plugin's own files are what its policy allows, as far as it is time to look.
    #[expect(clippy::disallowed_methods, reason = "how often the files are looked at is measured here")]
    pub(crate) async fn look(self: &Arc<Self>, limits: Amount) -> Result<(), Failure> {
        let _turn = self.room.turn.lock().await;
        let (is_due, verdict) = {
            let count = self.room.count();
            (count.is_due(Instant::now(), limits), count.verdict(limits))
        };
        if is_due { self.measure(limits).await } else { verdict }
    }

    /// Looks at them again and again; what it ends with is why that was too much.
    pub(crate) async fn watch(self: &Arc<Self>, limits: impl Fn() -> Amount) -> Failure {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Err(failure) = self.look(limits()).await {
                return failure;
            }
        }
    }
}

impl Tenant {
    pub(crate) fn new(store: &Arc<Store>, instance: InstanceId) -> Self {
        Self { store: Arc::clone(store), instance }
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Room for what an instance is about to write; none, if the plugin's own files are full.
    pub(crate) async fn lend(&self, ask: Ask, limits: Amount) -> Result<Option<Amount>, Failure> {
        let room = &self.store.room;
        // What it was lent before is over with this.
        room.count().end(self.instance);
        room.count().held.entry(self.instance).or_default().nameless_bytes = ask.nameless_bytes;
        if let Some(lent) = room.count().lend(self.instance, ask, limits) {
            return Ok(Some(lent));
        }
        let _turn = room.turn.lock().await;
        self.rest().await;
        self.store.measure(limits).await?;
        Ok(room.count().lend(self.instance, ask, limits))
    }

    /// Waits until looking again takes no more than its part of the time.
    #[expect(clippy::disallowed_methods, reason = "how often the files are looked at is measured here")]
    async fn rest(&self) {
        let looked = self.store.room.count().looked;
        if let Some((when, took)) = looked {
            let rest = took.saturating_mul(LOOK_PART).saturating_sub(Instant::now().duration_since(when));
            tokio::time::sleep(rest).await;
        }
    }

    /// A call of it is over.
    pub(crate) fn end(&self) {
        self.store.room.count().end(self.instance);
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        let mut count = self.store.room.count();
        count.end(self.instance);
        count.held.remove(&self.instance);
        count.has_ended = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Amount = Amount { bytes: 1000, files: 10 };

    fn ask(bytes: u64, files: u64) -> Ask {
        Ask { need: Amount { bytes, files }, nameless_bytes: 0 }
    }

    #[test]
    fn all_together_are_never_lent_more_than_there_is() {
        let mut count = Count { measured: Amount { bytes: 100, files: 1 }, ..Count::default() };
        let mut lent = Amount::default();
        for instance in (0..4).map(InstanceId).cycle().take(1000) {
            count.end(instance);
            if let Some(more) = count.lend(instance, ask(7, 0), LIMITS) {
                assert!(more.bytes >= 7);
                lent = lent.plus(more);
            }
            assert!(count.used().fits(LIMITS));
        }
        assert!(lent.bytes > 890 && lent.bytes <= 900, "{lent:?}");
        assert_eq!(count.lend(InstanceId(9), ask(0, 10), LIMITS), None);
        // Files without a name count as long as their instance is there.
        count.measured = Amount::default();
        count.ended = Amount::default();
        count.held.clear();
        let nameless = Ask { need: Amount::default(), nameless_bytes: 999 };
        count.lend(InstanceId(1), nameless, LIMITS).unwrap();
        assert_eq!(count.lend(InstanceId(2), ask(2, 0), LIMITS), None);
        count.end(InstanceId(1));
        assert_eq!(count.lend(InstanceId(2), ask(2, 0), LIMITS), None);
        count.held.remove(&InstanceId(1));
        assert!(count.lend(InstanceId(2), ask(2, 0), LIMITS).is_some());
    }
}
