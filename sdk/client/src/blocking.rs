//! The same, from a plain thread: each call blocks until its answer is here.
//!
//! It brings a small runtime of its own. Do not call it from inside an async runtime's worker thread.

#[cfg(feature = "embedded")]
use crate::{Builder, ConfigError, LoadError, Reloaded};
use crate::{Certificate, Failure, Policy, Source};
use casemate_protocol::module::CompileReport;
use casemate_protocol::outcome::Cause;
use serde::Serialize;
use serde::de::DeserializeOwned;
#[cfg(feature = "connected")]
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// A supervisor, embedded or a daemon's, with a runtime of its own.
#[derive(Debug, Clone)]
pub struct Casemate {
    casemate: crate::Casemate,
    runtime: Arc<Runtime>,
}

/// A loaded plugin.
#[derive(Debug, Clone)]
pub struct Plugin {
    plugin: crate::Plugin,
    runtime: Arc<Runtime>,
}

impl Casemate {
    /// An embedded supervisor with the default configuration.
    #[cfg(feature = "embedded")]
    pub fn embedded() -> Result<Self, Failure> {
        Self::build(crate::Casemate::builder())
    }

    /// See [`crate::Casemate::connect`].
    #[cfg(feature = "connected")]
    pub fn connect(path: impl AsRef<Path>) -> Result<Self, Failure> {
        let runtime = runtime()?;
        let casemate = runtime.block_on(crate::Casemate::connect(path))?;
        Ok(Self { casemate, runtime: Arc::new(runtime) })
    }

    /// An embedded supervisor with a configuration of its own.
    #[cfg(feature = "embedded")]
    pub fn build(builder: Builder) -> Result<Self, Failure> {
        let runtime = runtime()?;
        let casemate = {
            let _inside = runtime.enter();
            builder.build()?
        };
        Ok(Self { casemate, runtime: Arc::new(runtime) })
    }

    /// The async face of the same supervisor, to register host methods.
    pub fn host(&self) -> &crate::Casemate {
        &self.casemate
    }

    /// See [`crate::Casemate::load`].
    pub fn load(&self, source: impl Into<Source>, policy: Policy) -> Result<Plugin, Failure> {
        let plugin = self.runtime.block_on(self.casemate.load(source, policy))?;
        Ok(Plugin { plugin, runtime: Arc::clone(&self.runtime) })
    }

    /// See [`crate::Casemate::plugin`].
    #[cfg(feature = "connected")]
    pub fn plugin(&self, name: &str) -> Result<Plugin, Failure> {
        let plugin = self.runtime.block_on(self.casemate.plugin(name))?;
        Ok(Plugin { plugin, runtime: Arc::clone(&self.runtime) })
    }

    /// See [`crate::Casemate::load_named`].
    #[cfg(feature = "embedded")]
    pub fn load_named(&self, name: &str) -> Result<Plugin, LoadError> {
        let plugin = self.runtime.block_on(self.casemate.load_named(name))?;
        Ok(Plugin { plugin, runtime: Arc::clone(&self.runtime) })
    }

    /// See [`crate::Casemate::reload`].
    #[cfg(feature = "embedded")]
    pub fn reload(&self) -> Result<Reloaded, ConfigError> {
        self.runtime.block_on(self.casemate.reload())
    }

    /// See [`crate::Casemate::inspect`].
    pub fn inspect(&self, source: impl Into<Source>) -> Result<CompileReport, Failure> {
        self.runtime.block_on(self.casemate.inspect(source))
    }
}

/// One thread does what is to be done while nobody waits.
fn runtime() -> Result<Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).thread_name("casemate-io").enable_all();
    builder.build().map_err(|error| {
        let step = "starting the runtime".to_owned();
        Failure::not_started(Cause::Spawn { step, message: error.to_string() })
    })
}

impl Plugin {
    /// See [`crate::Plugin::call`].
    pub fn call<In, Out>(&self, method: &str, input: &In) -> Result<Out, Failure>
    where
        In: Serialize + ?Sized,
        Out: DeserializeOwned,
    {
        self.runtime.block_on(self.plugin.call(method, input))
    }

    /// See [`crate::Plugin::call_raw`].
    pub fn call_raw(&self, method: &str, body: &[u8]) -> Result<Vec<u8>, Failure> {
        self.runtime.block_on(self.plugin.call_raw(method, body))
    }

    /// See [`crate::Plugin::certificate`].
    pub fn certificate(&self) -> Certificate {
        self.plugin.certificate()
    }
}
