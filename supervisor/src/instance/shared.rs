//! What all instances of a plugin share: its name, its configuration, and the policy that holds now.

use crate::context::Context;
use crate::rate::Rates;
use casemate_protocol::ids::PluginName;
use casemate_protocol::policy::Policy;
use std::sync::{Arc, PoisonError, RwLock};

/// What an instance needs of its plugin.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) context: Arc<Context>,
    pub(crate) name: PluginName,
    pub(crate) config: Option<Arc<[u8]>>,
    /// Of all its versions: a new policy gives nobody a second helping.
    pub(crate) rates: Arc<Rates>,
    policy: RwLock<Arc<Policy>>,
}

impl Shared {
    pub(crate) fn new(
        context: Arc<Context>,
        name: PluginName,
        policy: Policy,
        config: Option<Vec<u8>>,
    ) -> Self {
        let (config, policy) = (config.map(Arc::from), RwLock::new(Arc::new(policy)));
        Self { context, name, config, rates: Arc::default(), policy }
    }

    /// What holds now. A zygote and its instances are held to what it was started with besides.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From here on this holds.
    pub(crate) fn take(&self, policy: Arc<Policy>) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = policy;
    }

    /// The same plugin under another policy: for a new version, until that takes over.
    pub(crate) fn under(&self, policy: Arc<Policy>) -> Arc<Self> {
        Arc::new(Self {
            context: Arc::clone(&self.context),
            name: self.name.clone(),
            config: self.config.clone(),
            rates: Arc::clone(&self.rates),
            policy: RwLock::new(policy),
        })
    }
}
