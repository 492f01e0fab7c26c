//! What all instances of a plugin share: its name, its configuration, and the policy that holds now.

use crate::context::Context;
use crate::events::EventSubscription;
use crate::policy::Manifest;
use crate::rate::Rates;
use crate::store::Store;
use casemate_protocol::ids::PluginName;
use casemate_protocol::policy::Policy;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, Weak};

/// What a plugin comes to; what is not said stays.
#[derive(Debug, Clone, Default)]
pub(crate) struct Terms {
    pub(crate) policy: Option<Arc<Policy>>,
    pub(crate) config: Option<Arc<[u8]>>,
    pub(crate) manifest: Option<Beside>,
}

/// The manifest beside a plugin's code, where there is one.
pub(crate) type Beside = Option<Arc<Manifest>>;

impl Terms {
    pub(crate) fn policy(policy: Arc<Policy>) -> Self {
        Self { policy: Some(policy), ..Self::default() }
    }
}

/// What an instance needs of its plugin.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) context: Arc<Context>,
    pub(crate) name: PluginName,
    /// Of all its versions: a new policy gives nobody a second helping.
    pub(crate) rates: Arc<Rates>,
    /// What it keeps, where there is a state directory.
    pub(crate) store: Option<Arc<Store>>,
    policy: RwLock<Arc<Policy>>,
    config: RwLock<Option<Arc<[u8]>>>,
    manifest: RwLock<Beside>,
    /// `enabled` in its table of the configuration; `None`: it has no table.
    file_says_enabled: RwLock<Option<bool>>,
    /// What it hears by, from the moment when it can.
    subscription: Arc<OnceLock<Weak<EventSubscription>>>,
}

impl Shared {
    pub(crate) fn new(
        context: Arc<Context>,
        name: PluginName,
        policy: Policy,
        config: Option<Vec<u8>>,
        manifest: Beside,
        store: Option<Arc<Store>>,
    ) -> Self {
        let (config, policy) = (RwLock::new(config.map(Arc::from)), RwLock::new(Arc::new(policy)));
        Self {
            context,
            name,
            rates: Arc::default(),
            store,
            policy,
            config,
            manifest: RwLock::new(manifest),
            file_says_enabled: RwLock::default(),
            subscription: Arc::default(),
        }
    }

    /// What holds now. A zygote and its instances are held to what it was started with besides.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The configuration that an instance is set up with now, as JSON text.
    pub(crate) fn config(&self) -> Option<Arc<[u8]>> {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it says of itself.
    pub(crate) fn manifest(&self) -> Beside {
        self.manifest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn file_says_enabled(&self) -> Option<bool> {
        *self.file_says_enabled.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_file_says_enabled(&self, said: Option<bool>) {
        *self.file_says_enabled.write().unwrap_or_else(PoisonError::into_inner) = said;
    }

    /// From here on it is told of events by this.
    pub(crate) fn hears_by(&self, subscription: &Arc<EventSubscription>) {
        // There is one in a plugin's life.
        let _ = self.subscription.set(Arc::downgrade(subscription));
    }

    /// What it hears by; nothing once the plugin is given up.
    pub(crate) fn subscription(&self) -> Option<Arc<EventSubscription>> {
        self.subscription.get()?.upgrade()
    }

    /// From here on this holds.
    pub(crate) fn take(&self, terms: Terms) {
        if let Some(policy) = terms.policy {
            *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&policy);
            if let Some(subscription) = self.subscription() {
                subscription.keep_added(|pattern| policy.allows_subscribe(pattern));
            }
        }
        if let Some(config) = terms.config {
            *self.config.write().unwrap_or_else(PoisonError::into_inner) = Some(config);
        }
        if let Some(manifest) = terms.manifest {
            *self.manifest.write().unwrap_or_else(PoisonError::into_inner) = manifest;
        }
    }

    /// The same plugin under other terms: for a new version, until that takes over.
    pub(crate) fn under(&self, terms: &Terms) -> Arc<Self> {
        Arc::new(Self {
            context: Arc::clone(&self.context),
            name: self.name.clone(),
            rates: Arc::clone(&self.rates),
            store: self.store.clone(),
            subscription: Arc::clone(&self.subscription),
            file_says_enabled: RwLock::new(self.file_says_enabled()),
            policy: RwLock::new(terms.policy.clone().unwrap_or_else(|| self.policy())),
            config: RwLock::new(terms.config.clone().or_else(|| self.config())),
            manifest: RwLock::new(terms.manifest.clone().unwrap_or_else(|| self.manifest())),
        })
    }
}
