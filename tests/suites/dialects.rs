//! Plugins of other systems as they are: found by their exports, called as their own hosts call them, and held by the same
//! walls as ours.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

#[path = "dialects/extism.rs"]
mod extism;
#[path = "dialects/hielements.rs"]
mod hielements;
#[path = "dialects/ideanet.rs"]
mod ideanet;
#[path = "dialects/mechanism.rs"]
mod mechanism;
#[path = "dialects/pocket.rs"]
mod pocket;
#[path = "dialects/signalk.rs"]
mod signalk;
#[path = "dialects/spacedrive.rs"]
mod spacedrive;

use casemate::certificate::Profile;
use casemate::{Cause, Failure, Plugin};
use serde_json::Value;
use std::time::Duration;

/// The code and the words of a guest's own error.
fn guest_error(failure: Failure) -> (String, String) {
    match failure.cause {
        Cause::GuestError { code, message, .. } => (code, message),
        other => panic!("no error of the guest's own: {other}"),
    }
}

/// Waits until something is so that another thread does.
fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..1500 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it did not come to this: {what}");
}

async fn error_of(plugin: &Plugin, method: &str, input: &Value) -> (String, String) {
    guest_error(plugin.call::<_, Value>(method, input).await.unwrap_err())
}

/// That it runs in the worker without WASI, which has the shortest list.
fn is_of_core(plugin: &Plugin) {
    assert_eq!(plugin.certificate().profile, Profile::Core);
}
