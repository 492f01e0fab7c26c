//! What a service manager says and wants to hear: socket activation and `sd_notify`.

use crate::problem::Problem;
use rustix::process::{PidfdFlags, PidfdGetfdFlags};
use sd_notify::NotifyState;
use std::os::fd::OwnedFd;

/// The first descriptor that is passed.
const FIRST: i32 = 3;

/// The socket that this process was started with.
#[expect(clippy::disallowed_methods, reason = "the edge: the environment is read here and passed inward")]
pub(super) fn socket() -> Result<Option<OwnedFd>, Problem> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
    let is_meant = number("LISTEN_PID") == Some(std::process::id());
    match number("LISTEN_FDS").filter(|_| is_meant) {
        None | Some(0) => Ok(None),
        Some(1) => {
            // A copy: nobody but the environment says that the number is ours to close.
            let me = rustix::process::getpid();
            let copied = rustix::process::pidfd_open(me, PidfdFlags::empty())
                .and_then(|me| rustix::process::pidfd_getfd(me, FIRST, PidfdGetfdFlags::empty()));
            copied
                .map(Some)
                .map_err(|error| Problem::socket(format!("descriptor {FIRST} of socket activation: {error}")))
        }
        Some(count) => Err(Problem::socket(format!(
            "socket activation passed {count} sockets; casemate serve takes one: name one ListenStream="
        ))),
    }
}

/// Says it, if anybody listens; nobody has to.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, state) {
        tracing::warn!("telling the service manager failed: {error}");
    }
}

pub(super) fn ready() {
    notify(&[NotifyState::Ready]);
}

pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!("reading the clock failed: {error}"),
    }
}

pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}
