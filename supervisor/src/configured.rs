//! The plugins of a policy file, and what becomes of them when it is read anew.
//!
//! ```text
//! reload: file ─► Configuration ─► a plan for each plugin ─► the new file holds ─► the plans are carried out, side by side
//!          └─ a mistake: the error, and all is as it was
//! ```
//! What a plugin has to do to come to its new policy is its own to know: `plugin/renew.rs`.

use crate::load::Source;
use crate::module_file::read_module;
use crate::package::{Code, Consent, Packages};
use crate::plugin::{Plugin, Way, WeakPlugin};
use crate::policy::{Changes, ConfigError, ConfigProblem, Configuration, Effective, Manifest, Overrides};
use crate::supervisor::{LoadOptions, Supervisor};
use casemate_protocol::ids::PluginName;
use casemate_protocol::outcome::Failure;
use casemate_protocol::policy::Policy;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::JoinSet;

/// The option that is a plugin's configuration, as JSON text, where nobody gives it one.
const CONFIG: &str = "config";

/// A module that is sent, with what it asks for.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The module.
    pub wasm: Vec<u8>,
    /// Its manifest; without one it asks for all that is granted.
    pub manifest: Option<Manifest>,
}

/// Why a plugin of a policy file cannot run as the file says.
#[derive(Debug, Clone, PartialEq)]
pub enum LoadError {
    /// The file, or the plugin's manifest.
    Config(ConfigError),
    /// Its load.
    Failure(Failure),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => write!(f, "{error}"),
            Self::Failure(failure) => write!(f, "{failure}"),
        }
    }
}

impl std::error::Error for LoadError {}

impl From<ConfigError> for LoadError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<Failure> for LoadError {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// What came of reading a policy file anew.
#[derive(Debug, Clone, PartialEq)]
pub struct Reloaded {
    /// What the file says that it did not say before.
    pub changes: Changes,
    /// What each loaded plugin of the file made of it, in the order they were loaded.
    pub plugins: Vec<PluginReloaded>,
}

/// What a plugin made of a new policy.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginReloaded {
    /// Which.
    pub plugin: PluginName,
    /// What it made of it.
    pub taken: Taken,
}

/// What a plugin made of a new policy. No call is dropped by any of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Taken {
    /// Its policy is what it was.
    Unchanged,
    /// It has its new policy: the next call is under it, and so is the next host call of those that run.
    TookChanges,
    /// A new version of it has taken over under the new policy, and the old one finishes its calls; or it was started again,
    /// since the file allows it again.
    Restarted,
    /// It does not run; when it is started, that is under the new policy.
    WhenStarted,
    /// `enabled` is false: it finishes the calls that run, and ends. Its operator can enable it.
    Disabled {
        /// Where the file says so.
        reason: String,
    },
    /// The file has no table for it: it finishes the calls that run or wait, and ends. It can be started when there is one
    /// again.
    Removed {
        /// A sentence.
        reason: String,
    },
    /// It goes on as it was, under its old policy.
    Failed {
        /// Why.
        reason: LoadError,
    },
}

/// A policy file, and its plugins.
#[derive(Debug, Default)]
pub(crate) struct Configured {
    state: Mutex<State>,
    /// Where packages are installed.
    state_dir: Option<PathBuf>,
    /// Reloads do not mix.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    configuration: Arc<Configuration>,
    /// How often it was read anew.
    reloads: u64,
    plugins: Vec<Arc<Entry>>,
}

/// A plugin as it was loaded.
#[derive(Debug)]
struct Entry {
    name: PluginName,
    plugin: WeakPlugin,
    origin: Mutex<Origin>,
}

/// A plugin's manifest beside the configuration.
#[cfg(feature = "daemon")]
#[derive(Debug)]
pub(crate) struct Compared {
    /// What of it does not hold, in sentences.
    pub(crate) notes: Vec<String>,
    /// The file, or that there is none.
    pub(crate) configuration: String,
}

/// Where its code is from, and what it asks for.
#[derive(Debug, Clone)]
struct Origin {
    /// `None`: it was sent.
    code: Option<Code>,
    manifest: Option<Manifest>,
    /// Of a package: another one is another package.
    stamp: Option<String>,
}

