//! One guest: its store, and the instance once there is one.

use crate::abi::{Answer, Given};
use crate::epoch;
use crate::fault::{Fault, backtrace};
use crate::limiter::Limiter;
use crate::load::Loaded;
use crate::program::Program;
use casemate_lockdown::CodeRange;
use casemate_lockdown::link::{Buffers, Link, Turn};
use casemate_protocol::link::DownBounds;
use casemate_protocol::module::Dialect;
use casemate_protocol::outcome::LimitName;
use casemate_protocol::spawn::LoadSpec;
use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmtime::{Engine, Memory, Store};

/// A link that host functions and streams of the guest reach; one thread, so nobody ever waits for it.
pub(crate) type SharedLink = Arc<Mutex<Link>>;

/// What comes beside a module: folders and the like, for a worker with WASI.
#[cfg(feature = "wasi")]
pub(crate) type Outside = Option<crate::wasi::World>;
/// Nothing.
#[cfg(not(feature = "wasi"))]
pub(crate) type Outside = ();

/// What host functions reach through the store.
pub(crate) struct State {
    pub(crate) limiter: Limiter,
    /// There is none before the worker is confined, and no guest code runs before that.
    pub(crate) link: Option<SharedLink>,
    /// The guest's exported memory.
    pub(crate) memory: Option<Memory>,
    /// What its dialect's host functions keep between them.
    pub(crate) kept: Box<dyn Any + Send>,
    /// Body of a reply, and of host calls either way, in bytes.
    pub(crate) output_bytes_max: u32,
    /// Whether the bodies of the call that runs are still under way.
    #[cfg(feature = "wasi")]
    pub(crate) streams: bool,
    /// What WASI shows it.
    #[cfg(feature = "wasi")]
    pub(crate) around: crate::wasi::Around,
}

