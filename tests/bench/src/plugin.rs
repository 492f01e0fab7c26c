//! The guest, loaded behind the walls by an embedded supervisor.

use crate::Outcome;
use casemate::{Casemate, Plugin, Policy, PolicySpec, Source};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// How long the end of a worker takes, with room to spare.
pub(crate) const REST: Duration = Duration::from_millis(2);

/// The least that is a plugin; its source says what it can do.
pub(crate) fn guest() -> Outcome<Vec<u8>> {
    Ok(wat::parse_str(include_str!("../guest.wat"))?)
}

/// The same, which a worker with WASI runs: it imports a function of it and never calls that.
pub(crate) fn guest_with_wasi() -> Outcome<Vec<u8>> {
    let import = "(module (import \"wasi_snapshot_preview1\" \"sched_yield\" (func (result i32)))";
    Ok(wat::parse_str(include_str!("../guest.wat").replacen("(module", import, 1))?)
}

/// A loaded plugin with the supervisor and the runtime around it. The runtime has one thread, the caller's: with the
/// async client that is the shortest way to a worker that there is.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) runtime: Runtime,
    pub(crate) casemate: Casemate,
    pub(crate) plugin: Plugin,
}

impl Loaded {
    pub(crate) fn new(source: impl Into<Source>, change: impl FnOnce(&mut PolicySpec)) -> Outcome<Self> {
        let mut spec = PolicySpec::default();
        // Rows end workers again and again.
        spec.restart.within = std::time::Duration::from_millis(1);
        change(&mut spec);
        Self::by(Casemate::embedded()?, source, Policy::new(spec)?)
    }

    /// The same by a supervisor that is configured already.
    pub(crate) fn by(casemate: Casemate, source: impl Into<Source>, policy: Policy) -> Outcome<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let plugin = runtime.block_on(casemate.load(source, policy))?;
        Ok(Self { runtime, casemate, plugin })
    }

    /// One call with raw bytes, in the idle instance or in a new one.
    pub(crate) fn call(&self, method: &str, body: &[u8]) -> Result<Vec<u8>, casemate::Failure> {
        self.runtime.block_on(self.plugin.call_raw(method, body))
    }

    /// Makes the idle instance trap, so that the next call needs a new one, and waits until it is gone.
    pub(crate) fn spend_instance(&self) -> Outcome<()> {
        if self.call("trap", &[]).is_ok() {
            return Err("the guest was to trap".into());
        }
        rest(REST);
        Ok(())
    }
}

/// Leaves the processor to whatever is still ending, without letting it fall asleep: waking it up costs more than what is
/// measured.
pub(crate) fn rest(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::thread::yield_now();
    }
}
