//! Named points of loading and spawning, so that a test can kill the host exactly there.

use std::fmt;
use std::sync::Arc;

/// Every point, in the order in which a load and a first call pass them.
pub const POINTS: &[&str] = &[
    "cache: secret written",
    "cache: secret named",
    "compiler: stub started",
    "compiler: stub ordered",
    "compiler: stub reported",
    "compiler: walled",
    "compiler: inspected",
    "compiler: job sent",
    "compiler: ended",
    "worker: stub started",
    "worker: stub ordered",
    "worker: stub reported",
    "worker: walled",
    "worker: inspected",
    "zygote: module sent",
    "zygote: listener received",
    "zygote: sealed",
    "zygote: loaded",
    "zygote: canary ordered",
    "zygote: canary reported",
    "zygote: canary caught",
    "zygote: proven",
    "cache: temporary made",
    "cache: entry written",
    "cache: entry synced",
    "cache: entry named",
    "cache: directory synced",
    "instance: ordered",
    "instance: reported",
    "instance: ready",
    "instance: inspected",
    "instance: call sent",
];

/// Where a test wants the host to stop for ever.
#[derive(Clone)]
pub struct PausePoint {
    name: String,
    reached: Arc<dyn Fn() + Send + Sync>,
}

impl PausePoint {
    /// Calls `reached` at the point of this name, and never goes on.
    pub fn new(name: &str, reached: impl Fn() + Send + Sync + 'static) -> Self {
        Self { name: name.to_owned(), reached: Arc::new(reached) }
    }
}

impl fmt::Debug for PausePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PausePoint").field(&self.name).finish()
    }
}

/// Passes a point.
pub(crate) fn pass(pause: Option<&PausePoint>, group: &str, name: &str) {
    let Some(pause) = pause else { return };
    if pause.name.strip_prefix(group).and_then(|rest| rest.strip_prefix(": ")) == Some(name) {
        (pause.reached)();
        loop {
            std::thread::park();
        }
    }
}
