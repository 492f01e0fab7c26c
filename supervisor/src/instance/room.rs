//! A plugin's own files while an instance of it runs: what it may still write, and whether that is what is there.

use super::{Instance, Shared};
use crate::host::{HostError, HostReply};
use crate::store::Tenant;
use casemate_protocol::ids::InstanceId;
use casemate_protocol::link::CONTENT_RAW;
use casemate_protocol::outcome::{Cause, Failure};
use casemate_protocol::policy::{Policy, Storage};
use casemate_protocol::room::{Amount, Ask};
use std::sync::Arc;

/// Its place in the count of its plugin's files, if it was given any.
pub(super) fn tenant(shared: &Shared, given: &Policy, id: InstanceId) -> Option<Tenant> {
    match (given.storage(), &shared.store) {
        (Storage::Vfs, Some(store)) => Some(Tenant::new(store, id)),
        _ => None,
    }
}

/// What a plugin's own files may be.
pub(crate) fn most(policy: &Policy) -> Amount {
    let limits = policy.limits();
    Amount { bytes: limits.store_bytes, files: limits.files.into() }
}

impl Instance {
    /// Refuses a call where they are more than they may be, and it is time to look.
    pub(super) async fn look_at_files(&self) -> Result<(), Failure> {
        match &self.tenant {
            Some(tenant) => tenant.store().look(most(&self.shared.policy())).await,
            None => Ok(()),
        }
    }

    /// Looks at them while a call runs; ends when they are too much.
    pub(super) fn watch_files(&self) -> impl Future<Output = Cause> + use<> {
        let store = self.tenant.as_ref().map(|tenant| Arc::clone(tenant.store()));
        let shared = Arc::clone(&self.shared);
        async move {
            match store {
                Some(store) => store.watch(|| most(&shared.policy())).await.cause,
                None => std::future::pending().await,
            }
        }
    }

    /// A call is over.
    pub(super) fn leave_files(&self) {
        if let Some(tenant) = &self.tenant {
            tenant.end();
        }
    }

    /// `vfs.room`: more room for what is about to be written.
    pub(super) async fn lend_room(&self, body: &[u8]) -> Result<HostReply, HostError> {
        let Some(tenant) = &self.tenant else {
            return Err(HostError::new("denied", "this plugin has no files of its own (storage)"));
        };
        let Some(ask) = Ask::decode(body) else {
            let message =
                "an ask for room is three numbers of eight bytes: bytes, files, bytes without a name";
            return Err(HostError::new("bad_input", message));
        };
        match tenant.lend(ask, most(&self.shared.policy())).await {
            Ok(Some(lent)) => Ok(HostReply { content_type: CONTENT_RAW, body: lent.encode().to_vec() }),
            Ok(None) => Err(HostError::new("limit.store", "the plugin's own files are full")),
            Err(failure) => Err(HostError::new("limit.store", failure.to_string())),
        }
    }
}
