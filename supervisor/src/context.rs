//! What every part of one supervisor shares.

use crate::cache::Access;
use crate::cgroup::Groups;
use crate::compile::CompileCaps;
use crate::events::Events;
use crate::experiment::Leniency;
use crate::host::{DenialSink, Host};
use crate::identity::Identities;
use crate::log::LogSink;
use crate::process::guard::Guard;
use crate::process::points::{self, PausePoint};
use crate::programs::Program;
use crate::store::Stores;
use casemate_protocol::certificate::Profile;
use casemate_protocol::ids::Marker;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One supervisor's own things.
pub(crate) struct Context {
    pub(crate) marker: Marker,
    pub(crate) guard: Guard,
    pub(crate) host: Host,
    pub(crate) events: Events,
    pub(crate) groups: Groups,
    pub(crate) identities: Identities,
    pub(crate) log_sink: LogSink,
    pub(crate) denial_sink: Option<DenialSink>,
    pub(crate) worker: Program,
    /// The worker of the other profile.
    pub(crate) worker_wasi: Program,
    pub(crate) launcher: Program,
    pub(crate) compiler: Program,
    pub(crate) leniency: Leniency,
    pub(crate) namespaces: bool,
    pub(crate) spawn_timeout: Duration,
    pub(crate) compile_caps: CompileCaps,
    pub(crate) cache: Access,
    pub(crate) stores: Stores,
    pub(crate) pause_at: Option<PausePoint>,
    pub(crate) last_instance: AtomicU64,
}

impl Context {
    /// Passes a named point of spawning.
    pub(crate) fn point(&self, group: &str, name: &str) {
        points::pass(self.pause_at.as_ref(), group, name);
    }

    /// The worker of a profile.
    pub(crate) fn worker_of(&self, profile: Profile) -> &Program {
        match profile {
            Profile::Wasi => &self.worker_wasi,
            Profile::External => &self.launcher,
            _ => &self.worker,
        }
    }

    pub(crate) fn next_instance(&self) -> u64 {
        self.last_instance.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("marker", &self.marker).finish_non_exhaustive()
    }
}
