//! A supervisor, in this process or in a daemon: one API for both.

#[cfg(feature = "connected")]
use crate::connected::{Connection, manifest};
use crate::host;
use crate::plugin::{Inner as PluginInner, Plugin};
#[cfg(feature = "connected")]
use crate::remote::{Remote, cannot, config_text, status_of};
use crate::source::Source;
use crate::stats::{Change, Stats};
#[cfg(feature = "connected")]
use casemate_protocol::client::{Inspect, List, Load, ReloadPolicy, Stats as AskStats, request::Operation};
use casemate_protocol::host::{Host, HostError, HostReply, HostRequest};
use casemate_protocol::ids::PluginName;
use casemate_protocol::module::CompileReport;
use casemate_protocol::outcome::Failure;
#[cfg(feature = "embedded")]
use casemate_protocol::outcome::{Cause, escape};
use casemate_protocol::policy::Policy;
use casemate_protocol::status::Status;
#[cfg(feature = "embedded")]
use casemate_supervisor::package::manifest_beside;
#[cfg(feature = "embedded")]
use casemate_supervisor::policy::{ConfigError, Manifest};
#[cfg(feature = "embedded")]
use casemate_supervisor::{LoadError, LoadOptions, Supervisor};
use serde::Serialize;
use serde::de::DeserializeOwned;
#[cfg(feature = "embedded")]
use std::fmt::Display;
use std::future::Future;
#[cfg(feature = "connected")]
use std::path::Path;
use std::sync::Arc;

/// Bytes of what a manifest says against a configuration.
#[cfg(feature = "embedded")]
const MESSAGE_BYTES_MAX: usize = 4096;

/// A supervisor; clones share it. The plugins of an embedded one end with it, and with the host process however that ends;
/// those of a daemon go on.
#[derive(Debug, Clone)]
pub struct Casemate {
    pub(crate) inner: Inner,
}

#[derive(Debug, Clone)]
pub(crate) enum Inner {
    #[cfg(feature = "embedded")]
    Embedded(Supervisor),
    #[cfg(feature = "connected")]
    Connected(Arc<Connection>),
}

impl Casemate {
    /// A daemon's supervisor, by the path of its socket. The connection is made again when it has ended; what was open on it
    /// fails with [`Cause::Connection`] and says that it may have run.
    #[cfg(feature = "connected")]
    pub async fn connect(path: impl AsRef<Path>) -> Result<Self, Failure> {
        let client = concat!("casemate-rust ", env!("CARGO_PKG_VERSION"));
        let connection = Connection::open(path.as_ref(), client).await?;
        Ok(Self { inner: Inner::Connected(Arc::new(connection)) })
    }

