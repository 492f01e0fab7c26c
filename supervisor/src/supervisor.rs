//! The supervisor: makes plugins of modules.

use crate::cache::{Access, CacheSetting};
use crate::cgroup::Groups;
use crate::compile::{CompileCaps, compile};
use crate::configured::{Configured, LoadError, Reloaded, Sent};
use crate::context::Context;
use crate::events::Events;
#[cfg(feature = "adversary")]
use crate::experiment::Findings;
use crate::experiment::Leniency;
use crate::external::External;
use crate::host::{DenialSink, Host};
use crate::identity::Identities;
use crate::instance::{Shared, files_most};
use crate::load::{Source, load};
use crate::log::{LogSink, to_tracing};
use crate::plugin::{Plugin, WeakPlugin};
use crate::policy::{ConfigError, Configuration, Manifest};
use crate::process::control::broken;
use crate::process::guard::Guard;
use crate::process::points::PausePoint;
use crate::programs::Program;
use crate::store::{Record, Stores};
use casemate_protocol::ids::{Marker, PluginName};
use casemate_protocol::link::CONFIG_BYTES_MAX;
use casemate_protocol::module::CompileReport;
use casemate_protocol::outcome::{Cause, Failure};
use casemate_protocol::policy::{Limits, Policy, Storage};
use casemate_protocol::spawn::CompileSpec;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// How a supervisor is set up.
#[derive(Clone)]
pub struct Config {
    /// Takes plugins' log lines; without one they go to `tracing`.
    pub log_sink: Option<LogSink>,
    /// Is told of each host method and topic that a plugin asks for and is not granted.
    pub denial_sink: Option<DenialSink>,
    /// From starting a process to its being ready.
    pub spawn_timeout: Duration,
    /// Wall-clock cap of one compilation. With zero nothing is compiled: only what is in the cache is loaded.
    pub compile_timeout: Duration,
    /// CPU cap of one compilation, in seconds.
    pub compile_cpu_seconds: u64,
    /// Memory cap of one compilation, in bytes.
    pub compile_memory_bytes: u64,
    /// The policies of plugins that are loaded by name.
    pub configuration: Configuration,
    /// Where compiled code is kept; off unless somebody says where.
    pub cache: CacheSetting,
    /// Where plugins' configurations, and what they put away with `kv.set`, stay; nothing does unless somebody says where.
    pub state_dir: Option<PathBuf>,
    /// For tests of the lower tier: try no namespaces.
    #[doc(hidden)]
    pub namespaces: bool,
    /// For tests: start this hostile behaviour in the worker's place.
    #[doc(hidden)]
    pub adversary: Option<String>,
    /// For tests: start this hostile behaviour in the compiler's place.
    #[doc(hidden)]
    pub compiler_adversary: Option<String>,
    /// What becomes of a process that the inspection finds wrong.
    pub(crate) leniency: Leniency,
    /// For tests: stop for ever at a named point of spawning.
    #[doc(hidden)]
    pub pause_at: Option<PausePoint>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            log_sink: None,
            denial_sink: None,
            spawn_timeout: Duration::from_secs(10),
            compile_timeout: Duration::from_secs(120),
            compile_cpu_seconds: 60,
            compile_memory_bytes: 2 << 30,
            configuration: Configuration::default(),
            cache: CacheSetting::Off,
            state_dir: None,
            namespaces: true,
            adversary: None,
            compiler_adversary: None,
            leniency: Leniency::default(),
            pause_at: None,
        }
    }
}

impl Config {
    /// Starts hostile native code in the worker's place, for tests of the walls.
    #[doc(hidden)]
    #[cfg(feature = "adversary")]
    pub fn use_adversary(&mut self, behaviour: &str) {
        self.adversary = Some(behaviour.to_owned());
    }

    /// Starts hostile native code in the compiler's place, for tests of the walls around that.
    #[doc(hidden)]
    #[cfg(feature = "adversary")]
    pub fn use_compiler_adversary(&mut self, behaviour: &str) {
        self.compiler_adversary = Some(behaviour.to_owned());
    }

    /// The same, and whatever the inspection finds wrong with it is only written down.
    #[doc(hidden)]
    #[cfg(feature = "adversary")]
    pub fn use_adversary_unjudged(&mut self, behaviour: &str, findings: Findings) {
        self.use_adversary(behaviour);
        self.leniency = Leniency::writing_to(findings);
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("spawn_timeout", &self.spawn_timeout)
            .field("compile_timeout", &self.compile_timeout)
            .field("compile_cpu_seconds", &self.compile_cpu_seconds)
            .field("compile_memory_bytes", &self.compile_memory_bytes)
            .field("cache", &self.cache)
            .field("namespaces", &self.namespaces)
            .finish_non_exhaustive()
    }
}

/// What else a load takes.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// The configuration that the plugin's initialisation gets, as JSON text.
    pub config: Option<Vec<u8>>,
    /// Its manifest, where it has one: what it saves as its configuration has to fit, and what it does not ask for is told by
    /// that. What it may do the policy says alone; a load by name finds the manifest itself.
    pub manifest: Option<Arc<Manifest>>,
}

