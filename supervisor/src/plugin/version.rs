//! A version of a plugin: its module's code, and a zygote that has proven it.

use crate::compile::Compiled;
use crate::external::External;
use crate::instance::{Instance, Shared};
use crate::load::{Source, load};
use crate::zygote::{Code, Zygote};
use casemate_protocol::module::{
    Accepted, CompileError, CompileReport, Dialect, LooksLike, ModuleFacts, Wants,
};
use casemate_protocol::outcome::{Cause, Failure};
use casemate_protocol::policy::Policy;
use casemate_protocol::spawn::CompileSpec;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// A plugin's code, from which any number of zygotes can be started.
#[derive(Debug)]
pub(crate) enum Version {
    /// A module's.
    Module(Box<Compilation>),
    /// A native program, and the facts of a module that it is not.
    Program(Arc<External>, ModuleFacts),
}

/// A module and what it was compiled to.
#[derive(Debug)]
pub(crate) struct Compilation {
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
        let version = Version::Module(Box::new(Compilation { module, code, from_cache, wasm, spec }));
        Self::of(Arc::new(version), shared).await
    }

    /// Starts and proves the zygote of a native program.
    pub(crate) async fn start_program(shared: &Shared, program: &Arc<External>) -> Result<Self, Failure> {
        Self::of(Arc::new(Version::Program(Arc::clone(program), ModuleFacts::default())), shared).await
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
        match &*version {
            Version::Module(module) if module.spec != compile_spec(&shared.policy()) => {
                load(shared, &Source::Module(Arc::clone(&module.wasm))).await
            }
            _ => Self::of(version, shared).await,
        }
    }
}

impl Version {
    /// Starts a zygote of it.
    pub(super) async fn start(&self, shared: &Shared) -> Result<Zygote, Failure> {
        let code = match self {
            Self::Module(module) => Code::Module(&module.module, &module.code),
            Self::Program(program, _) => Code::Program(program),
        };
        Zygote::start(shared, code).await
    }

    pub(super) fn facts(&self) -> &ModuleFacts {
        match self {
            Self::Module(module) => module.module.facts(),
            Self::Program(_, facts) => facts,
        }
    }

    pub(super) fn is_command(&self) -> bool {
        matches!(self, Self::Module(module) if module.module.dialect().is_command())
    }

    pub(super) fn wants(&self) -> Wants {
        match self {
            Self::Module(module) => module.module.wants(),
            Self::Program(..) => Wants::default(),
        }
    }

    pub(super) fn report(&self) -> CompileReport {
        match self {
            Self::Module(module) => CompileReport::Accepted(module.module.clone()),
            Self::Program(_, facts) => CompileReport::Refused {
                error: CompileError::NotWasm(LooksLike::Unknown),
                facts: Some(facts.clone()),
            },
        }
    }

    pub(super) fn is_from_cache(&self) -> bool {
        matches!(self, Self::Module(module) if module.from_cache)
    }
}

/// What of a policy is in the code.
pub(crate) fn compile_spec(policy: &Policy) -> CompileSpec {
    let limits = policy.limits();
    CompileSpec {
        inspect_only: false,
        dialect: policy.dialect().map_or(0, Dialect::number),
        stack_bytes: limits.stack_bytes,
        fuel: limits.fuel.is_some(),
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
