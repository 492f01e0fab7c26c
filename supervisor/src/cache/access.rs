//! A supervisor's way to its cache: opened at the first load, and off the host's runtime, which files would block.

use super::key::{Build, Key};
use super::turns::Turns;
use super::{BadEntry, Cache, CacheError, CacheSetting, Found};
use crate::compile::Compiled;
use crate::context::Context;
use casemate_protocol::module::CompileReport;
use casemate_protocol::spawn::CompileSpec;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::OwnedMutexGuard;

/// One supervisor's cache, if it has one. Nothing that goes wrong here is the end of a load: it compiles then.
#[derive(Debug)]
pub(crate) struct Access {
    setting: CacheSetting,
    open: Mutex<Option<Arc<Cache>>>,
    build: OnceLock<Build>,
    turns: Turns,
    /// Whether somebody has been told that it cannot be opened.
    told: AtomicBool,
}

/// One module's place in the cache.
#[derive(Debug)]
pub(crate) struct Place {
    context: Arc<Context>,
    cache: Arc<Cache>,
    key: Key,
}

impl Access {
    pub(crate) fn new(setting: CacheSetting) -> Self {
        Self {
            setting,
            open: Mutex::default(),
            build: OnceLock::new(),
            turns: Turns::default(),
            told: AtomicBool::new(false),
        }
    }

    /// The place of a module that is compiled so; `None` if there is no cache.
    pub(crate) async fn place(context: &Arc<Context>, wasm: &[u8], spec: &CompileSpec) -> Option<Place> {
        let access = &context.cache;
        if access.setting == CacheSetting::Off {
            return None;
        }
        let cache = match access.opened() {
            Some(cache) => cache,
            None => {
                let context = Arc::clone(context);
                apart(move || context.cache.open(&context)).await??
            }
        };
        let build = access.build.get_or_init(|| Build::new(&context.compiler, &context.worker));
        Some(Place { context: Arc::clone(context), cache, key: Key::new(wasm, spec, build) })
    }

    fn opened(&self) -> Option<Arc<Cache>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn open(&self, context: &Context) -> Option<Arc<Cache>> {
        let CacheSetting::At(places) = &self.setting else { return None };
        match Cache::open_by_steps(places, &|name| context.point("cache", name)) {
            Ok(cache) => {
                let cache = Arc::new(cache);
                *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&cache));
                Some(cache)
            }
            Err(error) => {
                self.tell(&error);
                None
            }
        }
    }

    /// Once: what is wrong at one load is wrong at the next.
    fn tell(&self, error: &CacheError) {
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(target: "casemate::cache", "no code cache, so each load compiles: {error}");
        }
    }

    /// Opens it anew next time.
    fn forget(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Place {
    /// Verified code, if there is some.
    pub(crate) async fn find(&self) -> Option<Compiled> {
        let (cache, key) = (Arc::clone(&self.cache), self.key.clone());
        match apart(move || cache.fetch(&key)).await? {
            Ok(found) => {
                let Found { accepted, code } = found?;
                Some(Compiled { report: CompileReport::Accepted(accepted), code, from_cache: true })
            }
            Err(error) => {
                tracing::warn!(target: "casemate::cache", "an entry cannot be read: {error}");
                None
            }
        }
    }

    /// Waits until nobody else compiles this module here.
    pub(crate) async fn turn(&self) -> OwnedMutexGuard<()> {
        self.context.cache.turns.take(&self.key).await
    }

    /// The engine does not take what was found.
    pub(crate) async fn refuse(&self) {
        let (cache, key) = (Arc::clone(&self.cache), self.key.clone());
        apart(move || cache.quarantine(&key, &BadEntry::Refused)).await;
    }

    /// Keeps code that a zygote has loaded.
    pub(crate) async fn keep(&self, report: CompileReport, code: OwnedFd) {
        let (cache, key, context) = (Arc::clone(&self.cache), self.key.clone(), Arc::clone(&self.context));
        let steps = move |name: &str| context.point("cache", name);
        let stored = apart(move || cache.store(&key, &report, &code, &steps)).await;
        if let Some(Err(error)) = stored {
            tracing::warn!(target: "casemate::cache", "a module's code was not kept: {error}");
            if error.kind() == io::ErrorKind::NotFound {
                // Its directory was removed.
                self.context.cache.forget();
            }
        }
    }
}

/// Runs something on a thread where it may block; `None` if the runtime ends before that.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}