/// A supervisor; clones share it. Needs a tokio runtime with I/O and time around its async calls.
#[derive(Debug, Clone)]
pub struct Supervisor {
    context: Arc<Context>,
    /// To end them all; those that their holders have dropped are gone already.
    plugins: Arc<Mutex<Vec<WeakPlugin>>>,
    configured: Arc<Configured>,
}

impl Supervisor {
    /// Starts a supervisor: its guard thread, and its programs in sealed memfds. It starts no process yet.
    pub fn new(config: Config) -> Result<Self, Failure> {
        raise_descriptor_limit();
        let marker = getrandom::u64().map_err(|error| broken("drawing a marker", error))?;
        // Whatever else was set: an honest worker is always judged.
        let leniency = match config.adversary {
            Some(_) => config.leniency,
            None => Leniency::default(),
        };
        let worker = match &config.adversary {
            Some(behaviour) => Program::adversary(behaviour),
            None => Program::worker(),
        };
        let worker_wasi = match &config.adversary {
            Some(behaviour) => Program::adversary_wasi(behaviour),
            None => Program::worker_wasi(),
        };
        let compiler = match &config.compiler_adversary {
            Some(behaviour) => Program::adversary(behaviour),
            None => Program::compiler(),
        };
        let context = Context {
            marker: Marker(marker),
            guard: Guard::start().map_err(|error| broken("starting the guard", error))?,
            host: Host::default(),
            events: Events::default(),
            groups: Groups::new(Marker(marker)),
            identities: Identities::default(),
            log_sink: config.log_sink.unwrap_or_else(|| Arc::new(to_tracing)),
            denial_sink: config.denial_sink,
            worker: worker.map_err(|error| broken("preparing the worker program", error))?,
            worker_wasi: worker_wasi.map_err(|error| broken("preparing the worker program", error))?,
            launcher: Program::launcher().map_err(|error| broken("preparing the launcher program", error))?,
            compiler: compiler.map_err(|error| broken("preparing the compiler program", error))?,
            leniency,
            namespaces: config.namespaces,
            spawn_timeout: config.spawn_timeout,
            compile_caps: CompileCaps {
                wall: config.compile_timeout,
                cpu_seconds: config.compile_cpu_seconds,
                memory_bytes: config.compile_memory_bytes,
            },
            cache: Access::new(config.cache),
            stores: Stores::new(config.state_dir.clone()),
            pause_at: config.pause_at,
            last_instance: AtomicU64::new(0),
        };
        let configured = Arc::new(Configured::new(config.configuration, config.state_dir));
        Ok(Self { context: Arc::new(context), plugins: Arc::default(), configured })
    }

    /// The host's methods.
    pub fn host(&self) -> &Host {
        &self.context.host
    }

    /// The mark that all its processes carry in their arguments.
    pub fn marker(&self) -> Marker {
        self.context.marker
    }

    /// Compiles a module behind the walls, or finds its code in the cache; starts its zygote and proves it. A plugin that is
    /// given a configuration is set up with it once, in an instance of its own: one that refuses it is not loaded.
    pub async fn load(
        &self,
        name: PluginName,
        wasm: &[u8],
        policy: Policy,
        options: LoadOptions,
    ) -> Result<Plugin, Failure> {
        self.load_source(name, Source::Module(Arc::from(wasm)), policy, options).await
    }

    /// Starts a native program behind the walls in place of a module, asks it what it is, and so proves that it answers. It
    /// is called as a module is: a method and its parameters as JSON, which reach it as JSON-RPC.
    pub async fn load_external(
        &self,
        name: PluginName,
        program: External,
        policy: Policy,
        options: LoadOptions,
    ) -> Result<Plugin, Failure> {
        self.load_source(name, Source::Program(Arc::new(program)), policy, options).await
    }

    pub(crate) async fn load_source(
        &self,
        name: PluginName,
        source: Source,
        policy: Policy,
        options: LoadOptions,
    ) -> Result<Plugin, Failure> {
        if let Some(config) = &options.config
            && u32::try_from(config.len()).map_or(true, |bytes| bytes > CONFIG_BYTES_MAX)
        {
            let message =
                format!("the configuration has {} bytes; {CONFIG_BYTES_MAX} are the most", config.len());
            return Err(Failure::not_started(Cause::Input { message }));
        }
        let context = Arc::clone(&self.context);
        let store = context.stores.of(&name);
        let config = match options.config {
            Some(config) => Some(config),
            None => self.kept(name.as_str())?.config(),
        };
        if let Some(store) = &store {
            store.empty_tmp().map_err(|error| error.not_loaded())?;
            if policy.storage() == Storage::Vfs {
                store.vfs().map_err(|error| error.not_loaded())?;
                store.look(files_most(&policy)).await?;
            }
        }
        let shared = Arc::new(Shared::new(context, name, policy, config, options.manifest, store));
        let is_program = matches!(source, Source::Program(_));
        let proven = load(&shared, &source).await?;
        if shared.config().is_some() || is_program {
            // Better now than at the first call. Without one, no code of a module runs before that; whether a program can
            // be executed and answers is known by doing it.
            proven.probe(&shared).await?;
        }
        let plugin = Plugin::run(shared, proven);
        let mut plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        plugins.retain(|plugin| plugin.upgrade().is_some());
        plugins.push(plugin.downgrade());
        Ok(plugin)
    }

