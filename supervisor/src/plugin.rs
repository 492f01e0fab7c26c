//! A loaded plugin: its zygote, its instances, and the calls that wait for one.

mod idle;

use crate::compile::Compiled;
use crate::instance::{Instance, Reply, Shared};
use crate::zygote::Zygote;
use casemate_protocol::certificate::Certificate;
use casemate_protocol::ids::PluginName;
use casemate_protocol::link::METHOD_BYTES_MAX;
use casemate_protocol::module::{Accepted, ModuleFacts};
use casemate_protocol::outcome::{Cause, Failure, LimitName};
use casemate_protocol::policy::Isolation;
use idle::Idle;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{Semaphore, SemaphorePermit};

/// A loaded plugin; clones share it. Its processes end when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Plugin {
    inner: Arc<Inner>,
}

/// A plugin that is not kept alive by this.
#[derive(Debug)]
pub(crate) struct WeakPlugin(Weak<Inner>);

impl WeakPlugin {
    pub(crate) fn upgrade(&self) -> Option<Plugin> {
        self.0.upgrade().map(|inner| Plugin { inner })
    }
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    module: Accepted,
    code: OwnedFd,
    from_cache: bool,
    /// One place an instance.
    places: Semaphore,
    waiting: AtomicU32,
    state: Mutex<State>,
    /// Held while a zygote is started again.
    restart: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    /// `None` once closed.
    zygote: Option<Arc<Zygote>>,
    closed: bool,
    idle: Idle,
    certificate: Certificate,
}

/// Counts a call that waits, for as long as it does.
struct Waiting<'a>(&'a AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Plugin {
    /// Starts and proves the zygote of a compiled module.
    pub(crate) async fn start(shared: Arc<Shared>, compiled: Compiled) -> Result<Self, Failure> {
        let module =
            compiled.report.into_result().map_err(|error| Failure::not_started(Cause::Module(error)))?;
        let zygote = Zygote::start(&shared.context, &module, &compiled.code, &shared.policy).await?;
        let places = usize::try_from(shared.policy.instances().max).unwrap_or(1);
        let certificate = zygote.certificate().clone();
        let state =
            State { zygote: Some(Arc::new(zygote)), closed: false, idle: Idle::default(), certificate };
        let inner = Arc::new(Inner {
            shared,
            module,
            code: compiled.code,
            from_cache: compiled.from_cache,
            places: Semaphore::new(places),
            waiting: AtomicU32::new(0),
            state: Mutex::new(state),
            restart: tokio::sync::Mutex::new(()),
        });
        inner.fill();
        Ok(Self { inner })
    }

    pub(crate) fn downgrade(&self) -> WeakPlugin {
        WeakPlugin(Arc::downgrade(&self.inner))
    }

    /// Its name.
    pub fn name(&self) -> &PluginName {
        &self.inner.shared.name
    }

    /// What its module imports, exports and is.
    pub fn facts(&self) -> &ModuleFacts {
        self.inner.module.facts()
    }

    /// Whether its code came out of the cache, compiled at an earlier load.
    pub fn from_cache(&self) -> bool {
        self.inner.from_cache
    }

    /// What stands around its instances.
    pub fn certificate(&self) -> Certificate {
        self.inner.lock().certificate.clone()
    }

    /// Makes one call: in an idle instance, in a new one while there may be more, or after waiting for one.
    ///
    /// Cancel safety: dropping the future before the call has an instance loses nothing; after that it kills the
    /// instance.
    pub async fn call(&self, method: &str, content_type: u32, body: &[u8]) -> Result<Reply, Failure> {
        let inner = &self.inner;
        inner.check_input(method, body)?;
        let place = inner.place().await?;
        let mut instance = inner.instance().await?;
        inner.fill();
        let (outcome, reusable) = instance.call(method, content_type, body).await;
        if reusable && inner.shared.policy.isolation() != Isolation::Call {
            inner.give_back(instance);
        }
        drop(place);
        outcome
    }

    /// Ends its processes. Calls that run end as lost, later ones as closed.
    pub async fn close(&self) {
        let inner = &*self.inner;
        inner.places.close();
        let mut state = inner.lock();
        state.closed = true;
        state.idle.clear();
        state.zygote = None;
    }
}

impl Inner {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_input(&self, method: &str, body: &[u8]) -> Result<(), Failure> {
        if method.len() > METHOD_BYTES_MAX {
            let message = format!("the method has {} bytes; {METHOD_BYTES_MAX} are the most", method.len());
            return Err(Failure::not_started(Cause::Input { message }));
        }
        let configured = u64::from(self.shared.policy.limits().input_bytes);
        let observed = u64::try_from(body.len()).unwrap_or(u64::MAX);
        if observed > configured {
            let limit = LimitName::Input;
            return Err(Failure::not_started(Cause::Limit { limit, configured, observed }));
        }
        Ok(())
    }

    /// A place for an instance; waits in order, if not too many wait already.
    async fn place(&self) -> Result<SemaphorePermit<'_>, Failure> {
        if let Ok(place) = self.places.try_acquire() {
            return Ok(place);
        }
        let configured = self.shared.policy.limits().queue;
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= configured {
            return Err(Failure::not_started(Cause::Limit {
                limit: LimitName::Queue,
                configured: configured.into(),
                observed: u64::from(before) + 1,
            }));
        }
        self.places.acquire().await.or(Err(Failure::not_started(Cause::Closed)))
    }

    async fn instance(&self) -> Result<Instance, Failure> {
        loop {
            let Some(mut idle) = self.lock().idle.pop() else { break };
            if idle.is_fit() {
                return Ok(idle);
            }
        }
        let zygote = self.zygote().await?;
        Instance::start(&zygote, &self.shared).await
    }

    /// The zygote; a new one if the last has died.
    async fn zygote(&self) -> Result<Arc<Zygote>, Failure> {
        if let Some(zygote) = self.living()? {
            return Ok(zygote);
        }
        let _one_at_a_time = self.restart.lock().await;
        if let Some(zygote) = self.living()? {
            return Ok(zygote);
        }
        let zygote = Arc::new(
            Zygote::start(&self.shared.context, &self.module, &self.code, &self.shared.policy).await?,
        );
        let mut state = self.lock();
        if state.closed {
            return Err(Failure::not_started(Cause::Closed));
        }
        state.idle.clear();
        state.certificate = zygote.certificate().clone();
        state.zygote = Some(Arc::clone(&zygote));
        Ok(zygote)
    }

    fn living(&self) -> Result<Option<Arc<Zygote>>, Failure> {
        let state = self.lock();
        if state.closed {
            return Err(Failure::not_started(Cause::Closed));
        }
        Ok(state.zygote.clone().filter(|zygote| zygote.fate().exit.is_none()))
    }
}
