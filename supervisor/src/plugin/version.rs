//! A version of a plugin: its module's code, and a zygote that has proven it.

use crate::compile::Compiled;
use crate::instance::{Instance, Shared};
use crate::load::load;
use crate::zygote::Zygote;
use casemate_protocol::module::{Accepted, CompileReport, Dialect, ModuleFacts};
use casemate_protocol::outcome::{Cause, Failure};
use casemate_protocol::policy::Policy;
use casemate_protocol::spawn::CompileSpec;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// A module's code, from which any number of zygotes can be started.
#[derive(Debug)]
pub(crate) struct Version {
    module: Accepted,
    code: OwnedFd,
    from_cache: bool,
    /// The module itself: a policy with another stack, or with fuel, needs other code.
    wasm: Arc<[u8]>,
    spec: CompileSpec,
}

/// A version, and a zygote of it that runs behind proven walls.
#[derive(Debug)]
pub(crate) struct Proven {
    pub(super) version: Arc<Version>,
    pub(super) zygote: Zygote,
}

impl Proven {
    /// Starts and proves the zygote of a compiled module.
    pub(crate) async fn start(
        shared: &Shared,
        wasm: &Arc<[u8]>,
        compiled: Compiled,
    ) -> Result<Self, Failure> {
        let Compiled { report, code, from_cache } = compiled;
        let module = report.into_result().map_err(|error| Failure::not_started(Cause::Module(error)))?;
        let (wasm, spec) = (Arc::clone(wasm), compile_spec(&shared.policy()));
        Self::of(Arc::new(Version { module, code, from_cache, wasm, spec }), shared).await
    }

    /// Starts and proves a zygote of a version, under what holds for it now.
    async fn of(version: Arc<Version>, shared: &Shared) -> Result<Self, Failure> {
        let zygote = version.start(shared).await?;
        Ok(Self { version, zygote })
    }

    /// Forks an instance, has it set up and asks it what it is: it lives, and takes its configuration.
    pub(crate) async fn probe(&self, shared: &Arc<Shared>) -> Result<(), Failure> {
        Instance::start(&self.zygote, shared).await?.probe().await
    }

    /// As a load: its own compiled code, or what has to be compiled anew for this policy.
    pub(super) async fn again(version: Arc<Version>, shared: &Arc<Shared>) -> Result<Self, Failure> {
        if version.spec == compile_spec(&shared.policy()) {
            return Self::of(version, shared).await;
        }
        load(shared, &version.wasm).await
    }
}

impl Version {
    /// Starts a zygote of it.
    pub(super) async fn start(&self, shared: &Shared) -> Result<Zygote, Failure> {
        Zygote::start(shared, &self.module, &self.code).await
    }

    pub(super) fn facts(&self) -> &ModuleFacts {
        self.module.facts()
    }

    pub(super) fn is_command(&self) -> bool {
        self.module.dialect().is_command()
    }

    pub(super) fn takes_events(&self) -> bool {
        // The world of a plugin has events; core modules may have them.
        self.module.dialect() == Dialect::PluginComponent
            || self.module.facts().export("casemate_event").is_some()
    }

    pub(super) fn report(&self) -> CompileReport {
        CompileReport::Accepted(self.module.clone())
    }

    pub(super) fn is_from_cache(&self) -> bool {
        self.from_cache
    }
}

/// What of a policy is in the code.
pub(crate) fn compile_spec(policy: &Policy) -> CompileSpec {
    let limits = policy.limits();
    CompileSpec { inspect_only: false, stack_bytes: limits.stack_bytes, fuel: limits.fuel.is_some() }
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
