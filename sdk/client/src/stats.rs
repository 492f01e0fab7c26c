//! Counts, and what became of plugins.

#[cfg(feature = "connected")]
use casemate_protocol::client;
#[cfg(feature = "embedded")]
use casemate_supervisor::PluginReloaded;
use std::time::Duration;

/// What was counted since a daemon started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Since it started.
    pub uptime: Duration,
    /// Clients that are connected.
    pub clients: u32,
    /// Connections that were made.
    pub connections: u64,
    /// Connections that were refused.
    pub refused: u64,
    /// Calls of plugins.
    pub calls: u64,
    /// Calls, requests and followings that failed.
    pub failures: u64,
    /// Host calls that clients were asked.
    pub host_calls: u64,
    /// Events that were published.
    pub events: u64,
    /// Events that subscribers were too slow for.
    pub events_dropped: u64,
}

#[cfg(feature = "connected")]
impl From<client::Counters> for Stats {
    fn from(counters: client::Counters) -> Self {
        Self {
            uptime: Duration::from_millis(counters.uptime_ms),
            clients: counters.clients,
            connections: counters.connections,
            refused: counters.refused,
            calls: counters.calls,
            failures: counters.failures,
            host_calls: counters.host_calls,
            events: counters.events,
            events_dropped: counters.events_dropped,
        }
    }
}

/// What became of a plugin when its policy was read anew.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The plugin.
    pub plugin: String,
    /// `unchanged`, `taken`, `restarted`, `when_started`, `disabled`, `stopped` or `failed`.
    pub what: String,
    /// Why, where there is a reason.
    pub message: String,
}

#[cfg(feature = "connected")]
impl From<client::Change> for Change {
    fn from(change: client::Change) -> Self {
        Self { plugin: change.plugin, what: change.what, message: change.message }
    }
}

#[cfg(feature = "embedded")]
impl Change {
    pub(crate) fn of(reloaded: &PluginReloaded) -> Self {
        let message = reloaded.taken.reason();
        let (plugin, what) = (reloaded.plugin.to_string(), reloaded.taken.name().to_owned());
        Self { plugin, what, message }
    }
}