/// What a table names as its plugin's code.
fn named(configuration: &Configuration, name: &str) -> Option<Code> {
    let module = configuration.module(name).map(Code::Module);
    module.or_else(|| configuration.external(name).map(Code::Program))
}

/// What is to become of a plugin.
#[derive(Debug)]
enum Plan {
    Remove {
        reason: String,
    },
    /// Without a policy: it needs what this version does not have.
    Disable {
        reason: String,
        policy: Option<Policy>,
        moved: Option<Origin>,
    },
    Take {
        policy: Policy,
        moved: Option<Origin>,
    },
    Refuse(ConfigError),
}

impl Taken {
    /// In one word, as clients of a daemon are told.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::TookChanges => "taken",
            Self::Restarted => "restarted",
            Self::WhenStarted => "when_started",
            Self::Disabled { .. } => "disabled",
            Self::Removed { .. } => "stopped",
            Self::Failed { .. } => "failed",
        }
    }

    /// Why, where there is a reason.
    pub fn reason(&self) -> String {
        match self {
            Self::Disabled { reason } | Self::Removed { reason } => reason.clone(),
            Self::Failed { reason } => reason.to_string(),
            Self::Unchanged | Self::TookChanges | Self::Restarted | Self::WhenStarted => String::new(),
        }
    }
}

impl Configured {
    pub(crate) fn new(configuration: Configuration, state_dir: Option<PathBuf>) -> Self {
        let state = State { configuration: Arc::new(configuration), ..State::default() };
        Self { state: Mutex::new(state), state_dir, turn: tokio::sync::Mutex::default() }
    }

    /// The packages that are there now.
    fn packages(&self, configuration: &Configuration) -> Packages {
        Packages::look(self.state_dir.as_deref(), configuration.plugin_dirs())
    }

