//! A supervisor's way to its cache: opened at the first load, and off the host's runtime, which files would block.

use super::key::{Build, Key};
use super::turns::Turns;
use super::{BadEntry, Cache, CacheError, CacheSetting, Found};
use crate::compile::Compiled;
use crate::context::Context;
use crate::memfd::apart;
use casemate_protocol::module::CompileReport;
use casemate_protocol::spawn::CompileSpec;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OwnedMutexGuard;

/// One supervisor's cache, if it has one. Nothing that goes wrong here is the end of a load: it compiles then.
#[derive(Debug)]
pub(crate) struct Access {
    setting: CacheSetting,
    open: Mutex<Option<Arc<Open>>>,
    turns: Turns,
    /// Whether somebody has been told that it cannot be opened.
    told: AtomicBool,
}

/// What is found out once.
#[derive(Debug)]
struct Open {
    cache: Cache,
    build: Build,
}

/// One module's place in the cache.
#[derive(Debug)]
pub(crate) struct Place {
    context: Arc<Context>,
    open: Arc<Open>,
    key: Key,
}

impl Access {
    pub(crate) fn new(setting: CacheSetting) -> Self {
        Self { setting, open: Mutex::default(), turns: Turns::default(), told: AtomicBool::new(false) }
    }

    /// The place of a module that is compiled so; `None` if there is no cache.
    pub(crate) async fn place(context: &Arc<Context>, wasm: &[u8], spec: &CompileSpec) -> Option<Place> {
        let access = &context.cache;
        if access.setting == CacheSetting::Off {
            return None;
        }
        let open = match access.opened() {
            Some(open) => open,
            None => {
                let context = Arc::clone(context);
                apart(move || context.cache.open(&context)).await??
            }
        };
        let key = Key::new(wasm, spec, &open.build);
        Some(Place { context: Arc::clone(context), open, key })
    }

    fn opened(&self) -> Option<Arc<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn open(&self, context: &Context) -> Option<Arc<Open>> {
        let CacheSetting::At(places) = &self.setting else { return None };
        match Cache::open_by_steps(places, &|name| context.point("cache", name)) {
            Ok(cache) => {
                let build = Build::new(&context.compiler, [&context.worker, &context.worker_wasi]);
                let open = Arc::new(Open { cache, build });
                *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&open));
                Some(open)
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
        let (open, key) = (Arc::clone(&self.open), self.key.clone());
        match apart(move || open.cache.fetch(&key)).await? {
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
        let (open, key) = (Arc::clone(&self.open), self.key.clone());
        apart(move || open.cache.quarantine(&key, &BadEntry::Refused)).await;
    }

    /// Keeps code that a zygote has loaded.
    pub(crate) async fn keep(&self, report: CompileReport, code: OwnedFd) {
        let (open, key, context) = (Arc::clone(&self.open), self.key.clone(), Arc::clone(&self.context));
        let steps = move |name: &str| context.point("cache", name);
        let stored = apart(move || open.cache.store(&key, &report, &code, &steps)).await;
        if let Some(Err(error)) = stored {
            tracing::warn!(target: "casemate::cache", "a module's code was not kept: {error}");
            if error.kind() == io::ErrorKind::NotFound {
                // Its directory was removed.
                self.context.cache.forget();
            }
        }
    }
}
