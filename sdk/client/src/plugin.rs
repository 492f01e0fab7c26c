//! A loaded plugin.

use crate::source::Source;
use casemate_protocol::certificate::Certificate;
use casemate_protocol::ids::ClientId;
use casemate_protocol::link::{CONTENT_JSON, CONTENT_RAW};
use casemate_protocol::module::ModuleFacts;
use casemate_protocol::outcome::{Cause, Failure};
use casemate_supervisor::Status;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A loaded plugin; clones share it. Its processes end when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Plugin {
    pub(crate) inner: casemate_supervisor::Plugin,
}

impl Plugin {
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
        let reply = self.inner.call(method, CONTENT_JSON, &body).await?;
        if reply.content_type != CONTENT_JSON {
            let message = format!("method {method} answered raw bytes; use call_raw");
            return Err(Failure::done(Cause::Reply { message }));
        }
        serde_json::from_slice(&reply.body)
            .map_err(|error| Failure::done(Cause::Reply { message: format!("method {method}: {error}") }))
    }

    /// Calls a method with raw bytes and returns the answer's bytes, whatever its content type.
    pub async fn call_raw(&self, method: &str, body: &[u8]) -> Result<Vec<u8>, Failure> {
        Ok(self.inner.call(method, CONTENT_RAW, body).await?.body)
    }

    /// Calls a method with JSON text and returns the answer's bytes and whether they are JSON.
    pub async fn call_json_text(&self, method: &str, body: &[u8]) -> Result<(Vec<u8>, bool), Failure> {
        let reply = self.inner.call(method, CONTENT_JSON, body).await?;
        let is_json = reply.content_type == CONTENT_JSON;
        Ok((reply.body, is_json))
    }

    /// What stands around its workers.
    pub fn certificate(&self) -> Certificate {
        self.inner.certificate()
    }

    /// What the module of its active version imports, exports and is.
    pub fn facts(&self) -> ModuleFacts {
        self.inner.facts()
    }

    /// Whether its code came out of the cache, compiled at an earlier load.
    pub fn from_cache(&self) -> bool {
        self.inner.from_cache()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.inner.name().as_str()
    }

    /// The same plugin for one of those who call it: with `isolation = "client"`, no instance serves two.
    #[must_use]
    pub fn for_client(&self, client: ClientId) -> Self {
        Self { inner: self.inner.for_client(client) }
    }

    /// How it is.
    pub fn status(&self) -> Status {
        self.inner.status()
    }

    /// Takes no new calls, lets those that run finish, refuses those that wait, and ends its processes. Returns when it is
    /// off, which it stays until it is enabled.
    pub async fn disable(&self) {
        self.inner.disable().await;
    }

    /// Takes no new calls, lets those that run or wait finish, and ends its processes. Returns when it has none.
    pub async fn drain(&self) {
        self.inner.drain().await;
    }

    /// Starts it, if it is disabled or stopped. Returns when it runs, or has given up.
    pub async fn enable(&self) -> Result<(), Failure> {
        self.inner.enable().await
    }

    /// Forgets its crashes, and starts it if they disabled it. Returns when it runs, or has given up.
    pub async fn reset(&self) -> Result<(), Failure> {
        self.inner.reset().await
    }

    /// Loads a new version of it beside the one that runs and lets it take over once it has shown that it lives: calls
    /// from then on go to the new one, and the old one finishes its own. After a failure the old one is as it was.
    pub async fn reload(&self, source: impl Into<Source>) -> Result<(), Failure> {
        let wasm = source.into().read()?;
        self.inner.reload(&wasm).await
    }

    /// Ends its processes; calls that run end with [`Cause::Closed`] or as lost.
    pub async fn close(&self) {
        self.inner.close().await;
    }
}
