//! A loaded plugin.

#[cfg(feature = "connected")]
use crate::remote::Remote;
use crate::source::Source;
use casemate_protocol::certificate::Certificate;
use casemate_protocol::host::Trace;
use casemate_protocol::ids::ClientId;
use casemate_protocol::link::{CONTENT_JSON, CONTENT_RAW};
use casemate_protocol::module::ModuleFacts;
use casemate_protocol::outcome::{Cause, Failure};
use casemate_protocol::status::Status;
#[cfg(feature = "embedded")]
use casemate_supervisor::{Deadline, Scope};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tracing::Instrument;

/// A loaded plugin; clones share it. Its processes end when the last one is dropped, if its supervisor is embedded; a
/// daemon's plugins go on until they are closed.
#[derive(Debug, Clone)]
pub struct Plugin {
    pub(crate) inner: Inner,
    pub(crate) around: Around,
}

#[derive(Debug, Clone)]
pub(crate) enum Inner {
    #[cfg(feature = "embedded")]
    Embedded(casemate_supervisor::Plugin),
    #[cfg(feature = "connected")]
    Connected(Remote),
}

/// What goes with each call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Around {
    pub(crate) deadline: Option<Duration>,
    pub(crate) trace: Trace,
}

impl Around {
    /// With a trace of its own where it has none and somebody looks: the span says which, and so can the plugin.
    pub(crate) fn seen_by(&self, span: &tracing::Span) -> Self {
        let mut around = self.clone();
        if !span.is_disabled() {
            if around.trace.parent.is_empty() {
                around.trace.parent = fresh_traceparent();
            }
            span.record("traceparent", around.trace.parent.as_str());
        }
        around
    }

    /// What an embedded supervisor is told of a call.
    #[cfg(feature = "embedded")]
    #[expect(clippy::disallowed_methods, reason = "the caller's time is measured from here")]
    pub(crate) fn scope(&self) -> Scope {
        let deadline = self.deadline.map(|within| Deadline { began: std::time::Instant::now(), within });
        Scope { deadline, trace: self.trace.clone(), ..Scope::default() }
    }
}

/// A new trace and its first span, sampled, as W3C writes it; empty without random numbers.
fn fresh_traceparent() -> String {
    let mut bytes = [0; 24];
    if getrandom::fill(&mut bytes).is_err() {
        return String::new();
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (trace, span) = bytes.split_at(16);
    format!("00-{}-{}-01", hex(trace), hex(span))
}

/// All that is known of a plugin.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Info {
    /// How it is.
    pub status: Status,
    /// What stands around its workers.
    pub certificate: Certificate,
    /// What the module of its active version imports, exports and is.
    pub facts: ModuleFacts,
    /// Whether its code came out of the cache.
    pub from_cache: bool,
    /// Of a daemon's: what of its manifest does not hold there, in sentences.
    pub notes: Vec<String>,
    /// Of a daemon's with a manifest: the file of the configuration that this was compared with, or "the defaults".
    pub configuration: Option<String>,
}

impl Plugin {
    pub(crate) fn new(inner: Inner) -> Self {
        Self { inner, around: Around::default() }
    }

    /// The same plugin for calls that are given up after this time; waiting in its queue counts. What is left of it goes
    /// with each host call.
    #[must_use]
    pub fn within(&self, deadline: Duration) -> Self {
        let around = Around { deadline: Some(deadline), ..self.around.clone() };
        Self { inner: self.inner.clone(), around }
    }

    /// The same plugin for calls that belong to this trace: the plugin can ask for it, and its host calls carry it. Without
    /// one, a call whose span `casemate.call` somebody looks at begins its own; the span's field `traceparent` says which.
    #[must_use]
    pub fn traced(&self, trace: Trace) -> Self {
        let around = Around { trace, ..self.around.clone() };
        Self { inner: self.inner.clone(), around }
    }

