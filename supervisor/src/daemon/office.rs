//! What all conversations share: the plugins that are loaded, who serves which host method, what is followed, and counts.

use super::access::Access;
use super::desk::Served;
use super::feed::Logs;
use crate::audit::Audit;
use crate::configured::{LoadError, Sent};
use crate::plugin::Plugin;
use crate::supervisor::{LoadOptions, Supervisor};
use casemate_protocol::client::Counters;
use casemate_protocol::ids::{ClientId, PluginName};
use casemate_protocol::outcome::{Cause, Failure, Fault, escape};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// What all conversations share.
#[derive(Debug)]
pub(super) struct Office {
    pub(super) supervisor: Supervisor,
    pub(super) served: Served,
    pub(super) logs: Logs,
    audit: Option<Audit>,
    /// The socket that the daemon has made.
    socket: Option<PathBuf>,
    plugins: Mutex<BTreeMap<String, Plugin>>,
    /// Names that are being loaded: two loads of one name do not mix.
    loading: tokio::sync::Mutex<()>,
    closing: watch::Sender<bool>,
    reloads: AtomicU64,
    floods: Floods,
    started: Instant,
    clients: AtomicU32,
    connections: AtomicU64,
    refused: AtomicU64,
    calls: AtomicU64,
    failures: AtomicU64,
    host_calls: AtomicU64,
}

impl Office {
    pub(super) fn new(
        supervisor: Supervisor,
        logs: Logs,
        audit: Option<Audit>,
        started: Instant,
        socket: Option<&Path>,
    ) -> Self {
        Self {
            supervisor,
            served: Served::default(),
            logs,
            audit,
            socket: socket.map(Path::to_owned),
            plugins: Mutex::default(),
            loading: tokio::sync::Mutex::default(),
            closing: watch::Sender::new(false),
            reloads: AtomicU64::new(0),
            floods: Floods::default(),
            started,
            clients: AtomicU32::new(0),
            connections: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            host_calls: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Plugin>> {
        self.plugins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn handshake_timeout(&self) -> Duration {
        self.supervisor.configuration().daemon().handshake_timeout
    }

    /// How often the configuration was read anew.
    pub(super) fn reloads(&self) -> u64 {
        self.reloads.load(Ordering::Acquire)
    }

    /// The configuration was read anew: who is connected comes to its new rights, and who may connect finds the door.
    pub(super) fn renewed(&self) {
        self.reloads.fetch_add(1, Ordering::Release);
        let own_uid = rustix::process::geteuid().as_raw();
        let for_others = super::names_others(self.supervisor.configuration().daemon(), own_uid);
        if let Some(socket) = &self.socket
            && let Err(error) = super::place::open_to(socket, for_others)
        {
            tracing::error!(socket = %socket.display(), "its permissions stay as they were: {error}");
        }
    }

    /// A plugin that is loaded.
    pub(super) fn plugin(&self, name: &str) -> Result<Plugin, Failure> {
        let found = self.lock().get(name).cloned();
        found.ok_or_else(|| Failure::not_started(Cause::UnknownPlugin { name: escape(name, 128) }))
    }

    /// Those that an access may use, by name.
    pub(super) fn plugins(&self, access: &Access) -> Vec<Plugin> {
        let plugins = self.lock();
        plugins.iter().filter(|(name, _)| access.may_use(name)).map(|(_, plugin)| plugin.clone()).collect()
    }

    /// Loads a plugin under a name that is free.
    pub(super) async fn load(
        &self,
        name: &str,
        sent: Option<Sent>,
        options: LoadOptions,
    ) -> Result<Plugin, Failure> {
        let invalid = |message: String| Failure::not_started(Cause::Configuration { message });
        PluginName::new(name).map_err(|error| invalid(error.to_string()))?;
        let _turn = self.loading.lock().await;
        if self.lock().contains_key(name) {
            let message = format!("a plugin {name:?} is loaded already: unload it, or reload it");
            return Err(Failure::not_started(Cause::Input { message }));
        }
        let loaded = match sent {
            Some(sent) => self.supervisor.load_sent(name, sent, options).await,
            None => self.supervisor.load_named(name, options).await,
        };
        let plugin = loaded.map_err(|error| match error {
            LoadError::Config(error) => invalid(error.to_string()),
            LoadError::Failure(failure) => failure,
        })?;
        self.lock().insert(name.to_owned(), plugin.clone());
        Ok(plugin)
    }

    /// Loads every plugin of the configuration and every package that is enabled and is not here; what came of each.
    pub(super) async fn load_missing(&self) -> Vec<(String, Result<(), Failure>)> {
        let mut loaded = Vec::new();
        for name in self.supervisor.names() {
            let is_here = self.lock().contains_key(&name);
            if !is_here && self.supervisor.is_enabled(&name) {
                let result = self.load(&name, None, LoadOptions::default()).await;
                loaded.push((name, result.map(drop)));
            }
        }
        loaded
    }

    /// Ends a plugin and forgets it.
    pub(super) async fn unload(&self, name: &str) -> Result<(), Failure> {
        let plugin = self.plugin(name)?;
        self.lock().remove(name);
        plugin.close().await;
        Ok(())
    }

    /// As [`Office::record`], of what a client can make happen as often as it likes: at most so often of one user, and what was
    /// left out is counted in the next.
    pub(super) fn record_of(&self, uid: u32, event: &'static str, details: Value) {
        if let Some((more, details)) = self.counted(Whose::User(uid), event, details) {
            tracing::warn!(uid, more, "{event}: {details}");
            self.record(event, details);
        }
    }

    /// The same of what a plugin asked for and was not granted.
    pub(super) fn record_denial(&self, plugin: &PluginName, what: &str) {
        let details = json!({"plugin": plugin.as_str(), "what": what});
        if let Some((more, details)) = self.counted(Whose::Plugin(plugin.clone()), "plugin.denied", details) {
            tracing::warn!(plugin = %plugin, more, "plugin.denied: {details}");
            self.record("plugin.denied", details);
        }
    }

    /// The details of what is written down, with how many before it were not.
    fn counted(&self, whose: Whose, event: &'static str, mut details: Value) -> Option<(u64, Value)> {
        let more = self.floods.admit(whose, event)?;
        if let (Value::Object(details), true) = (&mut details, more > 0) {
            details.insert("more".to_owned(), more.into());
        }
        Some((more, details))
    }

    /// Writes down what a security team wants to know; `details` is an object.
    pub(super) fn record(&self, event: &str, details: Value) {
        if let (Some(audit), Value::Object(details)) = (&self.audit, details) {
            audit.record(event, details);
        }
    }

    /// What a call says of the plugin that it was of: that its worker broke a rule.
    pub(super) fn judge(&self, plugin: &str, failure: &Failure) {
        if failure.fault() == Fault::Worker {
            let what = failure.cause.to_string();
            self.record("worker.violation", json!({"plugin": plugin, "code": failure.code(), "what": what}));
        }
    }

    /// Becomes true once, when nothing more is taken.
    pub(super) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    pub(super) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Counts a client for as long as the result lives; `None` if there are too many.
    pub(super) fn admit(&self, connections_max: u32, is_admin: bool) -> Option<Seat<'_>> {
        // Whoever may set things right gets in when others have taken every place that is theirs.
        let kept = if is_admin { 0 } else { (connections_max / 8).max(1) };
        let connections_max = connections_max.saturating_sub(kept).max(1);
        let taken = self.clients.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |clients| {
            (clients < connections_max).then_some(clients + 1)
        });
        taken.is_ok().then(|| Seat { office: self })
    }

    pub(super) fn count_connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_host_call(&self) {
        self.host_calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_failure(&self, client: ClientId, access: &Access, failure: &Failure) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        if matches!(failure.cause, Cause::Denied { .. }) {
            self.record_of(
                access.uid,
                "client.denied",
                json!({"client": client.0, "uid": access.uid, "what": failure.cause.to_string()}),
            );
        }
    }

    pub(super) fn greeted(&self, client: ClientId, access: &Access, name: &str) {
        let name = escape(name, 128);
        let details = json!({"client": client.0, "uid": access.uid, "name": name});
        if let Some((more, details)) = self.counted(Whose::User(access.uid), "client.connected", details) {
            tracing::info!(uid = access.uid, more, "client.connected: {details}");
            self.record("client.connected", details);
        }
    }

    pub(super) fn counters(&self, now: Instant) -> Counters {
        let events = self.supervisor.events().counts();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let uptime = now.saturating_duration_since(self.started);
        Counters {
            uptime_ms: u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX),
            clients: self.clients.load(Ordering::Relaxed),
            connections: count(&self.connections),
            refused: count(&self.refused),
            calls: count(&self.calls),
            failures: count(&self.failures),
            host_calls: count(&self.host_calls),
            events: events.published,
            events_dropped: events.dropped,
        }
    }
}

