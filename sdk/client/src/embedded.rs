//! The supervisor as a library in the host's own process.

use crate::casemate::{Casemate, Inner};
use casemate_protocol::outcome::Failure;
use casemate_supervisor::cache::{CachePlaces, CacheSetting};
use casemate_supervisor::policy::{ConfigError, Configuration};
use casemate_supervisor::{Config, LogRecord, Reloaded, Supervisor};
use std::path::PathBuf;
use std::sync::Arc;

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

    /// Keeps in this directory what stays of plugins when their processes are gone: the configuration they were given at run
    /// time, whether they were disabled, and what they put away with `kv.set`. Without it nothing stays.
    #[must_use]
    pub fn state_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.config.state_dir = Some(directory.into());
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
        Ok(Casemate { inner: Inner::Embedded(Supervisor::new(self.config)?) })
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

    /// Reads the configuration's file anew, as [`Casemate::reload_policy`] does, with all that is known of what became of it. A
    /// daemon's file is not this process's to read: that is an error.
    pub async fn reload(&self) -> Result<Reloaded, ConfigError> {
        match &self.inner {
            Inner::Embedded(supervisor) => supervisor.reload().await,
            #[cfg(feature = "connected")]
            Inner::Connected(_) => Err(ConfigError::no_file()),
        }
    }

    /// The mark that all processes of an embedded supervisor carry in their arguments, as `ps` shows them.
    pub fn marker(&self) -> String {
        match &self.inner {
            Inner::Embedded(supervisor) => supervisor.marker().to_string(),
            #[cfg(feature = "connected")]
            Inner::Connected(_) => String::new(),
        }
    }
}