    /// Calls a method with a value as JSON and reads the answer as JSON.
    ///
    /// Cancel safety: dropping the future kills the worker that runs the call; nothing else is lost.
    pub async fn call<In, Out>(&self, method: &str, input: &In) -> Result<Out, Failure>
    where
        In: Serialize + ?Sized,
        Out: DeserializeOwned,
    {
        let body = serde_json::to_vec(input)
            .map_err(|error| Failure::not_started(Cause::Input { message: error.to_string() }))?;
        let (content_type, body) = self.make_call(method, CONTENT_JSON, &body).await?;
        if content_type != CONTENT_JSON {
            let message = format!("method {method} answered raw bytes; use call_raw");
            return Err(Failure::done(Cause::Reply { message }));
        }
        serde_json::from_slice(&body)
            .map_err(|error| Failure::done(Cause::Reply { message: format!("method {method}: {error}") }))
    }

    /// Calls a method with raw bytes and returns the answer's bytes, whatever its content type.
    ///
    /// Cancel safety: as [`Plugin::call`].
    pub async fn call_raw(&self, method: &str, body: &[u8]) -> Result<Vec<u8>, Failure> {
        Ok(self.make_call(method, CONTENT_RAW, body).await?.1)
    }

    /// Calls a method with JSON text and returns the answer's bytes and whether they are JSON.
    ///
    /// Cancel safety: as [`Plugin::call`].
    pub async fn call_json_text(&self, method: &str, body: &[u8]) -> Result<(Vec<u8>, bool), Failure> {
        let (content_type, body) = self.make_call(method, CONTENT_JSON, body).await?;
        Ok((body, content_type == CONTENT_JSON))
    }

