//! What has been loaded, and how it is made to run: a module that speaks a dialect, or a component.

#[cfg(feature = "wasi")]
use crate::abi::ComponentAbi;
use crate::abi::{self, GuestAbi, ModuleAbi};
use crate::fault::Fault;
use crate::guest::State;
use crate::load::Loaded;
use casemate_lockdown::CodeRange;
use casemate_protocol::module::Dialect;
use wasmtime::{Engine, Instance, InstancePre, Linker, Store};

/// Linked code, and its instance once there is one.
pub(crate) enum Program {
    /// A module.
    Module { pre: InstancePre<State>, abi: Box<dyn ModuleAbi>, instance: Option<Instance> },
    /// A component.
    #[cfg(feature = "wasi")]
    Component {
        pre: wasmtime::component::InstancePre<State>,
        abi: ComponentAbi,
        instance: Option<wasmtime::component::Instance>,
    },
}

impl Program {
    /// Links code of a dialect, which runs nothing of it.
    pub(crate) fn link(engine: &Engine, loaded: &Loaded, dialect: Dialect) -> Result<Self, Fault> {
        let linked = match loaded {
            Loaded::Module(module) => {
                let abi = abi::adapter(dialect)?;
                let mut linker = Linker::new(engine);
                #[cfg(feature = "wasi")]
                let wasi = crate::wasi::link(&mut linker);
                #[cfg(not(feature = "wasi"))]
                let wasi = Ok(());
                wasi.and_then(|()| abi.link(&mut linker, module))
                    .and_then(|()| linker.instantiate_pre(module))
                    .map(|pre| Self::Module { pre, abi, instance: None })
            }
            #[cfg(feature = "wasi")]
            Loaded::Component(component) => abi::link_component(engine, component)
                .map(|pre| Self::Component { pre, abi: ComponentAbi::new(dialect), instance: None }),
        };
        linked.map_err(|error| Fault::from_engine(&error, None, None))
    }

    /// Whether the instance exists.
    pub(crate) fn is_instantiated(&self) -> bool {
        match self {
            Self::Module { instance, .. } => instance.is_some(),
            #[cfg(feature = "wasi")]
            Self::Component { instance, .. } => instance.is_some(),
        }
    }

    /// Where its sealed native code lies.
    pub(crate) fn code(&self) -> CodeRange {
        match self {
            Self::Module { pre, .. } => crate::load::pages(pre.module().text()),
            #[cfg(feature = "wasi")]
            Self::Component { pre, .. } => crate::load::pages(pre.component().text()),
        }
    }

    pub(crate) fn instantiate(&mut self, store: &mut Store<State>) -> wasmtime::Result<()> {
        match self {
            #[cfg(not(feature = "wasi"))]
            Self::Module { pre, instance, .. } => *instance = Some(pre.instantiate(store)?),
            #[cfg(feature = "wasi")]
            Self::Module { pre, instance, .. } => {
                *instance = Some(crate::wasi::made(pre.instantiate_async(store))?);
            }
            #[cfg(feature = "wasi")]
            Self::Component { pre, instance, .. } => {
                *instance = Some(crate::wasi::made(pre.instantiate_async(store))?);
            }
        }
        Ok(())
    }

    /// Finds the exports, which runs no guest code.
    pub(crate) fn bind(&mut self, store: &mut Store<State>) -> wasmtime::Result<()> {
        let none = || Fault::Abi("there is no instance".to_owned());
        match self {
            Self::Module { abi, instance, .. } => {
                let instance = instance.ok_or_else(none)?;
                abi.bind(store, &instance)
            }
            #[cfg(feature = "wasi")]
            Self::Component { abi, instance, .. } => abi.bind(store, instance.ok_or_else(none)?),
        }
    }

    /// How it is spoken with.
    pub(crate) fn abi(&mut self) -> &mut dyn GuestAbi {
        match self {
            Self::Module { abi, .. } => &mut **abi,
            #[cfg(feature = "wasi")]
            Self::Component { abi, .. } => abi,
        }
    }
}
