//! A version of a plugin: its module's code, and a zygote that has proven it.

use crate::compile::Compiled;
use crate::instance::Shared;
use crate::zygote::Zygote;
use casemate_protocol::module::{Accepted, ModuleFacts};
use casemate_protocol::outcome::{Cause, Failure};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// A module's code, from which any number of zygotes can be started.
#[derive(Debug)]
pub(crate) struct Version {
    module: Accepted,
    code: OwnedFd,
    from_cache: bool,
}

/// A version, and a zygote of it that runs behind proven walls.
#[derive(Debug)]
pub(crate) struct Proven {
    pub(super) version: Version,
    pub(super) zygote: Zygote,
}

impl Proven {
    /// Starts and proves the zygote of a compiled module.
    pub(crate) async fn start(shared: &Shared, compiled: Compiled) -> Result<Self, Failure> {
        let module =
            compiled.report.into_result().map_err(|error| Failure::not_started(Cause::Module(error)))?;
        let version = Version { module, code: compiled.code, from_cache: compiled.from_cache };
        let zygote = version.start(shared).await?;
        Ok(Self { version, zygote })
    }
}

impl Version {
    /// Starts a zygote of it.
    pub(super) async fn start(&self, shared: &Shared) -> Result<Zygote, Failure> {
        Zygote::start(&shared.context, &self.module, &self.code, &shared.policy).await
    }

    pub(super) fn facts(&self) -> &ModuleFacts {
        self.module.facts()
    }

    pub(super) fn is_from_cache(&self) -> bool {
        self.from_cache
    }
}

/// A zygote as its plugin holds it.
#[derive(Debug)]
pub(super) enum Slot {
    /// Being started; dropping this gives it up.
    Starting(#[expect(dead_code, reason = "it is held, and dropped")] tokio::sync::oneshot::Sender<()>),
    Ready(Arc<Zygote>),
}

impl Slot {
    pub(super) fn zygote(&self) -> Option<&Arc<Zygote>> {
        match self {
            Self::Starting(_) => None,
            Self::Ready(zygote) => Some(zygote),
        }
    }
}