    async fn make_call(
        &self,
        method: &str,
        content_type: u32,
        body: &[u8],
    ) -> Result<(u32, Vec<u8>), Failure> {
        let (span, around) = self.enter(method);
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(plugin) => {
                let scope = around.scope();
                let reply = plugin.call_in(&scope, method, content_type, body).instrument(span).await?;
                Ok((reply.content_type, reply.body))
            }
            #[cfg(feature = "connected")]
            Inner::Connected(remote) => {
                remote.call(method, content_type, body, &around).instrument(span).await
            }
        }
    }

    /// The span of a call, and what goes with the call then.
    pub(crate) fn enter(&self, method: &str) -> (tracing::Span, Around) {
        let traceparent = tracing::field::Empty;
        let span = tracing::info_span!("casemate.call", plugin = self.name(), method, traceparent);
        let around = self.around.seen_by(&span);
        (span, around)
    }

    /// What stands around its workers; of a daemon's plugin as it was last heard.
    pub fn certificate(&self) -> Certificate {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(plugin) => plugin.certificate(),
            #[cfg(feature = "connected")]
            Inner::Connected(remote) => remote.certificate(),
        }
    }

    /// What the module of its active version imports, exports and is; of a daemon's plugin as it was last heard.
    pub fn facts(&self) -> ModuleFacts {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(plugin) => plugin.facts(),
            #[cfg(feature = "connected")]
            Inner::Connected(remote) => remote.facts(),
        }
    }

    /// Whether its code came out of the cache, compiled at an earlier load.
    pub fn from_cache(&self) -> bool {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(plugin) => plugin.from_cache(),
            #[cfg(feature = "connected")]
            Inner::Connected(remote) => remote.is_from_cache(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(plugin) => plugin.name().as_str(),
            #[cfg(feature = "connected")]
            Inner::Connected(remote) => remote.name(),
        }
    }

    /// The same plugin for one of those who call it: with `isolation = "client"`, no instance serves two. A daemon knows its
    /// clients by itself.
    #[must_use]
    pub fn for_client(&self, client: ClientId) -> Self {
        let inner = match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(plugin) => Inner::Embedded(plugin.for_client(client)),
            #[cfg(feature = "connected")]
            Inner::Connected(remote) => {
                let _ = client;
                Inner::Connected(remote.clone())
            }
        };
        Self { inner, around: self.around.clone() }
    }

    /// Has an instance set up, asks it what it is, and tells it of its end: whether it does all that, before anybody relies on it.
    /// The answer is what it says of itself, in its dialect's words, and whether that is JSON; nothing where its dialect has no
    /// words for it. Embedded only: what a daemon has loaded is in use.
    #[cfg(feature = "embedded")]
    pub async fn rehearse(&self) -> Result<(Vec<u8>, bool), Failure> {
        match &self.inner {
            Inner::Embedded(plugin) => {
                let said = plugin.rehearse().await?;
                Ok((said.body, said.content_type == CONTENT_JSON))
            }
            #[cfg(feature = "connected")]
            Inner::Connected(_) => {
                let message = "what a daemon has loaded is in use: it is not tried".to_owned();
                Err(Failure::not_started(Cause::Configuration { message }))
            }
        }
    }

    /// How it is; of a daemon's plugin as it was last heard: [`Plugin::info`] asks.
    pub fn status(&self) -> Status {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(plugin) => plugin.status(),
            #[cfg(feature = "connected")]
            Inner::Connected(remote) => remote.status(),
        }
    }

    /// All that is known of it, now.
    pub async fn info(&self) -> Result<Info, Failure> {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(plugin) => Ok(Info {
                status: plugin.status(),
                certificate: plugin.certificate(),
                facts: plugin.facts(),
                from_cache: plugin.from_cache(),
                notes: Vec::new(),
                configuration: None,
            }),
            #[cfg(feature = "connected")]
            Inner::Connected(remote) => remote.info().await,
        }
    }

    /// Takes no new calls, lets those that run finish, refuses those that wait, and ends its processes. Returns when it is
    /// off, which it stays until it is enabled.
    pub async fn disable(&self) -> Result<(), Failure> {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(plugin) => plugin.disable().await,
            #[cfg(feature = "connected")]
            Inner::Connected(remote) => remote.disable().await,
        }
    }

    /// Takes no new calls, lets those that run or wait finish, and ends its processes. Returns when it has none.
    pub async fn drain(&self) -> Result<(), Failure> {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(plugin) => {
                plugin.drain().await;
                Ok(())
            }
            #[cfg(feature = "connected")]
            Inner::Connected(remote) => remote.drain().await,
        }
    }

    /// Starts it, if it is disabled or stopped. Returns when it runs, or has given up.
    pub async fn enable(&self) -> Result<(), Failure> {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(plugin) => plugin.enable().await,
            #[cfg(feature = "connected")]
            Inner::Connected(remote) => remote.enable().await,
        }
    }

    /// Forgets its crashes, and starts it if they disabled it. Returns when it runs, or has given up.
    pub async fn reset(&self) -> Result<(), Failure> {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(plugin) => plugin.reset().await,
            #[cfg(feature = "connected")]
            Inner::Connected(remote) => remote.reset().await,
        }
    }

    /// Loads a new version of it beside the one that runs and lets it take over once it has shown that it lives: calls
    /// from then on go to the new one, and the old one finishes its own. After a failure the old one is as it was.
    pub async fn reload(&self, source: impl Into<Source>) -> Result<(), Failure> {
        let wasm = source.into().read()?;
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(plugin) => plugin.reload(&wasm).await,
            #[cfg(feature = "connected")]
            Inner::Connected(remote) => remote.reload(wasm).await,
        }
    }

    /// The configuration that its instances are set up with, as JSON text; `null` without one.
    pub async fn config(&self) -> Result<Vec<u8>, Failure> {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(plugin) => {
                Ok(plugin.config().map_or_else(|| b"null".to_vec(), |config| config.to_vec()))
            }
            #[cfg(feature = "connected")]
            Inner::Connected(remote) => remote.config().await,
        }
    }

    /// Gives it another configuration, as JSON text, without dropping a call: a new version that takes it takes over. After a
    /// failure the old one is as it was.
    pub async fn set_config(&self, config: Vec<u8>) -> Result<(), Failure> {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(plugin) => plugin.set_config(config).await,
            #[cfg(feature = "connected")]
            Inner::Connected(remote) => remote.set_config(config).await,
        }
    }

    /// Ends its processes, and has a daemon forget it; calls that run end with [`Cause::Closed`] or as lost.
    pub async fn close(&self) -> Result<(), Failure> {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(plugin) => {
                plugin.close().await;
                Ok(())
            }
            #[cfg(feature = "connected")]
            Inner::Connected(remote) => remote.close().await,
        }
    }
}