    /// What can be loaded by name: the plugins of the file, and those whose packages are there.
    pub(crate) fn names(&self) -> Vec<String> {
        let configuration = self.configuration();
        let packages = self.packages(&configuration);
        let of_file = configuration.plugins().map(str::to_owned);
        of_file.chain(packages.found.into_keys()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file as it was read last.
    pub(crate) fn configuration(&self) -> Arc<Configuration> {
        Arc::clone(&self.lock().configuration)
    }

    /// Whether a configuration fits the schema of a loaded plugin's manifest.
    pub(crate) fn check_config(&self, name: &str, config: &[u8]) -> Result<(), ConfigError> {
        let state = self.lock();
        let entry = state.plugins.iter().rev().find(|entry| entry.name.as_str() == name);
        match entry.and_then(|entry| entry.origin().manifest.clone()) {
            Some(manifest) => manifest.check_config(config),
            None => Ok(()),
        }
    }

    /// What of a loaded plugin's manifest does not hold; nothing where it has none.
    #[cfg(feature = "daemon")]
    pub(crate) fn compared(&self, name: &str) -> Option<Compared> {
        let (configuration, origin) = {
            let state = self.lock();
            let entry = state.plugins.iter().rev().find(|entry| entry.name.as_str() == name)?;
            (Arc::clone(&state.configuration), entry.origin().clone())
        };
        let manifest = origin.manifest.as_ref()?;
        let mut notes = Vec::new();
        match effective(&configuration, name, &origin) {
            Ok(effective) => {
                notes.extend(effective.asked_in_vain());
                if origin.code.is_some() {
                    let said = self.packages(&configuration).consent(name);
                    notes.extend(Consent::note(name, &said.waiting(&manifest.consent, effective.consent())));
                }
            }
            Err(error) => notes.push(error.to_string()),
        }
        Some(Compared { notes, configuration: configuration.shown_file() })
    }

    /// Loads a plugin that has a table, or one whose module is sent.
    pub(crate) async fn load(
        &self,
        supervisor: &Supervisor,
        name: &str,
        sent: Option<Sent>,
        options: LoadOptions,
    ) -> Result<Plugin, LoadError> {
        let (configuration, reloads) = {
            let state = self.lock();
            (Arc::clone(&state.configuration), state.reloads)
        };
        // Code that was sent has nothing to do with any of them.
        let packages = if sent.is_some() { Packages::default() } else { self.packages(&configuration) };
        let (origin, source) = match sent {
            Some(Sent { wasm, manifest }) => {
                (Origin { code: None, manifest, stamp: None }, Source::Module(Arc::from(wasm)))
            }
            None => Origin::of(&configuration, &packages, name)?.read()?,
        };
        let said = origin.said(&configuration, name);
        let kept = supervisor.kept(name)?;
        let enabled_since = kept.enabled.filter(|_| said.is_some());
        let effective = effective(&configuration, name, &origin)?;
        let policy = effective.policy_when(enabled_since)?.clone();
        let policy = origin.with_consent(policy, &effective, &packages, name);
        origin.check_subscriptions(&policy)?;
        let suggested = || policy.options().get(CONFIG).map(|text| text.clone().into_bytes());
        let options = LoadOptions {
            config: options.config.or_else(|| kept.config()).or_else(suggested),
            manifest: origin.manifest.clone().map(Arc::new),
        };
        if let (Some(config), Some(manifest)) = (&options.config, &origin.manifest) {
            manifest.check_config(config)?;
        }
        let name = PluginName::from_lossy(name);
        let plugin = supervisor.load_source(name.clone(), source, policy, options).await?;
        plugin.subscribe_to(origin.subscriptions())?;
        if enabled_since == Some(false) {
            plugin.disable().await?;
        }
        plugin.file_says_enabled(said);
        let entry = Arc::new(Entry { name, plugin: plugin.downgrade(), origin: Mutex::new(origin) });
        let is_outdated = {
            let mut state = self.lock();
            state.plugins.push(Arc::clone(&entry));
            state.reloads != reloads
        };
        if is_outdated {
            // The file was read anew meanwhile, and nobody knew of this plugin.
            let _turn = self.turn.lock().await;
            let configuration = self.configuration();
            let plan = Plan::of(&configuration, &self.packages(&configuration), &entry);
            if let Taken::Failed { reason } = plan.carry_out(plugin.clone(), &entry).await {
                plugin.close().await;
                return Err(reason);
            }
        }
        Ok(plugin)
    }

    /// Reads the file anew. With a mistake in it everything is as it was.
    ///
    /// Cancel safety: dropping the future gives up what has not been done yet; the next reload does it.
    pub(crate) async fn reload(&self) -> Result<Reloaded, ConfigError> {
        let _turn = self.turn.lock().await;
        let old = self.configuration();
        let new = match old.file() {
            "" if self.state_dir.is_none() => return Err(ConfigError::no_file()),
            // Packages come and go without a file too.
            "" => Arc::clone(&old),
            file => Arc::new(Configuration::read(Path::new(file))?),
        };
        let packages = self.packages(&new);
        let changes = Changes::between(&old, &new)?;
        let loaded = {
            let mut state = self.lock();
            state.configuration = Arc::clone(&new);
            state.reloads += 1;
            let is_open =
                |entry: &Arc<Entry>| entry.plugin.upgrade().is_some_and(|plugin| !plugin.is_closed());
            state.plugins.retain(is_open);
            state.plugins.clone()
        };
        let mut works = JoinSet::new();
        for (at, entry) in loaded.into_iter().enumerate() {
            let Some(plugin) = entry.plugin.upgrade() else { continue };
            let plan = Plan::of(&new, &packages, &entry);
            works.spawn(async move {
                let taken = plan.carry_out(plugin, &entry).await;
                (at, PluginReloaded { plugin: entry.name.clone(), taken })
            });
        }
        let mut plugins = Vec::new();
        while let Some(done) = works.join_next().await {
            // One that panicked has said so by itself.
            plugins.extend(done.ok());
        }
        plugins.sort_by_key(|(at, _)| *at);
        Ok(Reloaded { changes, plugins: plugins.into_iter().map(|(_, plugin)| plugin).collect() })
    }
}

impl Origin {
    /// The module of a plugin's table, and the manifest beside it; or both of the package of that name.
    fn of(configuration: &Configuration, packages: &Packages, name: &str) -> Result<Self, ConfigError> {
        if let (None, Some(found)) = (named(configuration, name), packages.found.get(name)) {
            let (code, manifest) = (found.code.clone(), found.manifest.clone());
            return Ok(Self { code: Some(code), manifest: Some(manifest), stamp: Some(found.stamp.clone()) });
        }
        // Whether there is a table comes first.
        let effective = configuration.plugin(name, None)?;
        let Some(code) = named(configuration, name) else {
            if let Some(error) = effective.not_available().next() {
                return Err(error);
            }
            let key = format!("plugins.{name}.path");
            return Err(ConfigError::of_file(configuration.file(), ConfigProblem::Missing { key }));
        };
        let manifest = Manifest::beside(&code.file())?;
        Ok(Self { code: Some(code), manifest, stamp: None })
    }

    /// What the file says of its running; nothing, if the file has nothing to do with it.
    fn said(&self, configuration: &Configuration, name: &str) -> Option<bool> {
        let is_known = has_table(configuration, name) || self.stamp.is_some();
        is_known.then(|| configuration.is_enabled(name))
    }

    /// The events that its manifest wants.
    fn subscriptions(&self) -> Vec<String> {
        self.manifest.as_ref().map_or_else(Vec::new, |manifest| manifest.subscriptions.clone())
    }

    /// The policy without the host methods that wait for a person to say yes.
    fn with_consent(&self, policy: Policy, effective: &Effective, packages: &Packages, name: &str) -> Policy {
        let wanted = self.manifest.as_ref().map(|manifest| manifest.consent.as_slice()).unwrap_or_default();
        if wanted.is_empty() {
            return policy;
        }
        // Code that was sent is nobody's that a person was asked about.
        let said = if self.code.is_some() { packages.consent(name) } else { Consent::default() };
        let waiting = said.waiting(wanted, effective.consent());
        if !waiting.is_empty() {
            let methods = waiting.join(", ");
            tracing::warn!(
                plugin = name,
                "{methods}: denied until a person says yes: casemate consent {name}"
            );
        }
        policy.without_host(&waiting)
    }

    fn check_subscriptions(&self, policy: &Policy) -> Result<(), ConfigError> {
        self.manifest.as_ref().map_or(Ok(()), |manifest| manifest.check_subscriptions(policy))
    }

    /// With the module's bytes, or the program.
    fn read(self) -> Result<(Self, Source), Failure> {
        let source = match &self.code {
            Some(Code::Module(path)) => Source::Module(Arc::from(read_module(path)?)),
            Some(Code::Program(program)) => Source::Program(Arc::new(program.clone())),
            None => Source::Module(Arc::from(Vec::new())),
        };
        Ok((self, source))
    }
}

/// What holds for a plugin by its table; by the defaults, if it has none since it was sent or is a package.
fn effective(configuration: &Configuration, name: &str, origin: &Origin) -> Result<Effective, ConfigError> {
    let manifest = origin.manifest.as_ref();
    if (origin.code.is_none() || origin.stamp.is_some()) && !has_table(configuration, name) {
        return configuration.others(name, manifest, &Overrides::default());
    }
    configuration.plugin(name, manifest)
}

fn has_table(configuration: &Configuration, name: &str) -> bool {
    configuration.plugins().any(|known| known == name)
}

impl Entry {
    fn origin(&self) -> MutexGuard<'_, Origin> {
        self.origin.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    /// The module and the manifest are read again only where the file names another module: this is about the policy.
    fn of(configuration: &Configuration, packages: &Packages, entry: &Entry) -> Self {
        let name = entry.name.as_str();
        let now = Origin::of(configuration, packages, name);
        let is_packaged = now.as_ref().is_ok_and(|origin| origin.stamp.is_some());
        let is_known = has_table(configuration, name) || is_packaged;
        let said = is_known.then(|| configuration.is_enabled(name));
        if let Some(plugin) = entry.plugin.upgrade() {
            plugin.file_says_enabled(said);
        }
        if said.is_none() && entry.origin().code.is_some() {
            let file = configuration.file();
            if entry.origin().stamp.is_some() {
                return Self::Remove {
                    reason: "its package is not there any more: install it again".to_owned(),
                };
            }
            let reason = format!(
                "{file} has no [plugins.{name}] any more: write it again, and have the file read anew"
            );
            return Self::Remove { reason };
        }
        Self::of_known(configuration, packages, now, entry).unwrap_or_else(Self::Refuse)
    }

    fn of_known(
        configuration: &Configuration,
        packages: &Packages,
        now: Result<Origin, ConfigError>,
        entry: &Entry,
    ) -> Result<Self, ConfigError> {
        let name = entry.name.as_str();
        let origin = entry.origin().clone();
        let is_same = |now: &Origin| now.code == origin.code && now.stamp == origin.stamp;
        let moved = match (&origin.code, named(configuration, name)) {
            (None, _) => None,
            (Some(then), Some(code)) if code == *then => None,
            _ => Some(now?).filter(|now| !is_same(now)),
        };
        let wanted = moved.as_ref().unwrap_or(&origin);
        let effective = effective(configuration, name, wanted)?;
        if let Some(error) = effective.not_available().find(|error| error.is_above_ceiling()) {
            // What the ceiling took back is not to go on under the policy that had it.
            return Ok(Self::Remove { reason: error.to_string() });
        }
        let enabled_since = entry.plugin.upgrade().map(|plugin| plugin.enabled_since());
        match effective.policy_when(enabled_since.flatten()) {
            Ok(policy) => {
                wanted.check_subscriptions(policy)?;
                let policy = wanted.with_consent(policy.clone(), &effective, packages, name);
                Ok(Self::Take { policy, moved })
            }
            Err(error) if matches!(*error.problem, ConfigProblem::Disabled { .. }) => {
                let can_run = effective.not_available().next().is_none();
                let policy = || wanted.with_consent(effective.limits().clone(), &effective, packages, name);
                let (reason, policy) = (error.to_string(), can_run.then(policy));
                Ok(Self::Disable { reason, policy, moved })
            }
            Err(error) => Err(error),
        }
    }

    async fn carry_out(self, plugin: Plugin, entry: &Entry) -> Taken {
        match self {
            Self::Remove { reason } => {
                plugin.withhold(reason.clone(), true);
                Taken::Removed { reason }
            }
            Self::Disable { reason, policy, moved } => {
                plugin.withhold(reason.clone(), false);
                let Some(policy) = policy else { return Taken::Disabled { reason } };
                match take(&plugin, entry, policy, moved).await {
                    Ok(_) => Taken::Disabled { reason },
                    // What its operator would enable is what it was.
                    Err(error) => {
                        Taken::Disabled { reason: format!("{reason}; and it stays what it was: {error}") }
                    }
                }
            }
            Self::Take { policy, moved } => match take(&plugin, entry, policy, moved).await {
                Ok(way) => release(&plugin, way).await,
                Err(reason) => Taken::Failed { reason },
            },
            Self::Refuse(error) => Taken::Failed { reason: error.into() },
        }
    }
}

async fn take(
    plugin: &Plugin,
    entry: &Entry,
    policy: Policy,
    moved: Option<Origin>,
) -> Result<Way, LoadError> {
    let other = match &moved {
        Some(origin) => Some((origin.clone().read()?.1, origin.manifest.clone().map(Arc::new))),
        None => None,
    };
    let way = plugin.take_policy(policy, other).await?;
    if let Some(origin) = moved {
        let subscriptions = origin.subscriptions();
        *entry.origin() = origin;
        plugin.subscribe_to(subscriptions)?;
    }
    Ok(way)
}

/// What the file had withheld is started again.
async fn release(plugin: &Plugin, way: Way) -> Taken {
    if plugin.release() {
        return match plugin.enable().await {
            Ok(()) => Taken::Restarted,
            Err(failure) => Taken::Failed { reason: failure.into() },
        };
    }
    match way {
        Way::None => Taken::Unchanged,
        Way::AtOnce => Taken::TookChanges,
        Way::ByNewVersion => Taken::Restarted,
        Way::WhenStarted => Taken::WhenStarted,
    }
}