    /// What this client may do, as its daemon's configuration says: of `call`, `serve` and `admin`. Of an embedded supervisor:
    /// all of it.
    pub fn rights(&self) -> Vec<String> {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(_) => ["call", "serve", "admin"].map(str::to_owned).to_vec(),
            #[cfg(feature = "connected")]
            Inner::Connected(connection) => connection.rights(),
        }
    }

    fn host(&self) -> &Host {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(supervisor) => supervisor.host(),
            #[cfg(feature = "connected")]
            Inner::Connected(connection) => connection.host(),
        }
    }

    fn host_changed(&self) {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(_) => {}
            #[cfg(feature = "connected")]
            Inner::Connected(connection) => connection.served(),
        }
    }

    /// Answers a host method, JSON in and out. A method ending in `*` answers all that begin with the rest. A plugin may
    /// call it only if its policy grants the method. Connected, that is for this client's own calls, and with the right
    /// `serve` for everybody's.
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
        self.host().on(method, move |request| Box::pin(handler(request)));
        self.host_changed();
    }

    /// Answers it no more; whether anything did.
    pub fn off(&self, method: &str) -> bool {
        let was_on = self.host().off(method);
        self.host_changed();
        was_on
    }

    /// Compiles a module behind the walls, or finds its code in the cache; starts its zygote and proves it. Connected, the
    /// policy is what the plugin asks for: it gets that or what the daemon's configuration grants, whichever is less.
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
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(supervisor) => {
                let manifest = beside(&source)?;
                let config = match config {
                    Some(config) => Some(config),
                    None => supervisor.kept_config(&name)?,
                };
                let wasm = source.read()?;
                let inner = load_described(supervisor, name, &wasm, manifest, policy, config).await?;
                Ok(Plugin::new(PluginInner::Embedded(inner)))
            }
            #[cfg(feature = "connected")]
            Inner::Connected(connection) => {
                let load = Load {
                    plugin: name.to_string(),
                    manifest: manifest(name.as_str(), &policy, &subscriptions(&source)?),
                    config: config_text(config)?,
                    configured: false,
                };
                load_remote(connection, load, source.read()?).await
            }
        }
    }

    /// As [`Casemate::load_with`], of a module with a manifest that does not lie beside it: one of another system's, as its
    /// package has it. The plugin has the manifest's id as its name. Embedded only.
    #[cfg(feature = "embedded")]
    pub async fn load_described(
        &self,
        wasm: &[u8],
        manifest: Manifest,
        policy: Policy,
        config: Option<Vec<u8>>,
    ) -> Result<Plugin, Failure> {
        match &self.inner {
            Inner::Embedded(supervisor) => {
                let name = manifest.id.clone();
                let config = match config {
                    Some(config) => Some(config),
                    None => supervisor.kept_config(&name)?,
                };
                let inner = load_described(supervisor, name, wasm, Some(manifest), policy, config).await?;
                Ok(Plugin::new(PluginInner::Embedded(inner)))
            }
            #[cfg(feature = "connected")]
            Inner::Connected(_) => {
                let message = "a daemon is sent a module with what lies beside it".to_owned();
                Err(Failure::not_started(Cause::Configuration { message }))
            }
        }
    }

    /// Starts a native program behind the walls in place of a module, under a name of its own: `words` are the program and its
    /// arguments, paths among them relative to `base`. It is called as a module is, with JSON in and out; it hears and answers
    /// JSON-RPC 2.0, a line each way. Embedded only: a daemon runs the programs that its own configuration names, by
    /// [`Casemate::load_named`].
    #[cfg(feature = "embedded")]
    pub async fn load_external(
        &self,
        name: &str,
        words: Vec<String>,
        base: impl Into<std::path::PathBuf>,
        policy: Policy,
    ) -> Result<Plugin, Failure> {
        match &self.inner {
            Inner::Embedded(supervisor) => {
                let program = casemate_supervisor::External::new(words, base);
                let name = PluginName::from_lossy(name);
                let options =
                    LoadOptions { config: supervisor.kept_config(&name)?, ..LoadOptions::default() };
                let inner = supervisor.load_external(name, program, policy, options).await?;
                Ok(Plugin::new(PluginInner::Embedded(inner)))
            }
            #[cfg(feature = "connected")]
            Inner::Connected(_) => {
                let message =
                    "a daemon starts the programs that its own configuration names, and no others".to_owned();
                Err(Failure::not_started(Cause::Configuration { message }))
            }
        }
    }

    /// Loads a plugin of the configuration: the module that its table names, under what table, manifest and ceiling come to.
    #[cfg(feature = "embedded")]
    pub async fn load_named(&self, name: &str) -> Result<Plugin, LoadError> {
        self.load_named_with(name, None).await
    }

    /// As [`Casemate::load_named`], with the configuration that the plugin's initialisation gets, as JSON text. It must fit
    /// the manifest's `config_schema`, and the plugin must start with it.
    #[cfg(feature = "embedded")]
    pub async fn load_named_with(&self, name: &str, config: Option<Vec<u8>>) -> Result<Plugin, LoadError> {
        match &self.inner {
            Inner::Embedded(supervisor) => {
                let options = LoadOptions { config, ..LoadOptions::default() };
                let inner = supervisor.load_named(name, options).await?;
                Ok(Plugin::new(PluginInner::Embedded(inner)))
            }
            #[cfg(feature = "connected")]
            Inner::Connected(connection) => Ok(load_configured(connection, name, config).await?),
        }
    }

    /// Has a daemon load a module that asks for all that is granted, or for what the manifest beside it says.
    #[cfg(feature = "connected")]
    pub async fn load_sent(
        &self,
        source: impl Into<Source>,
        config: Option<Vec<u8>>,
    ) -> Result<Plugin, Failure> {
        let source = source.into();
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(_) => self.load_with(source, Policy::default(), config).await,
            Inner::Connected(connection) => {
                let plugin = PluginName::from_lossy(&source.name()).to_string();
                let (manifest, config) = (source.manifest()?, config_text(config)?);
                let load = Load { plugin, manifest, config, configured: false };
                load_remote(connection, load, source.read()?).await
            }
        }
    }

    /// As [`Casemate::load_named`], with one kind of failure for everything.
    #[cfg(feature = "connected")]
    pub async fn load_configured(&self, name: &str, config: Option<Vec<u8>>) -> Result<Plugin, Failure> {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(_) => match self.load_named_with(name, config).await {
                Ok(plugin) => Ok(plugin),
                Err(LoadError::Failure(failure)) => Err(failure),
                Err(LoadError::Config(error)) => Err(invalid(error)),
            },
            Inner::Connected(connection) => load_configured(connection, name, config).await,
        }
    }

    /// Of a daemon: a plugin that is loaded there. Of an embedded supervisor: none, it is whoever loaded it that has it.
    #[cfg(feature = "connected")]
    pub async fn plugin(&self, name: &str) -> Result<Plugin, Failure> {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(_) => {
                Err(Failure::not_started(Cause::UnknownPlugin { name: escape(name, MESSAGE_BYTES_MAX) }))
            }
            Inner::Connected(connection) => {
                let remote = Remote::look(Arc::clone(connection), name).await?;
                Ok(Plugin::new(PluginInner::Connected(remote)))
            }
        }
    }

    /// The plugins that are loaded, and how each is.
    pub async fn plugins(&self) -> Result<Vec<(String, Status)>, Failure> {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(supervisor) => {
                let plugins = supervisor.plugins();
                Ok(plugins.iter().map(|plugin| (plugin.name().to_string(), plugin.status())).collect())
            }
            #[cfg(feature = "connected")]
            Inner::Connected(connection) => {
                let (response, _) = connection.request(Operation::List(List {}), Vec::new()).await?;
                let plugins = response.plugins.iter();
                plugins.map(|plugin| Ok((plugin.name.clone(), status_of(plugin)?))).collect()
            }
        }
    }

    /// Reads the configuration's file anew, while plugins run. With a mistake in it that is the error, and everything is as
    /// it was. Otherwise each plugin of it comes to its new policy without dropping a call: what the supervisor sees to
    /// holds from the next call and the next host call on; for the rest a new version takes over, as with
    /// [`Plugin::reload`]. One that cannot stays under its old policy, and says why. A plugin that has no table any more, or
    /// is not enabled, finishes its calls and ends.
    ///
    /// Cancel safety: dropping the future gives up what has not been done yet; the next reload does it. In a daemon it is
    /// done all the same.
    pub async fn reload_policy(&self) -> Result<Vec<Change>, Failure> {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(supervisor) => {
                let reloaded = supervisor.reload().await.map_err(invalid)?;
                Ok(reloaded.plugins.iter().map(Change::of).collect())
            }
            #[cfg(feature = "connected")]
            Inner::Connected(connection) => {
                let operation = Operation::ReloadPolicy(ReloadPolicy {});
                let (response, _) = connection.request(operation, Vec::new()).await?;
                Ok(response.changes.into_iter().map(Change::from).collect())
            }
        }
    }

    /// What a module is, without running it; it is parsed in the compiler process.
    pub async fn inspect(&self, source: impl Into<Source>) -> Result<CompileReport, Failure> {
        let wasm = source.into().read()?;
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(supervisor) => supervisor.inspect(&wasm).await,
            #[cfg(feature = "connected")]
            Inner::Connected(connection) => {
                let (_, report) = connection.request(Operation::Inspect(Inspect {}), wasm).await?;
                CompileReport::decode(&report).map_err(|violation| cannot(&violation))
            }
        }
    }

    /// What a daemon has counted since it started; an embedded supervisor counts nothing but its events.
    pub async fn stats(&self) -> Result<Stats, Failure> {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(supervisor) => {
                let events = supervisor.events().counts();
                Ok(Stats { events: events.published, events_dropped: events.dropped, ..Stats::default() })
            }
            #[cfg(feature = "connected")]
            Inner::Connected(connection) => {
                let (response, _) = connection.request(Operation::Stats(AskStats {}), Vec::new()).await?;
                Ok(response.counters.unwrap_or_default().into())
            }
        }
    }

    /// Ends every plugin of an embedded supervisor, and waits until their processes are gone. A load that still runs goes
    /// on; it is not waited for beyond a few seconds. A daemon's plugins are not this client's to end.
    pub async fn shutdown(&self) {
        match &self.inner {
            #[cfg(feature = "embedded")]
            Inner::Embedded(supervisor) => supervisor.shutdown().await,
            #[cfg(feature = "connected")]
            Inner::Connected(_) => {}
        }
    }
}

