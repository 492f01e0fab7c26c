//! The supervisor as a library in the host's own process.

use crate::host;
use crate::plugin::Plugin;
use crate::source::Source;
use casemate_protocol::ids::PluginName;
use casemate_protocol::module::CompileReport;
use casemate_protocol::outcome::{Cause, Failure, escape};
use casemate_protocol::policy::Policy;
use casemate_supervisor::cache::{CachePlaces, CacheSetting};
use casemate_supervisor::policy::{ConfigError, Configuration, Manifest};
use casemate_supervisor::{
    Config, HostError, HostReply, HostRequest, LoadError, LoadOptions, LogRecord, Reloaded, Supervisor,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::sync::Arc;

/// Bytes of what a manifest says against a configuration.
const MESSAGE_BYTES_MAX: usize = 4096;

/// An embedded supervisor; clones share it. Its plugins' processes end with it, and with the host process however that
/// ends.
#[derive(Debug, Clone)]
pub struct Casemate {
    supervisor: Supervisor,
}

/// Makes a [`Casemate`].
#[derive(Debug, Default)]
pub struct Builder {
    config: Config,
}

impl Builder {
    /// Takes every log line of every plugin, escaped and bounded; without this they go to `tracing`.
    #[must_use]
    pub fn on_log(mut self, sink: impl Fn(LogRecord) + Send + Sync + 'static) -> Self {
        self.config.log_sink = Some(Arc::new(sink));
        self
    }

    /// Keeps compiled code in these directories, so that a module is compiled once and not at each load. What goes wrong
    /// with them costs only that: it is told to `tracing`, and the module compiled.
    #[must_use]
    pub fn cache(mut self, places: CachePlaces) -> Self {
        self.config.cache = CacheSetting::At(places);
        self
    }

    /// The policies of the plugins that are loaded by name: a `casemate.toml` that was read and checked.
    #[must_use]
    pub fn configuration(mut self, configuration: Configuration) -> Self {
        self.config.configuration = configuration;
        self
    }

    /// The supervisor's own configuration, for tests of Casemate itself.
    #[doc(hidden)]
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Starts the supervisor.
    pub fn build(self) -> Result<Casemate, Failure> {
        Ok(Casemate { supervisor: Supervisor::new(self.config)? })
    }
}

impl Casemate {
    /// A supervisor with the default configuration.
    pub fn embedded() -> Result<Self, Failure> {
        Self::builder().build()
    }

    /// A supervisor with a configuration of its own.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Answers a host method, JSON in and out. A method ending in `*` answers all that begin with the rest. A plugin may
    /// call it only if its policy grants the method.
    pub fn on<In, Out, F, Fut>(&self, method: &str, handler: F)
    where
        In: DeserializeOwned + Send,
        Out: Serialize + Send,
        F: Fn(In) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Out, HostError>> + Send + 'static,
    {
        self.on_raw(method, move |request: HostRequest| {
            let started = host::input(&request).map(&handler);
            async move { host::reply(&started?.await?) }
        });
    }

    /// Answers a host method with bytes as they come.
    pub fn on_raw<F, Fut>(&self, method: &str, handler: F)
    where
        F: Fn(HostRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<HostReply, HostError>> + Send + 'static,
    {
        self.supervisor.host().on(method, move |request| Box::pin(handler(request)));
    }

    /// Compiles a module behind the walls, or finds its code in the cache; starts its zygote and proves it.
    pub async fn load(&self, source: impl Into<Source>, policy: Policy) -> Result<Plugin, Failure> {
        self.load_with(source, policy, None).await
    }

    /// As [`Casemate::load`], with the configuration that the plugin's initialisation gets, as JSON text. It must fit the
    /// `config_schema` of the manifest beside the module, if there is one, and the plugin must start with it: otherwise the
    /// load fails with [`Cause::ConfigRefused`].
    pub async fn load_with(
        &self,
        source: impl Into<Source>,
        policy: Policy,
        config: Option<Vec<u8>>,
    ) -> Result<Plugin, Failure> {
        let source = source.into();
        let name = PluginName::from_lossy(&source.name());
        let manifest = match &source {
            Source::Path(module) => Manifest::beside(module).map_err(invalid)?,
            Source::Bytes(_) => None,
        };
        if let (Some(manifest), Some(config)) = (&manifest, &config) {
            manifest.check_config(config).map_err(refused)?;
        }
        if let Some(manifest) = &manifest {
            manifest.check_subscriptions(&policy).map_err(invalid)?;
        }
        let wasm = source.read()?;
        let inner = self.supervisor.load(name, &wasm, policy, LoadOptions { config }).await?;
        inner.subscribe_to(manifest.map_or_else(Vec::new, |manifest| manifest.subscriptions))?;
        Ok(Plugin { inner })
    }

    /// Loads a plugin of the configuration: the module that its table names, under what table, manifest and ceiling come to.
    pub async fn load_named(&self, name: &str) -> Result<Plugin, LoadError> {
        self.load_named_with(name, None).await
    }

    /// As [`Casemate::load_named`], with the configuration that the plugin's initialisation gets, as JSON text. It must fit
    /// the manifest's `config_schema`, and the plugin must start with it.
    pub async fn load_named_with(&self, name: &str, config: Option<Vec<u8>>) -> Result<Plugin, LoadError> {
        let inner = self.supervisor.load_named(name, LoadOptions { config }).await?;
        Ok(Plugin { inner })
    }

    /// Reads the configuration's file anew, while plugins run. With a mistake in it that is the error, and everything is as
    /// it was. Otherwise each plugin that was loaded by name comes to its new policy without dropping a call: what the
    /// supervisor sees to holds from the next call and the next host call on; for the rest a new version takes over, as with
    /// [`Plugin::reload`]. One that cannot stays under its old policy, and says why. A plugin that has no table any more, or
    /// is not enabled, finishes its calls and ends.
    ///
    /// Cancel safety: dropping the future gives up what has not been done yet; the next reload does it.
    pub async fn reload(&self) -> Result<Reloaded, ConfigError> {
        self.supervisor.reload().await
    }

    pub(crate) fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }

    /// What a module is, without running it; it is parsed in the compiler process.
    pub async fn inspect(&self, source: impl Into<Source>) -> Result<CompileReport, Failure> {
        let wasm = source.into().read()?;
        self.supervisor.inspect(&wasm).await
    }

    /// The mark that all its processes carry in their arguments, as `ps` shows them.
    pub fn marker(&self) -> String {
        self.supervisor.marker().to_string()
    }

    /// Ends every plugin, and waits until their processes are gone. A load that still runs goes on; it is not waited for
    /// beyond a few seconds.
    pub async fn shutdown(&self) {
        self.supervisor.shutdown().await;
    }
}

/// The manifest cannot be read, or wants what is not granted.
fn invalid(error: ConfigError) -> Failure {
    Failure::not_started(Cause::Configuration { message: escape(&error.to_string(), MESSAGE_BYTES_MAX) })
}

/// The manifest is against the configuration.
fn refused(error: ConfigError) -> Failure {
    let (code, message) = ("config_schema".to_owned(), escape(&error.to_string(), MESSAGE_BYTES_MAX));
    Failure::not_started(Cause::ConfigRefused { code, message })
}
