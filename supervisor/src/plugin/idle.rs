//! Instances that wait for a call: made ahead, kept warm, and ended when nobody has wanted them for long enough.

use super::Inner;
use crate::instance::Instance;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// The waiting instances. Last used last: it is taken first, and is the warmest.
#[derive(Debug, Default)]
pub(super) struct Idle {
    waiting: Vec<(Instance, Instant)>,
    /// Whether a task looks after those that wait too long, and one makes more.
    sweeps: bool,
    fills: bool,
}

impl Idle {
    pub(super) fn pop(&mut self) -> Option<Instance> {
        self.waiting.pop().map(|(instance, _since)| instance)
    }

    pub(super) fn push(&mut self, instance: Instance, now: Instant) {
        self.waiting.push((instance, now));
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Takes those out that have waited for so long, but for `keep` of them; and says when the next one will have.
    fn expire(&mut self, keep: usize, timeout: Duration, now: Instant) -> (Vec<Instance>, Option<Instant>) {
        let too_many = self.waiting.len().saturating_sub(keep);
        let old = |(_, since): &&(Instance, Instant)| now.duration_since(*since) >= timeout;
        let count = self.waiting.iter().take(too_many).take_while(old).count();
        let expired = self.waiting.drain(..count).map(|(instance, _since)| instance).collect();
        let next = self.waiting.first().filter(|_| count < too_many).map(|(_, since)| *since + timeout);
        (expired, next)
    }
}

/// What a background task does, taken back when it ends, also with its runtime.
struct Task {
    inner: Weak<Inner>,
    stop: fn(&mut Idle),
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.upgrade() {
            (self.stop)(&mut inner.lock().idle);
        }
    }
}

impl Inner {
    /// How many are to wait, whoever wants them.
    fn kept(&self) -> usize {
        let wanted = self.shared.policy.instances();
        let busy = self.busy();
        let count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        let most = count(wanted.max).saturating_sub(busy);
        count(wanted.min).saturating_sub(busy).max(count(wanted.spare)).min(most)
    }

    fn busy(&self) -> usize {
        let max = usize::try_from(self.shared.policy.instances().max).unwrap_or(usize::MAX);
        max.saturating_sub(self.places.available_permits())
    }

    /// Keeps an instance for the next call, until it has waited too long.
    #[expect(clippy::disallowed_methods, reason = "how long an instance waits is measured from here")]
    pub(super) fn give_back(self: &Arc<Self>, instance: Instance) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        state.idle.push(instance, Instant::now());
        if !std::mem::replace(&mut state.idle.sweeps, true) {
            let task = Task { inner: Arc::downgrade(self), stop: |idle| idle.sweeps = false };
            tokio::spawn(sweep(task));
        }
    }

    /// Has more made where fewer wait than should.
    pub(super) fn fill(self: &Arc<Self>) {
        let wanted = self.shared.policy.instances();
        if wanted.min == 0 && wanted.spare == 0 {
            return;
        }
        let mut state = self.lock();
        if !state.closed && !std::mem::replace(&mut state.idle.fills, true) {
            let task = Task { inner: Arc::downgrade(self), stop: |idle| idle.fills = false };
            tokio::spawn(fill(task));
        }
    }

    fn lacks(&self) -> bool {
        let kept = self.kept();
        let state = self.lock();
        !state.closed && state.idle.waiting.len() < kept
    }

    /// Ends those that have waited too long; says when to look again, or that nobody waits any more who could.
    #[expect(clippy::disallowed_methods, reason = "how long an instance waits is measured here")]
    fn expire(&self) -> Option<Instant> {
        let (keep, timeout) = (self.kept(), self.shared.policy.instances().idle_timeout);
        let mut state = self.lock();
        let (expired, next) = state.idle.expire(keep, timeout, Instant::now());
        // Under the same lock: who is pushed from here on gets a task of its own.
        state.idle.sweeps = next.is_some();
        drop(state);
        drop(expired);
        next
    }
}

async fn sweep(task: Task) {
    loop {
        let Some(next) = task.inner.upgrade().and_then(|inner| inner.expire()) else { return };
        tokio::time::sleep_until(next.into()).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "how long an instance waits is measured from here")]
async fn fill(task: Task) {
    loop {
        let Some(inner) = task.inner.upgrade().filter(|inner| inner.lacks()) else { return };
        // Without a zygote there is nothing to be made ahead; the next call starts one, or fails and says why.
        let Ok(Some(zygote)) = inner.living() else { return };
        let Ok(instance) = Instance::start(&zygote, &inner.shared).await else { return };
        let mut state = inner.lock();
        if !state.closed {
            state.idle.push(instance, Instant::now());
        }
    }
}