/// A module with what its manifest says, where it has one.
#[cfg(feature = "embedded")]
async fn load_described(
    supervisor: &Supervisor,
    name: PluginName,
    wasm: &[u8],
    manifest: Option<Manifest>,
    policy: Policy,
    config: Option<Vec<u8>>,
) -> Result<casemate_supervisor::Plugin, Failure> {
    if let (Some(manifest), Some(config)) = (&manifest, &config) {
        manifest.check_config(config).map_err(refused)?;
    }
    if let Some(manifest) = &manifest {
        manifest.check_subscriptions(&policy).map_err(invalid)?;
    }
    let wanted = manifest.as_ref().map_or_else(Vec::new, |manifest| manifest.subscriptions.clone());
    let options = LoadOptions { config, manifest: manifest.map(Arc::new) };
    let inner = supervisor.load(name, wasm, policy, options).await?;
    inner.subscribe_to(wanted)?;
    Ok(inner)
}

/// What a daemon's configuration has under that name.
#[cfg(feature = "connected")]
async fn load_configured(
    connection: &Arc<Connection>,
    name: &str,
    config: Option<Vec<u8>>,
) -> Result<Plugin, Failure> {
    let (plugin, config) = (name.to_owned(), config_text(config)?);
    let load = Load { plugin, manifest: String::new(), config, configured: true };
    load_remote(connection, load, Vec::new()).await
}