impl State {
    /// What the dialect's host functions keep; nothing, if they have not begun.
    pub(crate) fn kept<T: 'static>(&mut self) -> Result<&mut T, Fault> {
        Ok(self.kept_and_limiter()?.0)
    }

    /// And what its memory is taken from.
    pub(crate) fn kept_and_limiter<T: 'static>(&mut self) -> Result<(&mut T, &mut Limiter), Fault> {
        let kept = self.kept.downcast_mut();
        let kept = kept.ok_or_else(|| Fault::Abi("it called the host before it was bound".to_owned()))?;
        Ok((kept, &mut self.limiter))
    }

    pub(crate) fn link(&self) -> Option<MutexGuard<'_, Link>> {
        self.link.as_ref().map(|link| link.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A module, and its instance when that was made before the fork.
pub struct Guest {
    store: Store<State>,
    program: Program,
    spec: LoadSpec,
    /// For the link, until there is one.
    buffers: Option<Buffers>,
    ready: Result<(), Fault>,
    /// Where the guest was when it last failed.
    backtrace: String,
    /// Set-up has armed the deadline of the first call, which came with it.
    armed: bool,
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guest").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl Guest {
    /// Links a module; instantiates it too where the specification says so, which runs no guest code.
    pub(crate) fn new(
        engine: &Engine,
        module: &Loaded,
        spec: LoadSpec,
        outside: Outside,
    ) -> Result<Self, Fault> {
        let dialect = Dialect::from_number(spec.dialect)
            .ok_or_else(|| Fault::Abi(format!("dialect {} is not known to this worker", spec.dialect)))?;
        let state = State {
            limiter: Limiter::new(spec.memory_bytes, spec.table_entries),
            link: None,
            memory: None,
            kept: Box::new(()),
            output_bytes_max: spec.output_bytes,
            #[cfg(feature = "wasi")]
            streams: false,
            #[cfg(feature = "wasi")]
            around: crate::wasi::Around::new(outside),
        };
        #[cfg(not(feature = "wasi"))]
        let () = outside;
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.limiter);
        let program = Program::link(engine, module, dialect)?;
        let buffers = Some(Buffers::new(bounds(&spec)));
        let mut guest =
            Self { store, program, spec, buffers, ready: Ok(()), backtrace: String::new(), armed: false };
        if guest.spec.instantiate {
            // Filling memories and tables is code of the engine's making, and counts like a guest's.
            guest.begin()?;
            guest.instantiate()?;
            guest.ready = guest.bind();
        }
        Ok(guest)
    }

    /// Whether the instance exists.
    pub(crate) fn is_instantiated(&self) -> bool {
        self.program.is_instantiated()
    }

    /// Body of an answer, in bytes.
    pub(crate) fn output_bytes_max(&self) -> u32 {
        self.spec.output_bytes
    }

    /// Linear memories together, in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.store.data().limiter.memory_bytes()
    }

    /// Where its sealed native code lies.
    pub fn code(&self) -> CodeRange {
        self.program.code()
    }

    pub(crate) fn take_buffers(&mut self) -> Buffers {
        self.buffers.take().unwrap_or_else(|| Buffers::new(bounds(&self.spec)))
    }

    /// Gives the guest its link. From here on its code may run.
    pub(crate) fn attach(&mut self, link: Link) {
        self.store.data_mut().link = Some(Arc::new(Mutex::new(link)));
    }

    pub(crate) fn link(&self) -> Option<MutexGuard<'_, Link>> {
        self.store.data().link()
    }

    /// The next call's bodies are whole, or still under way, which only a WASI program makes a difference of.
    pub(crate) fn expect_streams(&mut self, streams: bool) {
        #[cfg(feature = "wasi")]
        {
            self.store.data_mut().streams = streams;
        }
        #[cfg(not(feature = "wasi"))]
        let _ = streams;
    }

    /// Makes the instance if the zygote did not, and runs the guest's own initialisation. A failure stays: every call
    /// then answers it.
    pub(crate) fn set_up(&mut self, given: Given<'_>) {
        if self.ready.is_ok() {
            self.ready = self.try_set_up(given);
        }
    }

    /// Why calls cannot be answered, if they cannot.
    pub(crate) fn ready(&self) -> Result<(), Fault> {
        self.ready.clone()
    }

    fn try_set_up(&mut self, given: Given<'_>) -> Result<(), Fault> {
        self.begin()?;
        self.armed = true;
        #[cfg(feature = "wasi")]
        self.store.data_mut().look_around();
        if !self.is_instantiated() {
            self.instantiate()?;
            self.bind()?;
        }
        let started = self.program.abi().start(&mut self.store, given);
        started.map_err(|error| self.explain(&error))
    }

    /// Answers one call.
    pub(crate) fn call(&mut self, method: &str, content_type: u32, body: &[u8]) -> Result<Answer, Fault> {
        self.begin()?;
        let answer = self.program.abi().call(&mut self.store, method, content_type, body);
        answer.map_err(|error| self.explain(&error))
    }

    /// What it says of itself; empty where it has no words for that.
    pub(crate) fn describe(&mut self) -> Result<Answer, Fault> {
        self.begin()?;
        let answer = self.program.abi().describe(&mut self.store);
        answer.map_err(|error| self.explain(&error))
    }

    /// Tells it an event; whoever has no ear for any answers an error.
    pub(crate) fn event(&mut self, topic: &str, content_type: u32, body: &[u8]) -> Result<Answer, Fault> {
        self.begin()?;
        let answer = self.program.abi().event(&mut self.store, topic, content_type, body);
        answer.map_err(|error| self.explain(&error))
    }

    /// Tells it what is neither a call nor an event.
    pub(crate) fn turn(&mut self, turn: Turn) -> Result<Answer, Fault> {
        self.begin()?;
        let answer = self.program.abi().turn(&mut self.store, turn);
        answer.map_err(|error| self.explain(&error))
    }

    /// Where it was when it last failed, innermost frame first; empty if that was outside of it.
    pub(crate) fn backtrace(&self) -> String {
        self.backtrace.clone()
    }

    /// Fresh fuel and a fresh deadline.
    fn begin(&mut self) -> Result<(), Fault> {
        self.backtrace.clear();
        self.store.data_mut().limiter.forget();
        // An interrupt that fell between set-up and the first call must not be lost.
        if !std::mem::take(&mut self.armed) {
            epoch::forget();
            // Any advance of the epoch from here on is the interrupt of this call.
            self.store.set_epoch_deadline(1);
            #[cfg(feature = "wasi")]
            self.store.data().around.forget();
        }
        match self.spec.fuel {
            Some(fuel) => self.store.set_fuel(fuel).map_err(|error| self.explain(&error)),
            None => Ok(()),
        }
    }

    fn instantiate(&mut self) -> Result<(), Fault> {
        let made = self.program.instantiate(&mut self.store);
        made.map_err(|error| self.explain(&error))
    }

    /// Finds the exports, which runs no guest code.
    fn bind(&mut self) -> Result<(), Fault> {
        let bound = self.program.bind(&mut self.store);
        bound.map_err(|error| self.explain(&error))
    }

    fn explain(&mut self, error: &wasmtime::Error) -> Fault {
        self.backtrace = backtrace(error);
        let fault = Fault::from_engine(error, self.store.data().limiter.denied(), self.spec.fuel);
        match fault {
            // The engine names the trap; the policy's number is ours to name.
            Fault::Trap { kind: casemate_protocol::outcome::TrapKind::StackOverflow, message } => {
                Fault::Trap {
                    kind: casemate_protocol::outcome::TrapKind::StackOverflow,
                    message: format!(
                        "{message} (limits.{} is {} bytes)",
                        LimitName::Stack.name(),
                        self.spec.stack_bytes
                    ),
                }
            }
            other => other,
        }
    }
}

fn bounds(spec: &LoadSpec) -> DownBounds {
    DownBounds { input_bytes_max: spec.input_bytes, host_result_bytes_max: spec.output_bytes }
}