/// Waits until nothing more is taken.
pub(super) async fn is_closing(closing: &mut watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}

/// Who makes something happen.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Whose {
    User(u32),
    Plugin(PluginName),
}

/// What of one of them and kind was written down lately.
#[derive(Debug, Default)]
struct Floods {
    windows: Mutex<HashMap<(Whose, &'static str), Window>>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    count: u32,
    more: u64,
}

/// So many of one of them and kind in this time.
const FLOOD_COUNT: u32 = 20;
const FLOOD_TIME: Duration = Duration::from_secs(10);
/// Pairs of them that are remembered.
const FLOODS_MAX: usize = 4096;

impl Floods {
    /// Whether it is written down, and how many were not since the last one.
    #[expect(clippy::disallowed_methods, reason = "how often things happen is measured here")]
    fn admit(&self, whose: Whose, event: &'static str) -> Option<u64> {
        let now = Instant::now();
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= FLOODS_MAX {
            windows.retain(|_, window| now.saturating_duration_since(window.began) < FLOOD_TIME);
        }
        let window = windows.entry((whose, event)).or_insert(Window { began: now, count: 0, more: 0 });
        if now.saturating_duration_since(window.began) >= FLOOD_TIME {
            (window.began, window.count) = (now, 0);
        }
        window.count += 1;
        if window.count > FLOOD_COUNT {
            window.more += 1;
            return None;
        }
        Some(std::mem::take(&mut window.more))
    }
}

/// One client's place among those that may be connected.
#[derive(Debug)]
pub(super) struct Seat<'a> {
    office: &'a Office,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.office.clients.fetch_sub(1, Ordering::Relaxed);
    }
}