    /// Loads a plugin of the configuration: its module, under what its table, its manifest and the rest of the file come to.
    /// It takes part in [`Supervisor::reload`].
    pub async fn load_named(&self, name: &str, options: LoadOptions) -> Result<Plugin, LoadError> {
        self.configured.load(self, name, None, options).await
    }

    /// As [`Supervisor::load_named`], of a module that is sent. The configuration need not have a table for it; the defaults,
    /// its manifest and the ceiling hold then.
    pub async fn load_sent(&self, name: &str, sent: Sent, options: LoadOptions) -> Result<Plugin, LoadError> {
        self.configured.load(self, name, Some(sent), options).await
    }

    /// What was kept of a plugin when it ran before.
    pub(crate) fn kept(&self, name: &str) -> Result<Record, Failure> {
        let store = self.context.stores.of(&PluginName::from_lossy(name));
        let record = store.map(|store| store.record()).transpose();
        Ok(record.map_err(|error| error.not_loaded())?.unwrap_or_default())
    }

    /// The configuration that was given to a plugin when it ran before, as JSON text: it is set up with it unless its load
    /// names another.
    pub fn kept_config(&self, name: &PluginName) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.kept(name.as_str())?.config())
    }

    /// Whether a plugin of the configuration is to run: what somebody has said at run time goes before `enabled` in the file.
    pub fn is_enabled(&self, name: &str) -> bool {
        // A record that cannot be read is told of by its load.
        let since = self.kept(name).ok().and_then(|kept| kept.enabled);
        since == Some(true) || self.configuration().is_enabled(name)
    }

    /// What can be loaded by name: the plugins of the configuration, and those whose packages are installed or lie in a folder
    /// that it names.
    pub fn names(&self) -> Vec<String> {
        self.configured.names()
    }

    /// The plugins that are loaded and whose holders have not dropped them.
    pub fn plugins(&self) -> Vec<Plugin> {
        let plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        plugins.iter().filter_map(WeakPlugin::upgrade).collect()
    }

    /// The configuration that holds now.
    pub fn configuration(&self) -> Arc<Configuration> {
        self.configured.configuration()
    }

    /// Whether a configuration, as JSON text, fits what the manifest of a plugin that was loaded by name says.
    pub fn check_config(&self, name: &str, config: &[u8]) -> Result<(), ConfigError> {
        self.configured.check_config(name, config)
    }

    /// What of the manifest of a plugin that was loaded by name does not hold under the configuration.
    #[cfg(feature = "daemon")]
    pub(crate) fn compared(&self, name: &str) -> Option<crate::configured::Compared> {
        self.configured.compared(name)
    }

    /// Events between the host, its plugins and whoever else subscribes.
    pub fn events(&self) -> &Events {
        &self.context.events
    }

    /// Reads the configuration's file anew. With a mistake in it that is the error, and everything is as it was. Otherwise
    /// it holds for what is loaded by name from here on, and each plugin that was comes to its new policy without dropping
    /// a call; one that cannot stays under its old one, which is in the report.
    ///
    /// Cancel safety: dropping the future gives up what has not been done yet; the next reload does it.
    pub async fn reload(&self) -> Result<Reloaded, ConfigError> {
        self.configured.reload().await
    }

    /// What a module is. It is parsed in the compiler process and nowhere else.
    pub async fn inspect(&self, wasm: &[u8]) -> Result<CompileReport, Failure> {
        let stack_bytes = Limits::default().stack_bytes;
        let spec = CompileSpec { inspect_only: true, dialect: 0, stack_bytes, fuel: false };
        Ok(compile(&self.context, wasm, spec).await?.report)
    }

    /// Ends every plugin, and waits until their processes are gone. A load that still runs goes on; it is not waited for
    /// beyond a few seconds.
    pub async fn shutdown(&self) {
        let plugins = std::mem::take(&mut *self.plugins.lock().unwrap_or_else(PoisonError::into_inner));
        // Each may have to be waited for.
        let mut ends = JoinSet::new();
        for plugin in plugins.iter().filter_map(WeakPlugin::upgrade) {
            ends.spawn(async move { plugin.close().await });
        }
        ends.join_all().await;
        let _ = tokio::time::timeout(SHUTDOWN_PATIENCE, self.context.guard.emptied()).await;
    }
}

/// Killed processes are gone within milliseconds; what takes longer is no plugin of ours.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);

/// Every worker needs a few descriptors here, and soft limits are small for the sake of select(2), which we do not use.
fn raise_descriptor_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // Refused only where the hard limit was lowered meanwhile; then the old one stands.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}