#[cfg(feature = "connected")]
async fn load_remote(connection: &Arc<Connection>, load: Load, wasm: Vec<u8>) -> Result<Plugin, Failure> {
    let name = load.plugin.clone();
    connection.request(Operation::Load(load), wasm).await?;
    let remote = Remote::look(Arc::clone(connection), &name).await?;
    Ok(Plugin::new(PluginInner::Connected(remote)))
}

/// The manifest beside a module.
#[cfg(feature = "embedded")]
fn beside(source: &Source) -> Result<Option<Manifest>, Failure> {
    match source {
        Source::Path(module) => manifest_beside(module).map_err(invalid),
        Source::Bytes(_) => Ok(None),
    }
}

/// The events that a module's manifest wants.
#[cfg(all(feature = "connected", feature = "embedded"))]
fn subscriptions(source: &Source) -> Result<Vec<String>, Failure> {
    Ok(beside(source)?.map_or_else(Vec::new, |manifest| manifest.subscriptions))
}

/// Without a supervisor's code there is nobody here to read a manifest: the daemon's own files say what it wants.
#[cfg(all(feature = "connected", not(feature = "embedded")))]
fn subscriptions(_: &Source) -> Result<Vec<String>, Failure> {
    Ok(Vec::new())
}

/// The manifest is against the configuration.
#[cfg(feature = "embedded")]
fn refused(error: ConfigError) -> Failure {
    let message = format!("{}; load it with another one", escape(&error.to_string(), MESSAGE_BYTES_MAX));
    Failure::not_started(Cause::ConfigRefused { code: "config_schema".to_owned(), message, has_config: true })
}

#[cfg(feature = "embedded")]
fn invalid(error: impl Display) -> Failure {
    let message = escape(&error.to_string(), MESSAGE_BYTES_MAX);
    Failure::not_started(Cause::Configuration { message })
}
