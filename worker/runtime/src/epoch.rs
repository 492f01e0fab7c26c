//! The soft deadline: SIGUSR1 advances the engine's epoch, and the guest traps at its next check.
//!
//! There is no timer in a worker; the supervisor sends the signal. The handler does one relaxed add and one relaxed
//! store.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use wasmtime::Engine;

static ENGINE: OnceLock<Engine> = OnceLock::new();
static SIGNALLED: AtomicBool = AtomicBool::new(false);

extern "C" fn advance(_signal: i32) {
    SIGNALLED.store(true, Ordering::Relaxed);
    if let Some(engine) = ENGINE.get() {
        engine.increment_epoch();
    }
}

/// Installs the handler for this engine and sets up what the engine keeps per thread, before a filter forbids both.
pub(crate) fn arm(engine: &Engine) -> std::io::Result<()> {
    // A process has one engine; a second call would keep the first.
    let _ = ENGINE.set(engine.clone());
    casemate_sys::signal::on_user_signal(advance, casemate_sys::signal::Interrupted::Restarts)?;
    Engine::tls_eager_initialize();
    Ok(())
}

/// A new call begins: forget an interrupt of the last one.
pub(crate) fn forget() {
    SIGNALLED.store(false, Ordering::Relaxed);
}

/// Whether the running call is over its soft deadline.
pub(crate) fn is_over() -> bool {
    SIGNALLED.load(Ordering::Relaxed)
}
